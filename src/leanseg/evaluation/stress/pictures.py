"""The pictures of a stress test: the curves of all stresses, and the same class by class."""

import math
from pathlib import Path

import numpy as np

from leanseg.evaluation.stress.catalogue import Stress
from leanseg.evaluation.stress.curves import Panel, draw_curves
from leanseg.evaluation.stress.findings import Findings
from leanseg.evaluation.stress.summaries import MEAN, Measured, attainable

_MOST_CLASSES = 8  # rows of the picture by class; of more those that end lowest


def draw_pictures(findings: Findings, folder: Path) -> None:
    """Write curves.svg and curves.png into `folder`; where there are several classes, classes.svg and .png, too."""
    measured = findings.measured
    several = len(measured.targets) > 1
    overall = [_panel(findings, stress, MEAN) for stress in measured.stresses]
    draw_curves([overall], folder / "curves", axis="Dice, mean over classes" if several else "Dice")
    if several:
        rows = [[_panel(findings, stress, name) for stress in measured.stresses] for name in _shown(measured)]
        draw_curves(rows, folder / "classes")


def _panel(findings: Findings, stress: Stress, target: str) -> Panel:
    measured = findings.measured
    lines = {package: findings.curves[package, stress.name, target] for package in measured.packages}
    most = attainable(measured, stress.name, target)
    return Panel(stress, stress.severities(measured.levels), lines, most, "" if target == MEAN else target)


def _shown(measured: Measured) -> list[str]:
    """Return the classes that end lowest under some stress, in their own order."""
    lowest = sorted(measured.targets, key=lambda name: _worst(measured, name))[:_MOST_CLASSES]
    return [name for name in measured.targets if name in lowest]


def _worst(measured: Measured, target: str) -> float:
    """Return the lowest mean Dice of `target` at the end of a curve; infinity where it is nowhere counted."""
    ends = [
        measured.of(package, stress.name, target)[:, -1]
        for package in measured.packages
        for stress in measured.stresses
    ]
    return min((float(np.nanmean(end)) for end in ends if np.isfinite(end).any()), default=math.inf)
