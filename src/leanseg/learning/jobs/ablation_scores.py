"""What the runs of an ablation say together: Dice of every setting on the same cases, and paired differences.

The unit is the case: where a setting has several seeds, a case's Dice is the mean over them. Intervals are those of
leanseg.evaluation.statistics. Differences are to the first setting, case by case, over the cases that both have judged.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.evaluation.statistics import Summary, summarise
from leanseg.learning.jobs.ablation_folder import AblationFolder, SettingRecord

MEAN = "mean"
CaseDice = Mapping[str, Mapping[str, float]]
"""Case -> class or region -> Dice, NaN where it is not counted."""


@dataclass(frozen=True)
class SettingScores:
    """One setting over its runs. dice: by class or region, and their mean; difference: of the mean to the first's.

    steps, minutes: mean over its runs. cases: how many were judged.
    """

    setting: str
    values: Mapping[str, Any]
    seeds: tuple[int, ...]
    cases: int
    dice: Mapping[str, Summary]
    difference: Summary | None
    parameters: int
    macs_per_voxel: float
    steps: float
    minutes: float


def setting_scores(folder: AblationFolder, runs: Sequence[SettingRecord]) -> tuple[SettingScores, ...]:
    """Return the scores of every setting of which a run is finished. runs: those that are, in their order."""
    by_setting: dict[str, list[SettingRecord]] = {}
    for run in runs:
        by_setting.setdefault(run.setting, []).append(run)
    found: list[SettingScores] = []
    first: CaseDice = {}
    for setting, of_setting in by_setting.items():
        dice = mean_over_seeds([case_dice(folder, run.name) for run in of_setting])
        first = first or dice
        found.append(
            SettingScores(
                setting=setting,
                values=of_setting[0].values,
                seeds=tuple(run.seed for run in of_setting),
                cases=len(dice),
                dice=_summaries(dice),
                difference=None if dice is first else difference(dice, first),
                parameters=of_setting[0].parameters,
                macs_per_voxel=of_setting[0].macs_per_voxel,
                steps=float(np.mean([_steps(folder, run.name) for run in of_setting])),
                minutes=float(np.mean([run.seconds for run in of_setting])) / 60,
            )
        )
    return tuple(found)


def case_dice(folder: AblationFolder, name: str) -> CaseDice:
    """Return the Dice of every case that the run `name` has judged; empty where it could predict none."""
    table = folder.run(name).validation / "report" / "metrics.csv"
    found: dict[str, dict[str, float]] = {}
    if table.is_file():
        with table.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found.setdefault(row["case"], {})[row["class"]] = float(row["dice"]) if row["dice"] else math.nan
    return found


def mean_over_seeds(seeds: Sequence[CaseDice]) -> CaseDice:
    """Return the mean over several runs of one setting, of the cases that all of them have judged."""
    cases = [case for case in seeds[0] if all(case in dice for dice in seeds)]
    return {
        case: {target: _mean([dice[case][target] for dice in seeds]) for target in seeds[0][case]} for case in cases
    }


def difference(these: CaseDice, those: CaseDice) -> Summary:
    """Summarise mean Dice of these minus those, case by case."""
    common = [case for case in these if case in those]
    column = np.array([[_mean([*these[case].values()]) - _mean([*those[case].values()])] for case in common])
    return summarise(column.reshape(-1, 1))[0] if common else Summary(0, *(math.nan,) * 5)


def described(scores: SettingScores) -> dict[str, Any]:
    """Return what ablation.json says of a setting."""
    return {
        "setting": scores.setting,
        "values": dict(scores.values),
        "seeds": list(scores.seeds),
        "cases": scores.cases,
        "dice": {name: _plain(summary) for name, summary in scores.dice.items()},
        "difference_to_first": _plain(scores.difference) if scores.difference else None,
        "parameters": scores.parameters,
        "macs_per_voxel": scores.macs_per_voxel,
        "steps": scores.steps,
        "minutes": scores.minutes,
    }


def rows_of(settings: Sequence[SettingScores]) -> list[dict[str, str]]:
    """Return the rows of ablation.csv, one for each setting; an empty cell is what is not counted."""
    rows = []
    for scores in settings:
        row = {"setting": scores.setting, "seeds": " ".join(map(str, scores.seeds)), "cases": str(scores.cases)}
        for name, summary in scores.dice.items():
            row |= _cells(f"dice {name}", summary)
        row |= _cells("difference to first", scores.difference or Summary(0, *(math.nan,) * 5))
        row |= {
            "parameters": str(scores.parameters),
            "macs per voxel": f"{scores.macs_per_voxel:.6g}",
            "steps": f"{scores.steps:g}",
            "minutes": f"{scores.minutes:.3g}",
        }
        rows.append(row)
    return rows


def _summaries(dice: CaseDice) -> dict[str, Summary]:
    targets = list(dict.fromkeys(target for of_case in dice.values() for target in of_case))
    columns: NDArray[np.float64] = np.array(
        [[*(of_case[target] for target in targets), _mean([*of_case.values()])] for of_case in dice.values()]
    ).reshape(-1, len(targets) + 1)
    if not dice:
        return {MEAN: Summary(0, *(math.nan,) * 5)}
    return dict(zip([*targets, MEAN], summarise(columns), strict=True))


def _mean(values: Sequence[float]) -> float:
    counted = [value for value in values if math.isfinite(value)]
    return float(np.mean(counted)) if counted else math.nan


def _steps(folder: AblationFolder, name: str) -> float:
    steps = folder.run(name).read().results.get("steps")
    return float(steps) if isinstance(steps, int | float) else math.nan


def _plain(summary: Summary) -> dict[str, Any]:
    return {name: value if math.isfinite(value) else None for name, value in asdict(summary).items()}


def _cells(name: str, summary: Summary) -> dict[str, str]:
    numbers = {name: summary.mean, f"{name} low": summary.low, f"{name} high": summary.high}
    return {key: f"{value:.6g}" if math.isfinite(value) else "" for key, value in numbers.items()}
