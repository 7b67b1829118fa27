import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from leanseg.learning.augmentation.bending import coordinates_of, landing, pull_image, pull_labels, source_box
from leanseg.learning.augmentation.elastic import ElasticDeformation, random_vectors

SHAPE = (9, 12, 10)


def bent(sd=2.0, seed=0, shape=SHAPE):
    return ElasticDeformation(shape, random_vectors(np.random.default_rng(seed), 3, (sd,) * 3))


def padded(array, corner, size):
    """The box at `corner` of an array (..., D, H, W), 0 around it."""
    wide = np.pad(array, [(0, 0)] * (array.ndim - 3) + [(40, 40)] * 3)
    return wide[(..., *(slice(40 + at, 40 + at + extent) for at, extent in zip(corner, size, strict=True)))]


def read(image, labels, bending, corner, size):
    coordinates = coordinates_of(bending, corner, size)
    begin, extent = source_box(coordinates, labels.shape)
    box = (torch.from_numpy(np.ascontiguousarray(padded(array, begin, extent))) for array in (image, labels))
    return pull_image(next(box), begin, coordinates).numpy(), pull_labels(next(box), begin, coordinates).numpy()


def example(seed=0, labels=4, shape=SHAPE):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(2, *shape)).astype(np.float32), rng.integers(0, labels, shape).astype(np.uint8)


@settings(deadline=None, max_examples=30)
@given(
    corner=st.tuples(*[st.integers(-6, 8)] * 3),
    size=st.tuples(*[st.integers(1, 7)] * 3),
    sd=st.sampled_from([0.5, 2.0, 20.0]),
    seed=st.integers(0, 100),
)
def test_a_part_is_what_scipy_pulls(corner, size, sd, seed):
    image, labels = example(seed)
    bending = bent(sd, seed)
    pulled, named = read(image, labels, bending, corner, size)
    at = coordinates_of(bending, corner, size).numpy().astype(np.float64)
    expected = [map_coordinates(np.pad(part, 1), at + 1, order=1, mode="constant") for part in image]
    assert np.allclose(pulled, np.stack(expected), atol=1e-4)
    shares = np.stack(
        [
            map_coordinates((np.pad(labels, 1) == label).astype(float), at + 1, order=1, cval=label == 0)
            for label in range(4)
        ]
    )
    best = shares.max(axis=0)
    assert (np.take_along_axis(shares, named[None], 0)[0] > best - 1e-4).all()


def test_a_part_is_cut_out_of_the_whole_bit_for_bit():
    image, labels = example()
    whole, all_names = read(image, labels, bent(), (0, 0, 0), SHAPE)
    part, names = read(image, labels, bent(), (2, 3, 4), (5, 6, 4))
    assert np.allclose(part, whole[:, 2:7, 3:9, 4:8], atol=1e-4)
    assert np.array_equal(names, all_names[2:7, 3:9, 4:8])


def test_no_deformation_gives_back_the_part_bit_for_bit():
    image, labels = example()
    still = ElasticDeformation(SHAPE, torch.zeros(3, 2, 2, 2))
    for corner, size in [((0, 0, 0), SHAPE), ((-2, 3, 5), (6, 7, 9)), ((20, 0, 0), (2, 3, 4))]:
        pulled, named = read(image, labels, still, corner, size)
        assert np.array_equal(pulled, padded(image, corner, size))
        assert np.array_equal(named, padded(labels, corner, size))


def test_labels_never_invent_a_value():
    image, labels = example(labels=2)
    labels *= 200  # between 0 and 200 nothing is a label
    for seed in range(5):
        named = read(image, labels, bent(4.0, seed), (-2, -2, -2), (12, 14, 13))[1]
        assert set(np.unique(named)) <= {0, 200}


def test_outside_the_scan_there_is_nothing():
    image, labels = example()
    pulled, named = read(image + 5, labels, bent(), (100, 100, 100), (3, 3, 3))
    assert not pulled.any()
    assert not named.any()


def test_a_tie_goes_to_the_lower_label():
    labels = np.zeros((1, 1, 4), np.uint8)
    labels[..., 1:3] = (3, 2)
    half = torch.tensor([0.0, 0.0, 1.5]).view(3, 1, 1, 1)
    begin, extent = source_box(half, labels.shape)
    found = pull_labels(torch.from_numpy(padded(labels, begin, extent).copy()), begin, half)
    assert int(found) == 2


@settings(deadline=None, max_examples=20)
@given(voxel=st.tuples(*[st.integers(0, 30)] * 3), seed=st.integers(0, 50))
def test_a_voxel_is_found_where_it_went(voxel, seed):
    """The closest voxel of all, by trying each."""
    bending = bent(2.0, seed, (31, 33, 40))
    everywhere = coordinates_of(bending, (0, 0, 0), bending.shape)
    away = (everywhere - torch.tensor(voxel).view(3, 1, 1, 1).float()).norm(dim=0)
    found = landing(bending, voxel)
    assert float(away[tuple(found)]) <= float(away.min()) + 0.5
