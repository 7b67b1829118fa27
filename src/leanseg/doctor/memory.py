"""How much memory there is, how much of it is free, and what happens when it runs out."""

import sys

from leanseg.doctor.findings import Finding, good, note
from leanseg.machine import free_bytes, ram_bytes

AREA = "memory"

# From docs/results.md: what predicting one scan of 240 x 240 x 155 voxels with two channels took.
_LARGE_SCAN = 1_660_000_000
_BUSY_SWAP = 0.5  # share in use from which on the machine is likely to be short of memory


def memory() -> list[Finding]:
    """Return what this process may take, what is free now, and the swap space."""
    import psutil

    machine, swap = psutil.virtual_memory(), psutil.swap_memory()
    return [
        limited(ram_bytes(), int(machine.total)),
        free(free_bytes()),
        swapping(int(swap.total), int(swap.used), grows=sys.platform == "darwin"),
    ]


def limited(limit: int, machine: int) -> Finding:
    """Return what it means that this process may take `limit` of the machine's bytes."""
    from leanseg.plans import show_bytes

    facts = {"limit_bytes": limit, "machine_bytes": machine}
    if limit >= machine:
        return good(
            AREA, "total", show_bytes(machine), "leanseg plan takes 80 % of it for training unless --ram says", **facts
        )
    return note(
        AREA,
        "total",
        f"{show_bytes(limit)} of the machine's {show_bytes(machine)}",
        "a container or batch system ends this process when it takes more; leanseg plans with the limit",
        "if that is too little: docker run --memory, or --mem of SLURM",
        **facts,
    )


def free(available: int) -> Finding:
    """Return what `available` bytes are enough for."""
    from leanseg.plans import show_bytes

    if available >= _LARGE_SCAN:
        return good(AREA, "free", show_bytes(available), "enough to predict large scans", bytes=available)
    return note(
        AREA,
        "free",
        show_bytes(available),
        f"predicting a scan of 240 x 240 x 155 voxels with two channels took {show_bytes(_LARGE_SCAN)}",
        "close other programs, or crop large scans; leanseg plan --ram keeps training within what is free",
        bytes=available,
    )


def swapping(total: int, used: int, *, grows: bool) -> Finding:
    """Return what `total` bytes of swap space with `used` bytes in use mean.

    grows: the system makes more when it needs more, as macOS does: most of what there is is then always in use.
    """
    from leanseg.plans import show_bytes

    facts = {"bytes": total, "used_bytes": used}
    slow = "training that swaps is slow: --ram of leanseg plan keeps it from that"
    if grows:
        meaning = f"the system makes more of it as it needs more; {slow}"
        return good(AREA, "swap", f"{show_bytes(used)} in use", meaning, **facts)
    if not total:
        return good(
            AREA, "swap", "none", "a process that takes too much memory is ended instead of slowed down", **facts
        )
    value = f"{show_bytes(used)} of {show_bytes(total)} in use"
    if used < _BUSY_SWAP * total:
        return good(AREA, "swap", value, slow, **facts)
    return note(
        AREA,
        "swap",
        value,
        "memory has been short on this machine; whatever swaps is slow, and its timings mislead leanseg plan",
        "close other programs before leanseg plan and leanseg train",
        **facts,
    )
