"""Signals that a test sends to its own process, without ending the test run where nobody listens."""

import signal


def press(number=signal.SIGINT):
    """Send a signal to this thread, where training must be listening."""
    listening = signal.getsignal(number) not in {signal.SIG_DFL, signal.default_int_handler}
    assert listening, f"nobody listens to {signal.Signals(number).name}: it would have ended the test run"
    signal.raise_signal(number)
