"""Measure candidates: each part of the cases in a process of its own, by turns, and keep what is done.

Candidates take turns over parts of the cases, so that a machine that is busy for a while is slow for all of them.
A part that is measured stays in the folder: a command that was stopped goes on from there.
"""

import hashlib
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leanseg.datasets import Case
from leanseg.datasets.documents import DocumentError, read_object
from leanseg.errors import InputError, LeansegError
from leanseg.evaluation.tuning.candidates import Candidate
from leanseg.evaluation.tuning.cases import TuningCases, agreement
from leanseg.evaluation.tuning.gate import CaseResult, Measured
from leanseg.evaluation.tuning.processes import ProcessFailedError, run_module
from leanseg.packages import Package
from leanseg.progress import Progress
from leanseg.storage import encodable, write_json
from leanseg.volumes import read_labels, require_same_grid

_PARTS = 3
_NOT_COMPUTING = ("total", "read", "write")  # phases of a sidecar that no candidate changes


class NoCaseWorksError(InputError):
    """The untuned package predicts not one of the cases."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            what=f"no case could be predicted: {reason}",
            why="there is nothing to compare candidates with",
            fix="see what is wrong with the scans: leanseg info FILE",
        )


@dataclass
class Bench:
    """Measures candidates in the folder `root`. packages: the folder of the package that a candidate uses."""

    root: Path
    untuned: Candidate
    cases: TuningCases
    targets: Mapping[str, Sequence[int]]
    progress: Progress
    packages: dict[Candidate, Path] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)  # cases that cannot be predicted at all, and why

    def measure(self, candidates: Sequence[Candidate]) -> list[Measured]:
        """Return what was measured of `candidates`; the first call must hold the untuned one, as their first.

        Raises NoCaseWorksError.
        """
        parts = [list(self.cases.measured[start::_PARTS]) for start in range(_PARTS)]
        found: dict[Candidate, list[dict[str, Any]]] = {candidate: [] for candidate in candidates}
        units = [(candidate, part) for part in parts if part for candidate in candidates]
        for candidate, part in self.progress.track(units, "Measuring", len(units)):
            if any("failure" in one for one in found[candidate]):
                continue
            found[candidate].append(self._unit(candidate, part))
        return [self._measured(candidate, results) for candidate, results in found.items()]

    def _unit(self, candidate: Candidate, part: Sequence[Case]) -> dict[str, Any]:
        """Return what is measured of one candidate on some cases, from the folder where it is known."""
        part = [case for case in part if case.name not in self.left_out]
        names = [encodable(case.name) for case in part]
        digest = hashlib.blake2b(json.dumps([candidate.name, names]).encode(), digest_size=8).hexdigest()
        kept = self.root / "measured" / f"{candidate.name.replace(' ', '-')}-{digest}.json"
        is_untuned = candidate == self.untuned
        try:
            known = read_object(kept)
            if not is_untuned or all(self._reference(name).is_file() for name in known.get("cases", {})):
                return self._noted(known, is_untuned)
        except DocumentError:
            pass
        known = self._run(candidate, part, is_untuned)
        write_json(kept, known)
        return self._noted(known, is_untuned)

    def _noted(self, known: dict[str, Any], is_untuned: bool) -> dict[str, Any]:
        if is_untuned:
            self.left_out.update(known.get("failed", {}))
        return known

    def _run(self, candidate: Candidate, part: Sequence[Case], is_untuned: bool) -> dict[str, Any]:
        work = self.root / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        request = {
            **candidate.record(),
            "package": str(self.packages[candidate]),
            "cases": {case.name: [str(path.resolve()) for path in case.images] for case in part},
            "out": str(work / "labels"),
            "result": str(work / "result.json"),
        }
        # With escapes, so that names in an old encoding survive.
        (work / "request.json").write_text(json.dumps(request), encoding="utf-8")
        try:
            run_module("leanseg.evaluation.tuning.prediction", work / "request.json", candidate.name)
            told = read_object(work / "result.json")
        except ProcessFailedError as error:
            return {"failure": error.what}
        if "failure" in told:
            return {"failure": told["failure"]}
        if told["failed"] and not is_untuned:
            name, reason = next(iter(told["failed"].items()))
            return {"failure": f"{name}: {reason}"}
        done = [case for case in part if encodable(case.name) not in told["failed"]]
        told["cases"] = {case.name: self._judged(case, work / "labels", is_untuned) for case in done}
        shutil.rmtree(work, ignore_errors=True)
        return told

    def _judged(self, case: Case, folder: Path, is_untuned: bool) -> dict[str, Any]:
        """Return seconds, Dice and agreement of a case; the label map of the untuned package is kept."""
        labels = read_labels(folder / f"{case.name}.nii.gz")
        sidecar = read_object(folder / f"{case.name}.json")
        kept = self._reference(case.name)
        if is_untuned:
            kept.parent.mkdir(parents=True, exist_ok=True)
            (folder / f"{case.name}.nii.gz").replace(kept)
            before = labels
        else:
            before = read_labels(kept)
            require_same_grid(kept, before.geometry, folder / f"{case.name}.nii.gz", labels.geometry)
        try:
            dice, problem = self.cases.dice(labels, case), ""
        except LeansegError as error:
            dice, problem = {}, error.what
        return {
            "seconds": sum(spent for phase, spent in sidecar["seconds"].items() if phase not in _NOT_COMPUTING),
            "dice": _nulls(dice),
            "agreement": _nulls(agreement(labels.array, before.array, self.targets)),
            "problem": problem,
        }

    def _reference(self, name: str) -> Path:
        return self.root / "untuned" / f"{name}.nii.gz"

    def _measured(self, candidate: Candidate, results: Sequence[dict[str, Any]]) -> Measured:
        failure = next((one["failure"] for one in results if "failure" in one), "")
        cases = {name: case for one in results for name, case in one.get("cases", {}).items()}
        for name, case in list(cases.items()):
            if case["problem"]:  # no reference to judge it by
                self.left_out[name] = case["problem"]
                del cases[name]
        if candidate == self.untuned and not cases:
            raise NoCaseWorksError(failure or next(iter(self.left_out.values()), "there is none"))
        return Measured(
            candidate=candidate,
            cases={
                name: CaseResult(case["seconds"], _numbers(case["dice"]), _numbers(case["agreement"]))
                for name, case in cases.items()
            },
            peak_rss_bytes=max((one.get("peak_rss_bytes", 0) for one in results), default=0),
            engine=next((one["engine"] for one in results if "engine" in one), candidate.engine),
            failure=failure,
        )


def identity(package: Package, cases: TuningCases) -> dict[str, Any]:
    """Return what measurements in a folder belong to: weights, data, cases, and the machine they were made on."""
    from leanseg import __version__
    from leanseg.inference.engines.instruction_sets import this_processor
    from leanseg.machine import cores

    weights = [record.sha256 for name, record in package.manifest.files.items() if name.endswith(".safetensors")]
    plan = package.plan.model_dump(mode="json", include={"data", "preprocessing", "network"})
    stamps = [[encodable(path.name), *_stamp(path)] for case in cases.measured for path in _files(case)]
    known = json.dumps([sorted(weights), plan, stamps], sort_keys=True)
    return {
        "leanseg": __version__,
        "question": hashlib.sha256(known.encode()).hexdigest(),
        "processor": this_processor().name,
        "cores": cores(),
    }


def _files(case: Case) -> list[Path]:
    return [*case.images, *([case.label] if case.label else [])]


def _stamp(path: Path) -> list[int]:
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


def _nulls(scores: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in scores.items()}


def _numbers(scores: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in scores.items()}
