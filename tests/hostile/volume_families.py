"""Images: sound ones, unusual ones, and ones with damaged bytes, fields, lines, streams and places."""

import gzip
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from leanseg.volumes import read_channels, read_frames, read_header, read_labels, read_volume
from leanseg.volumes.errors import (
    NotAFileError,
    OutsideDataFileError,
    UnsupportedFeatureError,
    UnsupportedVoxelTypeError,
)
from tests.hostile import mutations, sound_volumes
from tests.hostile.mutations import bomb, damaged, damaged_gzip, damaged_lines
from tests.hostile.oracles import NoOracleError, agree, read_elsewhere
from tests.hostile.trial import MEGABYTE, Family, Trial, WrongError

CAP = 1 << 20  # voxels: what the trials allow an image to have
_ALLOWANCE = 64 * MEGABYTE  # a million voxels of eight bytes, what converts them, and the interpreter's own

Save = Callable[[Random, Path], Path]


def reading(path: Path, *, sound: bool = False) -> Trial:
    """Read all of the image at `path`, and compare with what other libraries make of it."""
    return Trial(
        run=lambda: read_frames(path, max_voxels=CAP),
        judge=lambda found: agree((found[0], found[1].affine), path),
        sound=sound,
        allowance=_ALLOWANCE,
    )


def _sound(save: Save) -> Callable[[Random, Path], Trial]:
    return lambda random, folder: reading(save(random, folder), sound=True)


def save_nifti(random: Random, folder: Path) -> Path:
    """Write a sound NIfTI file."""
    content = sound_volumes.nifti(random)
    packed = random.random() < 0.5
    path = folder / ("scan.nii.gz" if packed else "scan.nii")
    path.write_bytes(sound_volumes.gzipped(random, content) if packed else content)
    return path


def save_meta(random: Random, folder: Path, change: Callable[[Random, list[str]], list[str]] = lambda _, lines: lines) -> Path:
    """Write a MetaImage file, or two, whose lines `change` may change."""
    detached = random.random() < 0.4
    lines, voxels = sound_volumes.meta(random, data_file="scan.raw" if detached else "LOCAL")
    text = _text(random, change(random, lines), end="\n")
    if detached:
        (folder / "scan.raw").write_bytes(voxels)
    path = folder / ("scan.mhd" if detached else "scan.mha")
    path.write_bytes(text if detached else text + voxels)
    return path


def save_nrrd(random: Random, folder: Path, change: Callable[[Random, list[str]], list[str]] = lambda _, lines: lines) -> Path:
    """Write a NRRD file, or two, whose lines `change` may change."""
    detached = random.random() < 0.4
    lines, voxels = sound_volumes.nrrd(random, data_file="scan.raw" if detached else None)
    text = _text(random, change(random, lines), end="\n" if detached else "\n\n")
    if detached:
        (folder / "scan.raw").write_bytes(voxels)
    path = folder / ("scan.nhdr" if detached else "scan.nrrd")
    path.write_bytes(text if detached else text + voxels)
    return path


def _text(_: Random, lines: list[str], end: str) -> bytes:
    return ("\n".join(lines) + end).encode("utf-8", "surrogateescape")


def save_any(random: Random, folder: Path) -> Path:
    """Write a sound image of any format."""
    return random.choice((save_nifti, save_meta, save_nrrd))(random, folder)


def _narrowed(random: Random, folder: Path) -> Trial:
    """The other readers: one volume, channels as float32, labels as small integers, the header alone."""
    path = save_any(random, folder)
    read, compare = random.choice(_NARROW)
    return Trial(run=lambda: read(path), judge=lambda found: compare(found, path), allowance=_ALLOWANCE)


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
    expected = np.rint(theirs.astype(np.float32)) if theirs.dtype.kind == "f" else theirs
    if found.array.dtype.kind not in "iu" or not np.array_equal(found.array, expected):
        raise WrongError("wrong labels", f"{found.array.ravel()[:5]} instead of {theirs.ravel()[:5]}")
    return "read as elsewhere"


def _compare_header(found: Any, path: Path) -> str:
    array, _ = read_frames(path, nan=0, max_voxels=CAP)
    return agree((array if array.shape == found.shape else array[:0], found.geometry.affine), path)


_NARROW: tuple[tuple[Callable[[Path], Any], Callable[[Any, Path], str]], ...] = (
    (lambda path: read_volume(path, max_voxels=CAP), lambda found, path: agree((found.array, found.geometry.affine), path)),
    (lambda path: read_channels([path], max_voxels=CAP), _compare_channels),
    (lambda path: read_labels(path, max_voxels=CAP), _compare_labels),
    (read_header, _compare_header),
)


