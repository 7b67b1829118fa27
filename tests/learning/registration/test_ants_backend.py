"""The adapter to ANTs, with a stand-in for antspyx: it is not installed here."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from leanseg.learning.registration.ants_backend import AntsBackend, AntsMissingError, NotInAntsError
from leanseg.learning.registration.errors import OtherFieldOfViewError, SimilarityTooLowError
from leanseg.learning.registration.scan import Scan
from leanseg.learning.registration.similarity import Similarity
from leanseg.progress import Progress

MOVED = np.array([2.0, -3.0, 1.0])  # mm along L, P, S


@pytest.fixture
def stand_in(monkeypatch):
    """ANTs that answers every pair with one displacement, and remembers what it was asked."""
    asked = {}

    def from_numpy(array, origin, spacing, direction):
        return SimpleNamespace(array=array, origin=origin, spacing=spacing, direction=np.array(direction))

    def registration(**given):
        asked.update(given)
        return {"fwdtransforms": ["warp", "affine"]}

    def apply_transforms(fixed, moving, transformlist, compose):
        assert transformlist == ["warp", "affine"]
        return f"{compose}comptx.nii.gz"

    def image_read(path):
        assert path.endswith("comptx.nii.gz")
        field = np.broadcast_to(MOVED, (*asked["fixed"].array.shape, 3))
        return SimpleNamespace(numpy=lambda: field)

    module = SimpleNamespace(
        from_numpy=from_numpy, registration=registration, apply_transforms=apply_transforms, image_read=image_read
    )
    monkeypatch.setitem(sys.modules, "ants", module)
    return asked


@pytest.fixture
def pair(blobs):
    """A moving scan, and the fixed one that lies 2, -3, 1 mm from it along L, P, S; (D, H, W) run to S, P, R."""
    affine = np.array([[0, 0, 1.0, 3], [0, -1.0, 0, 8], [1.0, 0, 0, -2], [0, 0, 0, 1]])
    moving = Scan(blobs((12, 14, 13)), affine)
    fixed = Scan(np.roll(moving.array, (-1, 3, 2), (0, 1, 2)), affine)
    return moving, fixed


def test_displacements_in_mm_become_moving_voxels(stand_in, pair):
    moving, fixed = pair
    found = AntsBackend(Similarity.LNCC).fit(moving, fixed, np.eye(4), Progress())
    shift = found.map.full_coordinates(slice(2, 5)) - np.indices(fixed.shape)[:, 2:5]
    assert np.allclose(shift.mean(axis=(1, 2, 3)), [1, -3, -2], atol=1e-4)
    assert found.maximised is Similarity.LNCC
    assert found.map.folding == 0
    assert found.map.similarity[0] < found.map.similarity[1]


def test_ants_is_told_where_the_scans_lie(stand_in, pair):
    AntsBackend(Similarity.AUTO).fit(*pair, np.eye(4), Progress())
    image = stand_in["fixed"]
    assert image.array.shape == (13, 14, 12)  # X, Y, Z
    assert image.origin == [-3, -8, -2]  # LPS
    assert np.allclose(image.direction, np.diag([-1, 1, 1]))
    assert stand_in["type_of_transform"] == "SyN"
    assert stand_in["syn_metric"] == "mattes"


def test_a_far_larger_field_of_view_is_refused_before_ants_is_asked(stand_in, pair):
    moving, fixed = pair
    with pytest.raises(OtherFieldOfViewError):
        AntsBackend(Similarity.LNCC).fit(moving, Scan(fixed.array[:4, :4, :4], fixed.affine), np.eye(4), Progress())
    assert not stand_in


def test_what_does_not_match_is_refused_with_ants_too(stand_in, pair):
    moving, fixed = pair
    noise = Scan(np.random.default_rng(0).uniform(size=moving.shape).astype(np.float32), moving.affine)
    with pytest.raises(SimilarityTooLowError):
        AntsBackend(Similarity.LNCC).fit(noise, fixed, np.eye(4), Progress())


def test_a_missing_antspyx_is_named(monkeypatch, pair):
    monkeypatch.setitem(sys.modules, "ants", None)
    with pytest.raises(AntsMissingError) as refused:
        AntsBackend(Similarity.AUTO).fit(*pair, np.eye(4), Progress())
    assert "pip install antspyx" in refused.value.fix


def test_mind_is_not_had_from_ants():
    with pytest.raises(NotInAntsError):
        AntsBackend(Similarity.MIND)
