"""What a data set is to leanseg, whatever its layout on disk: named cases, channels and labels."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from leanseg.datasets.targets import Region, Targets, targets_of
from leanseg.errors import InputError
from leanseg.volumes import SUFFIXES

# nnU-Net's convention: <case>_0000.nii.gz, <case>_0001.nii.gz are two channels of one case.
_CHANNEL = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})", re.DOTALL)


@dataclass(frozen=True)
class Case:
    """One patient's scan. `images` holds one file per channel, or a single 4D file with all of them.

    The files are where they should be; whether they exist and are sound is for `check_dataset` to say.
    """

    name: str
    images: tuple[Path, ...]
    label: Path | None = None
    subject: str | None = None


@dataclass(frozen=True)
class Dataset:
    """Labelled cases (sorted by name), those without labels, and what channels and label values mean.

    labels: class -> its value in the label files; background (0) comes first. regions: what is segmented instead of
    classes, in the order of writing. ignore: value of voxels that nobody has judged. left_right: pairs of classes that
    a mirror exchanges; empty when no class tells left from right, None when nobody has said.
    """

    name: str
    root: Path
    channels: tuple[str, ...]
    labels: dict[str, int]
    cases: tuple[Case, ...]
    unlabelled: tuple[Case, ...] = ()
    regions: dict[str, Region] = field(default_factory=dict)
    ignore: int | None = None
    left_right: tuple[tuple[str, str], ...] | None = None

    @property
    def targets(self) -> Targets:
        """What is segmented and judged: name -> label values that count as it."""
        return targets_of(self.labels, self.regions)


class DuplicateCaseError(InputError):
    """Two scans would get the same case name."""

    def __init__(self, name: str, where: str) -> None:
        super().__init__(
            what=f"{where}: the case name {name!r} occurs more than once",
            why="cases are told apart by their name: file name without suffix and channel number",
            fix="rename one of the files, or name each scan only once",
        )


class NoCasesError(InputError):
    """A place that should hold scans holds none."""

    def __init__(self, place: Path, reason: str, fix: str) -> None:
        super().__init__(what=f"{place}: {reason}", why="there is nothing to work on", fix=fix)


def split_channel(stem: str) -> tuple[str, int | None]:
    """Return the case name and channel number of a file's stem: 'a_0001' -> ('a', 1), 'a' -> ('a', None)."""
    match = _CHANNEL.fullmatch(stem)
    return (match["case"], int(match["channel"])) if match else (stem, None)


def scans_in(folder: Path) -> list[Path]:
    """Return the volumes that lie directly in `folder`, sorted; hidden files and macOS '._' twins are left out."""
    suffixes = tuple(SUFFIXES)
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.lower().endswith(suffixes) and not path.name.startswith(".") and path.is_file()
    )


def refuse_duplicates(cases: Iterable[Case], where: str) -> None:
    """Raise DuplicateCaseError when two of `cases` have one name."""
    for name, count in Counter(case.name for case in cases).items():
        if count > 1:
            raise DuplicateCaseError(name, where)


def by_name(cases: Iterable[Case]) -> tuple[Case, ...]:
    """Return `cases` sorted by name."""
    return tuple(sorted(cases, key=lambda case: case.name))
