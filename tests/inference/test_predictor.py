import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leanseg.inference import Predictor
from leanseg.inference.predictor import NotFiniteScoresError, Stopwatch, WrongScoresError
from leanseg.plans import Plan
from leanseg.volumes import Geometry

ORIENTATIONS = [
    (order, signs) for order in itertools.permutations(range(3)) for signs in itertools.product((1, -1), repeat=3)
]


class Thresholds:
    """An engine without a network: class 1 above 0, class 2 above 1."""

    name = "thresholds"
    precision = "fp32"

    def __call__(self, tile):
        first = tile[:, :1]
        return np.concatenate([np.zeros_like(first), first, 2 * first - 1], axis=1)


def plan_of(spacing=(1.0, 1.0, 1.0), labels=None, tile=(4, 5, 6), **preprocessing):
    return Plan.model_validate(
        {
            "data": {"name": "shades", "channels": ["one"], "labels": labels or {"dark": 0, "grey": 2, "white": 5}},
            "preprocessing": {"spacing": spacing, "normalisation": [{"scheme": "none"}], **preprocessing},
            "network": {"name": "thresholds"},
            "training": {"patch": tile},
            "inference": {"tile": tile},
        }
    )


def geometry_of(shape, spacing, orientation):
    order, signs = orientation
    affine = np.zeros((4, 4))
    affine[3, 3] = 1
    affine[:3, 3] = (-30, 12.5, 7)
    for axis, (body, sign) in enumerate(zip(order, signs, strict=True)):
        affine[body, axis] = sign * spacing[body]
    return Geometry(shape, affine)


@given(
    shape=st.tuples(*[st.integers(1, 10)] * 3),
    spacing=st.tuples(*[st.sampled_from([0.5, 1.0, 3.0])] * 3),
    orientation=st.sampled_from(ORIENTATIONS),
    crop=st.booleans(),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_labels_are_where_the_scan_has_them_in_any_orientation(shape, spacing, orientation, crop, seed, shades):
    image = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    image[: shape[0] // 3] = 0
    plan = plan_of(spacing=spacing[::-1], crop_to_content=crop)
    labels = Predictor(plan, Thresholds()).labels(image[None], geometry_of(shape, spacing, orientation))
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, shades(image))


@pytest.mark.parametrize("orientation", [((0, 1, 2), (1, 1, 1)), ((2, 0, 1), (-1, 1, -1))])
@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.4, 0.4, 0.4), (2, 1.5, 0.7)])
def test_resampling_there_and_back_moves_nothing(orientation, spacing, shades):
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (24, 30, 36)), indexing="ij")
    image = (2 * np.exp(-3 * ((x - 0.2) ** 2 + y**2 + (z + 0.1) ** 2)) - 0.4).astype(np.float32)
    predictor = Predictor(plan_of(spacing=spacing, tile=(16, 16, 16)), Thresholds())
    labels = predictor.labels(image[None], geometry_of(image.shape, (1, 1, 1), orientation))
    expected = shades(image)
    assert (labels == expected).mean() > 0.98
    for value in (2, 5):
        centre, true_centre = (np.argwhere(found == value).mean(axis=0) for found in (labels, expected))
        np.testing.assert_allclose(centre, true_centre, atol=0.15)


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        ({"a": 0, "b": 1, "c": 2}, np.uint8),
        ({"a": 0, "b": 1, "c": 300}, np.uint16),
        ({"a": 0, "b": -3, "c": 9}, np.int8),
    ],
)
def test_labels_have_the_smallest_type_that_holds_their_values(labels, dtype):
    image = np.array([[[-1.0, 0.5, 3.0]]], dtype=np.float32)
    geometry = geometry_of((1, 1, 3), (1, 1, 1), ((0, 1, 2), (1, 1, 1)))
    found = Predictor(plan_of(labels=labels), Thresholds()).labels(image[None], geometry)
    assert found.dtype == dtype
    assert found.ravel().tolist() == list(labels.values())


def test_regions_are_written_in_order_as_the_values_that_the_plan_names():
    class Regions(Thresholds):
        def __call__(self, tile):
            return np.concatenate([tile, tile - 1], axis=1)

    plan = plan_of(labels={"a": 0, "b": 2, "c": 300}).model_dump(mode="json")
    plan["data"]["regions"] = {"all": {"values": [2, 300], "written": 2}, "bright": {"values": [300], "written": 300}}
    image = np.array([[[-1.0, 0.5, 3.0]]], dtype=np.float32)
    geometry = geometry_of((1, 1, 3), (1, 1, 1), ((0, 1, 2), (1, 1, 1)))
    predictor = Predictor(Plan.model_validate(plan), Regions())
    assert predictor.labels(image[None], geometry).ravel().tolist() == [0, 2, 300]
    with pytest.raises(WrongScoresError, match="3 channels of scores, the plan has 2"):
        Predictor(Plan.model_validate(plan), Thresholds()).labels(image[None], geometry)


def test_a_network_with_too_few_classes_is_refused():
    geometry = geometry_of((2, 2, 2), (1, 1, 1), ((0, 1, 2), (1, 1, 1)))
    predictor = Predictor(plan_of(labels={"a": 0, "b": 1}), Thresholds())
    with pytest.raises(WrongScoresError, match="3 channels of scores, the plan has 2"):
        predictor.labels(np.zeros((1, 2, 2, 2), np.float32), geometry)


def test_nan_scores_are_never_silently_background():
    class Broken(Thresholds):
        def __call__(self, tile):
            return super().__call__(tile) * np.float32("nan")

    geometry = geometry_of((2, 2, 2), (1, 1, 1), ((0, 1, 2), (1, 1, 1)))
    with pytest.raises(NotFiniteScoresError):
        Predictor(plan_of(), Broken()).labels(np.zeros((1, 2, 2, 2), np.float32), geometry)


def test_watchers_are_told_of_every_phase_of_any_stopwatch(monkeypatch):
    told = []
    monkeypatch.setattr(Stopwatch, "watchers", [lambda *phase: told.append(phase)])
    first, second = Stopwatch(), Stopwatch()
    with first.phase("read"), second.phase("write"):
        pass
    assert [name for name, _, _ in told] == ["write", "read"]
    for watch, (name, start, end) in zip((second, first), told, strict=True):
        assert watch.seconds == {name: end - start}
