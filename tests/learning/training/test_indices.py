import pytest

from leanseg.datasets.targets import Region
from leanseg.learning.training.indices import ignored_index, mirrored_indices, target_indices, written_indices
from leanseg.plans import Data

LABELS = {"background": 0, "left kidney": 2, "stomach": 5, "right kidney": 9}


def data(**more):
    return Data(name="toy", channels=("CT",), labels=LABELS, **more)


def test_classes_are_targets_of_one_index_each():
    assert target_indices(data()) == {"left kidney": (1,), "stomach": (2,), "right kidney": (3,)}
    assert written_indices(data()) is None


def test_regions_are_made_of_and_painted_with_indices():
    regions = {"organs": Region(values=(9, 5, 2), written=5), "kidneys": Region(values=(2, 9), written=9)}
    assert target_indices(data(regions=regions)) == {"organs": (3, 2, 1), "kidneys": (1, 3)}
    assert written_indices(data(regions=regions)) == (2, 3)


def test_what_is_ignored_comes_after_all_labels():
    assert ignored_index(data(ignore=255)) == 4
    assert ignored_index(data()) is None


@pytest.mark.parametrize("pairs", [None, ()])
def test_without_pairs_a_mirror_leaves_names_alone(pairs):
    assert mirrored_indices(data(left_right=pairs)) == [0, 1, 2, 3, 4]


def test_a_mirror_exchanges_the_names_of_pairs_only():
    assert mirrored_indices(data(left_right=(("right kidney", "left kidney"),))) == [0, 3, 2, 1, 4]
