"""The GPU: what its driver tells, what torch makes of it, and where the two do not fit."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leanseg.doctor.attempts import Attempt, End
from leanseg.doctor.engines import TOLERANCE, TOLERANCE_OF_BF16, is_absent
from leanseg.doctor.findings import Finding, good, note, problem
from leanseg.errors import installation

AREA = "GPU"

_PATIENCE = 10.0  # seconds; without its persistence mode the driver wakes the GPU for each call
_QUERY = ("name", "driver_version", "memory.total", "memory.free")
_BUSY = 0.5  # share of free memory below which other programs matter
_INSTALL_CUDA = "install torch's CUDA build with the command that https://pytorch.org/get-started/locally gives"


@dataclass(frozen=True)
class Card:
    """A GPU as its driver describes it; bytes are None where it does not tell, as for parts of a GPU."""

    name: str
    driver: str
    total_bytes: int | None
    free_bytes: int | None


@dataclass(frozen=True)
class Driver:
    """What nvidia-smi answered. failure: its words where it found no GPU, or no driver."""

    cards: tuple[Card, ...] = ()
    failure: str = ""


def gpu(torch: Attempt) -> list[Finding]:
    """Return what there is of GPUs, given how torch fared in its own process."""
    found = gpu_findings(ask_driver(), torch, os.environ.get("CUDA_VISIBLE_DEVICES"))
    return [*found, *_apple(torch)]


def gpu_findings(driver: Driver | None, torch: Attempt, visible: str | None) -> list[Finding]:
    """Return what the driver's answer (None without nvidia-smi) and torch's steps mean together.

    visible: the environment variable CUDA_VISIBLE_DEVICES.
    """
    seen = _devices(torch)
    if seen:
        return [_computing(torch), *(_memory(number, seen, visible) for number in range(len(seen)))]
    if driver is None and torch.end is not End.WELL and "bf16" in torch.steps:
        return [
            note(
                AREA,
                "GPU",
                torch.detail,
                "torch fails when it looks for a GPU, as leanseg train does by default",
                "train with --device cpu",
            )
        ]
    if driver is None:
        return [good(AREA, "GPU", "none found", "leanseg trains and predicts on the CPU")]
    if not driver.cards:
        return [
            note(
                AREA,
                "driver",
                driver.failure or "nvidia-smi names no GPU",
                "leanseg trains and predicts on the CPU",
                "if this machine has an NVIDIA GPU: install its driver anew and restart; in docker add --gpus all",
            )
        ]
    return [_unused(driver, torch, visible)]


def sees_cuda(torch: Attempt) -> bool:
    """Tell whether torch sees a GPU, on which leanseg train then trains by default."""
    return bool(_devices(torch))


def ask_driver() -> Driver | None:
    """Return what nvidia-smi says; None where it is not installed."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    command = [program, f"--query-gpu={','.join(_QUERY)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(  # noqa: S603
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return Driver(failure=f"nvidia-smi did not answer within {_PATIENCE:.0f} s")
    except OSError as error:
        return Driver(failure=f"nvidia-smi cannot be started: {error.strerror}")
    return read_driver(done.stdout, failed=done.returncode != 0)


def read_driver(text: str, *, failed: bool) -> Driver:
    """Return what `text` says, the answer of nvidia-smi to our query, or its complaint when it `failed`."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    rows = [[cell.strip() for cell in line.split(",")] for line in lines]
    if failed or not rows or any(len(row) != len(_QUERY) for row in rows):
        return Driver(failure=" ".join(lines[:2]))
    return Driver(tuple(Card(name, version, _bytes(total), _bytes(free)) for name, version, total, free in rows))


def _devices(torch: Attempt) -> Sequence[Mapping[str, Any]]:
    """Return the GPUs that torch sees, in its order."""
    devices: Sequence[Mapping[str, Any]] = torch.steps.get("cuda", {}).get("devices", [])
    return devices


def _bytes(mebibytes: str) -> int | None:
    return int(mebibytes) * 2**20 if mebibytes.isdigit() else None


def _unused(driver: Driver, torch: Attempt, visible: str | None) -> Finding:
    """Return why torch does not use a GPU that the driver sees."""
    names = ", ".join(f"{card.name} (driver {card.driver})" for card in driver.cards)
    why, fix = _mismatch(torch, visible)
    return note(
        AREA,
        "GPU",
        f"{names}, not used",
        f"{why}: leanseg trains and predicts on the CPU",
        fix,
        cards=[vars(card) for card in driver.cards],
    )


def _mismatch(torch: Attempt, visible: str | None) -> tuple[str, str]:
    loaded = torch.steps.get("loaded")
    if loaded is None:
        if is_absent("torch", torch):
            return "torch is not installed", installation("train")
        return "torch does not work", "see torch among the engines"
    if visible is not None and visible.strip() in {"", "-1"}:
        return f"CUDA_VISIBLE_DEVICES is {visible!r} and hides it", "unset CUDA_VISIBLE_DEVICES"
    if loaded["cuda_build"] is None:
        return f"torch {loaded['version']} is a build for CPUs", _INSTALL_CUDA
    reason = torch.steps.get("cuda", {}).get("reason") or torch.detail or "torch gives no reason"
    return (
        f"torch {loaded['version']}, built for CUDA {loaded['cuda_build']}, cannot use it ({reason})",
        f"update NVIDIA's driver, or {_INSTALL_CUDA} for an older CUDA",
    )


def _computing(torch: Attempt) -> Finding:
    """Return whether torch computes the tile on the GPU that it sees."""
    version, fix = torch.steps["loaded"]["version"], "train with --device cpu until torch and the driver fit each other"
    computed, bf16 = torch.steps.get("cuda_computed"), torch.steps.get("cuda_bf16")
    if computed is None or bf16 is None:
        return problem(
            AREA,
            "torch on CUDA",
            torch.detail,
            "leanseg train takes the GPU by default and would fail",
            fix,
            works=False,
        )
    facts = {"difference": computed["difference"], "bf16_difference": bf16["difference"]}
    if computed["difference"] > TOLERANCE or bf16["difference"] > TOLERANCE_OF_BF16:
        value = f"wrong scores: fp32 differs by {computed['difference']:.1e}, bf16 by {bf16['difference']:.1e}"
        return problem(AREA, "torch on CUDA", value, "what it trains cannot be trusted", fix, works=False, **facts)
    return good(
        AREA,
        "torch on CUDA",
        f"torch {version} computes one tile rightly in fp32 and bf16",
        "leanseg train takes the first GPU by default (--device auto), predict with --engine torch",
        works=True,
        **facts,
    )


def _memory(number: int, devices: Sequence[Mapping[str, Any]], visible: str | None) -> Finding:
    """Return how much memory the GPU `number` of `devices` has left."""
    from leanseg.plans import show_bytes

    device = devices[number]
    free, total = device["free_bytes"], device["total_bytes"]
    name, value = f"GPU {number}", f"{device['model']}, {show_bytes(free)} of {show_bytes(total)} free"
    if _has_room(device):
        return good(AREA, name, value, "leanseg plan fits patch and batch into it", **device)
    return note(
        AREA,
        name,
        value,
        "other programs use it: training may run out of its memory",
        f"close them{_another(devices, visible)}",
        **device,
    )


def _another(devices: Sequence[Mapping[str, Any]], visible: str | None) -> str:
    """Return how to choose the one of `devices` with the most free memory, if one has room."""
    free = [number for number, device in enumerate(devices) if _has_room(device)]
    if not free:
        return ""
    best = max(free, key=lambda number: int(devices[number]["free_bytes"]))
    # torch counts what the variable leaves it: its GPU 0 is the first that the variable names.
    names = [name.strip() for name in (visible or "").split(",") if name.strip()]
    return f", or choose GPU {best}: CUDA_VISIBLE_DEVICES={names[best] if best < len(names) else best}"


def _has_room(device: Mapping[str, Any]) -> bool:
    """Tell whether other programs leave enough of a GPU's memory."""
    return bool(device["free_bytes"] >= _BUSY * device["total_bytes"])


def _apple(torch: Attempt) -> Sequence[Finding]:
    if not torch.steps.get("mps", {}).get("available"):
        return ()
    return (good(AREA, "Apple GPU (MPS)", "there", "not used yet: leanseg trains and predicts on the CPU"),)
