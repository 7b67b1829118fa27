import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.datasets import (
    Case,
    Dataset,
    make_splits,
    open_dataset,
    read_splits,
    unvalidated_splits,
    without_test_cases,
    write_splits,
)
from leanseg.datasets.documents import DocumentError
from leanseg.datasets.splits import SubjectLeakError, TooFewSubjectsError, WrongFoldsError, WrongTestShareError
from leanseg.datasets.subjects import MissingSubjectError
from leanseg.storage import OutputNotEmptyError


def dataset_of(subjects):
    cases = tuple(Case(f"case_{index:03d}", (), None, subject) for index, subject in enumerate(subjects))
    return Dataset("made up", Path("nowhere"), ("MRI",), {"background": 0, "thing": 1}, cases)


def people(draw_from):
    return st.lists(draw_from, min_size=2, max_size=40).filter(lambda subjects: len(set(subjects)) > 1)


grouped = people(st.sampled_from([f"patient {number}" for number in range(12)]))


@settings(deadline=None)
@given(subjects=grouped, folds=st.integers(2, 7), seed=st.integers(0, 5))
def test_every_case_validates_in_exactly_one_fold_and_trains_in_all_others(subjects, folds, seed):
    dataset = dataset_of(subjects)
    names = [case.name for case in dataset.cases]
    splits = make_splits(dataset, folds, seed)
    assert sorted(name for fold in splits.folds for name in fold.validation) == names
    assert all(sorted(fold.training + fold.validation) == names for fold in splits.folds)


@settings(deadline=None)
@given(subjects=grouped, folds=st.integers(2, 7), seed=st.integers(0, 5))
def test_no_subject_is_on_both_sides(subjects, folds, seed):
    dataset = dataset_of(subjects)
    owner = {case.name: case.subject for case in dataset.cases}
    for fold in make_splits(dataset, folds, seed).folds:
        assert not {owner[name] for name in fold.training} & {owner[name] for name in fold.validation}


@settings(deadline=None)
@given(cases=st.integers(2, 60), folds=st.integers(2, 9), seed=st.integers(0, 5))
def test_without_subjects_fold_sizes_differ_by_one_at_most(cases, folds, seed):
    splits = make_splits(dataset_of([None] * cases), folds, seed)
    sizes = [len(fold.validation) for fold in splits.folds]
    assert len(sizes) == min(folds, cases)
    assert max(sizes) - min(sizes) <= 1


@settings(deadline=None)
@given(subjects=grouped, folds=st.integers(2, 7))
def test_fold_sizes_differ_by_the_largest_subject_at_most(subjects, folds):
    sizes = [len(fold.validation) for fold in make_splits(dataset_of(subjects), folds).folds]
    assert min(sizes) > 0
    assert max(sizes) - min(sizes) <= max(map(subjects.count, subjects))


@settings(deadline=None)
@given(cases=st.integers(6, 30), seed=st.integers(0, 5), order=st.randoms())
def test_the_same_seed_makes_the_same_folds_in_whatever_order_the_cases_come(cases, seed, order):
    dataset = dataset_of([None] * cases)
    shuffled = list(dataset.cases)
    order.shuffle(shuffled)
    other = Dataset("other", Path("elsewhere"), ("CT",), dataset.labels, tuple(shuffled))
    assert make_splits(dataset, 5, seed) == make_splits(other, 5, seed)


def test_folds_stay_the_same_on_every_machine_and_in_every_version():
    splits = make_splits(dataset_of([None] * 6), 3, seed=0)
    expected = [("case_000", "case_004"), ("case_002", "case_005"), ("case_001", "case_003")]
    assert [fold.validation for fold in splits.folds] == expected


def test_another_seed_makes_other_folds():
    dataset = dataset_of([None] * 30)
    assert make_splits(dataset, 5, 0).folds != make_splits(dataset, 5, 1).folds


@pytest.mark.parametrize("subjects", [[], [None], ["anna", "anna", "anna"]])
def test_one_subject_cannot_be_split(subjects):
    with pytest.raises(TooFewSubjectsError):
        make_splits(dataset_of(subjects))


