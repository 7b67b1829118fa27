"""What `leanseg.predict` takes as one scan, with one rule for each kind; nothing is guessed.

path                 one file; a 4D file holds the channels along its last axis
list of paths        the channels of one scan, in the order of the plan's channels
(array, affine)      (X, Y, Z) or (C, X, Y, Z), and the 4x4 affine from voxel index to RAS+ mm
image of nibabel     (X, Y, Z) or (X, Y, Z, C), as in a file
Volume               (X, Y, Z)
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leanseg.api.images import Image, NotAnImageError, Pair, SpatialImage, image_of
from leanseg.api.paths import PathLike
from leanseg.datasets.cases import split_channel
from leanseg.errors import InputError
from leanseg.inference.case_memory import geometry_of
from leanseg.volumes import Geometry, Volume, read_channels, stem_of

Scan = PathLike | Sequence[PathLike] | Pair | SpatialImage | Volume

_SEVERAL = "say where the label maps go: leanseg.predict(package, scans, out)"  # what to do with more than one


class NotOneScanError(InputError):
    """One scan is wanted, and several or a folder were named."""

    def __init__(self, reason: str, several: str) -> None:
        super().__init__(
            what=reason,
            why="a list of files is the channels of one scan",
            fix=f"name one scan; for several scans {several}",
        )


class ScanChannelsError(InputError):
    """A scan has another number of channels than the plan."""

    def __init__(self, reason: str, channels: Sequence[str], fix: str) -> None:
        super().__init__(
            what=f"{reason}; the plan has {len(channels)}: {', '.join(channels)}",
            why="each channel was normalised and learned on its own",
            fix=fix,
        )


class NotFilesError(InputError):
    """Label maps should be written for something that has no file name."""

    def __init__(self, kind: str) -> None:
        super().__init__(
            what=f"{kind} was given together with `out`",
            why="label maps are named after the files of their scans",
            fix="give files or folders; or leave out `out`, and .save(path) what leanseg.predict returns",
        )


@dataclass(frozen=True)
class Files:
    """A scan in files, one for each channel, or one for all."""

    files: tuple[Path, ...]

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.files[0].name

    def size(self) -> tuple[str, tuple[int, Geometry, None]]:
        """Return its name, how many channels it has, and where they lie, as the headers say it; see `promise_for`."""
        return self.name, (*geometry_of(self.files), None)

    def read(self, max_voxels: int | None, nan: float | None) -> tuple[NDArray[np.float32], Geometry]:
        """Return the channels (C, X, Y, Z) and their geometry."""
        return read_channels(self.files, max_voxels=max_voxels, nan=nan)


@dataclass(frozen=True, eq=False)
class InMemory:
    """A scan in memory."""

    image: Image

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.image.name

    @property
    def files(self) -> tuple[Path, ...]:
        """The file it came from, if any."""
        return (self.image.file,) if self.image.file else ()

    def size(self) -> tuple[str, tuple[int, Geometry, None]]:
        """Return its name, how many channels it has, and where they lie; see `promise_for`."""
        return self.name, (self.image.channels, self.image.geometry, None)

    def read(self, max_voxels: int | None, nan: float | None) -> tuple[NDArray[np.float32], Geometry]:
        """Return the channels (C, X, Y, Z) and their geometry."""
        return self.image.scan(max_voxels, nan), self.image.geometry


def one_scan(given: Scan, channels: Sequence[str], *, several: str = _SEVERAL) -> Files | InMemory:
    """Return the scan that `given` is, for a plan with these channels; its voxels are not read yet.

    several: what errors tell whoever has more than one scan.
    Raises NotOneScanError, ScanChannelsError, or the InputErrors of `image_of`.
    """
    if isinstance(given, str | os.PathLike):
        return Files((_file(Path(given), several),))
    if (paths := paths_in(given)) is not None:
        return Files(_channels(paths, channels, several))
    image = image_of(given)
    if image.channels != len(channels):
        last = image.channels_first and len(image.shape) == 4 and image.shape[3] == len(channels)
        fix = "numpy.moveaxis(array, -1, 0) puts the channels first" if last else "give these channels, in this order"
        raise ScanChannelsError(
            f"{image.name}: {image.channels} channel{'s' * (image.channels != 1)} in shape {image.shape}", channels, fix
        )
    return InMemory(image)


def scan_paths(given: object) -> list[Path]:
    """Return the paths that `given` is, one or several. Raises NotFilesError for anything else."""
    paths = [Path(given)] if isinstance(given, str | os.PathLike) else paths_in(given)
    if paths is None:
        raise NotFilesError(type(given).__name__)
    return paths


def paths_in(given: object) -> list[Path] | None:
    """Return the paths of a list or tuple of paths, None for anything else. Raises NotAnImageError for no paths."""
    if not isinstance(given, list | tuple):
        return None
    if not given:
        raise NotAnImageError(f"an empty {type(given).__name__} names no scan", "name at least one file")
    paths = [Path(path) for path in given if isinstance(path, str | os.PathLike)]
    return paths if len(paths) == len(given) else None


def _channels(paths: list[Path], channels: Sequence[str], several: str) -> tuple[Path, ...]:
    if len(paths) not in (1, len(channels)):
        raise ScanChannelsError(
            f"{len(paths)} files were given as the channels of one scan",
            channels,
            f"give one file for each channel; for several scans {several}",
        )
    files = tuple(_file(path, several) for path in paths)
    numbered = [split_channel(stem_of(path)) for path in files]
    # Where all names count channels they must agree with the order given, or two scans would be taken for one.
    if len(files) > 1 and all(number is not None for _, number in numbered):
        expected = [(numbered[0][0], number) for number in range(len(files))]
        if numbered != expected:
            names = ", ".join(path.name for path in files)
            raise NotOneScanError(f"{names} are not the channels 0000, 0001, ... of one scan in this order", several)
    return files


def _file(path: Path, several: str) -> Path:
    if path.is_dir():
        raise NotOneScanError(f"{path} is a folder", several)
    return path
