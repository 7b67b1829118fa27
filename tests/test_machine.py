"""What this machine grants: limits of containers, in a made-up /proc and /sys, and what the process took."""

import os
import subprocess
import sys

import psutil
import pytest

from leanseg import machine


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """A function that writes what /proc/self/cgroup says and the files below /sys/fs/cgroup."""

    def write(own, files):
        (tmp_path / "cgroup").write_text(own)
        for name, text in files.items():
            path = tmp_path / "sys" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")

    monkeypatch.setattr(machine, "_OWN_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path / "sys")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    return write


@pytest.mark.parametrize(
    ("own", "files", "limit"),
    [
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "3000", "memory.max": "5000"}, 3000),
        ("0::/a/b\n", {"a/b/memory.max": "2000", "a/memory.max": "3000"}, 2000),
        ("0::/docker/abc\n", {"memory.max": "4000"}, 4000),  # a container that sees its own group as the root
        ("0::/../other\n", {"memory.max": "4000"}, 4000),
        ("5:cpu,cpuacct:/c\n4:memory:/a\n0::/\n", {"memory/a/memory.limit_in_bytes": "1000"}, 1000),
        ("4:memory:/a\n", {"memory/memory.limit_in_bytes": "1000", "cpu/a/memory.limit_in_bytes": "1"}, 1000),
    ],
)
def test_the_smallest_memory_limit_on_the_way_to_the_root_counts(groups, own, files, limit):
    groups(own, files)
    assert machine.ram_bytes() == limit


@pytest.mark.parametrize(
    ("own", "files", "free"),
    [
        ("0::/a\n", {"a/memory.max": "3000", "a/memory.current": "1000"}, 2000),
        (
            "0::/a\n",
            {
                "a/memory.max": "3000",
                "a/memory.current": "1000",
                "a/memory.stat": "file 900\ninactive_file 400\nactive_file 500\ntotal_inactive_file 7",
            },
            2400,
        ),
        (
            "0::/a\n",
            {"a/memory.max": "3000", "a/memory.current": "1000", "memory.max": "4000", "memory.current": "3500"},
            500,
        ),
        ("0::/a\n", {"a/memory.max": "3000", "a/memory.current": "4000"}, 0),
        ("0::/a\n", {"a/memory.max": "3000"}, 3000),
        (
            "4:memory:/a\n",
            {
                "memory/a/memory.limit_in_bytes": "3000",
                "memory/a/memory.usage_in_bytes": "1000",
                "memory/a/memory.stat": "inactive_file 1\ntotal_inactive_file 300",
            },
            2300,
        ),
    ],
)
def test_what_a_group_uses_is_not_free_except_for_files_that_nobody_asks_for(groups, own, files, free):
    groups(own, files)
    assert machine.free_bytes() == free


def test_no_more_is_free_than_the_machine_has(groups, monkeypatch):
    groups("0::/a\n", {"a/memory.max": str(2**62), "a/memory.current": "1000"})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: type("Memory", (), {"available": 12345}))
    assert machine.free_bytes() == 12345


@pytest.mark.parametrize(
    ("own", "files", "cores"),
    [
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "200000 100000"}, 2),
        ("0::/a\n", {"a/cpu.max": "150000 100000"}, 2),
        ("0::/a\n", {"a/cpu.max": "10000 100000"}, 1),
        ("3:cpu,cpuacct:/a\n", {"cpu/a/cpu.cfs_quota_us": "300000", "cpu/a/cpu.cfs_period_us": "100000"}, 3),
        ("3:cpu:/a\n", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, 64),
    ],
)
def test_a_share_of_time_counts_as_so_many_cores(groups, own, files, cores):
    groups(own, files)
    assert machine.cores() == cores


@pytest.mark.parametrize("own", ["0::/\n", "", "nonsense\n", "0::/a\n"])
def test_without_limits_the_machine_counts(groups, own):
    groups(own, {"a/memory.max": "max", "a/cpu.max": "max"})
    assert machine.ram_bytes() == psutil.virtual_memory().total
    assert machine.cores() == 64


def test_the_peak_is_that_of_this_process_and_not_of_its_parent():
    """getrusage's peak is handed down from a parent; here that parent has 300 MB."""
    child = "from leanseg.machine import peak_rss_bytes; print(peak_rss_bytes())"
    parent = f"import subprocess, sys; held = b'x' * 300_000_000; subprocess.run([sys.executable, '-c', {child!r}])"
    done = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True)
    assert 1_000_000 < int(done.stdout) < 150_000_000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux lets a process forget its peak")
def test_a_peak_can_be_forgotten():
    """In a process of its own: after a training this one may keep what is freed."""
    script = """
import mmap
from leanseg import machine
with mmap.mmap(-1, 100_000_000) as ballast:
    ballast.write(bytes(100_000_000))
    high = machine.peak_rss_bytes()
machine.forget_peak_rss()
assert machine.peak_rss_bytes() < high - 50_000_000
"""
    subprocess.run([sys.executable, "-c", script], check=True)
