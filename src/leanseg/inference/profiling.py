"""What predicting a scan of some size costs on this machine, measured phase by phase: seconds and resident memory.

The scan is made, and a fresh process predicts it, file to file, as `leanseg predict` does. Another one looks at the
memory of that process and its children every hundredth of a second.
"""

import math
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leanseg.errors import BudgetError, InputError, LeansegError
from leanseg.inference.engines.precision import thread_count
from leanseg.inference.phantom import write_phantom_scan
from leanseg.inference.watching import Watched, watch
from leanseg.packages import Package
from leanseg.plans import show_bytes
from leanseg.progress import Progress
from leanseg.volumes import default_max_voxels

Sizes = tuple[int, int, int]
Spacing = tuple[float, float, float]

# The phases of a prediction in their order; "start" is before the first and "rest" between and after them.
PHASES = {
    "start": "Python, the package, compiling the network",
    "read": "unpack and check the scan",
    "prepare": "normalise, resample to the plan's grid",
    "network": "tiles through the network, fused",
    "labels": "scores to labels on the scan's grid",
    "write": "pack and write the label map",
    "rest": "between the phases, and the end of the process",
}
_MOST_SAMPLES = 500  # that are kept
_VOXEL, _LABEL = 2, 2  # bytes on disk, at most: gzip makes noise no larger to speak of


class NoSuchScanError(InputError):
    """No scan has such a size or spacing."""

    def __init__(self, volume: Sizes, spacing: Spacing) -> None:
        super().__init__(
            what=f"no scan has {_by(volume)} voxels of {_by(spacing)} mm",
            why="a profile predicts a scan of that size",
            fix="give whole numbers from 1 on and lengths above 0, as --volume 512x512x300 --spacing 0.8x0.8x1",
        )


class NoRoomForScanError(InputError):
    """The scan to be measured with does not fit on the disk for temporary files."""

    def __init__(self, folder: Path, free: int, needed: int) -> None:
        super().__init__(
            what=f"{folder} has {show_bytes(free)} free, and scan and label map take up to {show_bytes(needed)}",
            why="a profile predicts a scan of that size, file to file",
            fix="make room there, or name a folder on another disk by the environment variable TMPDIR",
        )


class ScanTooLargeError(InputError):
    """The scan to be measured with is larger than what leanseg reads on this machine."""

    def __init__(self, voxels: int, most: int) -> None:
        super().__init__(
            what=f"the volume has {voxels:,} voxels; {most:,} are read on this machine",
            why="leanseg predict refuses larger scans unless --max-voxels says otherwise",
            fix="give a smaller --volume, or profile on a machine with more memory",
        )


class KilledError(BudgetError):
    """The process that predicted was killed from outside."""

    def __init__(self, peak: int) -> None:
        super().__init__(
            what=f"the prediction was killed by the system when it had {show_bytes(peak)} of memory",
            why="most probably the memory of this machine, or the limit set on this process, was used up",
            fix="give a smaller --volume, or profile on a machine with more memory",
        )


class BrokenPredictionError(LeansegError):
    """The process that predicted ended in a way that nobody foresaw."""

    def __init__(self, code: int, last: str) -> None:
        super().__init__(
            what=f"the process that predicted ended with code {code}: {last or 'it said nothing'}",
            why="this is a fault of ours or of the engine's",
            fix="see whether the engine works at all: leanseg doctor",
        )


@dataclass(frozen=True)
class Phase:
    """What a phase took: wall time, and the most memory that was resident while it lasted."""

    seconds: float
    peak_rss_bytes: int


@dataclass(frozen=True)
class Profile:
    """What predicting one scan cost.

    package: its hash. volume, spacing (mm): along X, Y, Z. channels, classes: of image and scores. tile: (D, H, W).
    seconds: from the start of the process to its end. peak_rss_bytes: of the process with its children. phases: start,
    read, prepare, network, labels, write and rest, each with seconds and peak_rss_bytes. spans: phase, its first and
    last second. samples: second, bytes.
    """

    package: str
    network: str
    engine: str
    precision: str
    threads: int
    volume: tuple[int, int, int]
    spacing: tuple[float, float, float]
    channels: int
    classes: int
    tile: tuple[int, int, int]
    seconds: float
    peak_rss_bytes: int
    phases: Mapping[str, Phase]
    spans: Sequence[tuple[str, float, float]]
    samples: Sequence[tuple[float, int]]

    @property
    def computed_by(self) -> str:
        """Engine, precision and threads in words."""
        return f"{self.engine}, {self.precision}, {self.threads} thread{'s' * (self.threads != 1)}"


