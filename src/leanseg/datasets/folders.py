"""A plain pair of folders: scans in one, label maps of the same names in the other."""

from collections.abc import Sequence
from pathlib import Path

from leanseg.datasets.cases import Case, Dataset, DuplicateCaseError, NoCasesError, by_name, scans_in, split_channel
from leanseg.datasets.labels import LARGEST_VALUE, count_values
from leanseg.datasets.parallel import in_order, workers_for
from leanseg.datasets.scans import MissingChannelError, find_cases
from leanseg.datasets.subjects import with_table
from leanseg.errors import InputError, refused_by_system
from leanseg.progress import Progress
from leanseg.volumes import read_labels, stem_of

_MOST_VALUES = 256


class NotLabelMapsError(InputError):
    """The folder of labels holds images."""

    def __init__(self, folder: Path, values: int) -> None:
        super().__init__(
            what=f"{folder}: its files hold {values} different values",
            why="label maps have one whole number per class; these look like scans",
            fix="name the folder of the label maps; the folders may be the wrong way round",
        )


class NoPairError(InputError):
    """No scan has a label map of its name."""

    def __init__(self, images: Path, labels: Path, image: str, label: str) -> None:
        super().__init__(
            what=f"no file in {labels} belongs to one in {images}: there is {label!r} here and {image!r} there",
            why="a label map is found by its case's name: the scan's file name without suffix and channel number",
            fix="rename the label maps to the names of their cases",
        )


@refused_by_system()
def open_folders(images: Path, labels: Path | None = None, progress: Progress | None = None) -> Dataset:
    """Return the data set made of scans in `images` and label maps of the same names in `labels`.

    Channels are told by _0000, _0001, ... unless the label maps' names end so, too. Classes are the values that occur:
    {"background": 0, "label_1": 1, ...}. Files without a partner keep its place, for `check_dataset` to name; without
    `labels` all cases are unlabelled. Unreadable label maps are passed over here. Raises an InputError for folders
    without scans, without a single pair, or whose labels are no label maps.
    """
    for folder in (images, labels):
        if folder is not None and not scans_in(folder):
            reason = "holds no scans" if folder.is_dir() else "is no folder"
            raise NoCasesError(folder, reason, "name a folder that holds .nii.gz, .mha or .nrrd files")
    if labels is None:
        cases = find_cases([images])
        names = _channels(max(len(case.images) for case in cases))
        return Dataset(images.resolve().name, images, names, {"background": 0}, (), cases)
    cases = _pairs(images, labels)
    files = [case.label for case in cases if case.label is not None and case.label.is_file()]
    dataset = Dataset(
        name=images.resolve().parent.name,
        root=images.resolve().parent,
        channels=_channels(max(len(case.images) for case in cases)),
        labels={"background": 0, **classes_in(labels, files, progress or Progress())},
        cases=cases,
    )
    return with_table(dataset)


def _channels(count: int) -> tuple[str, ...]:
    return tuple(f"channel_{number}" for number in range(count))


def _pairs(images: Path, labels: Path) -> tuple[Case, ...]:
    partners = _by_name(labels, [(stem_of(path), path) for path in scans_in(labels)])
    scans: dict[str, dict[int, Path]] = {}
    files = scans_in(images)
    known = partners.keys() | {split_channel(stem_of(path))[0] for path in files if stem_of(path).endswith("_0000")}
    for path in files:
        name, channel = split_channel(stem_of(path))
        if stem_of(path) in partners or name not in known:
            name, channel = stem_of(path), None
        if scans.setdefault(name, {}).setdefault(channel or 0, path) != path:
            raise DuplicateCaseError(name, str(images))
    if not scans.keys() & partners.keys():
        raise NoPairError(images, labels, min(scans), min(partners))
    count = _count(scans)
    return by_name(
        Case(name, _images(images, name, scans.get(name, {}), count), partners.get(name, labels / f"{name}.nii.gz"))
        for name in scans.keys() | partners.keys()
    )


def _by_name(folder: Path, files: list[tuple[str, Path]]) -> dict[str, Path]:
    result: dict[str, Path] = {}
    for name, path in files:
        if result.setdefault(name, path) != path:
            raise DuplicateCaseError(name, str(folder))
    return result


def _count(scans: dict[str, dict[int, Path]]) -> int:
    used = {channel: path for found in scans.values() for channel, path in found.items()}
    for expected, channel in enumerate(sorted(used)):
        if channel != expected:
            raise MissingChannelError(used[channel], expected)
    return len(used)


def _images(folder: Path, name: str, found: dict[int, Path], count: int) -> tuple[Path, ...]:
    if count == 1:
        return (found.get(0, folder / f"{name}.nii.gz"),)
    return tuple(found.get(channel, folder / f"{name}_{channel:04d}.nii.gz") for channel in range(count))


def classes_in(folder: Path, files: Sequence[Path], progress: Progress) -> dict[str, int]:
    """Return {"label_1": 1, ...} for the values above 0 in the label maps `files` of `folder`.

    Unreadable files are passed over. Raises NotLabelMapsError when there are more values than anybody has classes.
    """
    values: set[int] = set()
    counted = in_order(_values, files, workers_for([Case("", (path,)) for path in files]))
    for found in progress.track(counted, "Reading labels", total=len(files)):
        values |= found
        if len(values) > _MOST_VALUES:
            raise NotLabelMapsError(folder, len(values))
    # Other values cannot be classes; the check names the cases that hold them.
    return {f"label_{value}": value for value in sorted(values) if 0 < value <= LARGEST_VALUE}


def _values(path: Path) -> set[int]:
    try:
        return set(count_values(read_labels(path).array))
    except InputError:
        return set()
