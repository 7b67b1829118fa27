"""How disks are measured, and that nothing is left on them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from leanseg.doctor import disks
from leanseg.doctor.disks import FileSystem, disk_speed, existing, file_system
from leanseg.progress import Progress

MIB = 2**20


def test_a_measurement_tells_speeds_and_leaves_nothing(tmp_path):
    speed = disk_speed(tmp_path, Progress(), parts=2)
    assert speed.bytes == 32 * MIB
    assert speed.write > MIB
    assert speed.read > MIB
    assert 0 < speed.file < 5
    assert list(tmp_path.iterdir()) == []


def test_a_slow_disk_is_given_up_early(tmp_path, monkeypatch):
    synced = []

    def slow(file):
        synced.append(file)
        time.sleep(0.03)

    monkeypatch.setattr(disks, "_PATIENCE", 0.05)
    monkeypatch.setattr(os, "fsync", slow)
    speed = disk_speed(tmp_path, Progress(), parts=8)
    assert speed.bytes < 8 * 16 * MIB
    assert speed.write == pytest.approx(speed.bytes / (0.03 * speed.bytes / (16 * MIB)), rel=0.7)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a file system in memory")
def test_reading_from_memory_is_not_taken_for_a_disk():
    assert disk_speed(Path("/dev/shm"), Progress(), parts=1).read_from_memory


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        disk_speed(tmp_path, Progress())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_being_killed_leaves_nothing(tmp_path):
    code = (
        "import os, sys; from pathlib import Path\n"
        "from leanseg.doctor import disks; from leanseg.progress import Progress\n"
        "disks.os.fsync = lambda file: os.kill(os.getpid(), 9)\n"
        "disks.disk_speed(Path(sys.argv[1]), Progress())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert list(tmp_path.iterdir()) == []


def test_folders_that_were_made_for_it_are_removed_again(tmp_path):
    with existing(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert list(tmp_path.iterdir()) == []


def test_folders_that_were_there_or_are_used_by_now_stay(tmp_path):
    (tmp_path / "a").mkdir()
    with existing(tmp_path / "a" / "b"):
        pass
    assert (tmp_path / "a").is_dir()
    with existing(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "used").touch()
    assert (tmp_path / "a" / "b" / "used").exists()


def test_a_folder_that_cannot_be_made_leaves_nothing(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError), existing(tmp_path / "file" / "below"):  # noqa: PT011  which one depends on the system
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.fixture
def mounted(monkeypatch):
    """A function that says what is mounted where."""

    def mount(table):
        rows = [psutil._ntuples.sdiskpart("device", place, kind, "") for place, kind in table]
        monkeypatch.setattr(psutil, "disk_partitions", lambda **_: rows)

    return mount


@pytest.mark.skipif(os.name == "nt", reason="names of folders")
@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/data/scans", "nfs4"),
        ("/data", "nfs4"),
        ("/database", "ext4"),
        ("/data/fast/no/such", "xfs"),
        ("/tmp/x", "tmpfs"),
    ],
)
def test_the_innermost_mount_counts_and_the_last_of_those_at_one_place(mounted, folder, kind):
    mounted([("/", "rootfs"), ("/data/fast", "xfs"), ("/data", "nfs4"), ("/tmp", "tmpfs"), ("/", "ext4")])
    assert file_system(Path(folder)).kind == kind


def test_without_a_mount_table_the_kind_is_unknown(mounted, tmp_path):
    mounted([])
    assert file_system(tmp_path) == FileSystem("unknown")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="findmnt")
def test_the_system_agrees_on_this_folder(tmp_path):
    done = subprocess.run(["findmnt", "-nT", tmp_path, "-o", "FSTYPE"], capture_output=True, text=True, check=True)
    assert file_system(tmp_path).kind == done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("kind", "memory", "remote"),
    [
        ("ext4", False, False),
        ("tmpfs", True, False),
        ("nfs4", False, True),
        ("9p", False, True),
        ("apfs", False, False),
    ],
)
def test_kinds_of_file_systems(kind, memory, remote):
    assert (FileSystem(kind).is_memory, FileSystem(kind).is_remote) == (memory, remote)
