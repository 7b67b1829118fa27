from pathlib import Path

import pytest

from leanseg.datasets import Case, Dataset, with_subjects
from leanseg.datasets import subjects as room
from leanseg.datasets.subjects import SubjectPatternError


def dataset_of(*names):
    return Dataset("made up", Path("nowhere"), ("MRI",), {"background": 0}, tuple(Case(name, ()) for name in names))


def subjects_by(pattern, *names):
    return [case.subject for case in with_subjects(dataset_of(*names), pattern).cases]


def test_the_first_group_is_the_subject():
    assert subjects_by(r"_(pat\d+)_(\d)", "brats_pat3_1", "brats_pat3_2", "brats_pat12_1") == ["pat3", "pat3", "pat12"]


def test_without_a_group_the_whole_match_is_the_subject():
    assert subjects_by(r"pat\d+", "brats_pat3_1", "brats_pat12_1") == ["pat3", "pat12"]


@pytest.mark.parametrize("pattern", ["(", "pat[", "*", "(?P<a", "", "x*", r"pat(\d)", "(zzz)?pat", "a{99999999999999}"])
def test_a_pattern_that_finds_no_subject_in_some_case_is_refused(pattern):
    with pytest.raises(SubjectPatternError) as caught:
        subjects_by(pattern, "pat3_1", "other")
    assert "--subject-pattern" in caught.value.what


def test_an_endless_pattern_is_stopped(monkeypatch):
    monkeypatch.setattr(room, "_PATIENCE_SECONDS", 0.5)
    with pytest.raises(SubjectPatternError) as caught:
        subjects_by("(a+)+$", "a" * 60 + "b")
    assert "too many ways" in caught.value.what


def test_a_very_long_pattern_is_refused():
    with pytest.raises(SubjectPatternError):
        subjects_by("(pat)" + "a?" * 1000, "pat3")
