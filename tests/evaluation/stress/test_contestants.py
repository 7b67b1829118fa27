from pathlib import Path

import pytest

from leanseg.datasets.documents import DocumentError
from leanseg.evaluation.stress.contestants import (
    NoPackageError,
    OtherChannelsError,
    OtherClassesError,
    SamePackageError,
    distinct_names,
    open_contestants,
)
from leanseg.inference.preprocessing import WrongChannelsError


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/runs/a", "/runs/b.zip"], ["a", "b"]),
        (["/runs/dense/package", "/runs/dynamic/package"], ["dense", "dynamic"]),
        (["/one/a", "/two/a", "/two/b"], ["one/a", "two/a", "two/b"]),
        (["/package"], ["package"]),
        (["/runs/a", "/runs/a.zip"], ["/runs/a", "/runs/a.zip"]),
    ],
)
def test_a_name_is_as_short_as_tells_packages_apart(paths, names):
    assert distinct_names([Path(path) for path in paths]) == names


def test_no_package_is_refused(data):
    with pytest.raises(NoPackageError):
        open_contestants([], data)


def test_the_same_model_twice_is_refused(package, data):
    with pytest.raises(SamePackageError):
        open_contestants([package, package], data)


def test_a_package_of_other_channels_is_refused(make_package, tmp_path, data):
    path = make_package(tmp_path / "two", channels=2).path
    with pytest.raises(WrongChannelsError) as refused:
        open_contestants([path], data)
    assert refused.value.what == f"{path}: the case has 1 channel where the plan has 2"


def test_a_package_of_other_classes_is_refused_with_both_lists(package, make_data):
    with pytest.raises(OtherClassesError) as refused:
        open_contestants([package], make_data("others", labels={"background": 0, "grey": 2, "black": 5}))
    assert "grey (2), white (5); the data set judges grey (2), black (5)" in refused.value.what


def test_channels_in_another_order_are_refused(make_package, tmp_path, data):
    import dataclasses

    path = make_package(tmp_path / "two", channels=2).path
    swapped = dataclasses.replace(data, channels=("channel 1", "channel 0"))
    with pytest.raises(OtherChannelsError):
        open_contestants([path], swapped)


@pytest.mark.parametrize("inner", ["", "package"])
def test_a_run_tells_its_fold_also_when_its_package_is_named(make_run, data, inner):
    run = make_run("a", ["case0", "case1"], ["case2", "case3"])
    (found,) = open_contestants([run / inner], data)
    assert found.name == "a"
    assert found.fold.validation == ("case2", "case3")


def test_a_run_on_other_cases_and_a_package_tell_no_fold(make_run, package, data):
    run = make_run("a", ["x", "y"], ["z"], random=True)
    assert [one.fold for one in open_contestants([run, package], data)] == [None, None]


def test_a_run_whose_splits_name_some_cases_that_are_not_there_is_refused(make_run, data):
    run = make_run("a", ["case0", "gone"], ["case2"])
    with pytest.raises(DocumentError, match="gone"):
        open_contestants([run], data)


def test_a_run_with_an_impossible_fold_is_refused(make_run, data):
    run = make_run("a", ["case0"], ["case2"])
    (run / "run.json").write_text('{"fold": 4}')
    with pytest.raises(DocumentError) as refused:
        open_contestants([run], data)
    assert "4 is none of the 1 folds" in refused.value.what