def _unsupported(random: Random, folder: Path) -> Trial:
    """Sound files of a kind that leanseg says it does not read: it must say so, not misread them."""
    path, error = random.choice((_complex_nifti, _five_dimensions, _channels_meta, _ascii_nrrd, _color_nrrd))(random, folder)

    def judge(found: Any) -> str:
        raise WrongError("unsupported file read", f"{found[0].shape} {found[0].dtype}")

    def run() -> Any:
        try:
            return read_frames(path, max_voxels=CAP)
        except (UnsupportedFeatureError, UnsupportedVoxelTypeError):
            raise
        except Exception as other:
            raise WrongError("other reason", f"{error}: {type(other).__name__}: {other}") from other

    return Trial(run=run, judge=judge, allowance=_ALLOWANCE)


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
    fields = {"dims": [5, *sizes, 1, 1], "code": 2, "bits": 8, "offset": 352, "slope": 0, "inter": 0, "pixdim": [1] * 8,
              "qform": 0, "sform": 1, "quatern": [0] * 3, "origin": [0] * 3, "srow": np.eye(4)[:3].ravel()}  # fmt: skip
    (path := folder / "scan.nii").write_bytes(sound_volumes.nifti1_header("<", fields) + bytes(4 + int(np.prod(sizes))))
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
    lines = ["NRRD0005", "type: uchar", "dimension: 3", "sizes: 3 4 5", f"kinds: {random.choice(('RGB-color', 'vector', 'complex'))} domain domain",
             "space: LPS", "space directions: none (1,0,0) (0,1,0)", "encoding: raw"]  # fmt: skip
    (path := folder / "scan.nrrd").write_bytes("\n".join(lines).encode() + b"\n\n" + random.randbytes(60))
    return path, "colour"


# ---- NIfTI -----------------------------------------------------------------------------------------------------------

# Offsets and formats of what leanseg reads of nifti1.h and nifti2.h, and what is put there.
_NIFTI1 = {"size": (0, "i"), "dim": (40, "h"), "type": (70, "h"), "bits": (72, "h"), "pixdim": (76, "f"), "offset": (108, "f"),
           "slope": (112, "f"), "inter": (116, "f"), "qcode": (252, "h"), "scode": (254, "h"), "quatern": (256, "f"),
           "origin": (268, "f"), "srow": (280, "f"), "magic": (344, "s")}  # fmt: skip
_NIFTI2 = {"size": (0, "i"), "magic": (4, "s"), "type": (12, "h"), "bits": (14, "h"), "dim": (16, "q"), "pixdim": (104, "d"),
           "offset": (168, "q"), "slope": (176, "d"), "inter": (184, "d"), "qcode": (344, "i"), "scode": (348, "i"),
           "quatern": (352, "d"), "origin": (376, "d"), "srow": (400, "d")}  # fmt: skip
_COUNTS = {"dim": 8, "pixdim": 8, "quatern": 3, "origin": 3, "srow": 12}
_WHOLE = (0, 1, -1, 2, 3, 5, 7, 8, 100, 255, 256, 348, 352, 540, 32767, -32768, 2**31 - 1, -(2**31), 2**40, 2**62, 2**63 - 1)
_REAL = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-45, 1e-38, 1e-30, 1e-12, 1e12, 1e30, 3e38, float("inf"), float("-inf"), float("nan"),
         352.0, 351.0, 352.5, 348.0, 16777216.0, 1e9, 1e18)  # fmt: skip
_DOUBLES = (5e-324, 1e-300, 1e300, 1.7e308)
_MAGICS = (b"n+1\0", b"ni1\0", b"n+2\0", b"ni2\0", b"\0\0\0\0", b"n+1 ", b"N+1\0", b"n+3\0")


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
    """The offset of the voxels lies far inside, or beyond, what a stream grows to."""
    fields = {"dims": [3, 4, 4, 4, 1, 1, 1, 1], "code": 2, "bits": 8, "slope": 0, "inter": 0, "pixdim": [1] * 8,
              "qform": 0, "sform": 1, "quatern": [0] * 3, "origin": [0] * 3, "srow": np.eye(4)[:3].ravel()}  # fmt: skip
    offset = random.choice((2**20, 2**24, 2**26, 2**28, 2**30, 2**32, 2**39, random.randrange(353, 2**30)))
    head = sound_volumes.nifti2_header("<", fields | {"offset": offset}) + bytes(4)
    (path := folder / "scan.nii.gz").write_bytes(bomb(head, random.choice((16, 256, 1024, 2048))))
    return reading(path)


