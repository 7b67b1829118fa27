"""Images of all kinds: sound ones by every reader, sound ones of a kind not read, and places that are no files."""

import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tests.hostile import sound_volumes
from tests.hostile.image_files import ALLOWANCE, CAP, reading, save_any, save_meta, save_nifti, save_nrrd, sound
from tests.hostile.mutations import damaged
from tests.hostile.nifti_families import NIFTI, plain_header
from tests.hostile.oracles import NoOracleError, agree, read_elsewhere
from tests.hostile.sound_volumes import ORIENTATIONS
from tests.hostile.text_image_families import TEXT
from tests.hostile.trial import Family, Trial, WrongError

from leanseg.volumes import read_channels, read_frames, read_header, read_labels, read_volume
from leanseg.volumes.errors import UnsupportedFeatureError, UnsupportedVoxelTypeError


def _narrowed(random: Random, folder: Path) -> Trial:
    """The other readers: one volume, channels as float32, labels as small integers, the header alone."""
    path = save_any(random, folder)
    read, compare = random.choice(_NARROW)
    return Trial(run=lambda: read(path), judge=lambda found: compare(found, path), allowance=ALLOWANCE)


def _compare_channels(found: Any, path: Path) -> str:
    array, affine = found[0], found[1].affine
    if array.dtype != np.float32:
        raise WrongError("wrong type", f"{array.dtype}")
    try:
        theirs, _ = read_elsewhere(path)
    except NoOracleError:
        return "read; no other library does"
    moved = np.moveaxis(array, 0, -1)
    return agree((moved if theirs.ndim == 4 else moved[..., 0], affine), path)


def _compare_labels(found: Any, path: Path) -> str:
    try:
        theirs, _ = read_elsewhere(path)
    except NoOracleError:
        return "read; no other library does"
    # Scaled voxels are computed in the precision that their type calls for: float32 or float64.
    expected = [np.rint(theirs), np.rint(theirs.astype(np.float32))] if theirs.dtype.kind == "f" else [theirs]
    if found.array.dtype.kind not in "iu" or not any(np.array_equal(found.array, each) for each in expected):
        raise WrongError("wrong labels", f"{found.array.ravel()[:5]} instead of {theirs.ravel()[:5]}")
    return "read as elsewhere"


def _compare_header(found: Any, path: Path) -> str:
    array, _ = read_frames(path, nan=0, max_voxels=CAP)
    return agree((array if array.shape == found.shape else array[:0], found.geometry.affine), path)


_NARROW: tuple[tuple[Callable[[Path], Any], Callable[[Any, Path], str]], ...] = (
    (
        lambda path: read_volume(path, max_voxels=CAP),
        lambda found, path: agree((found.array, found.geometry.affine), path),
    ),
    (lambda path: read_channels([path], max_voxels=CAP), _compare_channels),
    (lambda path: read_labels(path, max_voxels=CAP), _compare_labels),
    (read_header, _compare_header),
)


def _unsupported(random: Random, folder: Path) -> Trial:
    """Sound files of a kind that leanseg says it does not read: it must say so, not misread them."""
    path, error = random.choice((_complex_nifti, _five_dimensions, _channels_meta, _ascii_nrrd, _color_nrrd))(
        random, folder
    )

    def judge(found: Any) -> str:
        raise WrongError("unsupported file read", f"{found[0].shape} {found[0].dtype}")

    def run() -> Any:
        try:
            return read_frames(path, max_voxels=CAP)
        except (UnsupportedFeatureError, UnsupportedVoxelTypeError):
            raise
        except Exception as other:
            raise WrongError("other reason", f"{error}: {type(other).__name__}: {other}") from other

    return Trial(run=run, judge=judge, allowance=ALLOWANCE)


_LENGTHS = (5e-324, 1e-308, 1e-160, 1e-45, 1e-38, 1e-12, 1e-3, 1.0, 1e3, 1e12, 1e38, 1e150, 1e200, 1e300, 1.7e308)


def _extreme(random: Random, folder: Path) -> Trial:
    """Sound voxels whose spacing and place are as small or as large as numbers get."""
    shown = sound_volumes.picture(random, dimensions=(3,))
    affine = np.eye(4)
    axes = ORIENTATIONS[random.randrange(48)]
    affine[:3, :3] = (
        axes * [random.choice(_LENGTHS) for _ in range(3)] if random.random() < 0.5 else axes * random.choice(_LENGTHS)
    )
    affine[:3, 3] = [random.choice((0.0, 1.0, random.choice(_LENGTHS))) for _ in range(3)]
    shown = sound_volumes.Picture(shown.stored, affine)
    with np.errstate(all="ignore"):
        lines, voxels = sound_volumes.nrrd(random, shown)
    (path := folder / "scan.nrrd").write_bytes("\n".join(lines).encode() + b"\n\n" + voxels)
    return reading(path)


