"""Read images: strict, in bounded memory, at the speed of zlib.

The header is checked against the file and against the cap before any memory is taken; then voxels are streamed into
the array that is returned, converted piece by piece where values are scaled, swapped or wanted as float32.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.machine import ram_bytes
from leanseg.volumes.errors import (
    NotFiniteError,
    NotLabelsError,
    SeveralFramesError,
    TooManyVoxelsError,
    UnknownSuffixError,
)
from leanseg.volumes.geometry import Geometry, require_same_grid
from leanseg.volumes.header import Header, smallest_integer
from leanseg.volumes.metaimage import read_metaimage_header
from leanseg.volumes.nifti import read_nifti_header
from leanseg.volumes.nrrd import read_nrrd_header
from leanseg.volumes.payload import check_readable, check_size, open_payload, stamp_of
from leanseg.volumes.volume import Volume

_READERS: dict[str, Callable[[Path], Header]] = {
    ".nii.gz": read_nifti_header,
    ".nii": read_nifti_header,
    ".mha": read_metaimage_header,
    ".mhd": read_metaimage_header,
    ".nrrd": read_nrrd_header,
    ".nhdr": read_nrrd_header,
}
SUFFIXES: tuple[str, ...] = tuple(_READERS)
_PIECE = 1 << 17  # voxels converted and checked at a time: they stay in the processor's cache
_WHOLE = 1e-3  # a label may be off by this much: scaling stored in float32 rounds
_LARGEST_LABEL = 2**31  # beyond, floating-point numbers are always whole and mean nothing


def read_volume(path: Path, *, max_voxels: int | None = None, nan: float | None = None) -> Volume:
    """Read one 3D image, dtype as in the file (see Header.dtype where values are scaled).

    max_voxels: refuse larger images before any memory is taken; default `default_max_voxels()`.
    nan: takes the place of NaN and infinite voxels, which are refused without it.
    """
    header = _one_frame(read_header(path))
    return Volume(_read_array(header, header.dtype, max_voxels, nan), header.geometry, header.path)


def read_frames(
    path: Path, *, max_voxels: int | None = None, nan: float | None = None
) -> tuple[NDArray[Any], Geometry]:
    """Read all of an image: an array (X, Y, Z), or (X, Y, Z, T) for several frames or channels."""
    header = read_header(path)
    return _read_array(header, header.dtype, max_voxels, nan), header.geometry


def read_channels(
    paths: Sequence[Path], *, max_voxels: int | None = None, nan: float | None = None
) -> tuple[NDArray[np.float32], Geometry]:
    """Read the channels of one case as (C, X, Y, Z) in float32.

    paths: one file per channel, all on one grid, or a single 4D file whose last axis are the channels. The cap counts
    the voxels of all channels.
    """
    headers = [read_header(path) for path in paths]
    first = headers[0]
    if len(headers) > 1:
        for header in headers:
            require_same_grid(first.path, first.geometry, header.path, _one_frame(header).geometry)
    count = sum(header.frames for header in headers)
    x, y, z = first.geometry.shape
    _check_cap(first.path, (*first.geometry.shape, count), max_voxels)
    # Each channel lies in memory as in its file, X fastest.
    flat = np.empty((count, z * y * x), np.float32)
    channels = flat if len(headers) > 1 else flat.reshape(1, -1)
    for header, channel in zip(headers, channels, strict=True):
        _fill(channel, header, nan)
    return flat.reshape(count, z, y, x).transpose(0, 3, 2, 1), first.geometry


def read_labels(path: Path, *, max_voxels: int | None = None) -> Volume:
    """Read one 3D label map in the smallest integer dtype that holds its values, unsigned where none is negative.

    Floating-point files are accepted when every value is a whole number (within 0.001) and refused otherwise.
    """
    header = _one_frame(read_header(path))
    array = _read_array(header, header.dtype, max_voxels, None)
    flat = array.reshape(-1, order="F")
    if array.dtype.kind == "f":
        _check_whole(header.path, flat)
    dtype = smallest_integer(round(flat.min().item()), round(flat.max().item()))
    if array.dtype == dtype:
        return Volume(array, header.geometry, header.path)
    labels = np.empty(flat.size, dtype)
    for piece in _pieces(flat.size):
        labels[piece] = np.rint(flat[piece]) if array.dtype.kind == "f" else flat[piece]
    return Volume(labels.reshape(array.shape, order="F"), header.geometry, header.path)


def read_header(path: Path) -> Header:
    """Read and check what a file declares, its size on disk included, but none of its voxels."""
    path = check_readable(Path(path))
    read = _READERS[suffix_of(path)]
    stamps = {path: stamp_of(path)}
    header = read(path)
    stamps.setdefault(header.payload.path, stamp_of(header.payload.path))
    check_size(header)
    return replace(header, stamps=tuple(stamps.items()))


def files_of(path: Path) -> tuple[Path, ...]:
    """Return the files an image is made of: `path`, and for a detached header (.mhd, .nhdr) the one with its voxels."""
    data = read_header(path).payload.path
    return (path,) if data == path else (path, data)


def suffix_of(path: Path) -> str:
    """Return the suffix by which the format is known, in lower case; ".nii.gz" is one. Refuses unknown ones."""
    name = Path(path).name.lower()
    for suffix in SUFFIXES:
        if name.endswith(suffix) and name != suffix:
            return suffix
    raise UnknownSuffixError(Path(path), SUFFIXES)


def stem_of(path: Path) -> str:
    """Return the file's name without folder and suffix."""
    name = Path(path).name
    return name[: -len(suffix_of(path))]


