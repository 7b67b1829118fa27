import subprocess
import sys

import pytest

from leanseg.learning.jobs.lock import FolderBusyError, held

HOLD = """
import sys
from pathlib import Path
from leanseg.learning.jobs.lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder's lock."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_folder_that_another_process_works_in_is_refused(holder, tmp_path):
    with pytest.raises(FolderBusyError), held(tmp_path / "run"):
        pass
    holder.stdin.close()
    holder.wait()
    with held(tmp_path / "run"):
        pass


def test_a_process_that_was_killed_holds_nothing(holder, tmp_path):
    holder.kill()
    holder.wait()
    with held(tmp_path / "run"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_goes_wrong_inside_lets_go(tmp_path):
    with pytest.raises(ValueError, match="inside"), held(tmp_path / "run"):
        raise ValueError("inside")
    with held(tmp_path / "run"):
        pass
