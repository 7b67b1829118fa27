"""MetaImage and NRRD files with damaged lines, bytes and streams, and headers whose voxels are said to be elsewhere."""

import os
import zlib
from pathlib import Path
from random import Random
from typing import Any

from tests.hostile import mutations, sound_volumes
from tests.hostile.image_files import ALLOWANCE, CAP, reading, save_meta, save_nrrd
from tests.hostile.mutations import damaged, damaged_gzip, damaged_lines
from tests.hostile.oracles import agree
from tests.hostile.trial import Family, Trial, WrongError

from leanseg.volumes import read_frames, read_header


def _meta_lines(random: Random, folder: Path) -> Trial:
    return reading(save_meta(random, folder, damaged_lines))


def _nrrd_lines(random: Random, folder: Path) -> Trial:
    return reading(save_nrrd(random, folder, damaged_lines))


def _text_bytes(random: Random, folder: Path) -> Trial:
    path = random.choice((save_meta, save_nrrd))(random, folder)
    target = random.choice(sorted(folder.iterdir()))
    content = target.read_bytes()
    target.write_bytes(
        mutations.flipped(random, content, 0, 400) if random.random() < 0.4 else damaged(random, content)
    )
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
    "../{name}", "{absolute}", "/dev/zero", "/dev/stdin", "/etc/passwd", "..", ".", "LIST", "LIST 2", "LIST: 2",
    "list", "scan.%03d 1 3 1", "sub/{name}", "sub\\{name}", "C:\\{name}", "file:///{name}", "", " ", "{name}\0",
    "{name} ", "~/{name}", "$HOME", "|cat {name}", "scan.mhd", "scan.nhdr", "missing.raw", "a" * 300, "link.raw",
    "loop.raw", "pipe.raw", "folder.raw", "empty.raw", "outside.raw", "local", "Local",
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
    return Trial(
        run=lambda: _read_inside(path, inside),
        judge=lambda found: agree((found[0], found[1].affine), path),
        allowance=ALLOWANCE,
        described=name,
    )


def _read_inside(path: Path, inside: Path) -> Any:
    found = read_frames(path, max_voxels=CAP)
    data = read_header(path).payload.path
    if data.parent != inside:
        raise WrongError("read elsewhere", f"{data}")
    return found


TEXT = (
    Family("volumes", "MetaImage, lines of the header", _meta_lines, 60),
    Family("volumes", "NRRD, lines of the header", _nrrd_lines, 60),
    Family("volumes", "MetaImage and NRRD, bytes", _text_bytes, 40),
    Family("volumes", "MetaImage and NRRD, compressed voxels", _text_streams, 30),
    Family("volumes", "voxels said to be elsewhere", _elsewhere, 15),
)
