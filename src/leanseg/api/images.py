"""Images that are already in memory: arrays with their affine, images of nibabel, volumes; checked as files are."""

import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leanseg.errors import InputError, first_line
from leanseg.volumes import Geometry, NotFiniteError, Volume, default_max_voxels
from leanseg.volumes.errors import (
    BrokenAffineError,
    NotLabelsError,
    SeveralFramesError,
    TooManyVoxelsError,
    UnsupportedVoxelTypeError,
)
from leanseg.volumes.geometry import check_affine

_LAST_ROW = (0.0, 0.0, 0.0, 1.0)
_WHOLE = 1e-3  # how far off a label may be: as in files, whose scaling rounds


@runtime_checkable
class SpatialImage(Protocol):
    """What images of nibabel have. dataobj: (X, Y, Z) or (X, Y, Z, C); affine: 4x4, voxel index -> RAS+ mm."""

    @property
    def dataobj(self) -> ArrayLike:
        """The voxels, maybe still in a file."""

    @property
    def affine(self) -> ArrayLike | None:
        """Where they lie; None where nobody knows."""


class Array(Protocol):
    """An array of numpy, or whatever numpy can take for one, such as a tensor on the CPU."""

    def __array__(self) -> NDArray[Any]:
        """Return it as numpy's."""


Pair = tuple[Array, ArrayLike]


