"""A picture of what the memory of a training run consists of, for the plans of the page on budgets.

The parts come from the planner's own model, once, when the plans are recorded; the page draws what was recorded.
"""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from leanseg_docs.places import RECORDED
from leanseg_docs.scenes import scene

RECORD = "memory.json"
_WIDTH, _BAR, _GAP, _TOP, _KEY = 720, 30, 46, 6, 22
_PARTS = ("libraries", "weights", "patches", "judging", "cases")
_MEANINGS = ("libraries", "weights and their gradients", "patches at work", "export and judging", "decoded cases")


class WrongSumError(Exception):
    """The parts are not what the plan says all of it takes."""


def record_memory(scratch: Path, plans: dict[Path, str]) -> None:
    """Write the parts of the memory of each plan (path -> the scene that made it), as recorded/memory.json."""
    records = [_record(scratch, path, name) for path, name in plans.items()]
    (RECORDED / RECORD).write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


def memory_picture() -> str:
    """Return the recorded parts as stacked bars, SVG that takes its colours from the page."""
    records = json.loads((RECORDED / RECORD).read_text(encoding="utf-8"))
    longest = max(max(sum(record["parts"].values()), record["limit"] or 0) for record in records)
    height = _TOP + len(records) * (_BAR + _GAP) + 10 + _KEY * 2
    label = "What the memory of a training run consists of"
    drawn = [f'<svg class="picture" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">']
    for index, record in enumerate(records):
        drawn += _bar(record, _TOP + index * (_BAR + _GAP), (_WIDTH - 10) / longest)
    drawn += _key(_TOP + len(records) * (_BAR + _GAP) + 10)
    return "\n".join([*drawn, "</svg>"])


def _bar(record: dict[str, Any], top: int, scale: float) -> list[str]:
    """Return one bar of the parts of `record`, its title above it and its limit as a line."""
    parts = record["parts"]
    patch = " × ".join(map(str, record["patch"]))
    about = f"{record['budget']}: {record['batch']} patches of {patch}, {sum(parts.values()) / 1e9:.2f} GB"
    drawn = [f'<text x="0" y="{top + 14}">{about}</text>']
    left = 0.0
    for name in _PARTS:
        width = parts[name] * scale
        drawn.append(
            f'<rect class="part {name}" x="{left:.1f}" y="{top + 22}" width="{width:.1f}" height="{_BAR}">'
            f"<title>{_MEANINGS[_PARTS.index(name)]}: {parts[name] / 1e9:.2f} GB</title></rect>"
        )
        left += width
    if record["limit"]:
        x = record["limit"] * scale
        drawn.append(f'<line class="limit" x1="{x:.1f}" x2="{x:.1f}" y1="{top + 16}" y2="{top + 28 + _BAR}"/>')
    return drawn


def _key(top: int) -> list[str]:
    """Return what the colours mean, in two lines."""
    drawn = []
    for index, (name, meaning) in enumerate(zip(_PARTS, _MEANINGS, strict=True)):
        x, y = index % 3 * 240, top + index // 3 * _KEY
        drawn.append(f'<rect class="part {name}" x="{x}" y="{y}" width="12" height="12"/>')
        drawn.append(f'<text x="{x + 18}" y="{y + 11}">{meaning}</text>')
    x, y = 480, top + _KEY
    drawn.append(f'<line class="limit" x1="{x + 6}" x2="{x + 6}" y1="{y - 2}" y2="{y + 14}"/>')
    drawn.append(f'<text x="{x + 18}" y="{y + 11}">the limit given</text>')
    return drawn


def _record(scratch: Path, path: Path, name: str) -> dict[str, Any]:
    from leanseg.plans import read_plan

    plan = read_plan(path)
    command = scene(name).command.split()
    return {
        "budget": " ".join(command[command.index("--ram") :]),
        "limit": plan.budget.training_ram,
        "patch": plan.training.patch,
        "batch": plan.training.batch,
        "parts": _parts(plan, scratch / command[2]),
    }


def _parts(plan: Any, data: Path) -> dict[str, int]:
    """Return the bytes of each part. Raises WrongSumError unless they are together what the plan estimates."""
    from leanseg.datasets import fingerprint, open_dataset
    from leanseg.learning.costing import judging_ram, network_costs, training_ram
    from leanseg.learning.planning.grid import choose_grid

    dataset = open_dataset(data)
    found = fingerprint(dataset)
    sizes = choose_grid(found, plan.preprocessing.crop_to_content).sizes
    voxels = max(math.prod(size) for size in (*sizes, *(case.shape for case in found.cases)))
    channels, outputs = len(plan.data.channels), plan.data.outputs
    for precision in ("bf16", "fp32"):  # the plan keeps the sum, not the number format that was measured as fastest
        costs = network_costs(plan.network.name, channels, outputs, plan.network.options, precision)
        batch, nothing = plan.training.batch, (0, 0, 0)
        libraries = training_ram(replace(costs, parameters=0), nothing, batch, channels)
        weights = training_ram(costs, nothing, batch, channels) - libraries
        patches = training_ram(costs, plan.training.patch, batch, channels) - libraries - weights
        judging = judging_ram(costs, plan.inference.tile, voxels, channels, outputs)
        cases = plan.estimates.training_ram - libraries - weights - patches - judging
        decoded = _decoded(sizes, plan)
        if cases in (0, decoded):
            return dict(zip(_PARTS, (libraries, weights, patches, judging, cases), strict=True))
    message = f"{plan.estimates.training_ram} is not the sum of the parts"
    raise WrongSumError(message)


def _decoded(sizes: Any, plan: Any) -> int:
    from leanseg.learning.costing import decoded_bytes

    return decoded_bytes(sizes, len(plan.data.channels), len(plan.data.labels) + (plan.data.ignore is not None))
