"""Sound images of every kind that leanseg reads, written byte by byte from the formats' definitions.

Everything is drawn from a `Random`, so that hypothesis can shrink what fails and a seed makes it again.
"""

import gzip
import itertools
import struct
import zlib
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from tests.hostile.mutations import members, with_fields

DTYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")
NIFTI_CODES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "i1": 256, "u2": 512, "u4": 768, "i8": 1024, "u8": 1280}
META_NAMES = {
    "u1": "MET_UCHAR", "i1": "MET_CHAR", "u2": "MET_USHORT", "i2": "MET_SHORT", "u4": "MET_UINT", "i4": "MET_INT",
    "u8": "MET_ULONG_LONG", "i8": "MET_LONG_LONG", "f4": "MET_FLOAT", "f8": "MET_DOUBLE",
}  # fmt: skip
NRRD_NAMES = {
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"), "i1": ("signed char", "int8", "int8_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"), "i4": ("int", "signed int", "int32", "int32_t"),
    "u8": ("ulonglong", "unsigned long long", "uint64", "uint64_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "int64", "int64_t"),
    "f4": ("float",), "f8": ("double",),
}  # fmt: skip
SPACES = {"left-posterior-superior": (-1, -1, 1), "LPS": (-1, -1, 1), "right-anterior-superior": (1, 1, 1),
          "RAS": (1, 1, 1), "left-anterior-superior": (-1, 1, 1), "LAS": (-1, 1, 1)}  # fmt: skip
ORIENTATIONS = [
    np.array([[sign * (row == axis) for axis, sign in zip(order, signs, strict=True)] for row in range(3)], float)
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]


@dataclass(frozen=True)
class Picture:
    """What an image shows, whatever file it is written to: voxels as in the file, (X, Y[, Z[, T]]), and RAS+ affine."""

    stored: NDArray[np.generic]
    affine: NDArray[np.float64]


def picture(
    random: Random, *, dimensions: tuple[int, ...] = (2, 3, 3, 3, 4), dtypes: tuple[str, ...] = DTYPES
) -> Picture:
    """Draw an image: any type and byte order, one of the 48 orientations, oblique or not, anisotropic or not."""
    dtype = np.dtype(random.choice(dtypes)).newbyteorder(random.choice("<>"))
    sizes = [random.choice((1, 2, 3, 5, 8, 13)) for _ in range(random.choice(dimensions))]
    return Picture(_voxels(random, sizes, dtype), affine(random))


def affine(random: Random) -> NDArray[np.float64]:
    """Draw an affine with perpendicular axes."""
    axes = ORIENTATIONS[random.randrange(48)]
    if random.random() < 0.5:
        axes = _rotation(random) @ axes
    spacing = [random.choice((1.0, 0.5, 0.9765625, 3.3, 12.0, random.uniform(0.05, 20))) for _ in range(3)]
    result = np.eye(4)
    result[:3, :3] = axes * spacing
    result[:3, 3] = [random.choice((0.0, -90.0, random.uniform(-500, 500))) for _ in range(3)]
    return result


def _voxels(random: Random, sizes: list[int], dtype: np.dtype) -> NDArray[np.generic]:
    numbers = np.random.default_rng(random.randrange(2**32))
    if dtype.kind == "f":
        values = numbers.normal(size=sizes) * random.choice((1, 1e-30, 1e30, 1000))
    else:
        limits = np.iinfo(dtype)
        low, high = random.choice(((limits.min, limits.max), (0, 3), (max(limits.min, -1000), min(limits.max, 3000))))
        values = numbers.integers(low, high, sizes, dtype.newbyteorder("="), endpoint=True)
    return np.asfortranarray(values.astype(dtype))


def _rotation(random: Random) -> NDArray[np.float64]:
    vector = np.array([random.uniform(-1, 1) for _ in range(4)])
    vector[0] += random.choice((0, 5))  # a large scalar part makes a small angle
    if np.linalg.norm(vector) < 1e-6:
        return np.eye(3)
    a, b, c, d = vector / np.linalg.norm(vector)
    return np.array([
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ])  # fmt: skip


def nifti(random: Random, shown: Picture | None = None) -> bytes:
    """Return a NIfTI-1 or NIfTI-2 file of one piece, not compressed."""
    shown = shown or picture(random, dimensions=(1, 2, 3, 3, 3, 3, 4, 5))
    version, order = random.choice((1, 1, 1, 2)), ">" if shown.stored.dtype.str[0] == ">" else "<"
    if shown.stored.dtype.itemsize == 1:
        order = random.choice("<>")
    sizes = list(shown.stored.shape)
    if len(sizes) == 5:
        sizes[3:] = [1, 1]  # five dimensions are read when the last ones are of size one
        shown = Picture(np.asfortranarray(shown.stored[:, :, :, :1, :1]), shown.affine)
    extension = _extensions(random, order)
    fields = {
        "dims": [len(sizes), *sizes, *[random.choice((0, 1)) for _ in range(7 - len(sizes))]],
        "code": NIFTI_CODES[shown.stored.dtype.str[1:]], "bits": 8 * shown.stored.dtype.itemsize,
        "offset": (348 if version == 1 else 540) + len(extension),
        **_scaling(random), **_transforms(random, shown.affine),
    }  # fmt: skip
    gap = 0 if extension[0] else random.choice((0, 0, 0, 16, 1, 1000))
    fields["offset"] += gap
    head = (nifti1_header if version == 1 else nifti2_header)(order, fields)
    return head + extension + bytes(gap) + shown.stored.tobytes(order="F")


def nifti1_header(order: str, f: dict) -> bytes:
    """Return the 348 bytes of nifti1.h."""
    return b"".join([
        struct.pack(f"{order}i10s18sihcB", 348, b"", b"", 0, 0, b"r", 0),
        struct.pack(f"{order}8h3f4h", *f["dims"], 0, 0, 0, 0, f["code"], f["bits"], 0),
        struct.pack(f"{order}8f3f", *f["pixdim"], f["offset"], f["slope"], f["inter"]),
        struct.pack(f"{order}hBB4f2i", 0, 0, 2, 0, 0, 0, 0, 0, 0),
        struct.pack("80s24s", b"hostile suite", b""),
        struct.pack(f"{order}2h6f12f", f["qform"], f["sform"], *f["quatern"], *f["origin"], *f["srow"]),
        struct.pack("16s4s", b"", b"n+1\0"),
    ])  # fmt: skip


def nifti2_header(order: str, f: dict) -> bytes:
    """Return the 540 bytes of nifti2.h."""
    return b"".join([
        struct.pack(f"{order}i8s2h8q3d", 540, b"n+2\0\r\n\x1a\n", f["code"], f["bits"], *f["dims"], 0, 0, 0),
        struct.pack(f"{order}8dq2d", *f["pixdim"], f["offset"], f["slope"], f["inter"]),
        struct.pack(f"{order}4d2q", 0, 0, 0, 0, 0, 0),
        struct.pack("80s24s", b"hostile suite", b""),
        struct.pack(f"{order}2i6d12d", f["qform"], f["sform"], *f["quatern"], *f["origin"], *f["srow"]),
        struct.pack(f"{order}3i16sB15s", 0, 2, 0, b"", 0, b""),
    ])  # fmt: skip


def _scaling(random: Random) -> dict:
    slope = random.choice((0.0, 1.0, 1.0, 1.0, 2.0, -1.0, 0.5, 0.0037, float("nan"), random.uniform(-10, 10)))
    inter = random.choice((0.0, 0.0, 0.0, -1024.0, 0.25, random.uniform(-1000, 1000)))
    return {"slope": slope, "inter": inter}


def _transforms(random: Random, affine: NDArray[np.float64]) -> dict:
    """Both transforms say the same where both are given, or only one is, or none."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    rotation = affine[:3, :3] / spacing
    hand = 1.0 if np.linalg.det(rotation) > 0 else -1.0
    rotation[:, 2] *= hand
    codes = random.choice(((1, 1), (0, 1), (1, 0), (0, 0), (2, 4), (0, 3), (4, 0)))
    return {
        "pixdim": (hand, *spacing, *(random.choice((0, 1, 2.5)) for _ in range(4))),
        "qform": codes[0], "sform": codes[1], "quatern": _quaternion(rotation), "origin": affine[:3, 3],
        "srow": affine[:3].ravel() if codes[1] else [0] * 12,
    }  # fmt: skip


def _quaternion(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return b, c, d with a >= 0 of a rotation."""
    from scipy.spatial.transform import Rotation

    b, c, d, a = Rotation.from_matrix(rotation).as_quat()
    return np.array([b, c, d]) * (1 if a >= 0 else -1)


def _extensions(random: Random, order: str) -> bytes:
    if random.random() < 0.7:
        return bytes(4)
    result = b"\1\0\0\0"
    for _ in range(random.choice((1, 2, 5))):
        size = 16 * random.choice((1, 2, 10, 300))
        result += struct.pack(f"{order}2i", size, random.choice((0, 2, 4, 6, 44))) + random.randbytes(size - 8)
    return result


def gzipped(random: Random, content: bytes) -> bytes:
    """Return `content` in a sound gzip file of one or several members."""
    simple = gzip.compress(content, random.choice((0, 1, 6, 9)), mtime=0)
    return random.choice(
        (lambda: simple, lambda: simple, lambda: members(random, content), lambda: with_fields(random, content))
    )()


def meta_lines(random: Random, shown: Picture, packed: int | None) -> list[str]:
    """Return the lines of a MetaImage header but the last one. packed: bytes of the voxels, None if not compressed."""
    count = shown.stored.ndim
    lps = np.diag([-1.0, -1, 1, 1]) @ shown.affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    directions, origin, steps = np.eye(4), np.zeros(4), np.ones(4)
    directions[:3, :3], origin[:3], steps[:3] = (lps[:3, :3] / spacing).T, lps[:3, 3], spacing
    if count == 2:
        directions[:2, :2] = random.choice((np.eye(2), -np.eye(2), np.array([[0, 1], [-1, 0]])))
    big = shown.stored.dtype.str[0] == ">"
    lines = [
        f"NDims = {count}",
        "BinaryData = True",
        f"{random.choice(('BinaryDataByteOrderMSB', 'ElementByteOrderMSB'))} = {big}",
        f"CompressedData = {packed is not None}",
        *([f"CompressedDataSize = {packed}"] if packed is not None else []),
        f"{random.choice(('TransformMatrix', 'Orientation', 'Rotation'))} = {_words(directions[:count, :count])}",
        f"{random.choice(('Offset', 'Position', 'Origin'))} = {_words(origin[:count])}",
        f"ElementSpacing = {_words(steps[:count])}",
        f"DimSize = {_words(shown.stored.shape)}",
        f"ElementType = {META_NAMES[shown.stored.dtype.str[1:]]}",
    ]
    if random.random() < 0.5:
        lines.insert(2, "AnatomicalOrientation = RAI")
        lines.insert(3, "CenterOfRotation = " + _words([0] * count))
    return ["ObjectType = Image", *lines]


def meta(random: Random, shown: Picture | None = None, data_file: str = "LOCAL") -> tuple[list[str], bytes]:
    """Return the lines of a MetaImage header and the voxels that follow it or lie in `data_file`."""
    shown = shown or picture(random)
    voxels = shown.stored.tobytes(order="F")
    packed = zlib.compress(voxels, random.choice((1, 6, 9))) if random.random() < 0.5 else None
    lines = [*meta_lines(random, shown, None if packed is None else len(packed)), f"ElementDataFile = {data_file}"]
    return lines, voxels if packed is None else packed


def nrrd(random: Random, shown: Picture | None = None, data_file: str | None = None) -> tuple[list[str], bytes]:
    """Return the lines of a NRRD header, without the empty one that ends it, and the voxels."""
    shown = shown or picture(random)
    count, kind = shown.stored.ndim, shown.stored.dtype
    voxels = shown.stored.tobytes(order="F")
    encoding = random.choice(("raw", "raw", "gzip", "gz"))
    space, signs = random.choice(list(SPACES.items()))
    axes = np.array(signs)[:, None] * shown.affine[:3, :3]
    vectors = [f"({','.join(repr(float(v)) for v in axes[:, axis])})" for axis in range(min(3, count))]
    lines = [
        f"type: {random.choice(NRRD_NAMES[kind.str[1:]])}",
        f"dimension: {count}",
        f"space: {space}",
        f"sizes: {_words(shown.stored.shape)}",
        f"space directions: {' '.join([*vectors, *['none'] * (count - 3)])}",
        f"encoding: {encoding}",
        f"space origin: ({','.join(repr(float(v)) for v in np.array(signs) * shown.affine[:3, 3])})",
    ]
    if kind.itemsize > 1 or random.random() < 0.5:
        lines.append(f"endian: {'big' if kind.str[0] == '>' else 'little'}")
    if random.random() < 0.5:
        lines.append(f"kinds: {' '.join([*['domain'] * min(3, count), *['list'] * (count - 3)])}")
    if random.random() < 0.3:
        lines += ["# a comment", "note:=a value: with signs"]
    if data_file:
        lines.append(f"data file: {data_file}")
    return [f"NRRD000{random.choice('45')}", *lines], voxels if encoding == "raw" else gzipped(random, voxels)


def _words(values: object) -> str:
    return " ".join(str(value) for value in np.asarray(values).ravel().tolist())
