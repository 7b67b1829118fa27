import json
import os

import numpy as np
import pytest


@pytest.fixture
def folders(tmp_path, save_scan):
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[2:5, 2:5, 2:5] = 1
    for name in "ab":
        save_scan(tmp_path / "predictions" / f"{name}.nii.gz", labels)
        save_scan(tmp_path / "references" / f"{name}.nii.gz", labels)
    return tmp_path


@pytest.fixture
def evaluate(folders, leanseg):
    places = folders / "predictions", folders / "references", "-o", folders / "report"
    return lambda *options: leanseg("evaluate", *places, *options)


def test_all_cases_judged_exits_with_0_and_shows_the_scores(evaluate, folders):
    done = evaluate()
    assert done.code == 0, done.err
    assert "2 of 2 cases judged" in done.out
    assert "[1.000, 1.000]" in done.out
    assert (folders / "report" / "metrics.csv").is_file()


def test_a_missing_prediction_exits_with_4_and_is_named(evaluate, folders):
    (folders / "predictions" / "b.nii.gz").unlink()
    done = evaluate()
    assert done.code == 4
    assert "failed: b: no prediction" in done.out
    assert "1 of 2 cases failed" in done.err
    assert (folders / "report" / "metrics.json").is_file()


def test_json_is_one_document_even_when_cases_failed(evaluate, folders):
    (folders / "predictions" / "b.nii.gz").unlink()
    done = evaluate("--json", "--tolerance", "3")
    assert done.code == 4
    assert json.loads(done.out) == json.loads((folders / "report" / "metrics.json").read_text())


@pytest.mark.parametrize("broken", ["no predictions", "used output", "tolerance"])
def test_refused_input_exits_with_2_says_how_to_fix_it_and_writes_nothing(evaluate, folders, broken):
    options = []
    if broken == "no predictions":
        for path in (folders / "predictions").iterdir():
            path.unlink()
    elif broken == "used output":
        (folders / "report").mkdir()
        (folders / "report" / "mine.txt").touch()
    else:
        options = ["--tolerance", "-1"]
    before = sorted(folders.rglob("*"))
    done = evaluate(*options)
    assert done.code == 2
    assert "fix:" in done.err
    assert sorted(folders.rglob("*")) == before


def test_regions_are_called_regions(evaluate, folders):
    record = {"labels": {"background": 0, "organ": 1, "tumour": 2}, "targets": {"whole": [1, 2], "tumour": [2]}}
    (folders / "predictions" / "a.json").write_text(json.dumps(record))
    done = evaluate()
    assert done.code == 0, done.err
    headings = [line.split()[0] for line in done.out.splitlines() if "HD95" in line or "IoU" in line]
    assert headings == ["region", "region"]
    assert "class" not in done.out


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_name_in_an_old_encoding_is_shown(evaluate, folders, options):
    try:
        (folders / "references" / "b.nii.gz").rename(folders / "references" / os.fsdecode(b"b\xff.nii.gz"))
    except OSError:
        pytest.skip("this disk holds only names in UTF-8")
    done = evaluate(*options)
    assert done.code == 4, done.err
    assert "b%FF: no prediction" in done.out