def _complex_nifti(random: Random, folder: Path) -> tuple[Path, str]:
    code, bits = random.choice(((32, 64), (128, 24), (1536, 128), (1792, 128), (2304, 32), (1, 1)))
    shown = sound_volumes.picture(random, dimensions=(3,), dtypes=("u1",))
    data = bytearray(sound_volumes.nifti(random, shown))
    big = data[:2] == b"\0\0"
    place = (12, 14) if data[0] == 0x1C or data[3] == 0x1C else (70, 72)
    struct.pack_into(">h" if big else "<h", data, place[0], code)
    struct.pack_into(">h" if big else "<h", data, place[1], bits)
    (path := folder / "scan.nii").write_bytes(data + bytes(shown.stored.size * bits // 8))
    return path, f"type {code}"


def _five_dimensions(random: Random, folder: Path) -> tuple[Path, str]:
    sizes = [random.choice((1, 2, 3)) for _ in range(4)] + [random.choice((2, 3))]
    head = sound_volumes.nifti1_header("<", plain_header(sizes))
    (path := folder / "scan.nii").write_bytes(head + bytes(4 + int(np.prod(sizes))))
    return path, "five dimensions"


def _channels_meta(random: Random, folder: Path) -> tuple[Path, str]:
    lines, voxels = sound_volumes.meta(random)
    lines.insert(1, "ElementNumberOfChannels = 3")
    (path := folder / "scan.mha").write_bytes("\n".join(lines).encode() + b"\n" + voxels * 3)
    return path, "channels"


def _ascii_nrrd(random: Random, folder: Path) -> tuple[Path, str]:
    lines, _ = sound_volumes.nrrd(random)
    encoding = random.choice(("ascii", "text", "txt", "hex", "bzip2", "bz2"))
    lines = [f"encoding: {encoding}" if line.startswith("encoding") else line for line in lines]
    (path := folder / "scan.nrrd").write_bytes("\n".join(lines).encode() + b"\n\n1 2 3 4\n")
    return path, encoding


def _color_nrrd(random: Random, folder: Path) -> tuple[Path, str]:
    kinds = f"{random.choice(('RGB-color', 'vector', 'complex'))} domain domain"
    lines = [
        "NRRD0005", "type: uchar", "dimension: 3", "sizes: 3 4 5", f"kinds: {kinds}", "space: LPS",
        "space directions: none (1,0,0) (0,1,0)", "encoding: raw",
    ]  # fmt: skip
    (path := folder / "scan.nrrd").write_bytes("\n".join(lines).encode() + b"\n\n" + random.randbytes(60))
    return path, "colour"


_SUFFIXES = (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd", ".nhdr", ".dcm", "", ".gz", ".NII.GZ")


def _place(random: Random, folder: Path) -> Trial:
    """What has the name of an image is no file: nothing may hang on it."""
    kind = random.choice(list(_PLACES))
    path = _PLACES[kind](random, folder / f"scan{random.choice(_SUFFIXES)}")
    read = random.choice((read_frames, read_volume, read_labels, read_header, lambda p: read_channels([p])))

    def judge(found: Any) -> str:
        raise WrongError("read a " + kind, f"{found}")

    described = f"{kind} {path.name[:40]!r} {getattr(read, '__name__', '')}"
    return Trial(run=lambda: read(path), judge=judge, allowance=ALLOWANCE, described=described)


def _socket(_: Random, path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(path))
    return path


def _sparse(random: Random, path: Path) -> Path:
    with path.open("wb") as file:
        file.truncate(random.choice((1, 347, 348, 352, 10**6, 10**9, 10**12)))
    return path


def _under_a_file(_: Random, path: Path) -> Path:
    path.with_name("file").write_bytes(b"x")
    return path.with_name("file") / path.name


def _linked(target: str) -> Callable[[Random, Path], Path]:
    def link(_: Random, path: Path) -> Path:
        path.symlink_to(target or path.name)
        return path

    return link


def _made(make: Callable[[Path], Any]) -> Callable[[Random, Path], Path]:
    def place(_: Random, path: Path) -> Path:
        make(path)
        return path

    return place


# What stands where an image should be; each returns the path to read.
_PLACES: dict[str, Callable[[Random, Path], Path]] = {
    "pipe": _made(os.mkfifo),
    "folder": _made(Path.mkdir),
    "empty": _made(Path.touch),
    "missing": _made(lambda path: None),
    "loop": _linked(""),
    "dangling": _linked("nothing.nii"),
    "zero": _linked("/dev/zero"),
    "null": _linked("/dev/null"),
    "full": _linked("/dev/full"),
    "socket": _socket,
    "sparse": _sparse,
    "under a file": _under_a_file,
    "long": lambda random, path: path.with_name("a" * random.choice((250, 256, 5000)) + path.suffix),
    "nul": lambda _, path: path.with_name(f"a\0b{path.suffix}"),
    "surrogate": lambda _, path: path.with_name(f"a\udc80\ud800{path.suffix}"),
}


def _mixed_channels(random: Random, folder: Path) -> Trial:
    """Channels from several files: all of one grid, or not; some of them broken."""
    paths = []
    base = sound_volumes.picture(random, dimensions=(3,))
    for number in range(random.choice((2, 3, 4))):
        shown = base if random.random() < 0.7 else sound_volumes.picture(random, dimensions=(3, 4))
        content = sound_volumes.nifti(random, shown)
        if random.random() < 0.2:
            content = damaged(random, content)
        (path := folder / f"scan_{number:04d}.nii").write_bytes(content)
        paths.append(path)

    def judge(found: Any) -> str:
        array, geometry = found
        for channel, path in zip(array, paths, strict=True):
            agree((channel, read_header(path).geometry.affine), path)
            if read_header(path).geometry.shape != geometry.shape:
                raise WrongError("wrong shape", f"{path}")
        return "read as elsewhere"

    return Trial(run=lambda: read_channels(paths, max_voxels=CAP), judge=judge, allowance=ALLOWANCE)


VOLUMES = (
    Family("volumes", "sound NIfTI", sound(save_nifti), 40),
    Family("volumes", "sound MetaImage", sound(save_meta), 25),
    Family("volumes", "sound NRRD", sound(save_nrrd), 25),
    Family("volumes", "sound, as volume, channels or labels", _narrowed, 20),
    Family("volumes", "sound, but of a kind not read", _unsupported, 8),
    Family("volumes", "sound, but of an extreme size", _extreme, 15),
    *NIFTI,
    *TEXT,
    Family("volumes", "places that are no files", _place, 12),
    Family("volumes", "channels in several files", _mixed_channels, 15),
)