def _bomb(random: Random, folder: Path) -> Trial:
    """A gigabyte of zeros in a megabyte, called a small image, a large one, or nothing that makes sense."""
    side = random.choice((4, 100, 101, 102, 600, 1000, 1290))
    fields = {"dims": [3, side, side, side, 1, 1, 1, 1], "code": 2, "bits": 8, "offset": 352, "slope": 0, "inter": 0, "pixdim": [1] * 8,
              "qform": 0, "sform": 1, "quatern": [0] * 3, "origin": [0] * 3, "srow": np.eye(4)[:3].ravel()}  # fmt: skip
    start = random.choice((sound_volumes.nifti1_header("<", fields) + bytes(4),) * 3 + (b"", random.randbytes(348)))
    content = bomb(start, random.choice((16, 256, 1024, 1024)))
    name, data = random.choice((
        ("scan.nii.gz", content),
        ("scan.nii.gz", content),
        ("scan.nii.gz", gzip.compress(content, 9)),
        ("scan.nrrd", f"NRRD0004\ntype: uchar\ndimension: 3\nsizes: {side} {side} {side}\nencoding: gzip\n\n".encode() + content),
        ("scan.mha", f"NDims = 3\nDimSize = {side} {side} {side}\nElementType = MET_UCHAR\nCompressedData = True\nElementDataFile = LOCAL\n".encode() + content),
    ))  # fmt: skip
    (path := folder / name).write_bytes(data)
    return reading(path)


def _many_members(random: Random, folder: Path) -> Trial:
    """Megabytes of empty gzip members around a sound image."""
    content, empty = sound_volumes.nifti(random), gzip.compress(b"", mtime=0)
    count = random.choice((1000, 20_000, 100_000, 300_000))
    before = random.choice((0, count))
    (path := folder / "scan.nii.gz").write_bytes(empty * before + gzip.compress(content, mtime=0) + empty * (count - before))
    return reading(path)


# ---- MetaImage and NRRD ----------------------------------------------------------------------------------------------


def _meta_lines(random: Random, folder: Path) -> Trial:
    return reading(save_meta(random, folder, damaged_lines))


def _nrrd_lines(random: Random, folder: Path) -> Trial:
    return reading(save_nrrd(random, folder, damaged_lines))


def _text_bytes(random: Random, folder: Path) -> Trial:
    path = random.choice((save_meta, save_nrrd))(random, folder)
    target = random.choice(sorted(folder.iterdir()))
    content = target.read_bytes()
    target.write_bytes(mutations.flipped(random, content, 0, 400) if random.random() < 0.4 else damaged(random, content))
    return reading(path)


def _text_streams(random: Random, folder: Path) -> Trial:
    """Sound headers over compressed voxels that are damaged."""
    shown = sound_volumes.picture(random)
    voxels = shown.stored.tobytes(order="F")
    if random.random() < 0.5:
        lines, _ = sound_volumes.nrrd(random, shown)
        lines = [line for line in lines if not line.startswith("encoding")] + ["encoding: gzip"]
        (path := folder / "scan.nrrd").write_bytes("\n".join(lines).encode() + b"\n\n" + damaged_gzip(random, voxels))
        return reading(path)
    packed = damaged(random, zlib.compress(voxels)) if random.random() < 0.8 else damaged_gzip(random, voxels)
    lines = [*sound_volumes.meta_lines(random, shown, len(packed)), "ElementDataFile = LOCAL"]
    (path := folder / "scan.mha").write_bytes("\n".join(lines).encode() + b"\n" + packed)
    return reading(path)


_ELSEWHERE = (
    "../{name}", "{absolute}", "/dev/zero", "/dev/stdin", "/etc/passwd", "..", ".", "LIST", "LIST 2", "LIST: 2", "list", "scan.%03d 1 3 1",
    "sub/{name}", "sub\\{name}", "C:\\{name}", "file:///{name}", "", " ", "{name}\0", "{name} ", "~/{name}", "$HOME", "|cat {name}",
    "scan.mhd", "scan.nhdr", "missing.raw", "a" * 300, "link.raw", "loop.raw", "pipe.raw", "folder.raw", "empty.raw", "outside.raw", "local", "Local",
)  # fmt: skip


