"""Write images as NIfTI, whole or not at all.

NIfTI-1, or NIfTI-2 when a dimension exceeds what 16 bits hold. Both transforms (sform and qform) are always set.
"""

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from leanseg.storage import whole_file
from leanseg.volumes.geometry import Geometry
from leanseg.volumes.nifti import MAGIC, NIFTI1, NIFTI2, VOXEL_TYPES, read_fields
from leanseg.volumes.reading import read_header

_CODES = {np.dtype(kind): code for code, kind in VOXEL_TYPES.items()}
_STORED_AS: dict[np.dtype[Any], np.dtype[Any]] = {
    np.dtype(bool): np.dtype(np.uint8),
    np.dtype(np.float16): np.dtype(np.float32),
}
_LARGEST_NIFTI1 = 32767
_LEVEL = 4  # label maps: half the size of level 1, three hundred MB per second all the same
_PIECE = 1 << 21  # bytes
_MILLIMETRES = 2
_VECTOR = 1007  # NIFTI_INTENT_VECTOR
_SCANNER = 1  # code of a transform to the scanner's coordinates


def write_volume(path: Path, array: NDArray[Any], geometry: Geometry, *, like: Path | None = None) -> None:
    """Write `array` (X, Y, Z) as .nii or .nii.gz; bool becomes uint8 and float16 float32.

    like: the image that `geometry` was read from. If it is a NIfTI its two transforms are copied number by number,
    so that every program lays the new image exactly over it. Raises CannotWriteError and leaves nothing behind.
    """
    with whole_file(path) as temporary:
        write_into(temporary, array, geometry, like=like)


def write_into(path: Path, array: NDArray[Any], geometry: Geometry, *, like: Path | None = None) -> None:
    """Write as `write_volume` does, but straight into `path`: for a caller who sees to it that it appears whole."""
    if array.shape != geometry.shape:
        raise ValueError(f"array of shape {array.shape} does not fit a geometry of shape {geometry.shape}")
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        raise ValueError(f"{path.name}: images are written as .nii or .nii.gz")
    dtype: np.dtype[Any] = _STORED_AS.get(array.dtype, array.dtype.newbyteorder("="))
    _write_file(path, _header(geometry, dtype, like), [array], dtype)


def write_vectors(path: Path, vectors: Iterable[NDArray[np.float32]], geometry: Geometry) -> None:
    """Write the three components, each (X, Y, Z), of a vector at each voxel as .nii or .nii.gz in float32.

    The file is as ITK has it: five axes (X, Y, Z, 1, 3) and the intent NIFTI_INTENT_VECTOR. Raises CannotWriteError.
    """
    header = _header(geometry, np.dtype(np.float32), None)
    header["dim"] = (5, *geometry.shape, 1, 3, 1, 1)
    header["intent_code"] = _VECTOR
    with whole_file(path) as temporary:
        _write_file(temporary, header, vectors, np.dtype(np.float32))


def _write_file(path: Path, header: NDArray[np.void], arrays: Iterable[NDArray[Any]], dtype: np.dtype[Any]) -> None:
    """Write a header and then each of `arrays` (X, Y, Z), slice by slice."""
    with path.open("wb") as file:
        packer = zlib.compressobj(_LEVEL, wbits=31) if path.name.lower().endswith(".gz") else None
        _write(file, packer, header.tobytes() + bytes(4))
        for array in arrays:
            slices = max(1, _PIECE // (dtype.itemsize * array.shape[0] * array.shape[1]))
            for start in range(0, array.shape[2], slices):
                piece = array[:, :, start : start + slices].astype(dtype.newbyteorder("<"), copy=False)
                _write(file, packer, piece.tobytes(order="F"))
        if packer:
            file.write(packer.flush())


def _write(file: BinaryIO, packer: "zlib._Compress | None", data: bytes) -> None:
    file.write(packer.compress(data) if packer else data)


def _header(geometry: Geometry, dtype: np.dtype[Any], like: Path | None) -> NDArray[np.void]:
    layout = NIFTI2 if max(geometry.shape) > _LARGEST_NIFTI1 else NIFTI1
    header = np.zeros((), layout)
    header["sizeof_hdr"] = layout.itemsize
    header["magic"] = MAGIC[layout]
    header["dim"] = (3, *geometry.shape, 1, 1, 1, 1)
    header["datatype"] = _CODES[dtype]
    header["bitpix"] = 8 * dtype.itemsize
    header["vox_offset"] = layout.itemsize + 4
    header["scl_slope"] = 1
    header["xyzt_units"] = _MILLIMETRES
    _set_qform(header, geometry)
    header["srow"] = geometry.affine[:3]
    header["qform_code"] = header["sform_code"] = _SCANNER
    if like is not None:
        _copy_transforms(header, geometry, like)
    return header


def _copy_transforms(header: NDArray[np.void], geometry: Geometry, like: Path) -> None:
    """Take over the qform of the NIfTI file `like` and both codes; a missing code becomes that of the other.

    Its sform needs no copy: where it has one, that is the affine of `geometry`, number by number.
    """
    if read_header(like).geometry != geometry:
        raise ValueError(f"{like} does not have the geometry of the image to write")
    if not like.name.lower().endswith((".nii", ".nii.gz")):
        return
    fields = read_fields(like)
    if fields["qform_code"] > 0:
        for name in ("quatern", "qoffset", "qform_code"):
            header[name] = fields[name]
        sizes = fields["pixdim"][:4]
        header["pixdim"][:4] = np.where(sizes == 0, header["pixdim"][:4], sizes)  # a 2D image may leave out the third
        header["sform_code"] = fields["qform_code"]
    if fields["sform_code"] > 0:
        header["sform_code"] = fields["sform_code"]
        if not fields["qform_code"] > 0:
            header["qform_code"] = fields["sform_code"]


def _set_qform(header: NDArray[np.void], geometry: Geometry) -> None:
    """Set spacing and quaternion (nifti1.h, method 2) to the rotation nearest to the affine."""
    spacing = np.array(geometry.spacing)
    left, _, right = np.linalg.svd(geometry.affine[:3, :3] / spacing)
    rotation = left @ right
    hand = 1.0 if np.linalg.det(rotation) > 0 else -1.0
    rotation[:, 2] *= hand
    header["pixdim"] = (hand, *spacing, 1, 1, 1, 1)
    header["quatern"] = _quaternion(rotation)
    header["qoffset"] = geometry.affine[:3, 3]


def _quaternion(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return b, c, d of the unit quaternion with a >= 0 of a rotation matrix.

    It is the eigenvector of the largest eigenvalue of a symmetric matrix: Bar-Itzhack (2000), stable for any angle.
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation
    symmetric = np.array([
        [xx + yy + zz, zy - yz, xz - zx, yx - xy],
        [zy - yz, xx - yy - zz, xy + yx, xz + zx],
        [xz - zx, xy + yx, yy - xx - zz, yz + zy],
        [yx - xy, xz + zx, yz + zy, zz - xx - yy],
    ])  # fmt: skip
    quaternion: NDArray[np.float64] = np.linalg.eigh(symmetric)[1][:, -1]
    return quaternion[1:] * (1.0 if quaternion[0] >= 0 else -1.0)
