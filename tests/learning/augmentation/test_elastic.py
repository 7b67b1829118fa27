import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from leanseg.learning.augmentation.elastic import ElasticDeformation, random_vectors, spline_weights


def places(shape):
    return [torch.arange(size, dtype=torch.float32) for size in shape]


def by_scipy(vectors, shape):
    """The displacement of scipy's cubic spline, mirrored at the outermost points, which are the outermost voxels."""
    points = vectors.shape[-1]
    knots = np.meshgrid(*(np.linspace(0, points - 1, size) for size in shape), indexing="ij")
    return np.stack([map_coordinates(along, knots, order=3, mode="mirror") for along in vectors.numpy()])


@settings(deadline=None, max_examples=20)
@given(
    shape=st.tuples(*[st.integers(2, 9)] * 3), points=st.integers(2, 5), seed=st.integers(0, 1000)
)  # scipy needs two voxels to span the points
def test_the_displacement_is_that_of_scipys_spline(shape, points, seed):
    vectors = random_vectors(np.random.default_rng(seed), points, (3.0, 2.0, 1.0))
    moved = ElasticDeformation(shape, vectors).coordinates(places(shape)).numpy()
    displacement = moved - np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"))
    assert np.allclose(displacement, by_scipy(vectors, shape), atol=1e-4)


@pytest.mark.parametrize("points", [2, 3, 6])
def test_the_spline_passes_through_its_points(points):
    at = torch.arange(points, dtype=torch.float64)
    assert torch.allclose(spline_weights(at, points), torch.eye(points, dtype=torch.float64), atol=1e-12)


def test_a_part_is_cut_out_of_the_whole():
    bent = ElasticDeformation((9, 11, 10), random_vectors(np.random.default_rng(0), 3, (2.0, 2.0, 2.0)))
    whole = bent.coordinates(places(bent.shape))
    part = bent.coordinates([torch.arange(start, start + 4).float() for start in (2, 5, 6)])
    assert torch.allclose(part, whole[:, 2:6, 5:9, 6:10], atol=1e-5)


def test_beyond_the_border_the_displacement_goes_on():
    bent = ElasticDeformation((5, 6, 7), random_vectors(np.random.default_rng(0), 2, (2.0, 2.0, 2.0)))
    inside, outside = (
        bent.coordinates([torch.tensor([float(at)]) for at in place]) for place in [(0, 0, 6), (-3, -1, 9)]
    )
    assert torch.allclose(outside - inside, torch.tensor([-3.0, -1.0, 3.0]).view(3, 1, 1, 1), atol=1e-5)


def test_no_displacement_leaves_every_voxel_exactly_where_it_is():
    shape = (7, 5, 6)
    moved = ElasticDeformation(shape, torch.zeros(3, 3, 3, 3)).coordinates(places(shape))
    assert torch.equal(moved, torch.stack(torch.meshgrid(*places(shape), indexing="ij")))


@pytest.mark.parametrize(
    ("points", "sigma", "expected"),
    [(2, 15.0, (15.4, 40, 8.3, 0.70, 1.31)), (3, 10.0, (11.2, 30, None, 0.45, 1.69))],
)
def test_scans_are_bent_as_far_as_those_of_the_publication(points, sigma, expected):
    """Section 4a of the specification: means over draws, here at every eighth voxel of the published size."""
    shape, every = (160, 192, 224), 8
    at = [torch.arange(0, size, every).float() for size in shape]
    grid = torch.stack(torch.meshgrid(*at, indexing="ij"))
    found = []
    for seed in range(40):
        vectors = random_vectors(np.random.default_rng(seed), points, (sigma,) * 3)
        moved = ElasticDeformation(shape, vectors).coordinates(at)
        away = (moved - grid).norm(dim=0)
        jacobian = torch.stack([torch.stack(torch.gradient(along, spacing=float(every))) for along in moved])
        volume = torch.linalg.det(jacobian.permute(2, 3, 4, 0, 1))
        shift = (moved - grid).mean((1, 2, 3)).norm()
        found.append((away.mean(), away.max(), shift, volume.min(), volume.max()))
        assert volume.min() > 0  # nothing folds
    for ours, theirs in zip(np.mean(found, axis=0), expected, strict=True):
        assert theirs is None or ours == pytest.approx(theirs, rel=0.1)
