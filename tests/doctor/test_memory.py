"""What an amount of memory means."""

from types import SimpleNamespace

import psutil
import pytest

from leanseg import machine
from leanseg.doctor.findings import Status
from leanseg.doctor.memory import free, limited, memory, swapping

GB = 10**9


def test_a_limit_below_the_machines_memory_is_told():
    finding = limited(8 * GB, 64 * GB)
    assert finding.status is Status.NOTE
    assert finding.value == "8 GB of the machine's 64 GB"
    assert finding.facts == {"limit_bytes": 8 * GB, "machine_bytes": 64 * GB}


def test_all_of_the_machines_memory_is_good():
    assert limited(64 * GB, 64 * GB).status is Status.GOOD


@pytest.mark.parametrize(("available", "status"), [(1.6 * GB, "note"), (1.7 * GB, "good")])
def test_too_little_free_memory_for_a_large_scan_is_worth_a_note(available, status):
    assert free(int(available)).status == status


@pytest.mark.parametrize(
    ("total", "used", "status", "value"),
    [
        (0, 0, "good", "none"),
        (8 * GB, GB, "good", "1 GB of 8 GB in use"),
        (8 * GB, 7 * GB, "note", "7 GB of 8 GB in use"),
    ],
)
def test_swap_space_in_use_is_worth_a_note(total, used, status, value):
    finding = swapping(total, used, grows=False)
    assert (finding.status, finding.value) == (status, value)


@pytest.mark.parametrize(("total", "used", "value"), [(8 * GB, 7 * GB, "7 GB in use"), (0, 0, "0 B in use")])
def test_swap_space_that_grows_is_in_use_wherever_it_is(total, used, value):
    finding = swapping(total, used, grows=True)
    assert (finding.status, finding.value) == (Status.GOOD, value)


@pytest.mark.parametrize(("platform", "status"), [("darwin", "good"), ("linux", "note")])
def test_swap_space_grows_on_macs(monkeypatch, platform, status):
    monkeypatch.setattr("leanseg.doctor.memory.sys", SimpleNamespace(platform=platform))
    monkeypatch.setattr(psutil, "swap_memory", lambda: SimpleNamespace(total=8 * GB, used=7 * GB))
    assert memory()[-1].status == status


def test_what_a_container_already_uses_is_not_free(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("4000000000\n")
    (tmp_path / "memory.current").write_text("3000000000\n")
    (tmp_path / "cgroup").write_text("0::/\n")
    monkeypatch.setattr(machine, "_OWN_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
    _, available, _ = memory()
    assert (available.status, available.facts["bytes"]) == (Status.NOTE, GB)


def test_this_machines_memory_is_told():
    total, available, swap = memory()
    assert total.facts["machine_bytes"] == psutil.virtual_memory().total
    assert 0 < available.facts["bytes"] <= total.facts["limit_bytes"]
    assert swap.facts["bytes"] == psutil.swap_memory().total
