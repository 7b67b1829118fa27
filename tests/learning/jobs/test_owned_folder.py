import pytest

from leanseg.learning.jobs.owned_folder import OwnedFolder
from leanseg.storage import CannotWriteError


@pytest.fixture
def older(tmp_path):
    """A run that is there already."""
    root = tmp_path / "run"
    root.mkdir()
    (root / "run.json").write_text("an older run")
    return root


def test_a_new_folder_that_is_given_up_leaves_nothing(tmp_path):
    folder = OwnedFolder(tmp_path / "run")
    folder.begin(overwrite=False)
    (tmp_path / "run" / "plan.yaml").write_text("half a plan")
    folder.abandon()
    assert list(tmp_path.iterdir()) == []


def test_what_was_replaced_comes_back(older, tmp_path):
    folder = OwnedFolder(older)
    folder.begin(overwrite=True)
    (older / "plan.yaml").write_text("half a plan")
    folder.abandon()
    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]
    assert [entry.name for entry in older.iterdir()] == ["run.json"]


def test_what_was_replaced_comes_back_though_the_new_cannot_be_deleted(older, monkeypatch):
    folder = OwnedFolder(older)
    folder.begin(overwrite=True)
    (older / "plan.yaml").write_text("held open by somebody")
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)
    folder.abandon()
    assert [entry.name for entry in older.iterdir()] == ["run.json"]


def test_what_was_replaced_is_deleted_once_training_begins(older, tmp_path):
    folder = OwnedFolder(older)
    folder.begin(overwrite=True)
    folder.settle()
    assert [entry.name for entry in tmp_path.iterdir()] == ["run"]
    assert list(older.iterdir()) == []


def test_a_place_that_is_a_file_is_refused_at_once(tmp_path):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(CannotWriteError):
        OwnedFolder(tmp_path / "file" / "run").begin(overwrite=False)
