"""What a stress test says to machines: stress.json and stress.csv."""

import csv
import io
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from leanseg import __version__
from leanseg.evaluation.statistics import Summary
from leanseg.evaluation.stress.contestants import Contestant
from leanseg.evaluation.stress.conventions import CONVENTIONS
from leanseg.evaluation.stress.findings import Findings
from leanseg.evaluation.stress.sentences import cautions, claims
from leanseg.evaluation.stress.summaries import (
    Difference,
    GroupSummary,
    Measured,
    attainable,
)
from leanseg.storage import encodable, write_text


def record_of(findings: Findings) -> dict[str, Any]:
    """Return what stress.json holds."""
    measured = findings.measured
    record = {
        "leanseg": __version__,
        "dataset": str(findings.dataset.root),
        "seed": findings.seed,
        "cases": list(measured.cases),
        "chosen": findings.selection.how,
        "claims": claims(findings),
        "cautions": cautions(findings),
        "classes": {name: list(values) for name, values in findings.dataset.targets.items()},
        "packages": {one.name: _package(one) for one in findings.contestants},
        "stresses": {
            stress.name: {
                "family": stress.family,
                "title": stress.title,
                "unit": stress.unit,
                "severities": list(stress.severities(measured.levels)),
                "attainable": {name: _numbers(attainable(measured, stress.name, name)) for name in measured.names()},
            }
            for stress in measured.stresses
        },
        "dice": {
            package: {
                stress.name: {
                    name: [_summary(one) for one in findings.curves[package, stress.name, name]]
                    for name in measured.names()
                }
                for stress in measured.stresses
            }
            for package in measured.packages
        },
        "costs": [
            {
                "stress": one.stress.name,
                "package": one.package,
                "untouched": _summary(one.untouched),
                "last": _summary(one.last),
                "mean_drop": _summary(one.drop),
            }
            for one in findings.costs
        ],
        "differences": [_difference(one) for one in findings.differences],
        "groups": [_group(one) for one in findings.groups],
        "failures": [
            {
                "case": one.case,
                "package": one.package or None,
                "stress": one.stress or None,
                "severity": one.severity,
                "reason": one.reason,
            }
            for one in findings.failures
        ],
        "conventions": CONVENTIONS,
    }
    held: dict[str, Any] = json.loads(encodable(json.dumps(record, ensure_ascii=False)))
    return held


def write_csv(measured: Measured, path: Path) -> None:
    """Write one row per case, package, stress, level and class; an empty cell is Dice that is not counted."""
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow(["case", "package", "stress", "level", "severity", "class", "dice", "attainable"])
    for package in measured.packages:
        for stress in measured.stresses:
            dice, most = measured.dice[package, stress.name], measured.attainable[stress.name]
            for row, case in enumerate(measured.cases):
                for level, severity in enumerate(stress.severities(measured.levels)):
                    for column, target in enumerate(measured.targets):
                        cells = (_cell(scores[row, level, column]) for scores in (dice, most))
                        writer.writerow([case, package, stress.name, level, f"{severity:.6g}", target, *cells])
    write_text(path, written.getvalue())


def _package(contestant: Contestant) -> dict[str, Any]:
    return {
        "path": str(contestant.package.path),
        "hash": contestant.package.hash,
        "network": contestant.package.plan.network.name,
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "first": one.first,
        "second": one.second,
        "stress": one.stress,
        "class": one.target,
        "levels": [_summary(summary) for summary in one.levels],
        "mean_over_levels": _summary(one.mean),
    }


def _group(one: GroupSummary) -> dict[str, Any]:
    return {
        "package": one.package,
        "column": one.group.column,
        "value": one.group.value,
        "cases": list(one.group.cases),
        "dice": _summary(one.untouched),
        "drop": _summary(one.drop),
        "drops": {stress: _summary(summary) for stress, summary in one.drops.items()},
    }


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        "n": summary.n,
        "mean": _number(summary.mean),
        "interval": [summary.low, summary.high] if math.isfinite(summary.low) else None,
    }


def _numbers(values: Iterable[float]) -> list[float | None]:
    return [_number(float(value)) for value in values]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _cell(score: float) -> str:
    return f"{score:.6g}" if math.isfinite(score) else ""
