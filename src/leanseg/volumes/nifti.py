"""NIfTI-1 and NIfTI-2 in one file (.nii, .nii.gz): their headers, byte for byte.

Source: nifti1.h and nifti2.h of the NIfTI Data Format Working Group. Where the standard leaves a choice (which of the
two transforms, what without any) the choice is nibabel's. The separate .hdr and .img of old are not read.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.volumes.errors import (
    BrokenAffineError,
    BrokenHeaderError,
    TruncatedVolumeError,
    UnsupportedVoxelTypeError,
    WrongFormatError,
)
from leanseg.volumes.header import Header, Payload, make_header
from leanseg.volumes.payload import GZIP_MAGIC, inflate_start, read_start

NIFTI1 = np.dtype([
    ("sizeof_hdr", "<i4"), ("unused", "S35"), ("dim_info", "u1"), ("dim", "<i2", 8), ("intent", "<f4", 3),
    ("intent_code", "<i2"), ("datatype", "<i2"), ("bitpix", "<i2"), ("slice_start", "<i2"), ("pixdim", "<f4", 8),
    ("vox_offset", "<f4"), ("scl_slope", "<f4"), ("scl_inter", "<f4"), ("slice_end", "<i2"), ("slice_code", "u1"),
    ("xyzt_units", "u1"), ("cal_max", "<f4"), ("cal_min", "<f4"), ("slice_duration", "<f4"), ("toffset", "<f4"),
    ("glmax", "<i4"), ("glmin", "<i4"), ("descrip", "S80"), ("aux_file", "S24"), ("qform_code", "<i2"),
    ("sform_code", "<i2"), ("quatern", "<f4", 3), ("qoffset", "<f4", 3), ("srow", "<f4", (3, 4)),
    ("intent_name", "S16"), ("magic", "S4"),
])  # fmt: skip
NIFTI2 = np.dtype([
    ("sizeof_hdr", "<i4"), ("magic", "S8"), ("datatype", "<i2"), ("bitpix", "<i2"), ("dim", "<i8", 8),
    ("intent", "<f8", 3), ("pixdim", "<f8", 8), ("vox_offset", "<i8"), ("scl_slope", "<f8"), ("scl_inter", "<f8"),
    ("cal_max", "<f8"), ("cal_min", "<f8"), ("slice_duration", "<f8"), ("toffset", "<f8"), ("slice_start", "<i8"),
    ("slice_end", "<i8"), ("descrip", "S80"), ("aux_file", "S24"), ("qform_code", "<i4"), ("sform_code", "<i4"),
    ("quatern", "<f8", 3), ("qoffset", "<f8", 3), ("srow", "<f8", (3, 4)), ("slice_code", "<i4"),
    ("xyzt_units", "<i4"), ("intent_code", "<i4"), ("intent_name", "S16"), ("dim_info", "u1"), ("unused", "S15"),
])  # fmt: skip
MAGIC = {NIFTI1: b"n+1", NIFTI2: b"n+2\0\r\n\x1a\n"}
VOXEL_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_REFUSED_TYPES = {1: "bit", 32: "complex64", 128: "RGB", 1536: "float128", 1792: "complex128", 2304: "RGBA"}
_FIRST_VOXEL = 4  # bytes after the header, at least: the extension flag
_LAST_FIRST_VOXEL = 1 << 26  # no header extension is as long; a stream would have to be inflated so far for nothing
_TRANSFORM_CODES = range(6)  # nifti1.h: 0 for none, 1 to 5 for the space that a transform leads to


def read_nifti_header(path: Path) -> Header:
    """Return the header of a .nii or .nii.gz file; the size of the file is not looked at."""
    fields = read_fields(path)
    first = float(fields["vox_offset"])
    if not (first.is_integer() and fields.dtype.itemsize + _FIRST_VOXEL <= first <= _LAST_FIRST_VOXEL):
        raise BrokenHeaderError(path, f"the voxels start at byte {first:g}")
    compressed = path.name.lower().endswith(".gz")
    payload = Payload(path, compression="gzip", skipped=int(first)) if compressed else Payload(path, offset=int(first))
    shape = _shape(path, fields)
    slope, intercept = _scaling(path, fields)
    return make_header(
        path, shape, _voxel_type(path, fields), _affine(path, fields, shape), payload, slope=slope, intercept=intercept
    )


def read_fields(path: Path) -> np.void:
    """Return the raw fields of the header, a scalar of dtype NIFTI1 or NIFTI2 (or those in the other byte order)."""
    start = read_start(path, NIFTI2.itemsize)
    if path.name.lower().endswith(".gz"):
        _refuse_unpacked(path, start)
        start = inflate_start(path, NIFTI2.itemsize)
    elif start.startswith(GZIP_MAGIC):
        raise WrongFormatError(path, "a plain NIfTI file but gzip-compressed", "rename it to end in .nii.gz")
    for layout in (NIFTI1, NIFTI2):
        for dtype in (layout, layout.newbyteorder(">")):
            if len(start) >= 4 and np.frombuffer(start, dtype["sizeof_hdr"], 1)[0] == layout.itemsize:
                return _checked_fields(path, start, dtype, MAGIC[layout])
    raise WrongFormatError(path, "a NIfTI file")


def _refuse_unpacked(path: Path, start: bytes) -> None:
    if not start.startswith(GZIP_MAGIC):
        is_plain = start[:4] in (b"\x5c\x01\0\0", b"\0\0\x01\x5c", b"\x1c\x02\0\0", b"\0\0\x02\x1c")
        raise WrongFormatError(path, "a gzip file", "rename it to end in .nii" if is_plain else "")


def _checked_fields(path: Path, start: bytes, dtype: np.dtype[Any], magic: bytes) -> np.void:
    if len(start) < dtype.itemsize:
        raise TruncatedVolumeError(path)
    fields: np.void = np.frombuffer(start, dtype, 1)[0]
    if bytes(fields["magic"]) != magic:
        raise WrongFormatError(path, "a NIfTI file of one piece", "save it as .nii.gz, header and voxels in one file")
    return fields


def _shape(path: Path, fields: np.void) -> tuple[int, ...]:
    dimensions = int(fields["dim"][0])
    if not 1 <= dimensions <= 7:
        raise BrokenHeaderError(path, f"{dimensions} dimensions")
    return tuple(int(size) for size in fields["dim"][1 : dimensions + 1])


def _voxel_type(path: Path, fields: np.void) -> np.dtype[Any]:
    code = int(fields["datatype"])
    if code in _REFUSED_TYPES:
        raise UnsupportedVoxelTypeError(path, _REFUSED_TYPES[code])
    if code not in VOXEL_TYPES:
        raise BrokenHeaderError(path, f"unknown voxel type {code}")
    dtype = np.dtype(VOXEL_TYPES[code])
    if int(fields["bitpix"]) != 8 * dtype.itemsize:
        raise BrokenHeaderError(path, f"{fields['bitpix']} bits per voxel for type {dtype.name}")
    return dtype.newbyteorder(fields.dtype["sizeof_hdr"].byteorder)


def _scaling(path: Path, fields: np.void) -> tuple[float, float]:
    slope, intercept = float(fields["scl_slope"]), float(fields["scl_inter"])
    if slope == 0 or not np.isfinite(slope):
        return 1.0, 0.0  # nifti1.h: zero means no scaling; nibabel writes NaN for the same
    if not np.isfinite(intercept):
        raise BrokenHeaderError(path, f"values are scaled by {slope:g} and shifted by {intercept:g}")
    return slope, intercept


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is refused with the affine
def _affine(path: Path, fields: np.void, shape: tuple[int, ...]) -> NDArray[np.float64]:
    for name in ("sform_code", "qform_code"):
        if int(fields[name]) not in _TRANSFORM_CODES:
            raise BrokenHeaderError(path, f"{name} is {fields[name]}")
    if fields["sform_code"] > 0:
        return np.vstack([fields["srow"], [0, 0, 0, 1]]).astype(np.float64)
    sizes = np.abs(fields["pixdim"][1:4].astype(np.float64))
    # An image of one or two dimensions may leave out the other sizes. Only the qform has a use for them.
    unused = np.arange(3) >= len(shape)
    sizes[unused & ((sizes == 0) | (fields["qform_code"] == 0))] = 1
    if not (np.isfinite(sizes).all() and sizes.min() > 0):
        raise BrokenAffineError(path, f"impossible spacing {' x '.join(f'{size:g}' for size in sizes)} mm")
    if fields["qform_code"] > 0:
        return _quaternion_affine(path, fields, sizes)
    # Neither transform: voxels in the middle of the room, X to the left, as nibabel's base affine has it.
    sizes[0] *= -1
    sides = np.array((*shape, 1, 1)[:3])
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = -sizes * (sides - 1) / 2
    return affine


def _quaternion_affine(path: Path, fields: np.void, sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 4x4 affine of the qform (nifti1.h, method 2) with voxels of `sizes` (3,) mm."""
    # In extended precision, so that the result is the float64 nearest to the truth, as it is with nibabel.
    vector = fields["quatern"].astype(np.longdouble)
    left = 1 - vector @ vector
    if left < -1e-5:
        raise BrokenAffineError(path, "the quaternion of the qform is longer than one")
    # At half a turn the scalar part is zero, and rounding leaves a little more or less: zero then, as in nibabel.
    rounding = 3 * np.finfo(fields["quatern"].dtype).eps
    scalar = np.sqrt(left) if left > rounding else np.longdouble(0)
    doubled = vector * (2 / (scalar * scalar + vector @ vector))
    b, c, d = scalar * doubled
    squares = np.outer(vector, doubled)
    rotation = squares + np.array([[0, -d, c], [d, 0, -b], [-c, b, 0]])
    for axis in range(3):
        rotation[axis, axis] = 1 - (squares[axis - 2, axis - 2] + squares[axis - 1, axis - 1])
    affine = np.eye(4)
    affine[:3, :3] = rotation * sizes
    if fields["pixdim"][0] == -1:
        affine[:3, 2] *= -1
    affine[:3, 3] = fields["qoffset"]
    return affine
