"""One command at a time in a folder: a lock of the operating system, which ends with the process however that ends."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from leanseg.errors import InputError


class FolderBusyError(InputError):
    """Another command works in the folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            what=f"{folder}: another leanseg command is working in this folder",
            why="two of them would overwrite each other's results",
            fix="wait until it is done, or stop it first",
        )


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder` while the block runs. Raises FolderBusyError when somebody else does.

    The file lies beside the folder, which may be replaced meanwhile. Where none can be made nothing is locked.
    """
    place = folder.resolve()
    path = place.parent / f".lock-{place.name}"
    with contextlib.ExitStack() as stack:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(path.open("ab"))
        except OSError:
            yield
            return
        if not _lock(file):
            raise FolderBusyError(folder)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # Windows removes no open file
                path.unlink()


def _lock(file: BinaryIO) -> bool:
    """Lock `file` without waiting, and tell whether that was possible."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: then nobody can tell
    return True
