"""When training ends: the clock has run out, somebody pressed Ctrl-C, or the loss is no number any more."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from leanseg.errors import InputError
from leanseg.learning.training.clock import Clock

_CHECK_EVERY = 50  # steps between looks at the loss: reading it makes a GPU wait


class DivergedError(InputError):
    """The loss became NaN or infinite."""

    def __init__(self, step: int) -> None:
        super().__init__(
            what=f"training diverged: the loss is not a number at step {step}",
            why="weights that are not numbers cannot get better",
            fix="lower training.learning_rate in the plan, to a third for example, or set training.precision to fp32",
        )


class Stopping(Callback):
    """End training after the step in which the clock runs out or `interrupted` was set."""

    def __init__(self, clock: Clock) -> None:
        self.interrupted = False
        self._clock = clock

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Start the clock: progress counts from the first step, not from the start of the command."""
        self._clock.start()

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *_: Any) -> None:  # noqa: ARG002
        """Stop, or raise DivergedError."""
        if self.interrupted or self._clock.progress(trainer.global_step) >= 1:
            trainer.should_stop = True
        if trainer.global_step % _CHECK_EVERY == 0 and not torch.isfinite(outputs["loss"]):
            raise DivergedError(trainer.global_step)

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """While the block runs, the first Ctrl-C (or SIGTERM) only sets `interrupted`; the second one interrupts."""
        previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
            self.interrupted = True
            signal.signal(number, signal.default_int_handler)

        for number in previous:
            signal.signal(number, note)
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
