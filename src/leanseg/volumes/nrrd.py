"""NRRD (.nrrd, and .nhdr with its data file beside it).

Source: "Definition of NRRD File Format", teem.sourceforge.net/nrrd/format.html. World coordinates in LPS, RAS or LAS
become RAS+ mm. A file that names no space is taken as LPS, as ITK does.
"""

import re
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

_MAGIC = re.compile(rb"NRRD000[1-5]\r?\n")
_LONGEST_HEADER = 1 << 20  # segmentations of 3D Slicer carry long tables
_TYPE_NAMES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_VOXEL_TYPES = {name: kind for kind, names in _TYPE_NAMES.items() for name in names}
_ENCODINGS = {"raw": "", "gzip": "gzip", "gz": "gzip"}
_TO_RAS = {
    "right-anterior-superior": (1, 1, 1), "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1), "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1), "lps": (-1, -1, 1),
}  # fmt: skip
_KINDS_OF_SPACE = {"space", "domain", "???"}
_SPLIT = "save each channel as a file of its own"
_SAVE = "save it again as .nii.gz, or as NRRD with encoding raw or gzip"


def read_nrrd_header(path: Path) -> Header:
    """Return the header of a .nrrd or .nhdr file; the size of the data is not looked at."""
    fields, first = _read_fields(path)
    kind = required(path, fields, "type").lower()
    if kind not in _VOXEL_TYPES:
        raise UnsupportedVoxelTypeError(path, kind)
    dimensions = whole_numbers(path, "dimension", required(path, fields, "dimension"), 1)[0]
    if not 2 <= dimensions <= 4:
        raise BrokenHeaderError(path, f"{dimensions} dimensions")
    shape = whole_numbers(path, "sizes", required(path, fields, "sizes"), dimensions)
    stored = np.dtype(_VOXEL_TYPES[kind])
    if stored.itemsize > 1:
        endian = required(path, fields, "endian").lower()
        if endian not in {"little", "big"}:
            raise BrokenHeaderError(path, f"endian is {endian!r}")
        stored = stored.newbyteorder("<" if endian == "little" else ">")
    return make_header(path, shape, stored, _affine(path, fields, dimensions), _payload(path, fields, first))


def _read_fields(path: Path) -> tuple[dict[str, str], int]:
    """Return the fields by lower-case name, and the byte after the empty line that ends them."""
    start = read_start(path, _LONGEST_HEADER)
    if not _MAGIC.match(start):
        raise WrongFormatError(path, "a NRRD file")
    fields: dict[str, str] = {}
    position = start.find(b"\n") + 1
    while position < len(start):
        end = start.find(b"\n", position)
        end = end if end >= 0 else len(start)
        line = start[position:end].decode("utf-8", "replace").strip()
        position = end + 1
        if not line:
            return fields, position
        name, colon, value = line.partition(":")
        if "\0" in line or not (colon or line.startswith("#")):
            raise BrokenHeaderError(path, f"the line {line[:60]!r}")
        # "name:=value" is a note of some program, "# ..." a comment: neither says where voxels are.
        if not (line.startswith("#") or value.startswith("=")):
            add_field(path, fields, name.strip().lower().replace(" ", ""), value.strip())
    if "datafile" not in fields:
        raise BrokenHeaderError(path, "it has no end")
    return fields, len(start)


def _payload(path: Path, fields: dict[str, str], first: int) -> Payload:
    encoding = required(path, fields, "encoding").lower()
    if encoding not in _ENCODINGS:
        raise UnsupportedFeatureError(path, f"encoding {encoding}", _SAVE)
    for name in ("lineskip", "byteskip"):
        if fields.get(name, "0") != "0":
            raise UnsupportedFeatureError(path, "a data file that starts with something else (skip)", _SAVE)
    if "datafile" in fields:
        return Payload(check_readable(beside(path, fields["datafile"])), 0, _ENCODINGS[encoding])
    return Payload(path, first, _ENCODINGS[encoding])


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is refused with the affine
def _affine(path: Path, fields: dict[str, str], dimensions: int) -> NDArray[np.float64]:
    space = fields.get("space", "lps").lower()
    if space not in _TO_RAS:
        raise UnsupportedFeatureError(path, f"space {space}", "save it in the space left-posterior-superior")
    kinds = fields.get("kinds", "").lower().split()
    if any(kind not in _KINDS_OF_SPACE for kind in kinds[:3]):
        raise UnsupportedFeatureError(path, f"an image with axes {' '.join(kinds)}", _SPLIT)
    axes = np.eye(3)
    if "spacedirections" in fields:
        axes = _directions(path, fields["spacedirections"], dimensions)
    elif dimensions > 3:
        raise BrokenHeaderError(path, "four axes and nothing that says which of them lie in space")
    elif "spacings" in fields:
        axes[range(dimensions), range(dimensions)] = spacings(path, "spacings", fields["spacings"], dimensions)
    affine = np.eye(4)
    affine[:3, :3] = axes
    if "spaceorigin" in fields:
        origin = numbers(path, "space origin", fields["spaceorigin"].replace(",", " ").strip("() "))
        affine[: len(origin), 3] = _of_length(path, origin, "space origin")
    affine[:3] *= np.array(_TO_RAS[space])[:, None]
    return affine


def _directions(path: Path, text: str, dimensions: int) -> NDArray[np.float64]:
    """Return the columns of the affine: step in space per voxel along the first three axes."""
    vectors = text.replace(" ", "").replace(")(", ") (").replace("none", " none ").split()
    if len(vectors) != dimensions:
        raise BrokenHeaderError(path, f"space directions has {len(vectors)} vectors instead of {dimensions}")
    if "none" in vectors[:3]:
        raise UnsupportedFeatureError(path, "an image whose channels come before its axes in space", _SPLIT)
    axes = np.eye(3)
    for column, vector in enumerate(vectors[:3]):
        values = numbers(path, "space directions", vector.replace(",", " ").strip("() "))
        axes[:, column] = 0
        axes[: len(values), column] = _of_length(path, values, "space directions")
    if dimensions == 2 and axes[2, :2].any():  # a slice that is not axial: its normal takes the place of the third axis
        normal = np.cross(axes[:, 0], axes[:, 1])
        axes[:, 2] = normal / np.linalg.norm(normal)
    return axes


def _of_length(path: Path, values: NDArray[np.float64], field: str) -> NDArray[np.float64]:
    if len(values) not in {2, 3}:
        raise BrokenHeaderError(path, f"{field} has {len(values)} numbers per vector")
    return values
