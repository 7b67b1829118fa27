import math
import os

import pytest

from leanseg.datasets import Case
from leanseg.evaluation.stress.kept import Kept, drop_kept

FOUND = ({"grey": 0.5, "white": math.nan}, {"grey": 1.0, "white": math.nan}, None)


@pytest.fixture
def case(tmp_path):
    for name in ("a.nii", "a_label.nii"):
        (tmp_path / name).write_bytes(b"voxels")
    return Case("a", (tmp_path / "a.nii",), tmp_path / "a_label.nii")


@pytest.fixture
def folder(tmp_path, case):
    kept = Kept(tmp_path / "kept", "hash", case, 0)
    kept.add("noise", 0.1, FOUND)
    kept.add("motion", 1 / 3, (*FOUND[:2], "why"))
    kept.write()
    return tmp_path / "kept"


def test_what_was_written_is_read_again(folder, case):
    kept = Kept(folder, "hash", case, 0)
    assert len(kept) == 2
    dice, attainable, failure = kept.get("noise", 0.1)
    assert dice["grey"] == 0.5
    assert math.isnan(dice["white"])
    assert attainable["grey"] == 1
    assert failure is None
    assert kept.get("motion", 1 / 3)[2] == "why"
    assert kept.get("noise", 0.2) is None


def test_it_counts_for_the_same_package_and_seed_only(folder, case):
    assert not Kept(folder, "other", case, 0)
    assert not Kept(folder, "hash", case, 1)


def test_it_does_not_count_when_a_file_of_the_case_has_changed(folder, case):
    os.utime(case.label, ns=(1, 1))
    assert not Kept(folder, "hash", case, 0)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"scores": 3}'])
def test_a_broken_file_is_as_if_there_were_none(folder, case, text):
    (path,) = folder.iterdir()
    path.write_text(text)
    assert not Kept(folder, "hash", case, 0)


def test_edited_scores_are_as_if_there_were_none(folder, case):
    (path,) = folder.iterdir()
    path.write_text(path.read_text().replace("0.5", '"high"'))
    assert not Kept(folder, "hash", case, 0)


def test_nothing_new_writes_nothing(folder, case):
    (path,) = folder.iterdir()
    path.unlink()
    Kept(folder, "hash", case, 0).write()
    assert not list(folder.iterdir())


def test_what_is_kept_is_removed_and_what_is_not_ours_stays(folder):
    (folder / "notes.txt").write_text("mine")
    drop_kept(folder)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    (folder / "notes.txt").unlink()
    drop_kept(folder)
    assert not folder.exists()
    drop_kept(folder)
