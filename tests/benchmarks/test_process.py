import subprocess
import sys

import pytest
from peers.process import FailedError, StoppedError, measured, tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
MB = 1_000_000
HOLD = "import time; held = b'x' * {size}; time.sleep({seconds})"


def python(code):
    return [sys.executable, "-S", "-c", code]


def test_memory_is_that_of_a_process_and_what_it_started(tmp_path):
    child = HOLD.format(size=80 * MB, seconds=0.3)
    parent = f"import subprocess, sys; held = b'x' * {60 * MB}; subprocess.run([sys.executable, '-S', '-c', {child!r}])"
    empty = measured(python("pass"), tmp_path / "empty.txt").peak_rss_bytes
    taken = measured(python(parent), tmp_path / "log.txt")
    assert 140 * MB < taken.peak_rss_bytes < 140 * MB + 4 * max(empty, 10 * MB)
    assert taken.seconds > 0.3


def test_processor_seconds_are_not_those_of_waiting(tmp_path):
    taken = measured(python("import time; time.sleep(0.5)"), tmp_path / "log.txt")
    assert taken.cpu_seconds < 0.4 < taken.seconds


def test_what_takes_too_much_is_ended_with_all_it_started(tmp_path):
    code = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {HOLD.format(size=90 * MB, seconds=60)!r}]); time.sleep(60)"  # noqa: E501
    with pytest.raises(StoppedError, match=r"0\.1 GB"):
        measured(python(code), tmp_path / "log.txt", limit=80 * MB)


def test_a_failure_says_its_last_line(tmp_path):
    with pytest.raises(FailedError, match="exit code 3: no scan"):
        measured(python("import sys; print('reading'); print('no scan'); sys.exit(3)"), tmp_path / "log.txt")


def test_what_has_ended_has_no_tree():
    process = subprocess.Popen(python("pass"))
    process.wait()
    assert list(tree(process.pid)) == [process.pid]
