import numpy as np
import pytest
import torch

from leanseg.learning.augmentation import find_tissues
from leanseg.plans import RandomContrast

LEFT_RIGHT = [0, 2, 1, 3, 4]  # background, left, right, middle, ignored


def scan(seed=0, shape=(20, 24, 22)):
    """A background of air (0), dark and bright tissue, and three labelled boxes."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, dtype=np.uint8)
    labels[4:10, 4:10, 4:10], labels[4:10, 4:10, 12:18], labels[12:16, 12:20, 8:14] = 1, 2, 3
    image = np.where(np.arange(shape[1])[:, None] < 12, -2.0, 3.0) + rng.normal(0, 0.2, shape)
    image[labels > 0] = rng.normal(1.0, 0.1, int((labels > 0).sum()))
    image[0:3] = 0
    return image[None].astype(np.float32), labels


def tissues_of(image, labels, **settings):
    found = find_tissues(image, labels, LEFT_RIGHT, RandomContrast(**settings))
    return found, found.of(torch.from_numpy(image), torch.from_numpy(labels))


def test_without_parts_every_label_is_one_tissue_and_mirror_images_share_theirs():
    image, labels = scan()
    found, where = tissues_of(image, labels, unlabelled_parts=1, label_parts=1)
    assert found.number == 3
    assert torch.equal(where, torch.tensor([0, 1, 1, 2])[torch.from_numpy(labels).long()])


def test_the_background_is_split_where_its_intensities_part():
    image, labels = scan()
    found, where = tissues_of(image, labels, unlabelled_parts=2, label_parts=1)
    tissue = (labels == 0) & (image[0] != 0)
    dark = image[0] < 0
    assert found.number == 4
    assert set(where[torch.from_numpy(tissue & dark)].tolist()) == {0}
    assert set(where[torch.from_numpy(tissue & ~dark)].tolist()) == {1}


def test_only_large_labels_are_split():
    image, labels = scan()
    content = 17 * 24 * 22
    assert 0.02 < (labels == 3).sum() / content < 0.04 < np.isin(labels, (1, 2)).sum() / content
    found, where = tissues_of(image, labels, unlabelled_parts=1, label_parts=2, large_label=0.04)
    assert found.number == 4
    both = where[torch.from_numpy(np.isin(labels, (1, 2)))]
    assert set(both.tolist()) == {1, 2}
    values = torch.from_numpy(image[0])[torch.from_numpy(np.isin(labels, (1, 2)))]
    assert values[both == 1].max() < values[both == 2].min()


def test_parts_are_those_of_the_nearest_mean_in_all_channels():
    image, labels = scan()
    image = np.concatenate([image, np.roll(image, 7, axis=3) * 0.5])
    found, where = tissues_of(image, labels, unlabelled_parts=5, label_parts=1)
    background = labels == 0
    distances = np.square(image[:, None, background] - found.centres[0].numpy().T[:, :, None]).sum(axis=0)
    assert np.array_equal(where.numpy()[background], distances.argmin(axis=0))


def test_ignored_voxels_are_part_of_what_no_label_names():
    image, labels = scan()
    ignored = labels.copy()
    ignored[15:, :4] = 4
    found, where = tissues_of(image, ignored, unlabelled_parts=3)
    assert torch.equal(where[15:, :4] < len(found.centres[0]), torch.ones(5, 4, 22, dtype=torch.bool))


def test_mean_and_sd_are_those_of_the_scan_without_its_empty_background():
    image, labels = scan(shape=(60, 60, 60))
    found, _ = tissues_of(image, labels)
    content = image[0][image[0] != 0].astype(np.float64)
    assert found.mean.item() == pytest.approx(content.mean(), abs=0.05)
    assert found.sd.item() == pytest.approx(content.std(), abs=0.05)


@pytest.mark.parametrize("value", [0.0, 2.5])
def test_a_scan_without_any_contrast_has_tissues_too(value):
    labels = np.zeros((6, 7, 8), dtype=np.uint16)
    found, where = tissues_of(np.full((1, 6, 7, 8), value, dtype=np.float32), labels)
    assert where.max() < found.number
    assert torch.isfinite(found.mean).all()
    assert (found.sd > 0).all()
