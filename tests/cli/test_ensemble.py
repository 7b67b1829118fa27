"""What leanseg ensemble refuses; making one is in tests/learning/jobs/test_ensemble.py and tests/e2e."""

import json


def test_a_folder_that_is_no_cross_validation_is_refused(leanseg, tmp_path):
    done = leanseg("ensemble", tmp_path, "-o", tmp_path / "package")
    assert done.code == 2
    assert "is not a cross-validation" in done.err
    assert not (tmp_path / "package").exists()


def test_one_that_is_not_finished_says_how_to_finish_it(leanseg, tmp_path):
    record = {"leanseg": "0.1.0", "dataset": str(tmp_path / "gone"), "folds": 2, "minutes": 1.0, "steps": None}
    text = json.dumps({**record, "device": "cpu", "state": "interrupted"})
    (tmp_path / "cross_validation.json").write_text(text)
    done = leanseg("ensemble", tmp_path, "-o", tmp_path / "package")
    assert done.code == 2
    assert "leanseg train DATASET --resume" in done.err


def test_only_scores_and_weights_can_be_averaged(leanseg, tmp_path):
    done = leanseg("ensemble", tmp_path, "-o", tmp_path / "package", "--average", "labels")
    assert done.code == 2
    assert "scores" in done.err
