import numpy as np
import pytest
import torch
from torch import nn

from leanseg.learning.augmentation import PatchAugmentation, find_tissues
from leanseg.plans import Augmentation, RandomContrast

SHAPE = (20, 22, 21)
PLAIN = {"bias_field_sd": 0, "gamma_sd": 0, "smoothing_sd": 0, "thick_slices": 0, "unlabelled_parts": 1}
MIRRORED = [0, 1, 2, 3]  # the last one is that of ignored voxels


def scan(channels=1, seed=0, inverted=False):
    """Two labelled balls in unlabelled tissue; a slab of exact 0 is the empty background, or outside the scan."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(SHAPE, dtype=np.uint8)
    for value in (1, 2):
        centre = rng.uniform(8, 14, 3)
        far = np.square(np.indices(SHAPE) - centre[:, None, None, None]).sum(axis=0)
        labels[far < 25] = value
    image = np.array([-0.5, 1.5, 3.0])[labels] + rng.normal(0, 0.2, (channels, *SHAPE))
    image = -image if inverted else image
    image = (image - image.mean()) / image.std()
    image[:, :3] = np.where(labels[:3] == 0, 0, image[:, :3])
    return image.astype(np.float32), labels


def augmentation(probability=1.0, patch=SHAPE, **settings):
    contrast = RandomContrast(**{"probability": probability, "label_parts": 1, **settings})
    return PatchAugmentation(
        Augmentation(affine_probability=0, intensity_probability=0, contrast=contrast), patch
    ), contrast


def draw(image, labels, seeds, probability=1.0, **settings):
    augment, contrast = augmentation(probability, **settings)
    tissues = find_tissues(image, labels, MIRRORED, contrast)
    pairs = [augment(torch.from_numpy(image), torch.from_numpy(labels), seed, tissues) for seed in seeds]
    return [made.numpy() for made, _ in pairs], [kept.numpy() for _, kept in pairs]


def test_labels_stay_and_voxels_outside_stay_empty():
    image, labels = scan(channels=2)
    pictures, kept = draw(image, labels, range(5))
    for picture, same in zip(pictures, kept, strict=True):
        assert np.array_equal(same, labels)
        assert picture.shape == image.shape
        assert picture.dtype == np.float32
        assert np.isfinite(picture).all()
        assert not picture[:, :3][:, labels[:3] == 0].any()
        assert (picture[:, 4:] != 0).mean() > 0.99


def test_structures_differ_between_draws_and_channels():
    image, labels = scan(channels=2)
    pictures, _ = draw(image, labels, range(12), **PLAIN)
    means = np.array([[[channel[labels == value].mean() for value in (1, 2)] for channel in one] for one in pictures])
    difference = means[..., 0] - means[..., 1]
    assert np.ptp(difference[:, 0]) > 1
    assert (difference > 0).any()
    assert (difference < 0).any()
    assert np.abs(difference[:, 0] - difference[:, 1]).max() > 1


def test_within_a_structure_the_law_is_the_same_everywhere():
    image, labels = scan()
    sides = np.arange(SHAPE[2]) < SHAPE[2] // 2
    apart = []
    for picture in draw(image, labels, range(30), sds=(0.05, 0.05), means=(0.5, 1.0), **PLAIN)[0]:
        tissue = labels[4:] == 0
        left, right = picture[0, 4:][tissue & sides], picture[0, 4:][tissue & ~sides]
        assert left.std() == pytest.approx(right.std(), rel=0.1)
        apart.append((left.mean() - right.mean()) / left.std() * np.sqrt(len(left) / 2))
    assert 0.5 < np.std(apart) < 1.6  # means of n draws of one law differ by sd * sqrt(2 / n)


def test_a_whole_scan_has_the_mean_and_sd_of_the_real_one():
    image, labels = scan()
    content = image[0][(image[0] != 0) | (labels > 0)]
    for picture in draw(image, labels, range(10), **PLAIN)[0]:
        made = picture[0][(image[0] != 0) | (labels > 0)]
        assert made.mean() == pytest.approx(content.mean(), abs=0.05)
        assert made.std() == pytest.approx(content.std(), rel=0.05)


def test_the_same_seed_gives_the_same_picture_whatever_came_before():
    image, labels = scan()
    first, other, again = draw(image, labels, (3, 4, 3))[0]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_share_of_pictures_is_the_probability():
    image, labels = scan()
    changed = [not np.array_equal(picture, image) for picture in draw(image, labels, range(60), 0.25)[0]]
    assert 6 <= sum(changed) <= 26


def test_ignored_voxels_keep_their_label_and_look_like_what_no_label_names():
    image, labels = scan()
    labels[14:, :6] = 3
    pictures, kept = draw(image, labels, range(6), sds=(0.02, 0.02), **PLAIN)
    for picture, same in zip(pictures, kept, strict=True):
        assert np.array_equal(same, labels)
        unlabelled = picture[0, 4:][labels[4:] == 0]
        assert picture[0][labels == 3].mean() == pytest.approx(unlabelled.mean(), abs=0.2 * float(unlabelled.std()))


@pytest.mark.parametrize(
    "smoother",
    [{"smoothing_sd": 3.0}, {"thick_slices": 1.0, "slice_thickness": 6.0}, {"sds": (0.0, 0.0)}],
)
def test_blur_thick_slices_and_less_noise_make_a_picture_smoother(smoother):
    image, labels = scan()

    def roughness(**settings):
        pictures, _ = draw(image, labels, range(8), **settings)
        return np.mean([np.abs(np.diff(picture[0, 4:], axis=0)).mean() for picture in pictures])

    plain = {**PLAIN, "sds": (0.1, 0.1)}
    assert roughness(**{**plain, **smoother}) < 0.8 * roughness(**plain)


def test_thick_slices_lie_along_one_axis_that_is_drawn():
    image, labels = scan()
    settings = {**PLAIN, "thick_slices": 1.0, "slice_thickness": 8.0, "sds": (0.2, 0.2)}
    smoothest = set()
    for picture in draw(image, labels, range(20), **settings)[0]:
        steps = [np.abs(np.diff(picture[0, 4:], axis=axis)).mean() for axis in range(3)]
        smoothest.add(int(np.argmin(steps)))
    assert smoothest == {0, 1, 2}


def test_a_bias_field_is_smooth_and_differs_from_place_to_place():
    image, labels = scan()
    tissue = labels[4:] == 0
    settings = {**PLAIN, "bias_field_sd": 1.0, "sds": (0.0, 0.0)}
    spread = []
    for picture in draw(image, labels, range(10), **settings)[0]:
        field = np.where(tissue, picture[0, 4:], np.nan)
        spread.append(np.nanstd(field))
        assert np.nanmax(np.abs(np.diff(field, axis=1))) < 0.5 * (np.nanmax(field) - np.nanmin(field))
    assert max(spread) > 0.1


def test_a_network_taught_with_random_contrast_knows_an_inverted_one():
    """A tiny network on balls that are bright in training and dark in the test."""
    train = [scan(seed=seed) for seed in range(4)]
    test = scan(seed=9, inverted=True)
    scores = {}
    for probability in (0.0, 1.0):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv3d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv3d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv3d(8, 2, 1)
        )
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
        augment, contrast = augmentation(probability, unlabelled_parts=1)
        tissues = [find_tissues(image, labels, MIRRORED, contrast) for image, labels in train]
        for step in range(40):
            image, labels = train[step % 4]
            x, y = augment(torch.from_numpy(image), torch.from_numpy(labels), step, tissues[step % 4])
            weight = torch.tensor([1.0, 8.0])
            loss = nn.functional.cross_entropy(network(x[None]), (y > 0).long()[None], weight=weight)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        with torch.no_grad():
            found = network(torch.from_numpy(test[0])[None])[0].argmax(dim=0).numpy() > 0
        truth = test[1] > 0
        scores[probability] = 2 * (found & truth).sum() / (found.sum() + truth.sum())
    assert scores[1.0] > scores[0.0] + 0.2
