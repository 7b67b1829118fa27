"""The tables of a comparison: one row per run, and one per difference, for the page and for files."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from leanseg.evaluation.page.markup import Html, element
from leanseg.evaluation.page.tables import Cell, Column, table
from leanseg.evaluation.page.wording import NOT_COUNTED, count, has_interval, share
from leanseg.evaluation.runs.differences import Difference
from leanseg.evaluation.runs.run import Run
from leanseg.evaluation.statistics import Summary
from leanseg.plans import show_bytes
from leanseg.plans.network_facts import written

Facts = dict[str, Any]


def facts_of(run: Run) -> Facts:
    """Return what there is to say about a run as plain values, None where it is not known."""
    training, costs, judged = run.plan.training, run.costs, run.judged
    return {
        "run": run.name,
        "folder": str(run.folder),
        "state": run.state,
        "dataset": run.plan.data.name,
        "fold": run.fold,
        "network": run.plan.network.name,
        "options": run.options,
        "sparsity": run.sparsity,
        "density": costs.density if costs else None,
        "patch": list(training.patch),
        "batch": training.batch,
        "seed": training.seed,
        "device": run.device,
        "precision": run.precision,
        "steps": run.steps,
        "minutes": run.minutes,
        "budget_minutes": run.budget_minutes,
        "peak_rss_bytes": run.peak_rss_bytes,
        "parameters": costs.parameters if costs else None,
        "kept_parameters": costs.kept_parameters if costs else None,
        "macs_per_voxel": costs.macs_per_voxel if costs else None,
        "kept_macs_per_voxel": costs.kept_macs_per_voxel if costs else None,
        "seconds_per_case": judged.seconds if judged else None,
        "cases": len(judged.cases) if judged else None,
        "dice": _summary(judged.foreground) if judged else None,
        "dice_by_class": {name: _summary(one) for name, one in judged.summaries.items()} if judged else {},
    }


def csv_row(facts: Facts) -> dict[str, Any]:
    """Return the facts of a run as one row: an interval is two columns, options are JSON, None is empty."""
    row = {name: value for name, value in facts.items() if name not in {"options", "patch", "dice", "dice_by_class"}}
    row |= {"options": json.dumps(facts["options"]), "patch": "x".join(map(str, facts["patch"]))}
    for name, summary in {"dice": facts["dice"], **{f"dice/{n}": s for n, s in facts["dice_by_class"].items()}}.items():
        low, high = (summary or {}).get("interval") or (None, None)
        row |= {name: (summary or {}).get("mean"), f"{name}/low": low, f"{name}/high": high}
    return {name: "" if value is None else value for name, value in row.items()}


def difference_facts(one: Difference) -> Facts:
    """Return a difference as plain values; the class is null for each case's mean."""
    return {
        "better": one.better,
        "worse": one.worse,
        "class": one.target or None,
        "cases": one.n,
        "mean": one.mean,
        "interval": [one.low, one.high] if math.isfinite(one.low) else None,
        "interval_for_all_pairs": list(one.strict) if math.isfinite(one.strict[0]) else None,
        "level_for_all_pairs": one.level,
        "share_of_cases_better": one.wins,
    }


def run_table(runs: Sequence[Run]) -> Html:
    """Return one row per run: what was trained, and for how long."""
    columns = [
        Column("Run", numeric=False),
        Column("Network", numeric=False),
        Column("Options", numeric=False),
        Column("Density"),
        Column("Parameters"),
        Column("kMAC per voxel"),
        Column("Steps"),
        Column("Minutes"),
        Column("Training RAM"),
        Column("Seconds per case"),
    ]
    return table("What was trained, and what it costs", columns, [list(_run_cells(run, runs)) for run in runs])


