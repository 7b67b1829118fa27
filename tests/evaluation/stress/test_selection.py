import dataclasses
import json

import pytest

from leanseg.evaluation.stress.contestants import open_contestants
from leanseg.evaluation.stress.selection import (
    NoSplitsNamedError,
    NoSuchCasesError,
    OtherValidationCasesError,
    choose_cases,
)

EARLY, LATE = ["case0", "case1"], ["case2", "case3"]


def selected(paths, data, **options):
    found = choose_cases(open_contestants(paths, data), data, **options)
    return [case.name for case in found.cases], found


@pytest.fixture
def splits(tmp_path):
    path = tmp_path / "splits.json"
    folds = [{"training": ["case1"], "validation": ["case0"]}, {"training": ["case0"], "validation": ["case1"]}]
    path.write_text(json.dumps({"seed": 0, "folds": folds, "test": ["case3"]}))
    return path


def test_runs_are_judged_on_the_validation_cases_they_share(make_run, data):
    runs = [make_run("a", EARLY, LATE), make_run("b", EARLY, LATE[::-1], random=True)]
    names, found = selected(runs, data)
    assert names == LATE
    assert found.how == "The validation cases of a and b are judged."
    assert len(found.cautions) == 2
    assert "slightly optimistic" in found.cautions[0]


def test_runs_of_different_validation_cases_are_refused(make_run, data):
    runs = [make_run("a", EARLY, LATE), make_run("b", LATE, EARLY, random=True)]
    with pytest.raises(OtherValidationCasesError) as refused:
        selected(runs, data)
    assert "a and b" in refused.value.what


def test_packages_alone_are_judged_on_all_cases_and_that_is_said(package, data):
    names, found = selected([package], data)
    assert names == [*EARLY, *LATE]
    assert "Nothing tells which cases perfect was trained on" in found.cautions[0]


def test_a_package_beside_a_run_is_judged_on_the_cases_of_the_run(make_run, other, data):
    names, found = selected([other, make_run("a", EARLY, LATE)], data)
    assert names == LATE
    assert [caution.partition(":")[0] for caution in found.cautions] == [
        "Nothing tells which cases random was trained on",
        "The weights of a were chosen by its validation cases",
    ]


def test_splits_alone_mean_their_test_cases_and_with_a_fold_its_validation_cases(package, data, splits):
    assert selected([package], data, splits=splits)[0] == ["case3"]
    assert selected([package], data, splits=splits, fold=1)[0] == ["case1"]


def test_cases_that_a_run_has_trained_on_are_said_to_flatter(make_run, data, splits):
    run = make_run("a", EARLY, LATE)
    names, found = selected([run], data, splits=splits, fold=0)
    assert names == ["case0"]
    assert found.cautions == ("a was trained on 1 of these 1 cases: its scores flatter.",)


def test_a_fold_of_the_splits_in_the_data_set_needs_no_file_named(package, data, splits):
    with pytest.raises(NoSplitsNamedError):
        selected([package], data, fold=0)
    splits.rename(data.root / "splits.json")
    assert selected([package], data, fold=0)[0] == ["case0"]


@pytest.mark.parametrize(("fold", "changed", "what"), [(2, {}, "has no fold 2"), (None, {"test": []}, "no test cases")])
def test_cases_that_splits_do_not_have_are_refused(package, data, splits, fold, changed, what):
    splits.write_text(json.dumps({**json.loads(splits.read_text()), **changed}))
    with pytest.raises(NoSuchCasesError) as refused:
        selected([package], data, splits=splits, fold=fold)
    assert what in refused.value.what
    assert "--fold 0" in refused.value.fix


def test_fewer_cases_are_among_more_and_the_seed_draws_them(package, make_data):
    data = make_data("many", cases=9)
    drawn = [set(selected([package], data, limit=limit)[0]) for limit in (1, 3, 6)]
    assert drawn[0] < drawn[1] < drawn[2]
    assert [len(names) for names in drawn] == [1, 3, 6]
    assert drawn[1] != set(selected([package], data, limit=3, seed=1)[0])
    assert len(selected([package], data, limit=30)[0]) == 9
    assert "3 of these 9 cases" in selected([package], data, limit=3)[1].how


def test_a_data_set_without_labels_is_refused(package, data):
    with pytest.raises(NoSuchCasesError):
        selected([package], dataclasses.replace(data, cases=()))