def _elsewhere(random: Random, folder: Path) -> Trial:
    """A detached header whose voxels are said to be somewhere else, or are something else than a file."""
    secret = folder / "secret"
    secret.mkdir()
    suffix, make = random.choice((("mhd", sound_volumes.meta), ("nhdr", sound_volumes.nrrd)))
    inside = folder / "images"
    inside.mkdir()
    name = random.choice(_ELSEWHERE).format(name="voxels.raw", absolute=secret / "voxels.raw")
    lines, voxels = make(random, data_file=name)
    for place in (secret, inside, folder):
        (place / "voxels.raw").write_bytes(voxels)
    (inside / "link.raw").symlink_to("voxels.raw")
    (inside / "loop.raw").symlink_to("loop.raw")
    (inside / "outside.raw").symlink_to(secret / "voxels.raw")
    (inside / "folder.raw").mkdir()
    (inside / "empty.raw").touch()
    os.mkfifo(inside / "pipe.raw")
    (path := inside / f"scan.{suffix}").write_bytes("\n".join(lines).encode("utf-8") + b"\n")
    return Trial(run=lambda: _read_inside(path, inside), judge=lambda found: agree((found[0], found[1].affine), path), allowance=_ALLOWANCE, described=name)


def _read_inside(path: Path, inside: Path) -> Any:
    found = read_frames(path, max_voxels=CAP)
    data = read_header(path).payload.path
    if data.parent != inside:
        raise WrongError("read elsewhere", f"{data}")
    return found


# ---- places ----------------------------------------------------------------------------------------------------------


def _place(random: Random, folder: Path) -> Trial:
    """What has the name of an image is no file: nothing may hang on it."""
    path = folder / f"scan{random.choice(('.nii', '.nii.gz', '.mha', '.mhd', '.nrrd', '.nhdr', '.dcm', '', '.gz', '.NII.GZ'))}"
    kind = random.choice(("pipe", "folder", "loop", "dangling", "socket", "zero", "null", "full", "empty", "missing", "long", "under a file", "nul", "surrogate", "sparse"))
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "dangling":
        path.symlink_to("nothing.nii")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(str(path))
    elif kind in {"zero", "null", "full"}:
        path.symlink_to(f"/dev/{kind}")
    elif kind == "empty":
        path.touch()
    elif kind == "sparse":
        with path.open("wb") as file:
            file.truncate(random.choice((1, 347, 348, 352, 10**6, 10**9, 10**12)))
    elif kind == "long":
        path = folder / ("a" * random.choice((250, 256, 5000)) + path.suffix)
    elif kind == "under a file":
        (folder / "file").write_bytes(b"x")
        path = folder / "file" / path.name
    elif kind == "nul":
        path = folder / f"a\0b{path.suffix}"
    elif kind == "surrogate":
        path = folder / f"a\udc80\ud800{path.suffix}"
    read = random.choice((read_frames, read_volume, read_labels, read_header, lambda p: read_channels([p])))

    def judge(found: Any) -> str:
        raise WrongError("read a " + kind, f"{found}")

    return Trial(run=lambda: read(path), judge=judge, allowance=_ALLOWANCE, described=f"{kind} {path.name[:40]!r} {getattr(read, '__name__', '')}")


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

    return Trial(run=lambda: read_channels(paths, max_voxels=CAP), judge=judge, allowance=_ALLOWANCE)


VOLUMES = (
    Family("volumes", "sound NIfTI", _sound(save_nifti), 40),
    Family("volumes", "sound MetaImage", _sound(save_meta), 25),
    Family("volumes", "sound NRRD", _sound(save_nrrd), 25),
    Family("volumes", "sound, as volume, channels or labels", _narrowed, 20),
    Family("volumes", "sound, but of a kind not read", _unsupported, 8),
    Family("volumes", "NIfTI, fields of the header", _fields, 70),
    Family("volumes", "NIfTI, bytes", _nifti_bytes, 50),
    Family("volumes", "NIfTI, gzip stream", _nifti_gzip, 40),
    Family("volumes", "NIfTI, voxels far inside a stream", _wrong_place_for_voxels, 4),
    Family("volumes", "bombs", _bomb, 6),
    Family("volumes", "many empty gzip members", _many_members, 2),
    Family("volumes", "MetaImage, lines of the header", _meta_lines, 60),
    Family("volumes", "NRRD, lines of the header", _nrrd_lines, 60),
    Family("volumes", "MetaImage and NRRD, bytes", _text_bytes, 40),
    Family("volumes", "MetaImage and NRRD, compressed voxels", _text_streams, 30),
    Family("volumes", "voxels said to be elsewhere", _elsewhere, 15),
    Family("volumes", "places that are no files", _place, 12),
    Family("volumes", "channels in several files", _mixed_channels, 15),
)
