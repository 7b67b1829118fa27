"""Three planes through a case, as a radiologist hangs them, and what each of their voxels is.

The patient's right is on the left of axial and coronal planes, anterior on the left of the sagittal one. Each plane is
the slice with most foreground, cut to what is shown around it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.datasets.targets import Targets
from leanseg.kernels import bounding_box
from leanseg.volumes import orientation_spacing, to_orientation

# Axes that grow to Left, Posterior, Inferior: every plane is then drawn as [row, column] from its top left corner.
_HANGING = "LPI"
_PLANES = (("axial", 2, "RLAP"), ("coronal", 1, "RLSI"), ("sagittal", 0, "APSI"))
MOST_EDGES = 20_000  # of voxels along one border: more, as of speckle, take seconds to draw and hide what they enclose
_SAMPLED = 1e6  # voxels looked at to choose the grey values


@dataclass(frozen=True, slots=True)
class Plane:
    """One slice as [row, column]: voxel size in mm (down, across), letters at its left, right, top and bottom.

    `prediction` and `reference` hold 0 for background and one number for each set of targets that a voxel is in, so
    that two voxels are the same exactly when they count the same. `at` is the slice, from 1, of `slices`.
    """

    name: str
    letters: str
    at: int
    slices: int
    step: tuple[float, float]
    prediction: NDArray[Any]
    reference: NDArray[Any]
    image: NDArray[Any] | None

    @property
    def size(self) -> tuple[float, float]:
        """Height and width in mm."""
        rows, columns = self.reference.shape
        return rows * self.step[0], columns * self.step[1]

    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """Return which voxels [row, column] are found, missed, added or of the wrong class."""
        predicted, referred, same = self.prediction != 0, self.reference != 0, self.prediction == self.reference
        return {
            "found": referred & same,
            "missed": referred & ~predicted,
            "added": predicted & ~referred,
            "wrong class": referred & predicted & ~same,
        }


def cut_planes(
    prediction: NDArray[Any],
    reference: NDArray[Any],
    affine: NDArray[np.float64],
    targets: Targets,
    image: NDArray[Any] | None = None,
) -> list[Plane]:
    """Cut the axial, the coronal and the sagittal plane out of two label maps (X, Y, Z) on one grid.

    `affine` is 4x4, to RAS+ mm; `image` (X, Y, Z) is the scan behind the label maps.
    """
    predicted, referred = (to_orientation(labels, affine, _HANGING) for labels in (prediction, reference))
    scan = None if image is None else to_orientation(image, affine, _HANGING)
    spacing = orientation_spacing(affine, _HANGING)
    kinds = _kinds(targets)
    foreground = np.isin(predicted, list(kinds)) | np.isin(referred, list(kinds))
    window = _window_around(foreground, spacing)
    planes = []
    for name, axis, letters in _PLANES:
        others = tuple(other for other in range(3) if other != axis)
        at = int(foreground.sum(axis=others).argmax())
        cut = tuple(at if other == axis else window[other] for other in range(3))
        planes.append(
            Plane(
                name=name,
                letters=letters,
                at=at + 1,
                slices=foreground.shape[axis],
                step=(spacing[others[1]], spacing[others[0]]),
                prediction=_kinds_in(predicted[cut].T, kinds),
                reference=_kinds_in(referred[cut].T, kinds),
                image=None if scan is None else scan[cut].T,
            )
        )
    return planes


def grey_window(image: NDArray[Any]) -> tuple[float, float]:
    """Return the values of a scan (X, Y, Z) that are drawn black and white."""
    every = max(1, round((image.size / _SAMPLED) ** (1 / 3)))
    low, high = np.percentile(image[::every, ::every, ::every], [0.5, 99.8])
    return float(low), float(high) if high > low else float(low) + 1.0


def scale_bar(planes: Sequence[Plane]) -> float:
    """Return a round length in mm, at most two fifths of the narrowest plane: a letter stands in its middle."""
    room = 0.4 * min(plane.size[1] for plane in planes)
    decade = math.floor(math.log10(room))
    # 10 stands for the next decade, should the logarithm come out a little too small.
    return max(length for step in (1, 2, 5, 10) if (length := float(f"{step}e{decade}")) <= room)


def _kinds(targets: Targets) -> dict[int, int]:
    """Return a number for each label value, the same for values that belong to the same targets."""
    members: dict[int, list[str]] = {}
    for name, values in targets.items():
        for value in values:
            members.setdefault(value, []).append(name)
    numbers: dict[tuple[str, ...], int] = {}
    return {value: numbers.setdefault(tuple(names), len(numbers) + 1) for value, names in members.items()}


def _kinds_in(labels: NDArray[Any], kinds: Mapping[int, int]) -> NDArray[np.int32]:
    found, places = np.unique(labels, return_inverse=True)
    numbers = np.array([kinds.get(int(value), 0) for value in found], dtype=np.int32)
    return numbers[places].reshape(labels.shape)


def _window_around(foreground: NDArray[np.bool_], spacing: Sequence[float]) -> list[slice]:
    """Return the part of each axis that is shown: the foreground and as much again around it, at least 15 mm."""
    window = []
    for side, step in zip(bounding_box(foreground), spacing, strict=True):
        margin = max(math.ceil(15 / step), (side.stop - side.start - 1) // 2)
        window.append(slice(max(0, side.start - margin), side.stop + margin))
    return window