@pytest.mark.parametrize("subjects", [[None], ["anna", "anna", "anna"]])
def test_one_subject_trains_alone_and_nobody_validates(subjects, tmp_path):
    dataset = dataset_of(subjects)
    splits = unvalidated_splits(dataset)
    assert splits.folds[0].training == tuple(case.name for case in dataset.cases)
    assert splits.folds[0].validation == ()
    write_splits(tmp_path / "splits.json", splits)
    assert read_splits(tmp_path / "splits.json", dataset) == splits


@pytest.mark.parametrize("subjects", [[], [None, None], ["anna", "ben", "anna"]])
def test_only_one_subject_trains_alone(subjects):
    assert unvalidated_splits(dataset_of(subjects)) is None


def test_a_fold_that_validates_nobody_is_refused_where_there_are_others(tmp_path):
    file = tmp_path / "splits.json"
    file.write_text(json.dumps({"seed": 0, "folds": [{"training": ["case_000"], "validation": []}]}))
    with pytest.raises(DocumentError, match=r"folds\[0\]\.validation"):
        read_splits(file, dataset_of([None] * 3))


def test_a_case_without_subject_among_others_is_refused():
    with pytest.raises(MissingSubjectError) as caught:
        make_splits(dataset_of(["anna", None, "ben"]))
    assert "case_001" in caught.value.what


@pytest.mark.parametrize("folds", [1, 0, -5])
def test_fewer_than_two_folds_are_refused(folds):
    with pytest.raises(WrongFoldsError):
        make_splits(dataset_of([None] * 8), folds)


@settings(deadline=None)
@given(subjects=grouped, seed=st.integers(0, 3))
def test_written_splits_are_read_back(tmp_path_factory, subjects, seed):
    dataset = dataset_of(subjects)
    path = tmp_path_factory.mktemp("splits") / "splits.json"
    splits = make_splits(dataset, seed=seed)
    write_splits(path, splits)
    assert read_splits(path, dataset) == splits


def test_an_older_file_is_only_replaced_when_told_so(tmp_path):
    splits = make_splits(dataset_of([None] * 8))
    write_splits(tmp_path / "splits.json", splits)
    with pytest.raises(OutputNotEmptyError):
        write_splits(tmp_path / "splits.json", splits)
    write_splits(tmp_path / "splits.json", splits, overwrite=True)


def read_edited(tmp_path, subjects, edit):
    dataset = dataset_of(subjects)
    content = make_splits(dataset).model_dump(mode="json")
    edit(content)
    (tmp_path / "splits.json").write_text(json.dumps(content))
    return read_splits(tmp_path / "splits.json", dataset)


@settings(deadline=None)
@given(subjects=people(st.sampled_from("abcdefgh")).filter(lambda s: len(set(s)) > 2), share=st.floats(0, 0.9))
def test_test_cases_are_in_no_fold_and_patients_stay_together(subjects, share):
    dataset = dataset_of(subjects)
    owner = {case.name: case.subject for case in dataset.cases}
    splits = make_splits(dataset, test_share=share)
    for fold in splits.folds:
        in_fold = fold.training + fold.validation
        assert sorted(in_fold + splits.test) == sorted(owner)
        assert not {owner[name] for name in in_fold} & {owner[name] for name in splits.test}
    assert len({owner[name] for name in splits.folds[0].training + splits.folds[0].validation}) >= 2
    assert bool(splits.test) == (share > 0)


def test_a_fifth_of_equal_patients_is_kept_away_and_no_more():
    splits = make_splits(dataset_of([f"patient {number}" for number in range(50)]), test_share=0.2)
    assert len(splits.test) == 10
    assert [len(fold.validation) for fold in splits.folds] == [8] * 5


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_that_leaves_nobody_is_refused(share):
    with pytest.raises(WrongTestShareError):
        make_splits(dataset_of(["a", "b", "c"]), test_share=share)


