"""A run as it lies in its folder: what was asked for, how it went on, what came out and what that costs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanseg.datasets.documents import read_object, read_text, validated
from leanseg.evaluation.runs.costs import Costs, costs_of
from leanseg.evaluation.runs.curve import Curve, read_curve
from leanseg.evaluation.runs.judged import Judged, read_judged
from leanseg.packages import Package
from leanseg.packages.manifest import NAME as MANIFEST
from leanseg.plans import Plan, read_plan
from leanseg.plans.network_facts import complete_options, own_networks
from leanseg.plans.run_record import RunRecord

RUN, CROSS_VALIDATION = "run.json", "cross_validation.json"


@dataclass(frozen=True, eq=False)
class Run:
    """One run, or the folds of a cross-validation together.

    data: the data set's folder and the text of the splits, which say on which cases a run without a report would be
    judged; fold: None for all of them. options: of the network, defaults included where the registry knows it. steps,
    peak_rss_bytes: of training, the mean and the largest over folds. curves: one per fold. judged: None where no
    report was written yet. costs: None where there is no package yet. masks: the picture of a sparse training.
    """

    name: str
    folder: Path
    plan: Plan
    state: str
    data: tuple[str, str]
    fold: int | None
    budget_minutes: float | None
    device: str
    precision: str
    options: dict[str, Any]
    steps: float | None
    peak_rss_bytes: float | None
    curves: tuple[Curve, ...]
    judged: Judged | None
    costs: Costs | None
    masks: Path | None

    @property
    def minutes(self) -> float | None:
        """How long training took, the mean over folds; None where its table does not say."""
        return _mean([curve.minutes for curve in self.curves])

    @property
    def sparsity(self) -> str:
        """How kernels are masked: none, static or dynamic."""
        return self.plan.training.sparsity.method if self.plan.training.sparsity else "none"


def read_run(folder: Path, name: str) -> Run:
    """Return the run, or the cross-validation, in `folder`. Raises an InputError where one of its files is broken."""
    if (folder / CROSS_VALIDATION).is_file():
        return _read_cross_validation(folder, name)
    record = validated(folder / RUN, read_object(folder / RUN), RunRecord)
    plan = read_plan(folder / "plan.json")
    package = folder / "package"
    curve = read_curve(folder / "logs" / "metrics.csv")
    masks = folder / "logs" / "sparsity.svg"
    return Run(
        name=name,
        folder=folder,
        plan=plan,
        state=record.state,
        data=(record.dataset, _splits(folder)),
        fold=record.fold,
        budget_minutes=record.minutes,
        device=record.device,
        precision=record.precision,
        options=_options(plan),
        steps=_number(record.results.get("steps")),
        peak_rss_bytes=_number(record.results.get("peak_rss_bytes")),
        curves=() if curve is None else (curve,),
        judged=read_judged(folder / "validation"),
        costs=costs_of(Package.read(package)) if (package / MANIFEST).is_file() else None,
        masks=masks if masks.is_file() else None,
    )


def _read_cross_validation(folder: Path, name: str) -> Run:
    """Return all folds as one run: every case is judged by the fold that never trained on it."""
    record = read_object(folder / CROSS_VALIDATION)
    places = sorted(folder.glob("fold_*"), key=lambda path: (len(path.name), path.name))
    folds = [read_run(place, place.name) for place in places if (place / RUN).is_file()]
    plan = read_plan(folder / "plan.json")
    return Run(
        name=name,
        folder=folder,
        plan=plan,
        state=str(record.get("state")),
        data=(str(record.get("dataset")), _splits(folder)),
        fold=None,
        budget_minutes=_number(record.get("minutes")),
        device=str(record.get("device")),
        precision=", ".join(dict.fromkeys(fold.precision for fold in folds)),
        options=_options(plan),
        steps=_mean([fold.steps for fold in folds]),
        peak_rss_bytes=max((fold.peak_rss_bytes for fold in folds if fold.peak_rss_bytes is not None), default=None),
        curves=tuple(curve for fold in folds for curve in fold.curves),
        judged=read_judged(folder / "validation"),
        costs=next((fold.costs for fold in folds if fold.costs is not None), None),
        masks=next((fold.masks for fold in folds if fold.masks is not None), None),
    )


def _splits(folder: Path) -> str:
    path = folder / "splits.json"
    return read_text(path) if path.is_file() else ""


def _options(plan: Plan) -> dict[str, Any]:
    facts = own_networks().get(plan.network.name)
    return dict(plan.network.options) if facts is None else dict(complete_options(facts, plan.network.options))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _mean(values: list[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return sum(told) / len(told) if told else None
