"""Find the scans that a person means: files, folders of scans, or data sets."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from leanseg.datasets.cases import Case, NoCasesError, by_name, refuse_duplicates, scans_in, split_channel
from leanseg.datasets.layouts import DESCRIPTION, open_dataset
from leanseg.errors import InputError, refused_by_system
from leanseg.volumes import stem_of


class MissingChannelError(InputError):
    """A case has a later channel but not an earlier one."""

    def __init__(self, path: Path, channel: int) -> None:
        super().__init__(
            what=f"{path}: there is no channel {channel:04d} beside it",
            why="file names that end in _0000, _0001, ... are the channels of one case, numbered from 0 without gaps",
            fix=f"add the file that ends in _{channel:04d}, or rename the files if they are cases of their own",
        )


class NoSuchScanError(InputError):
    """A path on the command line leads nowhere."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            what=f"{path}: does not exist",
            why="scans are named as files, as folders of scans or as a data set",
            fix="check the path",
        )


@refused_by_system()
def find_cases(paths: Sequence[Path]) -> tuple[Case, ...]:
    """Return the cases in `paths`, sorted by name: files, folders of scans, or data sets.

    A data set gives its unlabelled cases if it has any, else its labelled ones. A case is named after its file
    without suffix and channel number; `a_0000.nii.gz` and `a_0001.nii.gz` are two channels of the case `a`.
    Raises an InputError for a missing or unknown file, an empty folder, a missing channel and a name that occurs twice.
    """
    cases: list[Case] = []
    files: list[Path] = []
    for path in paths:
        if path.name == DESCRIPTION or (path / DESCRIPTION).is_file():
            dataset = open_dataset(path)
            cases.extend(dataset.unlabelled or dataset.cases)
        elif path.is_dir():
            cases.extend(_grouped(_scans(path)))
        elif path.is_file():
            files.append(path)
        else:
            raise NoSuchScanError(path)
    cases.extend(_grouped(files))
    refuse_duplicates(cases, "scans")
    return by_name(cases)


def _scans(folder: Path) -> list[Path]:
    found = scans_in(folder)
    if not found:
        inside = sorted(entry for entry in folder.iterdir() if entry.is_dir() and scans_in(entry))
        fix = f"did you mean {inside[0]}?" if inside else "name a folder that holds .nii.gz, .mha or .nrrd files"
        raise NoCasesError(folder, "holds no scans", fix)
    return found


def _grouped(files: Iterable[Path]) -> list[Case]:
    groups: dict[tuple[Path, str], dict[int, list[Path]]] = {}
    for path in files:
        name, channel = split_channel(stem_of(path))
        key = (path.parent, name) if channel is not None else (path.parent, stem_of(path))
        groups.setdefault(key, {}).setdefault(-1 if channel is None else channel, []).append(path)
    return [case for (_, name), channels in groups.items() for case in _cases(name, channels)]


def _cases(name: str, channels: dict[int, list[Path]]) -> list[Case]:
    # -1 stands for files without a channel number. A file given twice makes two cases of one name: refused later.
    cases = [Case(name, (path,)) for path in channels.pop(-1, [])]
    if 0 not in channels:
        # Names such as scan_2019.nii.gz: nothing says that the digits count channels.
        return cases + [Case(stem_of(path), (path,)) for paths in channels.values() for path in paths]
    for expected, channel in enumerate(sorted(channels)):
        if channel != expected:
            raise MissingChannelError(channels[channel][0], expected)
    copies = max(map(len, channels.values()))
    return cases + [Case(name, tuple(channels[channel][0] for channel in sorted(channels)))] * copies
