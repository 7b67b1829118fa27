"""How large the part of a scan is that holds something, found without the scan in memory."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leanseg.kernels import background_value
from leanseg.volumes import Header, read_header
from leanseg.volumes.payload import InflatedStream, RawStream, open_payload

Float32 = NDArray[np.float32]


class _Extent:
    """The box (X, Y, Z) of the voxels of a channel that differ from one value, grown slice by slice."""

    def __init__(self, value: float, shape: tuple[int, ...]) -> None:
        self.value = value
        self._used = [np.zeros(size, dtype=np.bool_) for size in shape[:3]]

    def add(self, piece: Float32, z: int) -> None:
        """Look at the slice `z` (X, Y)."""
        other = piece != self.value
        rows = other.any(axis=1)
        self._used[0] |= rows
        self._used[1] |= other.any(axis=0)
        self._used[2][z] = rows.any()

    @property
    def ends(self) -> list[tuple[int, int]] | None:
        """Start and stop along each axis; None where all voxels have the value."""
        if not self._used[2].any():
            return None
        return [(int(used.argmax()), used.size - int(used[::-1].argmax())) for used in self._used]


def content_shape(paths: Sequence[Path], nan: float | None = None) -> tuple[int, int, int]:
    """Return the size (X, Y, Z) of the box that `leanseg.kernels.content_box` would find for a scan of these files.

    The files are read once, a slice at a time. nan: what takes the place of voxels that are not finite.
    Raises InputErrors where a file is damaged.
    """
    headers = [read_header(path) for path in paths]
    found = [box for header in headers for box in _boxes(header, nan)]
    x, y, z = (
        (max(stop for _, stop in axis) - min(start for start, _ in axis) for axis in zip(*found, strict=True))
        if found
        else headers[0].geometry.shape
    )
    return x, y, z


def _boxes(header: Header, nan: float | None) -> list[list[tuple[int, int]]]:
    """Return the boxes of the channels in a file, without those that hold nothing."""
    with open_payload(header) as stream:
        boxes = [_box(_slices(header, stream, nan), header.shape) for _ in range(header.frames)]
        stream.finish()
    return [box for box in boxes if box]


def _box(slices: Iterator[Float32], shape: tuple[int, ...]) -> list[tuple[int, int]] | None:
    """Return the box of a channel's content; None where there is none.

    What the background is only the last corner tells, so a box is grown for every value it can still be: 0, and what
    two of the first four corners agree on, as six of all eight must.
    """
    corners: list[Float32] = []
    extents: list[_Extent] = []
    for z, piece in enumerate(slices):
        ends = piece[np.ix_((0, -1), (0, -1))]
        if not extents:
            values, counts = np.unique(ends, return_counts=True)
            extents = [_Extent(value, shape) for value in {0.0, *map(float, values[counts > 1])}]
            corners.append(ends)
        for extent in extents:
            extent.add(piece, z)
    corners.append(ends)
    background = background_value(np.stack(corners, axis=-1))
    # NaN equals nothing: reading such a scan refuses it and says why.
    return next((extent.ends for extent in extents if extent.value == background), None)


def _slices(header: Header, stream: RawStream | InflatedStream, nan: float | None) -> Iterator[Float32]:
    """Yield the next Z slices (X, Y) of a stream as `leanseg.volumes.read_channels` would have them."""
    x, y, z = header.shape[:3]
    stored = np.empty(x * y, header.stored)
    for _ in range(z):
        stream.fill(stored.view(np.uint8).data)
        with np.errstate(over="ignore", invalid="ignore"):
            values = stored.astype(np.float64) * header.slope + header.intercept if header.is_scaled else stored
            piece = values.astype(np.float32)
        if nan is not None:
            piece[~np.isfinite(piece)] = nan
        yield piece.reshape(x, y, order="F")
