"""What this machine has, and what this process has taken of it."""

import contextlib
import ctypes
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_OWN_CGROUPS = Path("/proc/self/cgroup")
_OWN_PEAK = Path("/proc/self/clear_refs")  # 5 written to it sets VmHWM to the memory of now (proc(5))
_CGROUPS = Path("/sys/fs/cgroup")
# The limit of a group, its use, and what memory.stat calls the part of the use that the system gives up when memory is
# needed: the cache of files that nobody has asked for lately. Of version 2 and 1.
_MEMORY_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
_TRIM_THRESHOLD = -1  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
_MMAP_THRESHOLD = -3
_LONGEST_START = 60.0  # seconds


def cores() -> int:
    """Return the number of cores this process may use; a container's share of 1.5 cores counts as 2."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([usable, *map(math.ceil, _cgroup_cores())]))


def ram_bytes() -> int:
    """Return the machine's memory in bytes, or the container's limit where that is smaller."""
    import psutil

    return min([int(psutil.virtual_memory().total), *(limit for limit, _ in _cgroup_memory())])


def free_bytes() -> int:
    """Return the memory in bytes that is left to this process: the machine's, or less where a container has a limit."""
    import psutil

    left = [max(0, limit - used) for limit, used in _cgroup_memory()]
    return min([int(psutil.virtual_memory().available), *left])


def rss_bytes() -> int:
    """Return the resident memory of this process now, in bytes."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak_rss_bytes() -> int:
    """Return the largest resident memory this process ever had, in bytes."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    own = Path("/proc/self/status")
    if own.exists():  # Linux, where getrusage would tell the peak of the process that started this one, if larger
        return int(own.read_text(encoding="ascii").partition("VmHWM:")[2].split(maxsplit=1)[0]) * 1024
    import resource

    peak = int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak if sys.platform == "darwin" else peak * 1024


def forget_peak_rss() -> None:
    """Let `peak_rss_bytes` count from now on. On Linux only; elsewhere nothing happens, and the older peak stays."""
    with contextlib.suppress(OSError):
        _OWN_PEAK.write_text("5", encoding="ascii")


def process_seconds() -> float:
    """Return how long ago this process was started, in seconds: imports count as time a person waits.

    0 in a process that is older than any start takes: there a command was called, not started.
    """
    import psutil

    seconds = time.time() - float(psutil.Process().create_time())
    return seconds if 0 <= seconds <= _LONGEST_START else 0.0


def keep_freed_memory() -> None:
    """Let glibc's malloc keep what is freed instead of handing it back to the system; elsewhere nothing happens.

    Activations of a few megabytes lie above its thresholds: without this, each is mapped, faulted in page by page
    and unmapped again in every training step. See benchmarks/training_step.py for what that costs.
    """
    if not sys.platform.startswith("linux"):
        return
    malloc_options = getattr(ctypes.CDLL(None), "mallopt", None)
    if malloc_options is not None:
        malloc_options(_TRIM_THRESHOLD, 2**31 - 1)
        malloc_options(_MMAP_THRESHOLD, 2**30)


def _cgroup_memory() -> Iterator[tuple[int, int]]:
    """Yield every limit on this process's memory and how much of it is used, in bytes.

    Groups are nested and each of them counts.
    """
    for folder in _cgroup_folders("memory"):
        for limit, use, cache in _MEMORY_FILES:
            for most in _numbers(folder / limit):
                yield most, max(0, sum(_numbers(folder / use)) - _statistic(folder, cache))


def _cgroup_cores() -> Iterator[float]:
    """Yield every limit on this process's time, in cores."""
    for folder in _cgroup_folders("cpu"):
        words = _words(folder / "cpu.max") or _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
        if len(words) == 2 and all(word.isdigit() and int(word) for word in words):  # not "max" or -1
            yield int(words[0]) / int(words[1])


def _cgroup_folders(controller: str) -> Iterator[Path]:
    """Yield the folders of this process's groups, from the innermost to the root, of cgroup version 2 and 1.

    A container may see its own group as the root: then the inner ones named by the kernel are not there.
    """
    for line in _lines(_OWN_CGROUPS):
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        root = _CGROUPS / controller if controllers else _CGROUPS
        inner = PurePosixPath(group.lstrip("/"))
        yield from (root / folder for folder in (inner, *inner.parents))


def _statistic(folder: Path, name: str) -> int:
    """Return what memory.stat of a group counts under `name`, in bytes; 0 where it does not."""
    found = [line.split() for line in _lines(folder / "memory.stat")]
    return sum(int(words[1]) for words in found if len(words) == 2 and words[0] == name and words[1].isdigit())


def _numbers(path: Path) -> list[int]:
    """Return the whole numbers in a file of a group: none where it says "max", or is not there."""
    return [int(word) for word in _words(path) if word.isdigit()]


def _words(path: Path) -> list[str]:
    return [word for line in _lines(path) for word in line.split()]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
