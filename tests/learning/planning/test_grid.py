"""Sizes of scans in a grid, against nibabel's own reorientation."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis.strategies import sampled_from
from nibabel.orientations import apply_orientation, axcodes2ornt, ornt_transform

from leanseg.datasets.fingerprint import CaseFingerprint, Fingerprint
from leanseg.learning.planning.grid import sizes_in

SHAPE, SPACING = (4, 6, 9), (1.0, 2.0, 3.0)
CODES = ["".join(sides) for axes in itertools.permutations(("LR", "PA", "IS")) for sides in itertools.product(*axes)]


@given(sampled_from(CODES), sampled_from(CODES))
def test_a_scan_of_any_orientation_has_its_size_in_a_grid_of_any(stored, wanted):
    case = CaseFingerprint(
        name="scan", shape=SHAPE, spacing=SPACING, axcodes=stored, voxels={}, content_shape=tuple(n - 1 for n in SHAPE)
    )
    fingerprint = Fingerprint.model_construct(cases=(case,))
    turn = ornt_transform(axcodes2ornt(stored), axcodes2ornt(wanted))

    def turned(shape):
        return apply_orientation(np.zeros(shape), turn).shape

    assert sizes_in(fingerprint, wanted, None, crop_to_content=False) == (turned(SHAPE),)
    assert sizes_in(fingerprint, wanted, None, crop_to_content=True) == (turned(case.content_shape),)
    halved = tuple(SPACING[SHAPE.index(n)] / 2 for n in turned(SHAPE))
    assert sizes_in(fingerprint, wanted, halved, crop_to_content=False) == (tuple(2 * n for n in turned(SHAPE)),)
