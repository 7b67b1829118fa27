"""What a data set measured like: sizes, spacings, intensities and classes; what planning is based on.

Source of the idea: nnU-Net (arXiv 1904.08128), dataset fingerprint. Read once, then cached by content.
"""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from leanseg.datasets.cache_folder import cache_folder
from leanseg.datasets.cases import Case, Dataset, NoCasesError
from leanseg.datasets.intensities import percentiles, pooled
from leanseg.datasets.measurement import Measurement, Spacing, Triple, measure
from leanseg.datasets.parallel import in_order, workers_for
from leanseg.errors import InputError, refused_by_system
from leanseg.progress import Progress
from leanseg.storage import CannotWriteError, write_text
from leanseg.volumes import files_of

# Part of the cache's key: raise it whenever the numbers below are computed differently.
VERSION: Final = 3


class CaseFingerprint(BaseModel):
    """One case. Shape and spacing (mm) are along the file's axes X, Y, Z, which grow to the sides `axcodes` names.

    voxels: per class. content_shape: size, along the same axes, of the smallest box that holds every voxel in which
    some channel is not background (the value in its corners). cropped: labelled voxels outside that box.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    shape: Triple
    spacing: Spacing
    axcodes: str
    voxels: dict[str, int]
    content_shape: Triple
    cropped: int = 0


class ChannelFingerprint(BaseModel):
    """Intensities of one channel, inside the foreground (every class but background) and in whole images.

    Percentiles come from up to 10,000 foreground voxels of each case. background_share: voxels that are background.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    foreground_mean: float
    foreground_sd: float
    foreground_percentile_00_5: float
    foreground_median: float
    foreground_percentile_99_5: float
    mean: float
    sd: float
    background_share: float


class ClassFingerprint(BaseModel):
    """One class: its value in the files, its share of all voxels, and in how many cases it occurs."""

    model_config = ConfigDict(frozen=True)

    value: int
    share: float
    cases: int


class Fingerprint(BaseModel):
    """All labelled cases together. Shapes and spacings (mm) are along Right, Anterior, Superior.

    content_share: voxels inside the boxes of the cases' content; well below 1, cropping to these boxes saves work.
    content: BLAKE2 hash of the files and of what the data set says about them.
    """

    model_config = ConfigDict(frozen=True)

    version: Literal[3] = VERSION
    content: str
    dataset: str
    median_shape: Triple
    median_spacing: Spacing
    largest_shape: Triple
    median_content_shape: Triple
    content_share: float
    channels: tuple[ChannelFingerprint, ...]
    classes: dict[str, ClassFingerprint]
    cases: tuple[CaseFingerprint, ...]


@refused_by_system()
def fingerprint(dataset: Dataset, progress: Progress | None = None, cache: Path | None = None) -> Fingerprint:
    """Return the fingerprint of the labelled cases of `dataset`.

    cache: folder for results; default the user's own (see `cache_folder`). A result is found again by the content of
    the files, wherever they lie; a damaged one is computed again. Raises the readers' InputErrors for the first broken
    case, GeometryMismatchError, UnknownLabelError, WrongChannelsError, and NoCasesError without labelled cases.
    """
    if not dataset.cases:
        raise NoCasesError(dataset.root, "has no labelled cases", "add label maps, or name the folder with --labels")
    progress = progress or Progress()
    workers = workers_for(dataset.cases)
    hashes = in_order(_content_of, dataset.cases, workers)
    content = _content(dataset, list(progress.track(hashes, "Comparing with earlier runs", total=len(dataset.cases))))
    file = (cache or cache_folder()) / "fingerprints" / f"{content}.json"
    if (known := _cached(file, content)) is not None:
        return known
    measured = in_order(lambda case: measure(case, dataset), dataset.cases, workers)
    result = _summary(dataset, content, list(progress.track(measured, "Measuring", total=len(dataset.cases))))
    try:
        write_text(file, result.model_dump_json(indent=1) + "\n")
    except CannotWriteError as error:
        progress.note(f"{error.what}; the fingerprint will be computed again next time")
    return result


