"""What a training step costs on the CPU, with and without what leanseg sets for the process.

Claim: memory that is kept saves time (machine.keep_freed_memory). Also shown: what a second training beside it costs,
and that OpenMP threads which sleep sooner are no help then. Every variant runs in a process of its own, in turns; the
median of the steps of the best turn counts.

    python benchmarks/training_step.py [SECONDS]
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

VARIANTS = {
    "as torch comes": {"keep": False, "spin": None},
    "freed memory kept": {"keep": True, "spin": None},
    "kept, waiting threads sleep soon": {"keep": True, "spin": "10000"},
}
TURNS = 3


def steps(keep: bool, seconds: float) -> float:
    """Return the median seconds of a step of Distill DSM's U-Net on 2 x 36 x 48 x 32 voxels in bf16."""
    import torch

    from leanseg.learning import networks
    from leanseg.learning.layers.memory_format import channels_last
    from leanseg.machine import keep_freed_memory

    if keep:
        keep_freed_memory()
    torch.manual_seed(0)
    network = channels_last(networks.create("distill_dsm_unet", 1, 3)).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    image, labels = torch.randn(2, 1, 36, 48, 32), torch.randint(0, 3, (2, 36, 48, 32))
    taken = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken) < 3:
        began = time.perf_counter()
        optimiser.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = network(image)
        torch.nn.functional.cross_entropy(logits.float(), labels).backward()
        optimiser.step()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def start(variant: dict, seconds: float) -> subprocess.Popen:
    """Start a process that prints its median step."""
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    if variant["spin"]:
        environment["GOMP_SPINCOUNT"] = variant["spin"]
    command = [sys.executable, __file__, "--steps", str(int(variant["keep"])), str(seconds)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def measure(variant: dict, seconds: float, *, beside: bool) -> float:
    """Return the median step in seconds, alone or `beside` a process of the same kind."""
    other = start(variant, seconds * 2) if beside else None
    found = float(start(variant, seconds).communicate()[0])
    if other:
        other.kill()
        other.wait()
    return found


def main(seconds: float) -> None:
    """Print the table and write it as JSON beside this file's name into build/."""
    found = {(name, beside): [] for beside in (False, True) for name in VARIANTS}
    for _ in range(TURNS):
        for (name, beside), medians in found.items():
            medians.append(measure(VARIANTS[name], seconds, beside=beside))
    rows = {name: (min(found[name, False]), min(found[name, True])) for name in VARIANTS}
    print(f"{'variant':<36}{'alone':>10}{'beside another':>18}")
    for name, (alone, shared) in rows.items():
        print(f"{name:<36}{alone * 1000:>7.0f} ms{shared * 1000:>15.0f} ms")
    out = Path("build/benchmarks/training_step.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({name: {"alone": a, "beside_another": b} for name, (a, b) in rows.items()}, indent=2))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--steps"]:
        print(steps(bool(int(sys.argv[2])), float(sys.argv[3])))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 6.0)
