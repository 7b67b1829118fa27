import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanseg.datasets import Dataset, Region
from leanseg.evaluation.class_matching import (
    NoSharedClassError,
    UnknownMappedClassError,
    match_classes,
    near_names,
    translated,
)

HEART = {"Left atrium": (1,), "Aorta": (2,), "Liver": (3,)}


def dataset(tmp_path, labels, regions=None, ignore=None):
    regions = {name: Region(values=values, written=values[0]) for name, values in (regions or {}).items()}
    return Dataset("other", tmp_path, ("MR",), {"background": 0, **labels}, (), regions=regions, ignore=ignore)


def test_names_match_but_for_capitals_and_the_rest_is_named():
    found = match_classes(HEART, {"aorta": (7,), "LEFT ATRIUM": (8,), "Spleen": (9,)})
    assert found.pairs == (("Left atrium", "LEFT ATRIUM"), ("Aorta", "aorta"))
    assert found.package_only == ("Liver",)
    assert found.dataset_only == ("Spleen",)
    assert found.shared == ("LEFT ATRIUM", "aorta")


def test_a_name_that_differs_in_more_than_capitals_does_not_match():
    found = match_classes(HEART, {"aorta": (1,), "left_atrium": (2,)})
    assert found.pairs == (("Aorta", "aorta"),)
    assert near_names(found.package_only, found.dataset_only) == [("Left atrium", "left_atrium")]


def test_names_that_only_capitals_tell_apart_match_exactly_or_not_at_all():
    assert match_classes({"a": (1,), "A": (2,)}, {"A": (5,)}).pairs == (("A", "A"),)
    assert match_classes({"a": (1,), "b": (2,)}, {"A": (5,), "a": (6,), "B": (7,)}).pairs == (("a", "a"), ("b", "B"))


def test_what_a_person_says_goes_before_the_names():
    found = match_classes(HEART, {"Aorta": (1,), "Vessel": (2,)}, {"Aorta": "Vessel", "Liver": "Vessel"})
    assert found.pairs == (("Aorta", "Vessel"), ("Liver", "Vessel"))
    assert found.dataset_only == ("Aorta",)


def test_no_shared_class_is_refused_with_what_was_perhaps_meant():
    with pytest.raises(NoSharedClassError) as refused:
        match_classes({"Hippocampus anterior": (1,)}, {"hippocampus-anterior": (1,)})
    assert '--map "Hippocampus anterior=hippocampus-anterior"' in refused.value.fix
    with pytest.raises(NoSharedClassError) as refused:
        match_classes({"Liver": (1,)}, {"Tumour": (1,)})
    assert "did you mean" not in refused.value.fix


@pytest.mark.parametrize(("mapping", "side"), [({"Lever": "aorta"}, "package"), ({"Liver": "aotra"}, "data set")])
def test_a_mapped_class_that_does_not_exist_is_refused(mapping, side):
    with pytest.raises(UnknownMappedClassError) as refused:
        match_classes(HEART, {"aorta": (1,)}, mapping)
    assert side in refused.value.what
    assert "did you mean" in refused.value.what


def test_classes_take_the_values_of_the_data_set(tmp_path):
    other = dataset(tmp_path, {"aorta": 7, "Spleen": 2})
    values, meaning = translated(match_classes(HEART, other.targets), HEART, other)
    assert values == {1: 0, 2: 7, 3: 0}
    assert meaning.targets == {"aorta": (7,)}
    assert meaning.known == (0, 2, 7)


def test_parts_of_one_class_become_it(tmp_path):
    other = dataset(tmp_path, {"hippocampus": 4})
    package = {"Anterior": (1,), "Posterior": (2,)}
    matching = match_classes(package, other.targets, dict.fromkeys(package, "hippocampus"))
    assert translated(matching, package, other)[0] == {1: 4, 2: 4}


@st.composite
def worlds(draw):
    """Targets of two sides by the same names, each of any values from 1 to 4."""
    names = ["a", "b", "c"][: draw(st.integers(1, 3))]
    values = st.sets(st.integers(1, 4), min_size=1, max_size=4).map(lambda found: tuple(sorted(found)))
    return {name: draw(values) for name in names}, {name: draw(values) for name in names}


@given(worlds())
def test_a_voxel_counts_for_the_same_classes_before_and_after(tmp_path_factory, world):
    package, wanted = world
    labels = {f"part {value}": value for value in range(1, 5)}
    other = Dataset("other", tmp_path_factory.getbasetemp(), ("MR",), {"background": 0, **labels}, (), ignore=5)
    object.__setattr__(other, "regions", {n: Region(values=v, written=v[0]) for n, v in wanted.items()})
    values, meaning = translated(match_classes(package, other.targets), package, other)
    for name, value in itertools.product(wanted, range(5)):
        if value in {one for group in package.values() for one in group}:
            assert (values[value] in meaning.targets[name]) == (value in package[name])
        assert (value in meaning.targets[name]) == (value in wanted[name])
    assert 5 not in values.values()
    assert np.isin(list(values.values()), meaning.known).all()