def dice_table(runs: Sequence[Run]) -> Html | None:
    """Return one row per judged run of a group: Dice of each class with its interval; None where none is judged."""
    judged = {run.name: run.judged for run in runs if run.judged is not None}
    if not judged:
        return None
    targets = next(iter(judged.values())).targets
    several = len(targets) > 1
    columns = [
        Column("Run", numeric=False),
        *([Column("Mean Dice")] if several else []),
        *(Column(name if several else "Dice") for name in targets),
    ]
    rows = []
    for name, found in judged.items():
        cells = [_dice(found.foreground)] if several else []
        rows.append([_name(name), *cells, *(_dice(found.summaries[target]) for target in targets)])
    cases = count(len(next(iter(judged.values())).cases), "case")
    return table(f"Dice over {cases}: mean and 95\u00a0% interval", columns, rows)


def difference_table(differences: Sequence[Difference]) -> Html:
    """Return one row per pair of runs and class."""
    several = any(one.target for one in differences)
    columns = [
        Column("Pair", numeric=False),
        *([Column("Class", numeric=False)] if several else []),
        Column("n"),
        Column("Difference of Dice"),
        Column("95\u00a0% interval"),
        Column("Better in"),
    ]
    rows = []
    for one in differences:
        pair = f"{one.better} \u2212 {one.worse}"
        target = [_text(one.target or "mean")] if several else []
        interval = f"{_signed(one.low)} to {_signed(one.high)}" if math.isfinite(one.low) else NOT_COUNTED
        rows.append(
            [
                _name(pair),
                *target,
                Cell(f"{one.n:,}", one.n),
                Cell(element("b" if one.holds else "span", _signed(one.mean)), one.mean),
                Cell(interval, one.low),
                Cell(f"{one.wins * 100:.0f}\u00a0%", one.wins),
            ]
        )
    return table("Paired over cases; bold where it holds for all pairs together", columns, rows)


def _run_cells(run: Run, runs: Sequence[Run]) -> Iterator[Cell]:
    costs = run.costs
    yield _name(run.name)
    yield _text(run.plan.network.name)
    yield _text(", ".join(f"{name}={written(value)}" for name, value in told_options(run, runs).items()) or NOT_COUNTED)
    yield _number(costs.density if costs else None, "{:.2g}")
    yield _number(costs.kept_parameters if costs else None, "{:,}")
    yield _number(costs.kept_macs_per_voxel / 1e3 if costs else None, "{:,.3g}")
    yield _number(run.steps, "{:,.0f}")
    yield _number(run.minutes, "{:.3g}") if run.minutes is not None else _number(run.budget_minutes, "{:.3g} given")
    peak = run.peak_rss_bytes
    yield Cell(NOT_COUNTED if peak is None else show_bytes(peak), math.nan if peak is None else peak)
    yield _number(run.judged.seconds if run.judged else None, "{:.3g}")


def told_options(run: Run, runs: Sequence[Run]) -> Facts:
    """Return the options that tell a run from others of its network, else the single values that its plan names."""
    others = [other.options for other in runs if other.plan.network.name == run.plan.network.name]
    differing = {name: value for name, value in run.options.items() if any(o.get(name) != value for o in others)}
    return differing or {name: value for name, value in run.plan.network.options.items() if not isinstance(value, list)}


def _signed(value: float) -> str:
    """Return a difference with its sign, minus as it is printed."""
    return f"{value:+.4f}".replace("-", "\u2212")


def _name(name: str) -> Cell:
    return Cell(element("span", name, class_="name"), name)


def _text(text: str) -> Cell:
    return Cell(text, text)


def _number(value: float | None, style: str) -> Cell:
    return Cell(NOT_COUNTED, math.nan) if value is None else Cell(style.format(value), value)


def _dice(summary: Summary) -> Cell:
    if not has_interval(summary):
        return Cell(element("b", share(summary.mean)), summary.mean)
    interval = element("span", f" {share(summary.low)}\u2013{share(summary.high)}", class_="note")
    return Cell(Html(element("b", share(summary.mean)) + interval), summary.mean)


def _summary(summary: Summary) -> Facts:
    finite = math.isfinite(summary.mean)
    return {
        "n": summary.n,
        "mean": summary.mean if finite else None,
        "interval": [summary.low, summary.high] if has_interval(summary) else None,
    }
