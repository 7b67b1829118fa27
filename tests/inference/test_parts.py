from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanseg.datasets import Case
from leanseg.inference.parts import EmptyPartError, Part, WrongPartError


def cases_of(names):
    return [Case(name, (Path(f"{name}.nii.gz"),)) for name in names]


@given(st.sets(st.text("ab1", min_size=1, max_size=4), min_size=1), st.integers(1, 9), st.randoms())
def test_parts_are_disjoint_complete_balanced_and_the_same_in_any_order(names, of, random):
    of = min(of, len(names))
    shuffled = sorted(names)
    random.shuffle(shuffled)
    parts = [[case.name for case in Part(number, of).among(cases_of(shuffled))] for number in range(1, of + 1)]
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert parts == [[case.name for case in Part(number, of).among(cases_of(names))] for number in range(1, of + 1)]


def test_neighbours_by_name_go_to_different_parts():
    assert [case.name for case in Part(2, 3).among(cases_of("abcdefg"))] == ["b", "e"]


def test_a_part_is_written_as_a_fraction():
    assert Part.parse("2/8") == Part(2, 8)
    assert str(Part(2, 8)) == "2/8"


@pytest.mark.parametrize("text", ["", "2", "0/8", "9/8", "2/0", "-1/8", "1/8/2", "a/b", "1.0/2", "٢/٨"])
def test_what_is_no_part_is_refused(text):
    with pytest.raises(WrongPartError) as refused:
        Part.parse(text)
    assert "--part 1/8" in refused.value.fix


def test_more_parts_than_cases_are_refused():
    with pytest.raises(EmptyPartError, match="3/3 of 2 cases"):
        Part(3, 3).among(cases_of("ab"))
