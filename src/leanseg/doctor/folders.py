"""The folders leanseg writes to: where they lie, how much room they have, how fast they are."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from leanseg.doctor.disks import DiskSpeed, FileSystem, disk_speed, existing, file_system
from leanseg.doctor.findings import Finding, good, note
from leanseg.machine import cores
from leanseg.progress import Progress

AREA = "disks"

_ROOM_FOR_RUNS = 10**9  # bytes: with its checkpoints and preprocessed cases a run is rarely smaller
_ROOM_FOR_CACHE = 2**29  # measuring takes a quarter of it
_SLOW_WRITE = 20e6  # bytes per second
_SLOW_READ = 50e6  # patches of a step are read in less than the step takes, if the disk is faster than this
_SLOW_FILE = 0.05  # seconds
_SHARED = Path("/dev/shm")  # noqa: S108  where torch's loader processes put their batches on Linux
_SHARED_ROOM = 10**9
# Cores up to which training makes its patches without loader processes, on the CPU and on a GPU.
_NO_LOADERS = 2
_NO_LOADERS_WITH_CUDA = 1


def folders(progress: Progress, *, cuda: bool) -> list[Finding]:
    """Return what the cache folder, the current folder, the temporary one and shared memory are like.

    cuda: torch sees a GPU.
    """
    from leanseg.datasets.cache_folder import cache_folder

    here = Path.cwd()
    found = [
        *cache_findings(cache_folder(), progress),
        current(here, file_system(here), shutil.disk_usage(here).free),
    ]
    place = Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108  tempfile would write a file to find out
    if os.name == "posix" and place.is_dir():
        found.append(temporary(place, file_system(place), shutil.disk_usage(place).free))
    if _SHARED.is_dir():
        found.append(shared_memory(shutil.disk_usage(_SHARED).total, cores(), cuda=cuda))
    return found


def cache_findings(folder: Path, progress: Progress) -> Iterator[Finding]:
    """Yield where the cache lies, how much room it has, and how fast its disk is."""
    folder = folder.absolute()
    try:
        with existing(folder):
            room = shutil.disk_usage(folder).free
            yield cache_place(folder, file_system(folder), room)
            if room >= _ROOM_FOR_CACHE:
                yield speed_of(disk_speed(folder, progress))
    except OSError as error:
        yield note(
            AREA,
            "cache",
            f"{folder}: {error.strerror or error}",
            "leanseg cannot write there: what it finds out about a data set is found out again each time",
            "set LEANSEG_CACHE to a folder that you may write to",
            folder=str(folder),
        )


def cache_place(folder: Path, system: FileSystem, room: int) -> Finding:
    """Return what it means that the cache lies on `system` with `room` bytes left."""
    facts = _facts(folder, system, room)
    if system.is_memory:
        meaning = "files there take memory and are gone after a restart"
        return note(AREA, "cache", _place(facts), meaning, "set LEANSEG_CACHE to a folder on a disk", **facts)
    if room < _ROOM_FOR_CACHE:
        meaning = "too little to measure the disk, and soon too little for fingerprints of data sets"
        return note(AREA, "cache", _place(facts), meaning, "make room, or set LEANSEG_CACHE to another disk", **facts)
    meaning = "fingerprints of data sets are kept here; preprocessed cases lie in the run, while it trains"
    return good(AREA, "cache", _place(facts), meaning, **facts)


def speed_of(speed: DiskSpeed) -> Finding:
    """Return what the speed of the cache's disk means."""
    from leanseg.plans import show_bytes

    doubt = " (perhaps from memory)" if speed.read_from_memory else ""
    rates = f"writes {show_bytes(speed.write)}/s, reads {show_bytes(speed.read)}/s{doubt}"
    value = f"{rates}, {1000 * speed.file:.1f} ms per file"
    facts = {
        "measured_bytes": speed.bytes,
        "write_bytes_per_second": speed.write,
        "read_bytes_per_second": speed.read,
        "read_may_come_from_memory": speed.read_from_memory,
        "seconds_per_small_file": speed.file,
    }
    if speed.write >= _SLOW_WRITE and speed.read >= _SLOW_READ and speed.file <= _SLOW_FILE:
        return good(AREA, "speed of the cache", value, "fast enough for training, if the run lies there, too", **facts)
    return note(
        AREA,
        "speed of the cache",
        value,
        "training waits for such a disk when cases do not fit into memory",
        "put the run (-o) and LEANSEG_CACHE on a local SSD",
        **facts,
    )


def current(folder: Path, system: FileSystem, room: int) -> Finding:
    """Return what it means that the current folder lies on `system` with `room` bytes left."""
    facts = _facts(folder, system, room)
    if system.is_remote:
        return note(
            AREA,
            "this folder",
            f"{_place(facts)}, over a network or from a host",
            "reading scans and writing runs is slower than on a local disk, small files above all",
            "put the run (-o) on a local disk; scans are read once, when training begins",
            **facts,
        )
    if room < _ROOM_FOR_RUNS:
        meaning = "a run needs room for its preprocessed cases and its checkpoints"
        return note(AREA, "this folder", _place(facts), meaning, "make room, or write to another disk with -o", **facts)
    meaning = "runs need room for their preprocessed cases: about that of the scans, decoded"
    return good(AREA, "this folder", _place(facts), meaning, **facts)


def temporary(folder: Path, system: FileSystem, room: int) -> Finding:
    """Return what it means that temporary files lie on `system` with `room` bytes left."""
    facts = _facts(folder, system, room)
    if system.is_memory:
        meaning = "files there take memory; leanseg writes nothing large there, other programs may"
        return note(AREA, "temporary files", _place(facts), meaning, "TMPDIR=FOLDER chooses another place", **facts)
    return good(AREA, "temporary files", _place(facts), "of leanseg only reports of faults", **facts)


def shared_memory(size: int, usable: int, *, cuda: bool) -> Finding:
    """Return whether `size` bytes of shared memory suffice for the loader processes of training on `usable` cores.

    cuda: it trains on a GPU, which leaves a core more for them.
    """
    from leanseg.plans import show_bytes

    name, value, facts = "shared memory", f"{show_bytes(size)} in {_SHARED}", {"bytes": size}
    if size >= _SHARED_ROOM:
        return good(AREA, name, value, "enough for the loader processes of training", **facts)
    if usable <= (_NO_LOADERS_WITH_CUDA if cuda else _NO_LOADERS):
        return good(AREA, name, value, "little, but training has no loader processes on so few cores", **facts)
    return note(
        AREA,
        name,
        value,
        "training hands patches from its loader processes to the network through it, and stops when it is full",
        "docker run --shm-size=2g",
        **facts,
    )


def _facts(folder: Path, system: FileSystem, room: int) -> dict[str, Any]:
    return {
        "folder": str(folder),
        "file_system": system.kind,
        "remote": system.is_remote,
        "in_memory": system.is_memory,
        "free_bytes": room,
    }


def _place(facts: Mapping[str, Any]) -> str:
    from leanseg.plans import show_bytes

    return f"{facts['folder']} ({facts['file_system']}, {show_bytes(facts['free_bytes'])} free)"
