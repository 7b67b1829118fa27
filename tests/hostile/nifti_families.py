"""NIfTI files with damaged fields, bytes and streams, and bombs of every format."""

import gzip
import struct
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tests.hostile import mutations, sound_volumes
from tests.hostile.image_files import reading
from tests.hostile.mutations import bomb, damaged, damaged_gzip
from tests.hostile.trial import Family, Trial

# What leanseg reads of nifti1.h and nifti2.h: offset and format of each field.
_NIFTI1 = {
    "size": (0, "i"), "dim": (40, "h"), "type": (70, "h"), "bits": (72, "h"), "pixdim": (76, "f"), "offset": (108, "f"),
    "slope": (112, "f"), "inter": (116, "f"), "qcode": (252, "h"), "scode": (254, "h"), "quatern": (256, "f"),
    "origin": (268, "f"), "srow": (280, "f"), "magic": (344, "s"),
}  # fmt: skip
_NIFTI2 = {
    "size": (0, "i"), "magic": (4, "s"), "type": (12, "h"), "bits": (14, "h"), "dim": (16, "q"), "pixdim": (104, "d"),
    "offset": (168, "q"), "slope": (176, "d"), "inter": (184, "d"), "qcode": (344, "i"), "scode": (348, "i"),
    "quatern": (352, "d"), "origin": (376, "d"), "srow": (400, "d"),
}  # fmt: skip
_COUNTS = {"dim": 8, "pixdim": 8, "quatern": 3, "origin": 3, "srow": 12}
_WHOLE = (
    0, 1, -1, 2, 3, 5, 7, 8, 100, 255, 256, 348, 352, 540, 32767, -32768, 2**31 - 1, -(2**31), 2**40, 2**62, 2**63 - 1,
)  # fmt: skip
_REAL = (
    0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-45, 1e-38, 1e-30, 1e-12, 1e12, 1e30, 3e38, float("inf"), float("-inf"),
    float("nan"), 352.0, 351.0, 352.5, 348.0, 16777216.0, 1e9, 1e18,
)  # fmt: skip
_DOUBLES = (5e-324, 1e-300, 1e300, 1.7e308)
_MAGICS = (b"n+1\0", b"ni1\0", b"n+2\0", b"ni2\0", b"\0\0\0\0", b"n+1 ", b"N+1\0", b"n+3\0")


def plain_header(sizes: Sequence[int], **fields: Any) -> dict[str, Any]:
    """Return the fields of an unscaled uint8 image of 1 mm voxels, for `sound_volumes.nifti1_header`."""
    dims = [len(sizes), *sizes, *[1] * (7 - len(sizes))]
    return {
        "dims": dims, "code": 2, "bits": 8, "offset": 352, "slope": 0, "inter": 0, "pixdim": [1] * 8, "qform": 0,
        "sform": 1, "quatern": [0] * 3, "origin": [0] * 3, "srow": np.eye(4)[:3].ravel(), **fields,
    }  # fmt: skip


def _fields(random: Random, folder: Path) -> Trial:
    data = bytearray(sound_volumes.nifti(random))
    order = ">" if data[:2] == b"\0\0" else "<"
    layout = _NIFTI2 if 0x1C in (data[0], data[3]) else _NIFTI1
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        _set_field(random, data, order, layout)
    if random.random() < 0.1:
        data[random.choice((0, 1, 2, 3))] ^= 1 << random.randrange(8)
    return reading(_saved(random, folder, bytes(data)))


def _set_field(random: Random, data: bytearray, order: str, layout: dict[str, tuple[int, str]]) -> None:
    name = random.choice(list(layout))
    at, kind = layout[name]
    size = struct.calcsize(kind)
    if kind == "s":
        magic = random.choice(_MAGICS)
        data[at : at + len(magic)] = magic
        return
    chosen = range(_COUNTS.get(name, 1))
    for index in chosen if random.random() < 0.15 else (random.choice(chosen),):
        if kind in "fd":
            value: float = random.choice(_REAL + (_DOUBLES if kind == "d" else ()))
        else:
            bits = 8 * size
            value = (random.choice(_WHOLE) + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)
        struct.pack_into(order + kind, data, at + index * size, value)


def _saved(random: Random, folder: Path, content: bytes) -> Path:
    packed = random.random() < 0.4
    path = folder / ("scan.nii.gz" if packed else "scan.nii")
    path.write_bytes(gzip.compress(content, 1, mtime=0) if packed else content)
    return path


def _nifti_bytes(random: Random, folder: Path) -> Trial:
    content = sound_volumes.nifti(random)
    changed = mutations.flipped(random, content, 0, 560) if random.random() < 0.6 else damaged(random, content)
    return reading(_saved(random, folder, changed))


def _nifti_gzip(random: Random, folder: Path) -> Trial:
    path = folder / "scan.nii.gz"
    path.write_bytes(damaged_gzip(random, sound_volumes.nifti(random)))
    return reading(path)


def _wrong_place_for_voxels(random: Random, folder: Path) -> Trial:
    """The voxels start far inside, or beyond, what a stream grows to."""
    offset = random.choice((2**20, 2**24, 2**26, 2**28, 2**30, 2**32, 2**39, random.randrange(353, 2**30)))
    head = sound_volumes.nifti2_header("<", plain_header((4, 4, 4), offset=offset)) + bytes(4)
    (path := folder / "scan.nii.gz").write_bytes(bomb(head, random.choice((16, 256, 1024, 2048))))
    return reading(path)


def _bomb(random: Random, folder: Path) -> Trial:
    """A gigabyte of zeros in a megabyte, called a small image, a large one, or nothing that makes sense."""
    side = random.choice((4, 100, 101, 102, 600, 1000, 1290))
    head = sound_volumes.nifti1_header("<", plain_header((side,) * 3)) + bytes(4)
    content = bomb(random.choice((head, head, head, b"", random.randbytes(348))), random.choice((16, 256, 1024, 1024)))
    sizes = f"{side} {side} {side}"
    nrrd = f"NRRD0004\ntype: uchar\ndimension: 3\nsizes: {sizes}\nencoding: gzip\n\n"
    meta = f"NDims = 3\nDimSize = {sizes}\nElementType = MET_UCHAR\nCompressedData = True\nElementDataFile = LOCAL\n"
    named = {
        "scan.nii.gz": lambda: random.choice((content, content, gzip.compress(content, 9, mtime=0))),
        "scan.nrrd": lambda: nrrd.encode() + content,
        "scan.mha": lambda: meta.encode() + content,
    }
    name = random.choice(("scan.nii.gz", *named))
    (path := folder / name).write_bytes(named[name]())
    return reading(path)


def _many_members(random: Random, folder: Path) -> Trial:
    """Megabytes of empty gzip members around a sound image."""
    content, empty = sound_volumes.nifti(random), gzip.compress(b"", mtime=0)
    count = random.choice((1000, 20_000, 100_000, 300_000))
    before = random.choice((0, count))
    members = empty * before + gzip.compress(content, mtime=0) + empty * (count - before)
    (path := folder / "scan.nii.gz").write_bytes(members)
    return reading(path)


NIFTI = (
    Family("volumes", "NIfTI, fields of the header", _fields, 70),
    Family("volumes", "NIfTI, bytes", _nifti_bytes, 50),
    Family("volumes", "NIfTI, gzip stream", _nifti_gzip, 40),
    Family("volumes", "NIfTI, voxels far inside a stream", _wrong_place_for_voxels, 4),
    Family("volumes", "bombs", _bomb, 6),
    Family("volumes", "many empty gzip members", _many_members, 2),
)
