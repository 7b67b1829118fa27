"""Draw images/random-contrast.webp: one labelled brain, and six pictures that were made up from its labels.

    PYTHONPATH=src:docs python -m leanseg_docs.contrast_picture

The brain is the demo's (see `leanseg.learning.jobs.phantom`), with 12 labelled structures: what no label names is most
of it.
"""

import numpy as np
import torch
from PIL import Image

from leanseg.inference import prepare
from leanseg.learning.augmentation import PatchAugmentation, find_tissues
from leanseg.learning.jobs.phantom import STRUCTURES, load_brain, make_subject
from leanseg.plans import Augmentation, Normalisation, Preprocessing, RandomContrast
from leanseg.volumes import Geometry
from leanseg_docs.places import IMAGES

FILE = IMAGES / "random-contrast.webp"
_SEEDS = (1, 2, 3, 5, 6, 7)
_COLUMNS = 4
_ENLARGED = 2
_GAP = 6


def main() -> None:
    """Write the picture: the scan, its labels, and six draws."""
    subject = make_subject(load_brain(), 0)
    geometry = Geometry(subject.image.shape, subject.affine)
    preprocessing = Preprocessing(spacing=None, normalisation=(Normalisation(scheme="zscore_content"),))
    prepared = prepare(subject.image[None], geometry, preprocessing)
    labels = np.ascontiguousarray(prepared.grid.kept(subject.labels))
    settings = RandomContrast(probability=1.0)
    tissues = find_tissues(prepared.array, labels, range(len(STRUCTURES) + 2), settings)
    still = Augmentation(affine_probability=0, intensity_probability=0, contrast=settings)
    augment = PatchAugmentation(still, labels.shape)
    image, indices = torch.from_numpy(prepared.array), torch.from_numpy(labels)
    pictures = [augment(image, indices, seed, tissues)[0][0].numpy() for seed in _SEEDS]
    outside = (prepared.array[0] == 0) & (labels == 0)
    panels = [_grey(one, outside) for one in (prepared.array[0], labels.astype(np.float32), *pictures)]
    Image.fromarray(_sheet([panel[int(panel.shape[0] * 0.52), ::-1] for panel in panels])).save(FILE, quality=85)


def _grey(picture: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Return (D, H, W) as grey values; what is outside the brain is black, as it is the value 0 and not a tissue."""
    low, high = np.percentile(picture[~outside], (0.5, 99.5))
    grey = 30 + 225 * np.clip((picture - low) / (high - low), 0, 1)
    return np.where(outside, 0, grey).astype(np.uint8)


def _sheet(slices: list[np.ndarray]) -> np.ndarray:
    height, width = (side * _ENLARGED + _GAP for side in slices[0].shape)
    sheet = np.full((height * -(-len(slices) // _COLUMNS), width * _COLUMNS), 255, dtype=np.uint8)
    for number, one in enumerate(slices):
        top, left = number // _COLUMNS * height, number % _COLUMNS * width
        large = np.kron(one, np.ones((_ENLARGED, _ENLARGED), dtype=np.uint8))
        sheet[top : top + large.shape[0], left : left + large.shape[1]] = large
    return sheet


if __name__ == "__main__":
    main()
