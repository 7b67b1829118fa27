import pytest

from leanseg.evaluation.runs import discovery
from leanseg.evaluation.runs.discovery import NoRunError, TooManyRunsError, find_runs


@pytest.fixture
def runs(tmp_path):
    """A function that makes empty runs."""

    def make(*names, record="run.json"):
        for name in names:
            (tmp_path / name).mkdir(parents=True)
            (tmp_path / name / record).touch()
        return tmp_path

    return make


def test_a_folder_of_runs_gives_its_runs_in_the_order_of_their_numbers(runs):
    root = runs("ladder/base=4", "ladder/base=16", "ladder/base=8", "ladder/.hidden", "ladder/base=0.5")
    assert list(find_runs([root / "ladder"])) == ["base=0.5", "base=4", "base=8", "base=16"]


def test_runs_within_runs_and_folds_are_no_runs_of_their_own(runs):
    root = runs("one", "one/inner")
    runs("all", record="cross_validation.json")
    runs("all/fold_0", "all/fold_1")
    assert list(find_runs([root])) == ["all", "one"]


def test_names_are_as_long_as_they_must_be(runs):
    root = runs("a/x/seed=1", "a/y/seed=1", "a/x/seed=2")
    assert list(find_runs([root])) == ["x/seed=1", "seed=2", "y/seed=1"]


def test_a_run_that_is_named_twice_is_there_once(runs):
    root = runs("one", "two")
    assert list(find_runs([root / "two", root, root / "one"])) == ["two", "one"]


def test_what_is_no_run_is_refused(runs, tmp_path):
    runs("deep/1/2/3/4")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for name in ("deep", "empty", "file", "nothing"):
        with pytest.raises(NoRunError) as refused:
            find_runs([tmp_path / name])
        assert name in refused.value.what


def test_more_runs_than_can_be_told_apart_are_refused(runs, monkeypatch):
    root = runs("one", "two", "three")
    monkeypatch.setattr(discovery, "MOST_RUNS", 2)
    with pytest.raises(TooManyRunsError, match="3 runs"):
        find_runs([root])
