"""What the folders leanseg writes to mean."""

from pathlib import Path

import pytest

from leanseg.doctor import folders as room
from leanseg.doctor.disks import DiskSpeed, FileSystem
from leanseg.doctor.folders import cache_findings, cache_place, current, folders, shared_memory, speed_of, temporary
from leanseg.progress import Progress

GB = 10**9
HERE = Path("/here")


@pytest.mark.parametrize(
    ("write", "read", "file", "status"),
    [
        (900e6, 2e9, 0.002, "good"),
        (21e6, 51e6, 0.049, "good"),
        (19e6, 2e9, 0.002, "note"),
        (900e6, 49e6, 0.002, "note"),
        (900e6, 2e9, 0.06, "note"),
    ],
)
def test_a_slow_disk_is_worth_a_note(write, read, file, status):
    assert speed_of(DiskSpeed(2**27, write, read, False, file)).status == status


def test_a_speed_that_may_be_memorys_is_told_as_such():
    assert "perhaps from memory" in speed_of(DiskSpeed(2**27, 1e9, 9e9, True, 0.001)).value
    assert "memory" not in speed_of(DiskSpeed(2**27, 1e9, 9e9, False, 0.001)).value


@pytest.mark.parametrize(
    ("kind", "room", "status", "fix"),
    [("ext4", GB, "good", ""), ("tmpfs", GB, "note", "LEANSEG_CACHE"), ("ext4", GB // 2, "note", "LEANSEG_CACHE")],
)
def test_a_cache_belongs_on_a_disk_with_room(kind, room, status, fix):
    finding = cache_place(HERE, FileSystem(kind), room)
    assert finding.status == status
    assert fix in finding.fix
    assert str(HERE) in finding.value


@pytest.mark.parametrize(
    ("kind", "room", "status"), [("ext4", GB, "good"), ("ext4", GB - 1, "note"), ("nfs4", 900 * GB, "note")]
)
def test_runs_belong_on_a_local_disk_with_room(kind, room, status):
    finding = current(HERE, FileSystem(kind), room)
    assert finding.status == status
    assert ("-o" in finding.fix) == (status == "note")


@pytest.mark.parametrize(("kind", "status"), [("tmpfs", "note"), ("ext4", "good")])
def test_temporary_files_in_memory_are_worth_a_note(kind, status):
    assert temporary(HERE, FileSystem(kind), GB).status == status


@pytest.mark.parametrize(
    ("size", "usable", "cuda", "status"),
    [
        (64 * 2**20, 2, False, "good"),
        (64 * 2**20, 3, False, "note"),
        (64 * 2**20, 64, False, "note"),
        (64 * 2**20, 1, True, "good"),
        (64 * 2**20, 2, True, "note"),
        (8 * GB, 64, False, "good"),
        (8 * GB, 64, True, "good"),
    ],
)
def test_little_shared_memory_is_worth_a_note_where_loader_processes_use_it(size, usable, cuda, status):
    finding = shared_memory(size, usable, cuda=cuda)
    assert finding.status == status
    assert ("--shm-size" in finding.fix) == (status == "note")


@pytest.mark.slow  # imports Lightning
@pytest.mark.parametrize(("device", "usable"), [("cpu", room._NO_LOADERS), ("cuda", room._NO_LOADERS_WITH_CUDA)])
def test_training_has_loader_processes_from_the_number_of_cores_that_the_note_assumes(monkeypatch, device, usable):
    from leanseg.learning.training import fitting

    monkeypatch.setattr(fitting.multiprocessing, "get_start_method", lambda: "fork")
    monkeypatch.setattr(fitting, "cores", lambda: usable)
    assert fitting._workers(device) == 0
    monkeypatch.setattr(fitting, "cores", lambda: usable + 1)
    assert fitting._workers(device) > 0


def test_the_cache_folder_is_measured_and_left_as_it_was(tmp_path):
    folder = tmp_path / "cache"
    place, speed = cache_findings(folder, Progress())
    assert place.facts["folder"] == str(folder)
    assert speed.facts["measured_bytes"] > 0
    assert not folder.exists()


def test_a_cache_folder_that_cannot_be_written_is_a_note(tmp_path):
    (tmp_path / "file").touch()
    (finding,) = cache_findings(tmp_path / "file" / "cache", Progress())
    assert finding.status == "note"
    assert "LEANSEG_CACHE" in finding.fix


def test_a_disk_that_fills_up_meanwhile_is_a_note(tmp_path, monkeypatch):
    def full(folder, progress):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room, "disk_speed", full)
    *_, finding = cache_findings(tmp_path, Progress())
    assert finding.status == "note"
    assert "No space left" in finding.value


def test_this_machines_folders_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("LEANSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    found = {finding.name: finding for finding in folders(Progress(), cuda=False)}
    assert {"cache", "speed of the cache", "this folder"} <= set(found)
    assert found["this folder"].facts["folder"] == str(Path.cwd())
    assert list(tmp_path.iterdir()) == []