def _content_of(case: Case) -> str:
    digest = hashlib.blake2b(repr((case.name, len(case.images))).encode(), digest_size=20)
    for path in (*case.images, case.label):
        if path is None or not path.is_file():
            continue  # The reader says so, with more to say about it.
        for part in _parts(path):
            with part.open("rb") as file:
                digest.update(hashlib.file_digest(file, "blake2b").digest())
    return digest.hexdigest()


def _parts(path: Path) -> tuple[Path, ...]:
    try:
        return files_of(path)
    except InputError:
        return (path,)  # What is wrong with it is said when it is measured.


def _content(dataset: Dataset, cases: Sequence[str]) -> str:
    decisive = [VERSION, dataset.name, dataset.channels, list(dataset.labels.items()), list(cases)]
    if dataset.ignore is not None:  # otherwise nothing differs from what was computed before there was such a value
        decisive.append(dataset.ignore)
    return hashlib.blake2b(repr(tuple(decisive)).encode(), digest_size=20).hexdigest()


def _cached(file: Path, content: str) -> Fingerprint | None:
    try:
        found = Fingerprint.model_validate_json(file.read_bytes())
    except (OSError, ValueError):  # also what pydantic says of a damaged file
        return None
    return found if found.content == content else None


def _summary(dataset: Dataset, content: str, found: Sequence[Measurement]) -> Fingerprint:
    total = sum(math.prod(one.shape) for one in found)
    return Fingerprint(
        content=content,
        dataset=dataset.name,
        median_shape=_median_shape([one.turned_shape for one in found]),
        median_spacing=_triple(np.median([one.turned_spacing for one in found], axis=0)),
        largest_shape=_whole(np.max([one.turned_shape for one in found], axis=0)),
        median_content_shape=_median_shape([one.turned_content_shape for one in found]),
        content_share=sum(math.prod(one.content_shape) for one in found) / total,
        channels=tuple(_channel(name, index, total, found) for index, name in enumerate(dataset.channels)),
        classes={name: _class(value, total, found) for name, value in dataset.labels.items()},
        cases=tuple(_case(dataset, one) for one in found),
    )


def _case(dataset: Dataset, one: Measurement) -> CaseFingerprint:
    return CaseFingerprint(
        name=one.name,
        shape=one.shape,
        spacing=one.spacing,
        axcodes=one.axcodes,
        voxels={name: one.values.get(value, 0) for name, value in dataset.labels.items()},
        content_shape=one.content_shape,
        cropped=one.cropped,
    )


def _channel(name: str, index: int, total: int, found: Sequence[Measurement]) -> ChannelFingerprint:
    whole = pooled(one.whole[index] for one in found)
    inside = pooled(one.foreground[index] for one in found)
    low, median, high = percentiles([one.samples[index] for one in found], (0.5, 50, 99.5))
    return ChannelFingerprint(
        name=name,
        foreground_mean=inside.mean,
        foreground_sd=inside.sd,
        foreground_percentile_00_5=low,
        foreground_median=median,
        foreground_percentile_99_5=high,
        mean=whole.mean,
        sd=whole.sd,
        background_share=sum(one.background[index] for one in found) / total,
    )


def _class(value: int, total: int, found: Sequence[Measurement]) -> ClassFingerprint:
    voxels = [one.values.get(value, 0) for one in found]
    return ClassFingerprint(value=value, share=sum(voxels) / total, cases=sum(map(bool, voxels)))


def _median_shape(shapes: Sequence[Triple]) -> Triple:
    return _whole(np.ceil(np.median(shapes, axis=0)))


def _whole(values: NDArray[Any]) -> Triple:
    x, y, z = values.tolist()
    return int(x), int(y), int(z)


def _triple(values: NDArray[np.float64]) -> Spacing:
    x, y, z = values.tolist()
    return x, y, z
