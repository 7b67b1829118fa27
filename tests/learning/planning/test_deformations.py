import pytest

from leanseg.learning.planning.deformations import choose_deformations
from leanseg.learning.planning.grid import Grid

HEAD = Grid("LIA", (1.0, 1.0, 1.0), ((170, 200, 230),) * 3, ())
HIPPOCAMPUS = Grid("SAR", (1.0, 1.0, 1.0), ((35, 50, 36), (36, 52, 34), (38, 48, 35)), ())


def test_nothing_is_bent_unless_asked():
    assert choose_deformations(HEAD, elastic=False, unlabelled=0) == (None, None, ())


def test_heads_are_bent_as_published():
    elastic, registration, reasons = choose_deformations(HEAD, elastic=True, unlabelled=0)
    assert (elastic.probability, elastic.sigma, elastic.points) == (0.5, 15.0, 2)
    assert registration is None
    assert "as published" in reasons[0]


def test_with_unlabelled_scans_it_is_a_third_each():
    elastic, registration, reasons = choose_deformations(HEAD, elastic=False, unlabelled=5)
    assert elastic.probability == registration.share == pytest.approx(1 / 3)
    assert "5 of the 5" in reasons[1]


def test_smaller_scans_are_bent_by_the_same_share_of_their_size():
    elastic, _, reasons = choose_deformations(HIPPOCAMPUS, elastic=True, unlabelled=0)
    assert elastic.sigma == pytest.approx(15 * 35 / 160, abs=0.1)  # the smallest side decides
    assert "35 x 36 x 50 mm" in reasons[0]


def test_size_is_in_millimetres():
    thick = Grid("SAR", (5.0, 1.0, 1.0), ((40, 200, 230),), ())
    assert choose_deformations(thick, elastic=True, unlabelled=0)[0].sigma == 15.0