def test_a_test_case_whose_patient_is_in_a_fold_is_refused(tmp_path):
    dataset = dataset_of(["a", "a", "b", "c"])
    splits = {"seed": 0, "folds": [{"training": ["case_002"], "validation": ["case_000"]}], "test": ["case_001"]}
    (tmp_path / "splits.json").write_text(json.dumps(splits))
    with pytest.raises(SubjectLeakError, match="in the fold and in test"):
        read_splits(tmp_path / "splits.json", dataset)


def test_plans_are_made_without_test_cases(tmp_path):
    dataset = dataset_of([f"patient {number}" for number in range(10)])
    splits = make_splits(dataset, test_share=0.3)
    write_splits(tmp_path / "splits.json", splits)
    left = {case.name for case in without_test_cases(dataset, tmp_path / "splits.json").cases}
    assert left == {case.name for case in dataset.cases} - set(splits.test)
    assert without_test_cases(dataset, None) == dataset


def test_an_unknown_test_case_is_refused(tmp_path):
    splits = {"seed": 0, "folds": [{"training": ["case_000"], "validation": ["case_001"]}], "test": ["case_007"]}
    (tmp_path / "splits.json").write_text(json.dumps(splits))
    with pytest.raises(DocumentError, match="test: the data set has no labelled case"):
        read_splits(tmp_path / "splits.json", dataset_of(["a", "b"]))


def test_a_case_may_be_left_out_by_hand(tmp_path):
    splits = read_edited(tmp_path, [None] * 10, lambda content: content["folds"][0]["training"].pop())
    assert len(splits.folds[0].training) == 7


def test_a_subject_on_both_sides_is_refused_by_name(tmp_path):
    def leak(content):
        fold = content["folds"][1]
        fold["training"].append(fold["validation"].pop())

    with pytest.raises(SubjectLeakError) as caught:
        read_edited(tmp_path, [f"patient {index // 2}" for index in range(10)], leak)
    assert "folds[1]" in caught.value.what
    assert caught.value.subject in caught.value.what


def test_a_case_on_both_sides_is_refused(tmp_path):
    def leak(content):
        content["folds"][0]["training"].append(content["folds"][0]["validation"][0])

    with pytest.raises(SubjectLeakError):
        read_edited(tmp_path, [None] * 10, leak)


def put(key, value):
    return lambda content: content.update({key: value})


def put_side(side, value):
    return lambda content: content["folds"][0].update({side: value})


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        (put("format", 2), "format"),
        (put("seed", "zero"), "seed"),
        (put("foldz", []), "foldz"),
        (put("folds", []), "folds"),
        (put("folds", {}), "folds"),
        (lambda content: content.pop("folds"), "folds"),
        (lambda content: content.pop("seed"), "seed"),
        (lambda content: content["folds"][0].pop("validation"), "folds[0].validation"),
        (put_side("validation", []), "folds[0].validation"),
        (put_side("training", []), "folds[0].training"),
        (put_side("training", [1]), "folds[0].training[0]"),
        (put_side("training", ["case_00"]), "folds[0].training"),
        (put_side("training", ["case_001", "case_001"]), "folds[0].training"),
    ],
)
def test_a_wrong_edit_is_refused_with_the_path_of_its_key(tmp_path, edit, key):
    with pytest.raises(DocumentError) as caught:
        read_edited(tmp_path, [None] * 10, edit)
    assert caught.value.key == key


def test_an_unknown_case_gets_a_suggestion(tmp_path):
    with pytest.raises(DocumentError) as caught:
        read_edited(tmp_path, [None] * 10, put_side("training", ["case_00O"]))
    assert "did you mean 'case_00" in caught.value.fix


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DocumentError):
        read_splits(tmp_path / "splits.json", dataset_of([None] * 4))


def test_four_patients_make_four_folds(real_data):
    splits = make_splits(open_dataset(real_data("Dataset013_BraTS2013")))
    assert [len(fold.validation) for fold in splits.folds] == [1, 1, 1, 1]


def test_the_hippocampus_set_makes_five_folds(real_data):
    splits = make_splits(open_dataset(real_data("Task04_Hippocampus")))
    assert sorted(len(fold.validation) for fold in splits.folds) == [41, 41, 42, 42, 42]