class NotAnImageError(InputError):
    """Something is no image, or does not say where its voxels lie."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(
            what=reason,
            why="leanseg takes a path, (array, affine), an image of nibabel or a Volume, and guesses nothing",
            fix=fix,
        )


@dataclass(frozen=True, eq=False)
class Image:
    """Voxels in memory, or about to be: of nibabel's images those in files are read when they are asked for.

    name: how messages call it. voxels: (X, Y, Z), or with channels as `channels_first` says. file: where it came from.
    """

    name: str
    voxels: Any
    shape: tuple[int, ...]
    geometry: Geometry
    channels_first: bool = True
    file: Path | None = None

    @property
    def channels(self) -> int:
        """Number of channels."""
        if len(self.shape) == 3:
            return 1
        return self.shape[0] if self.channels_first else self.shape[3]

    def values(self, max_voxels: int | None = None) -> NDArray[Any]:
        """Return the voxels, `shape`, in their own dtype.

        Raises TooManyVoxelsError, UnsupportedVoxelTypeError, or NotAnImageError where they cannot be read.
        """
        cap = default_max_voxels() if max_voxels is None else max_voxels
        if math.prod(self.shape) > cap:
            raise TooManyVoxelsError(Path(self.name), self.shape, cap)
        try:
            values = np.asarray(self.voxels)
        except (OSError, EOFError, ValueError, zlib.error) as error:  # nibabel reads a broken file only now
            reason = f"{self.name}: its voxels cannot be read ({first_line(error)})"
            raise NotAnImageError(reason, "see what is wrong with the file: leanseg info FILE") from error
        if values.dtype.kind not in "biuf":
            raise UnsupportedVoxelTypeError(Path(self.name), str(values.dtype))
        return values.reshape(self.shape)

    def scan(self, max_voxels: int | None = None, nan: float | None = None) -> NDArray[np.float32]:
        """Return the channels (C, X, Y, Z) in float32, as `leanseg.volumes.read_channels` does for files."""
        with np.errstate(over="ignore"):
            values = np.asarray(self.values(max_voxels), dtype=np.float32)
        finite = np.isfinite(values)
        if not finite.all():
            if nan is None:
                first = np.unravel_index(int(np.argmin(finite)), values.shape)
                raise NotFiniteError(Path(self.name), tuple(int(index) for index in first))
            values = np.where(finite, values, np.float32(nan))
        if values.ndim == 3:
            return values[None]
        return values if self.channels_first else np.moveaxis(values, -1, 0)

    def labels(self) -> NDArray[np.integer[Any]]:
        """Return the label values (X, Y, Z), as `leanseg.volumes.read_labels` does for files."""
        if len(self.shape) != 3:
            raise SeveralFramesError(Path(self.name), self.channels)
        values = self.values()
        if values.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                off = ~(np.abs(values - np.rint(values)) <= _WHOLE)  # NaN and infinity, too
            if off.any():
                raise NotLabelsError(Path(self.name), float(values[off][0]))
            values = np.rint(values).astype(np.int64)
        labels: NDArray[np.integer[Any]] = values.astype(np.uint8) if values.dtype.kind == "b" else values
        return labels


def image_of(given: object) -> Image:
    """Return the image that `given` is: a Volume, an image of nibabel or (array, affine).

    Raises NotAnImageError, BrokenAffineError or ShearedAffineError.
    """
    if isinstance(given, Volume):
        name = given.path.name if given.path else "volume"
        return _image(name, given.array, given.geometry.affine, file=given.path)
    if isinstance(given, SpatialImage):
        return _nibabel_image(given)
    if isinstance(given, tuple) and len(given) == 2 and hasattr(given[0], "__array__"):
        return _image("array", _array(given[0]), given[1])
    if hasattr(given, "__array__"):
        raise NotAnImageError(
            "an array was given without its affine",
            "give (array, affine), for example with numpy.diag([1, 1, 1.5, 1]) for voxels of 1 x 1 x 1.5 mm",
        )
    raise NotAnImageError(f"{type(given).__name__} is no image", "give for example the path of its file")


def _nibabel_image(given: SpatialImage) -> Image:
    filename = getattr(given, "get_filename", lambda: None)()
    file = Path(filename) if filename else None
    name = file.name if file else "image"
    if given.affine is None:
        raise BrokenAffineError(Path(name), "it has no affine")
    return _image(name, given.dataobj, given.affine, channels_first=False, file=file)


def _image(
    name: str, voxels: Any, affine: ArrayLike, *, channels_first: bool = True, file: Path | None = None
) -> Image:
    shape = tuple(int(size) for size in voxels.shape)
    if not channels_first:  # as in a file, where a 2D image is one slice and axes of one voxel may follow
        shape = (*shape, 1)[: max(3, len(shape))]
        while len(shape) > 3 and shape[-1] == 1:
            shape = shape[:-1]
    if len(shape) not in (3, 4) or min(shape) < 1:
        order = "(X, Y, Z), or (C, X, Y, Z) with channels" if channels_first else "(X, Y, Z), or (X, Y, Z, C)"
        raise NotAnImageError(f"{name}: its shape is {shape}", f"give {order}, each of at least 1")
    x, y, z = shape[-3:] if channels_first else shape[:3]
    return Image(name, voxels, shape, Geometry((x, y, z), _affine(name, affine)), channels_first, file)


def _affine(name: str, affine: ArrayLike) -> NDArray[np.float64]:
    matrix = _array(affine)
    if matrix.shape != (4, 4) or matrix.dtype.kind not in "iuf":
        shape = " x ".join(map(str, matrix.shape)) or "a single one"
        raise BrokenAffineError(Path(name), f"the affine is not 4 x 4 numbers but {shape} of {matrix.dtype}")
    if not np.array_equal(matrix[3], _LAST_ROW):
        raise BrokenAffineError(Path(name), f"the last row of the affine is {matrix[3].tolist()} instead of 0, 0, 0, 1")
    matrix = matrix.astype(np.float64)
    check_affine(Path(name), matrix)
    return matrix


def _array(given: Any) -> NDArray[Any]:
    if isinstance(given, np.ma.MaskedArray):
        raise NotAnImageError("a masked array was given, whose hidden voxels would be read", "give array.filled(0)")
    try:
        return np.asarray(given)
    except (TypeError, ValueError) as error:  # rows of unlike length, tensors on a GPU
        raise NotAnImageError(
            f"numpy cannot read {type(given).__name__} as an array ({error})", "give an array"
        ) from error
