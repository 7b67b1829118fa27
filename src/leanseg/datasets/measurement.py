"""What the fingerprint keeps of one case after its voxels are gone."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leanseg.datasets.cases import Case, Dataset
from leanseg.datasets.intensities import Moments, sample
from leanseg.datasets.labels import count_values
from leanseg.errors import InputError
from leanseg.kernels import background_value, content_box
from leanseg.volumes import (
    Geometry,
    orientation_spacing,
    read_channels,
    read_labels,
    require_same_grid,
    to_orientation,
)

# Sizes of all cases are compared along the same sides of the body, whatever the files' axes are.
ORIENTATION = "RAS"

Triple = tuple[int, int, int]
Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class Measurement:
    """Sizes and statistics of one case; tuples without another meaning have one entry per channel.

    shape, spacing (mm), content_shape: along the file's axes; turned_*: along Right, Anterior, Superior.
    values: label value -> voxels. cropped: labelled voxels outside the box of the content. background: voxels of the
    value in the corners.
    """

    name: str
    shape: Triple
    spacing: Spacing
    axcodes: str
    content_shape: Triple
    turned_shape: Triple
    turned_spacing: Spacing
    turned_content_shape: Triple
    values: dict[int, int]
    cropped: int
    whole: tuple[Moments, ...]
    foreground: tuple[Moments, ...]
    samples: tuple[NDArray[np.float32], ...]
    background: tuple[int, ...]


class UnknownLabelError(InputError):
    """A label map holds a value that no class has and that is not ignored."""

    def __init__(self, path: Path, value: int, labels: dict[str, int]) -> None:
        known = ", ".join(f"{number} {name}" for name, number in labels.items())
        super().__init__(
            what=f"{path}: holds the label value {value}; the classes are {known}",
            why="training would have to guess what these voxels are",
            fix="relabel these voxels or add the class to the description; leanseg check names all such cases",
        )


class WrongChannelsError(InputError):
    """A case has more or fewer channels than the data set."""

    def __init__(self, case: Case, found: int, channels: tuple[str, ...]) -> None:
        super().__init__(
            what=f"case {case.name}: {found} channels instead of {len(channels)} ({', '.join(channels)})",
            why="a network needs the same channels of every case",
            fix="correct the list of channels in the data set's description; leanseg check names all such cases",
        )


class NoLabelError(InputError):
    """A labelled case without a label map."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            what=f"case {case.name}: has no label map",
            why="training compares the network's answer with it",
            fix="add the label map, or leave the case out",
        )


def measure(case: Case, dataset: Dataset) -> Measurement:
    """Read `case` once and measure it. Raises the readers' InputErrors and those of files that do not fit together."""
    if case.label is None:
        raise NoLabelError(case)
    array, geometry = read_channels(case.images)
    if len(array) != len(dataset.channels):
        raise WrongChannelsError(case, len(array), dataset.channels)
    label = read_labels(case.label)
    require_same_grid(case.images[0], geometry, case.label, label.geometry)
    values = count_values(label.array)
    for value in values:
        if value not in dataset.labels.values() and value != dataset.ignore:
            raise UnknownLabelError(case.label, value, dataset.labels)
    # Flat in the order of the file, so that nothing is copied.
    channels = [channel.reshape(-1, order="F") for channel in array]
    classes = label.array.reshape(-1, order="F")
    foreground = classes > 0
    if dataset.ignore is not None:
        foreground &= classes != dataset.ignore
    inside = [channel[foreground] for channel in channels]
    box = content_box(array)
    content_shape = _shape(box)
    kept = np.count_nonzero(foreground.reshape(label.array.shape, order="F")[box])
    return Measurement(
        name=case.name,
        shape=geometry.shape,
        spacing=geometry.spacing,
        axcodes=geometry.axcodes,
        content_shape=content_shape,
        turned_shape=_turned(geometry.shape, geometry),
        turned_spacing=orientation_spacing(geometry.affine, ORIENTATION),
        turned_content_shape=_turned(content_shape, geometry),
        values=values,
        cropped=int(np.count_nonzero(foreground) - kept),
        whole=tuple(map(Moments.of, channels)),
        foreground=tuple(map(Moments.of, inside)),
        samples=tuple(sample(values, case.name) for values in inside),
        background=tuple(int(np.count_nonzero(channel == background_value(channel))) for channel in array),
    )


def _shape(box: tuple[slice, ...]) -> Triple:
    x, y, z = (side.stop - side.start for side in box)
    return x, y, z


def _turned(shape: Triple, geometry: Geometry) -> Triple:
    # A view of a single voxel: only its shape is turned.
    x, y, z = to_orientation(np.broadcast_to(np.int8(0), shape), geometry.affine, ORIENTATION).shape
    return x, y, z
