import dataclasses
import math
import tracemalloc

import numpy as np
import pytest

from leanseg.datasets import Case
from leanseg.evaluation.stress.catalogue import STRESSES, LabelledScan
from leanseg.evaluation.stress.judging import Judge, is_ct, read_case
from leanseg.evaluation.stress.kept import Kept
from leanseg.volumes import Geometry, GeometryMismatchError


class Nothing:
    """A predictor that finds nothing."""

    def labels(self, array, geometry):
        return np.zeros(geometry.shape, np.uint8)


@pytest.fixture
def judged(data, tmp_path):
    """A function that returns the scores of Nothing on a scan of 40 x 40 x 40 voxels."""

    def judge(stresses, levels):
        labels = np.zeros((40, 40, 40), np.uint8)
        labels[10:30, 10:30, 10:30] = 2
        image = np.random.default_rng(0).normal(100, 9, (1, 40, 40, 40)).astype(np.float32)
        scan = LabelledScan(image, Geometry((40, 40, 40), np.eye(4)), labels, (False,))
        kept = Kept(tmp_path / f"kept{levels}", "hash", Case("a", ()), 0)
        return list(Judge(Nothing(), data, stresses, levels, 0).scores(Case("a", ()), scan, kept))

    return judge


def test_scores_come_in_order_the_scan_as_it_is_first(judged):
    scores = judged(STRESSES[:2], 2)
    assert [(score.stress, score.level) for score in scores] == [
        ("none", 0),
        ("noise", 1),
        ("noise", 2),
        ("darker", 1),
        ("darker", 2),
    ]


def test_finding_nothing_is_0_and_a_class_that_is_nowhere_is_not_counted(judged):
    score = judged((), 1)[0]
    assert score.dice["grey"] == 0
    assert math.isnan(score.dice["white"])
    assert score.attainable["grey"] == 1


def test_memory_does_not_grow_with_the_levels(judged):
    def peak(levels):
        tracemalloc.start()
        judged([stress for stress in STRESSES if stress.name in ("noise", "deformation")], levels)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(1)  # what is imported once
    scan = 4 * 40**3
    assert peak(6) < peak(1) + scan / 4


def test_a_case_is_read_with_its_reference_on_the_same_grid(data, shaded):
    image, labels = shaded(1)
    scan = read_case(data.cases[1], data)
    np.testing.assert_array_equal(scan.channels[0], image)
    np.testing.assert_array_equal(scan.reference, labels)


def test_a_reference_elsewhere_is_refused(data, save_scan, shaded):
    save_scan(data.cases[0].label, shaded(0)[1], np.diag([1, 1, 3, 1]))
    with pytest.raises(GeometryMismatchError):
        read_case(data.cases[0], data)


def test_ct_is_known_by_its_name(data):
    assert is_ct(dataclasses.replace(data, channels=("CT", "MR", " ct", "ACT"))) == (True, False, True, False)
