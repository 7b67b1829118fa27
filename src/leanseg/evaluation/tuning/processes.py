"""Work in processes of their own: what one candidate takes of the memory is then its own, and so is how it ends."""

import os
import subprocess
import sys
from pathlib import Path

from leanseg.errors import InputError
from leanseg.storage import encodable

_HOME = Path(__file__).parents[3]  # where the package leanseg lies
# Appended to the path, so that neighbours of an installed leanseg do not go before Python's own library.
_START = "import runpy, sys; sys.path.append(sys.argv.pop(1)); runpy.run_module(sys.argv.pop(1), run_name='__main__')"


class ProcessFailedError(InputError):
    """A process of ours ended without a result."""

    def __init__(self, doing: str, how: str) -> None:
        super().__init__(
            what=f"{doing}: {how}",
            why="nothing is known of a candidate that ends so",
            fix="leave it out with --precision, or look for free memory",
        )


def run_module(module: str, request: Path, doing: str) -> None:
    """Run leanseg's `module` on the file `request`; raises ProcessFailedError where it does not end well.

    A Ctrl-C here ends the process, too.
    """
    # -P: a file named like a library in the current folder must not take that library's place.
    command = [sys.executable, "-P", "-c", _START, str(_HOME), module, str(request)]
    # In a group of its own, so that a Ctrl-C is told once: by this process, which kills it.
    done = subprocess.run(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        start_new_session=True,
    )
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"code {done.returncode}"]
        killed = done.returncode in (-9, 137)
        how = "killed by the system, probably for want of memory" if killed else last[0]
        raise ProcessFailedError(doing, encodable(how))
