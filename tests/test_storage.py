"""Files and folders appear whole or not at all, with the permissions that any other program would give them."""

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from leanseg.storage import (
    CannotWriteError,
    NotAPlainFileError,
    encodable,
    open_plain,
    refuse_if_used,
    whole_file,
    whole_folder,
    write_text,
)


def permissions(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_what_is_written_has_the_permissions_that_the_umask_leaves(tmp_path, umask):
    write_text(tmp_path / "file", "text")
    with whole_folder(tmp_path / "folder"):
        pass
    assert permissions(tmp_path / "file") == 0o640
    assert permissions(tmp_path / "folder") == 0o750


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_writing_never_touches_the_umask_as_other_threads_would_see_it(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask belongs to the whole process"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: write_text(tmp_path / str(number), "text"), range(20)))


def test_a_folder_takes_the_place_of_an_older_one(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    with whole_folder(tmp_path / "out") as folder:
        (folder / "new").touch()
        assert (tmp_path / "out" / "old").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new"]


def test_an_empty_folder_where_the_user_stands_is_filled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with whole_folder(Path()) as folder:
        (folder / "inner").mkdir()
        (folder / "file").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "inner"]


@pytest.mark.parametrize("holds", [(), ("old",)])
def test_an_older_folder_comes_back_when_the_new_one_cannot_take_its_place(tmp_path, monkeypatch, holds):
    out = tmp_path / "out"
    out.mkdir()
    for name in holds:
        (out / name).touch()
    rename, refusals = Path.rename, iter([False, True])

    def sometimes(self, target):
        if next(refusals, False):
            raise OSError(errno.EIO, "input/output error", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", sometimes)
    with pytest.raises(CannotWriteError, match="input/output error"), whole_folder(out) as folder:
        [(folder / name).touch() for name in "ab"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert tuple(path.name for path in out.iterdir()) == holds


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_only_errors_of_writing_are_called_so(tmp_path, whole):
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(CannotWriteError, match="No space left"), whole(tmp_path / "out"):
        raise full
    with pytest.raises(FileNotFoundError), whole(tmp_path / "out"):
        (tmp_path / "scan.nii.gz").read_bytes()
    with pytest.raises(BrokenPipeError), whole(tmp_path / "out"):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_no_utf_8_is_written_byte_by_byte(tmp_path):
    name = os.fsdecode(b"m\xfcller \xc3\xbc")
    assert encodable(name) == "m%FCller \u00fc"
    write_text(tmp_path / "file", f"{name}\r\n")
    assert (tmp_path / "file").read_bytes() == b"m%FCller \xc3\xbc\r\n"


def test_a_plain_file_is_opened_and_a_link_to_it_only_on_demand(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with open_plain(tmp_path / name) as file:
            assert file.read() == b"content"
    with pytest.raises(NotAPlainFileError):
        open_plain(tmp_path / "link", follow=False)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_pipes_folders_and_devices_are_no_plain_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(NotAPlainFileError, match="not a plain file"):
            open_plain(path)
    for name in ("absent", "a\0b", "a\ud800b"):
        with pytest.raises(FileNotFoundError):
            open_plain(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    regular = (tmp_path / "file").stat()
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(Path, "stat", lambda _: regular)
    with pytest.raises(NotAPlainFileError):
        open_plain(tmp_path / "pipe")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_pipes_are_never_replaced(tmp_path, whole):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CannotWriteError, match="not a plain file"), whole(tmp_path / "pipe"):
        pytest.fail("nothing should be written")
    with pytest.raises(CannotWriteError, match="not a plain file"):
        refuse_if_used(tmp_path / "pipe", overwrite=True)
    assert (tmp_path / "pipe").is_fifo()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_is_not_replaced_by_a_folder_nor_a_folder_by_a_file(tmp_path):
    (tmp_path / "file").write_text("precious")
    (tmp_path / "folder").mkdir()
    with pytest.raises(CannotWriteError, match="a file stands in its place"), whole_folder(tmp_path / "file"):
        pytest.fail("nothing should be written")
    with pytest.raises(CannotWriteError, match="a folder stands in its place"), whole_file(tmp_path / "folder"):
        pytest.fail("nothing should be written")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
@pytest.mark.parametrize("name", ["a\0b", "a\ud800b", "a" * 300, "file/inside", "loop"])
def test_names_that_nothing_can_have_are_refused(tmp_path, whole, name):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(CannotWriteError) as refused, whole(tmp_path / name):
        pytest.fail("nothing should be written")
    assert refused.value.fix
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_link_to_nothing_is_replaced_by_the_file(tmp_path):
    (tmp_path / "link").symlink_to("nothing")
    write_text(tmp_path / "link", "text")
    assert (tmp_path / "link").read_text() == "text"
    assert not (tmp_path / "link").is_symlink()
