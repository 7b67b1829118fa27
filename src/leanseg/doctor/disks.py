"""What kind of file system a folder lies on, and how fast it is."""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leanseg.progress import Progress

_IN_MEMORY = {"tmpfs", "ramfs"}
_OVER_A_NETWORK = {
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "webdav", "davfs", "afs", "ncpfs", "9p", "virtiofs"),
    *("lustre", "beegfs", "fhgfs", "gpfs", "ceph", "glusterfs", "pvfs2", "orangefs"),
    *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.rclone", "fuse.s3fs", "fuse.gcsfuse", "fuse.gvfsd-fuse"),
}

_PART = 2**24  # bytes written at a time, and synced: 16 MiB
_PARTS = 8
_PATIENCE = 2.0  # seconds for each of writing and reading: a slow disk is known after fewer parts
_FILES = 16
_FILE_BYTES = 4096


@dataclass(frozen=True)
class FileSystem:
    """What a folder lies on. kind: as the operating system calls it, "ext4" or "nfs4"; "unknown" where it does not."""

    kind: str

    @property
    def is_memory(self) -> bool:
        """Tell whether files take memory instead of a disk."""
        return self.kind in _IN_MEMORY

    @property
    def is_remote(self) -> bool:
        """Tell whether files lie on another machine, or on the host of a virtual one."""
        return self.kind in _OVER_A_NETWORK


@dataclass(frozen=True)
class DiskSpeed:
    """write, read: bytes per second, files synced. file: seconds to write, sync, read and remove a file of 4 kB.

    read_from_memory: the system may have answered reading from its cache, so that the disk may be slower.
    """

    bytes: int
    write: float
    read: float
    read_from_memory: bool
    file: float


def file_system(folder: Path) -> FileSystem:
    """Return the file system of `folder`, which need not exist."""
    import psutil

    place = folder.resolve()
    mounts = {Path(mount.mountpoint): mount.fstype for mount in psutil.disk_partitions(all=True)}
    # Later mounts hide earlier ones at the same place: the last one in the table is what the dictionary keeps.
    inner = [mount for mount in mounts if place.is_relative_to(mount)]
    return FileSystem(mounts[max(inner, key=lambda mount: len(mount.parts))] if inner else "unknown")


@contextlib.contextmanager
def existing(folder: Path) -> Iterator[None]:
    """Make `folder` and those above it where they are missing; remove these again, unless something is in them."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        with contextlib.suppress(OSError):  # not made after all, or somebody else uses it by now
            for each in made:
                each.rmdir()


def disk_speed(folder: Path, progress: Progress, parts: int = _PARTS) -> DiskSpeed:
    """Write up to `parts` times 16 MiB into a nameless file in `folder`, read them, and try a few small files.

    Nothing is left behind, not even of the large file when this process is killed. Raises OSError.
    """
    part = os.urandom(_PART)  # what cannot be compressed, by the file system either
    # A file without a name, or one that the system removes when it is closed, whatever ends this process.
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        written, began = 0, time.perf_counter()
        for _ in progress.track(range(parts), "Measuring the disk"):
            written += file.write(part)
            os.fsync(file.fileno())
            if time.perf_counter() - began > _PATIENCE:
                break
        writing = time.perf_counter() - began
        from_memory = not _drop_from_cache(file.fileno(), written)
        read, reading = _read(file.fileno(), written)
    return DiskSpeed(written, written / writing, read / reading, from_memory, _seconds_per_file(folder))


def _drop_from_cache(file: int, size: int) -> bool:
    """Ask the system to forget what it holds of `file` (a descriptor); tell whether it is known to have done so."""
    if not hasattr(os, "posix_fadvise") or not hasattr(os, "preadv"):
        return False
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    try:
        os.preadv(file, [bytearray(_FILE_BYTES)], size // 2, os.RWF_NOWAIT)
    except BlockingIOError:
        return True  # it would have to wait for the disk
    except (OSError, AttributeError):  # not every file system and not every system answers this
        return False
    return False


def _read(file: int, size: int) -> tuple[int, float]:
    """Return how many of the `size` bytes of `file` (a descriptor) were read, and in how many seconds."""
    buffer = bytearray(_PART)
    read, began = 0, time.perf_counter()
    os.lseek(file, 0, os.SEEK_SET)
    while read < size and time.perf_counter() - began < _PATIENCE:
        read += os.readv(file, [buffer]) if hasattr(os, "readv") else len(os.read(file, _PART))
    return read, time.perf_counter() - began


def _seconds_per_file(folder: Path) -> float:
    content = os.urandom(_FILE_BYTES)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".doctor-") as own:
        began = time.perf_counter()
        for number in range(_FILES):
            path = Path(own) / str(number)
            with path.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            path.read_bytes()
            path.unlink()
        return (time.perf_counter() - began) / _FILES