def default_max_voxels() -> int:
    """Return the cap on voxels: 2^30, or what fills an eighth of this machine's memory as float32 if that is less."""
    return min(2**30, ram_bytes() // 8 // 4)


def _read_array(header: Header, dtype: np.dtype[Any], max_voxels: int | None, nan: float | None) -> NDArray[Any]:
    _check_cap(header.path, header.shape, max_voxels)
    flat = np.empty(header.voxels, dtype)
    _fill(flat, header, nan)
    return flat.reshape(header.shape, order="F")


def _fill(flat: NDArray[Any], header: Header, nan: float | None) -> None:
    """Stream the voxels of `header` into `flat`, in file order and with its dtype."""
    direct = flat.dtype == header.stored and not header.is_scaled
    buffer = None if direct else np.empty(min(_PIECE, flat.size), header.stored)
    bad = -1
    with open_payload(header) as stream:
        for piece in _pieces(flat.size):
            values = flat[piece]
            if buffer is None:
                stream.fill(values.view(np.uint8).data)
            else:
                stored = buffer[: values.size]
                stream.fill(stored.view(np.uint8).data)
                _convert(stored, values, header)
            if bad < 0:
                at = _first_not_finite(values, nan)
                bad = piece.start + at if at >= 0 else -1
        stream.finish()
    if bad >= 0:
        # Told only now: a damaged file may hold any values, and then the damage is the news.
        raise NotFiniteError(header.path, tuple(int(i) for i in np.unravel_index(bad, header.shape, order="F")))


def _convert(stored: NDArray[Any], values: NDArray[Any], header: Header) -> None:
    """Write stored * slope + intercept into `values`: in whole numbers where that is exact, else by float64."""
    with np.errstate(over="ignore", invalid="ignore"):
        if not header.is_scaled:
            values[:] = stored
        elif values.dtype.kind in "iu":
            values[:] = stored.astype(np.int64) * int(header.slope) + int(header.intercept)
        else:
            values[:] = stored.astype(np.float64) * header.slope + header.intercept


def _first_not_finite(values: NDArray[Any], nan: float | None) -> int:
    """Return the index of the first NaN or infinite value, -1 without one; with `nan`, replace them instead."""
    if values.dtype.kind != "f":
        return -1
    finite = np.isfinite(values)
    if finite.all():
        return -1
    if nan is None:
        return int(np.argmin(finite))
    values[~finite] = nan
    return -1


def _check_whole(path: Path, flat: NDArray[Any]) -> None:
    for piece in _pieces(flat.size):
        off = (np.abs(flat[piece] - np.rint(flat[piece])) > _WHOLE) | (np.abs(flat[piece]) > _LARGEST_LABEL)
        if off.any():
            raise NotLabelsError(path, float(flat[piece][np.argmax(off)]))


def _one_frame(header: Header) -> Header:
    if header.frames > 1:
        raise SeveralFramesError(header.path, header.frames)
    return header


def _check_cap(path: Path, shape: tuple[int, ...], max_voxels: int | None) -> None:
    cap = default_max_voxels() if max_voxels is None else max_voxels
    if int(np.prod([int(size) for size in shape], dtype=object)) > cap:
        raise TooManyVoxelsError(path, shape, cap)


def _pieces(size: int) -> list[slice]:
    return [slice(start, min(start + _PIECE, size)) for start in range(0, size, _PIECE)]