def profile_prediction(
    package: Package,
    volume: Sizes,
    spacing: Spacing,
    *,
    engine: str | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Profile:
    """Predict a made scan of `volume` voxels, `spacing` mm apart (X, Y, Z), with `package`, and say what it took.

    engine: a name, or None for the one the plan names. threads: cores for the engine, by default as the package was
    tuned, else all.
    The scan and its label map lie in a temporary folder, which is gone afterwards. Raises NoSuchScanError,
    ScanTooLargeError and NoRoomForScanError before anything is written, what `predict_cases` raises, and KilledError.
    """
    progress = progress or Progress()
    data = package.plan.data
    _refuse_impossible(volume, spacing, len(data.channels))
    with tempfile.TemporaryDirectory(prefix="leanseg-profile-") as folder:
        progress.note(f"Making a scan of {_by(volume)} voxels")
        images = [Path(folder) / f"phantom_{channel:04d}.nii.gz" for channel in range(len(data.channels))]
        for seed, path in enumerate(images):
            write_phantom_scan(path, volume, spacing, seed)
        order = {
            "package": str(package.path.resolve()),
            "images": [str(path) for path in images],
            "out": str(Path(folder) / "labels"),
            "engine": engine,
            "threads": threads,
        }
        watched = watch(order, Path(folder) / "said.txt", progress)
    _require_end(watched)
    plan = package.plan
    return Profile(
        package=package.hash,
        network=plan.network.name,
        engine=watched.end["engine"],
        precision=watched.end["precision"],
        threads=threads or thread_count(package.threads),
        volume=volume,
        spacing=spacing,
        channels=len(data.channels),
        classes=data.outputs,
        tile=plan.inference.tile,
        seconds=watched.seconds,
        peak_rss_bytes=max(watched.peak, watched.end["peak_rss_bytes"]),
        phases=_phases(watched),
        spans=watched.spans,
        samples=_fewer(watched.samples),
    )


def _refuse_impossible(volume: Sizes, spacing: Spacing, channels: int) -> None:
    if min(volume) < 1 or not all(math.isfinite(mm) and mm > 0 for mm in spacing):
        raise NoSuchScanError(volume, spacing)
    voxels = math.prod(volume)
    if voxels * channels > default_max_voxels():
        raise ScanTooLargeError(voxels * channels, default_max_voxels())
    folder = Path(tempfile.gettempdir())
    free, needed = shutil.disk_usage(folder).free, voxels * (channels * _VOXEL + _LABEL)
    if needed > free:
        raise NoRoomForScanError(folder, free, needed)


def _require_end(watched: Watched) -> None:
    """Raise what the process refused, or how it died; nothing if it has done its work."""
    if watched.refused:
        _raise(**watched.refused)
    if not watched.end:
        if os.name == "posix" and watched.code == -signal.SIGKILL:
            raise KilledError(watched.peak)
        raise BrokenPredictionError(watched.code, watched.said)


def _raise(what: str, why: str, fix: str, exit_code: int) -> None:
    """Raise what the other process refused, with its exit code."""
    kind = {InputError.exit_code: InputError, BudgetError.exit_code: BudgetError}.get(exit_code, LeansegError)
    raise kind(what=what, why=why, fix=fix)


def _phases(watched: Watched) -> dict[str, Phase]:
    """Return what each phase took; a phase too short to be seen has the memory of the moment closest to it."""
    spans = list(watched.spans)
    first = min((start for _, start, _ in spans), default=watched.seconds)
    spans.append(("start", 0.0, first))
    named = {name: [(start, end) for phase, start, end in spans if phase == name] for name in PHASES}
    found = {
        name: Phase(sum(end - start for start, end in parts), _peak(parts, watched.samples))
        for name, parts in named.items()
        if parts
    }
    left = watched.seconds - sum(phase.seconds for phase in found.values())
    outside = [rss for at, rss in watched.samples if not any(start <= at <= end for _, start, end in spans)]
    return {**found, "rest": Phase(max(0.0, left), max(outside, default=watched.samples[-1][1]))}


def _peak(parts: Sequence[tuple[float, float]], samples: Sequence[tuple[float, int]]) -> int:
    within = [rss for at, rss in samples if any(start <= at <= end for start, end in parts)]
    if within:
        return max(within)
    middle = (parts[0][0] + parts[0][1]) / 2
    return min(samples, key=lambda sample: abs(sample[0] - middle))[1]


def _fewer(samples: Sequence[tuple[float, int]]) -> list[tuple[float, int]]:
    """Return at most so many of `samples` that they can be drawn, of neighbours the highest."""
    step = -(-len(samples) // _MOST_SAMPLES)
    return [max(samples[at : at + step], key=lambda sample: sample[1]) for at in range(0, len(samples), step)]


def _by(values: Sequence[float]) -> str:
    return " x ".join(f"{value:g}" for value in values)
