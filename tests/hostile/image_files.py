"""Sound images in files, and what reading one is judged by."""

from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.hostile import sound_volumes
from tests.hostile.oracles import agree
from tests.hostile.trial import MEGABYTE, Trial

from leanseg.volumes import read_frames

CAP = 1 << 20  # voxels: what the trials allow an image to have
ALLOWANCE = 64 * MEGABYTE  # a million voxels of eight bytes, what converts them, and the interpreter's own

Save = Callable[[Random, Path], Path]


def reading(path: Path, *, sound: bool = False) -> Trial:
    """Read all of the image at `path`, and compare with what other libraries make of it."""
    return Trial(
        run=lambda: read_frames(path, max_voxels=CAP),
        judge=lambda found: agree((found[0], found[1].affine), path),
        sound=sound,
        allowance=ALLOWANCE,
    )


def sound(save: Save) -> Callable[[Random, Path], Trial]:
    """Return what makes a trial of the sound images that `save` writes."""
    return lambda random, folder: reading(save(random, folder), sound=True)


def save_nifti(random: Random, folder: Path) -> Path:
    """Write a sound NIfTI file."""
    content = sound_volumes.nifti(random)
    packed = random.random() < 0.5
    path = folder / ("scan.nii.gz" if packed else "scan.nii")
    path.write_bytes(sound_volumes.gzipped(random, content) if packed else content)
    return path


def save_meta(
    random: Random, folder: Path, change: Callable[[Random, list[str]], list[str]] = lambda _, lines: lines
) -> Path:
    """Write a MetaImage file, or two, whose lines `change` may change."""
    detached = random.random() < 0.4
    lines, voxels = sound_volumes.meta(random, data_file="scan.raw" if detached else "LOCAL")
    text = _text(random, change(random, lines), end="\n")
    if detached:
        (folder / "scan.raw").write_bytes(voxels)
    path = folder / ("scan.mhd" if detached else "scan.mha")
    path.write_bytes(text if detached else text + voxels)
    return path


def save_nrrd(
    random: Random, folder: Path, change: Callable[[Random, list[str]], list[str]] = lambda _, lines: lines
) -> Path:
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
