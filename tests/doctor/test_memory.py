"""What an amount of memory means."""

import psutil
import pytest

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
    finding = swapping(total, used)
    assert (finding.status, finding.value) == (status, value)


def test_this_machines_memory_is_told():
    total, available, swap = memory()
    assert total.facts["machine_bytes"] == psutil.virtual_memory().total
    assert 0 < available.facts["bytes"] <= total.facts["limit_bytes"]
    assert swap.facts["bytes"] == psutil.swap_memory().total
