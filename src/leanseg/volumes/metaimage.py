"""MetaImage (.mha, and .mhd with its .raw or .zraw beside it).

Source: the MetaIO documentation of ITK. Its coordinates are LPS+ mm and become RAS+ mm here.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leanseg.volumes.errors import (
    BrokenHeaderError,
    UnsupportedFeatureError,
    UnsupportedVoxelTypeError,
    WrongFormatError,
)
from leanseg.volumes.header import Header, Payload, make_header
from leanseg.volumes.payload import check_readable, read_start
from leanseg.volumes.text_header import add_field, beside, numbers, required, spacings, whole_numbers

_LONGEST_HEADER = 1 << 16
_VOXEL_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
_TRUTHS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_SPELLINGS = {
    name.lower(): name
    for name in (
        "NDims", "DimSize", "ElementType", "ElementByteOrderMSB", "BinaryDataByteOrderMSB", "ObjectType", "BinaryData",
        "ElementNumberOfChannels", "HeaderSize", "CompressedData", "ElementDataFile", "TransformMatrix", "Rotation",
        "Orientation", "Offset", "Position", "Origin", "ElementSpacing", "ElementSize",
    )
}  # fmt: skip


def read_metaimage_header(path: Path) -> Header:
    """Return the header of a .mha or .mhd file; the size of the data is not looked at."""
    fields, first = _read_fields(path)
    dimensions = whole_numbers(path, "NDims", required(path, fields, "ndims"), 1)[0]
    if not 2 <= dimensions <= 4:
        raise BrokenHeaderError(path, f"{dimensions} dimensions")
    shape = whole_numbers(path, "DimSize", required(path, fields, "dimsize"), dimensions)
    _refuse_unsupported(path, fields)
    kind = required(path, fields, "elementtype").upper()
    if kind not in _VOXEL_TYPES:
        raise UnsupportedVoxelTypeError(path, kind)
    order = _first_of(fields, "elementbyteordermsb", "binarydatabyteordermsb") or "elementbyteordermsb"
    stored = np.dtype(_VOXEL_TYPES[kind]).newbyteorder(">" if _is_true(path, order, fields) else "<")
    return make_header(path, shape, stored, _affine(path, fields, dimensions), _payload(path, fields, first))


def _read_fields(path: Path) -> tuple[dict[str, str], int]:
    """Return the fields by lower-case name, and the byte after the last line, which is ElementDataFile."""
    start = read_start(path, _LONGEST_HEADER)
    fields: dict[str, str] = {}
    position = 0
    while "elementdatafile" not in fields:
        end = start.find(b"\n", position)
        line = start[position : end if end >= 0 else len(start)]
        name, equals, value = line.partition(b"=")
        if not (equals and line.isascii() and b"\0" not in line):
            raise WrongFormatError(path, "a MetaImage file")
        add_field(path, fields, _field_name(path, name.rstrip().decode()), value.strip().decode())
        position = end + 1 if end >= 0 else len(start)
    return fields, position


def _field_name(path: Path, name: str) -> str:
    """Return the lower-case name of a field. Other programs pass over one that is not spelled exactly so."""
    key = name.strip().lower()
    if key in _SPELLINGS and name != _SPELLINGS[key]:
        raise BrokenHeaderError(path, f"the field {_SPELLINGS[key]} is spelled {name!r}")
    return key


def _refuse_unsupported(path: Path, fields: dict[str, str]) -> None:
    save = "save it again as .nii.gz"
    if fields.get("objecttype", "Image").lower() != "image":
        raise UnsupportedFeatureError(path, f"an object of type {fields['objecttype']}", "name an image")
    if not _is_true(path, "binarydata", fields, "True"):
        raise UnsupportedFeatureError(path, "voxels written as text", save)
    if fields.get("elementnumberofchannels", "1") != "1":
        raise UnsupportedFeatureError(path, "several channels per voxel", "save each channel as a file of its own")
    if fields.get("headersize", "0") != "0":
        raise UnsupportedFeatureError(path, "a data file that starts with something else (HeaderSize)", save)


def _payload(path: Path, fields: dict[str, str], first: int) -> Payload:
    compression = "zlib" if _is_true(path, "compresseddata", fields) else ""
    name = fields["elementdatafile"]
    if name.upper() == "LOCAL":
        return Payload(path, first, compression)
    return Payload(check_readable(beside(path, name)), 0, compression)


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is refused with the affine
def _affine(path: Path, fields: dict[str, str], dimensions: int) -> NDArray[np.float64]:
    """Axis by axis, the matrix lists the direction each grows to. A fourth axis lies outside of space."""
    directions, origin, spacing = np.eye(4), np.zeros(4), np.ones(4)
    if name := _first_of(fields, "transformmatrix", "rotation", "orientation"):
        matrix = numbers(path, name, fields[name], dimensions**2).reshape(dimensions, dimensions)
        directions[:dimensions, :dimensions] = matrix.T
    if name := _first_of(fields, "offset", "position", "origin"):
        origin[:dimensions] = numbers(path, name, fields[name], dimensions)
    if "centerofrotation" in fields:  # with too few numbers in it, ITK takes those missing from the next line
        numbers(path, "CenterOfRotation", fields["centerofrotation"], dimensions)
    if name := _first_of(fields, "elementspacing", "elementsize"):
        spacing[:dimensions] = spacings(path, name, fields[name], dimensions)
    affine = np.eye(4)
    affine[:3, :3] = directions[:3, :3] * spacing[:3]
    affine[:3, 3] = origin[:3]
    affine[:2] *= -1  # L to R, P to A
    return affine


def _first_of(fields: dict[str, str], *names: str) -> str | None:
    return next((name for name in names if name in fields), None)


def _is_true(path: Path, name: str, fields: dict[str, str], default: str = "False") -> bool:
    text = fields.get(name, default)
    if text.lower() not in _TRUTHS:
        raise BrokenHeaderError(path, f"{_SPELLINGS[name]} = {text[:60]!r} is neither True nor False")
    return _TRUTHS[text.lower()]
