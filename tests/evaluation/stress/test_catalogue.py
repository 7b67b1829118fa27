import numpy as np
import pytest

from leanseg.evaluation.stress.catalogue import (
    STRESSES,
    LabelledScan,
    NotOfCtError,
    UnknownStressError,
    chosen,
    names,
)
from leanseg.volumes import Geometry

NAMES = [stress.name for stress in STRESSES]
AFFINE = np.array([[0, -1.5, 0, 10], [2, 0, 0, -20], [0, 0, 1, 5], [0, 0, 0, 1]], dtype=float)


def scan(ct=(False, False)):
    random = np.random.default_rng(0)
    channels = random.normal(100, 30, (len(ct), 16, 14, 12)).astype(np.float32)
    labels = np.zeros((16, 14, 12), np.uint8)
    labels[4:11, 3:10, 3:9] = 3
    return LabelledScan(channels, Geometry((16, 14, 12), AFFINE), labels, ct)


@pytest.fixture(params=STRESSES, ids=NAMES)
def stress(request):
    return request.param


def test_severity_0_is_the_scan_itself_bit_for_bit(stress):
    given = scan()
    found = stress.on(given, stress.severities(4)[0], 0, "a")
    assert found.channels is given.channels
    assert found.reference is given.reference
    assert found.geometry == given.geometry
    assert found.judged(given.reference) is given.reference


def test_levels_go_from_the_scan_as_it_is_to_the_most(stress):
    severities = np.array(stress.severities(4))
    assert severities[0] == stress.untouched
    assert severities[-1] == pytest.approx(stress.most)
    steps = severities[1:] / severities[:-1] if stress.geometric else np.diff(severities)
    np.testing.assert_allclose(steps, steps[0])


def test_a_stress_changes_the_scan_and_leaves_the_one_it_was_given(stress):
    given = scan()
    before = given.channels.copy()
    found = stress.on(given, stress.most, 0, "a")
    assert found.channels.shape != given.channels.shape or not np.array_equal(found.channels, given.channels)
    np.testing.assert_array_equal(given.channels, before)
    assert found.channels.dtype == np.float32
    assert found.channels.shape[1:] == found.geometry.shape
    assert found.judged(np.zeros(found.geometry.shape, np.uint8)).shape == found.reference.shape
    assert np.isfinite(found.channels).all()


def test_what_is_drawn_depends_on_seed_case_and_stress_alone(stress):
    first = stress.on(scan(), stress.most, 0, "a")
    for other in STRESSES:  # whatever was drawn before
        other.on(scan(), other.most, 5, "z")
    again = stress.on(scan(), stress.most, 0, "a")
    np.testing.assert_array_equal(first.channels, again.channels)
    np.testing.assert_array_equal(first.reference, again.reference)


@pytest.mark.parametrize("name", ["noise", "bias", "motion", "deformation", "field_of_view"])
def test_another_seed_and_another_case_draw_something_else(name):
    stress = next(stress for stress in STRESSES if stress.name == name)
    found = [stress.on(scan(), stress.most, *key).channels for key in ((0, "a"), (1, "a"), (0, "b"))]
    assert not np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])


def test_noise_is_a_share_of_the_intensity_range():
    given = scan(ct=(True, True))
    noise = STRESSES[NAMES.index("noise")]
    low, high = np.percentile(given.channels[1], [1, 99])
    added = noise.on(given, 0.1, 0, "a").channels[1] - given.channels[1]
    assert added.std() == pytest.approx(0.1 * (high - low), rel=0.05)


def test_noise_in_ct_is_gaussian_and_in_mr_rician():
    noise = STRESSES[NAMES.index("noise")]
    empty = LabelledScan(np.zeros((2, 30, 30, 30), np.float32), Geometry((30,) * 3, np.eye(4)), None, (True, False))
    empty.channels[:, 5:, 5:, 5:] = np.linspace(0, 50, 25)
    ct, mr = noise.on(empty, 0.5, 0, "a").channels
    assert ct.min() < -10
    assert mr.min() >= 0


@pytest.mark.parametrize(("name", "axis"), [("sagittal_slices", 1), ("coronal_slices", 0), ("axial_slices", 2)])
def test_slices_are_thick_along_their_side_of_the_body(name, axis):
    """The first axis of the affine above grows to anterior, the second to the left, the third upwards."""
    stress = STRESSES[NAMES.index(name)]
    found = stress.on(scan(), 6.0, 0, "a")
    assert found.geometry.spacing[axis] == pytest.approx(6)
    assert found.reference.shape == (16, 14, 12)
    attainable = found.attainable()
    assert attainable.shape == (16, 14, 12)
    assert not np.array_equal(attainable, found.reference)


def test_stresses_of_mr_leave_channels_of_ct_alone():
    for name in ("darker", "brighter", "bias"):
        stress = STRESSES[NAMES.index(name)]
        found = stress.on(scan(ct=(True, False)), stress.most, 0, "a").channels
        np.testing.assert_array_equal(found[0], scan().channels[0])
        assert not np.array_equal(found[1], scan().channels[1])


def test_all_are_chosen_unless_some_are_asked_for():
    assert chosen(None, (False,)) == STRESSES
    assert [stress.name for stress in chosen(["motion", "gamma"], (False,))] == ["darker", "brighter", "motion"]
    assert {stress.name for stress in chosen(None, (True,))} == set(NAMES) - {"darker", "brighter", "bias"}
    assert chosen(None, (True, False)) == STRESSES


def test_an_unknown_stress_is_refused_with_the_one_that_was_meant():
    with pytest.raises(UnknownStressError) as refused:
        chosen(["noise", "moton"], (False,))
    assert refused.value.fix == "did you mean 'motion'?"
    assert "moton" in refused.value.what


def test_a_stress_of_mr_is_refused_where_all_is_ct():
    with pytest.raises(NotOfCtError) as refused:
        chosen(["bias"], (True,))
    assert "'bias'" in refused.value.what


def test_names_and_families_are_told_apart():
    assert len(set(NAMES)) == len(NAMES)
    assert set(names()) == set(NAMES) | {stress.family for stress in STRESSES}
