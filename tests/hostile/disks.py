"""Small and read-only disks, mounted where only this process sees them."""

import ctypes
import functools
import os
from pathlib import Path

_NEW_NAMESPACE = 0x00020000  # CLONE_NEWNS of linux/sched.h
_READ_ONLY, _REMOUNT, _RECURSIVE, _PRIVATE = 1, 32, 1 << 14, 1 << 18  # MS_* of linux/mount.h
_DETACH = 2


@functools.cache
def own_mounts() -> bool:
    """Give this process mounts of its own, gone when it ends. False where the system does not let it (not root)."""
    system = ctypes.CDLL(None, use_errno=True)
    if not hasattr(system, "unshare") or system.unshare(_NEW_NAMESPACE) != 0:
        return False
    return system.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None) == 0


def may_mount() -> bool:
    """Tell whether a worker will be able to mount disks."""
    return hasattr(os, "geteuid") and os.geteuid() == 0 and hasattr(ctypes.CDLL(None), "unshare")


def mount_small(folder: Path, size: int, files: int = 200) -> None:
    """Mount an empty disk of `size` bytes (rounded up to pages) and room for `files` files at `folder`."""
    folder.mkdir(exist_ok=True)
    _call("mount", b"tmpfs", os.fsencode(folder), b"tmpfs", 0, f"size={size},nr_inodes={files},mode=755".encode())


def make_read_only(folder: Path) -> None:
    """Let nothing more be written to the disk at `folder`."""
    _call("mount", b"tmpfs", os.fsencode(folder), b"tmpfs", _REMOUNT | _READ_ONLY, None)


def unmount(folder: Path) -> None:
    """Take the disk away."""
    _call("umount2", os.fsencode(folder), _DETACH)


def _call(name: str, *arguments: bytes | int | None) -> None:
    if not own_mounts():
        raise PermissionError("this process may not mount disks")
    system = ctypes.CDLL(None, use_errno=True)
    if getattr(system, name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
