"""Tune a package from end to end: measure candidates on cases, choose, write the choice and its evidence.

Not every combination is measured, as each costs as much as predicting all cases. First come all engines and
precisions on all cores with the package's tile; then the best of them with fewer cores; then that with other tiles.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from leanseg.errors import InputError, LeansegError, refused_by_system
from leanseg.evaluation.tuning.candidates import ENGINES, PRECISIONS, Candidate, Shape, other_threads
from leanseg.evaluation.tuning.card import with_tuning
from leanseg.evaluation.tuning.cases import TuningCases, find_tuning_cases
from leanseg.evaluation.tuning.folder import TuningFolder
from leanseg.evaluation.tuning.gate import Measured, Verdict, fastest, judge
from leanseg.evaluation.tuning.int8 import missing, quantised_graphs
from leanseg.evaluation.tuning.measuring import Bench, identity
from leanseg.inference.engines.engine import Precision
from leanseg.inference.engines.instruction_sets import this_processor
from leanseg.inference.engines.precision import bf16_obstacle
from leanseg.machine import cores
from leanseg.packages import Package
from leanseg.packages.package import TUNED
from leanseg.packages.writing import write_tuned
from leanseg.plans import Inference
from leanseg.progress import Progress
from leanseg.storage import write_json


class TileExporter(Protocol):
    """Makes graphs for other tiles; needs torch, so it is handed in."""

    def sizes(self, package: Package) -> Sequence[Shape]:
        """Return the tiles that are worth a try beside that of the plan."""

    def graphs(self, package: Package, tile: Shape) -> list[bytes]:
        """Return the graph of each network for `tile`."""


class LimitError(InputError):
    """A limit makes no sense."""

    def __init__(self, max_loss: float) -> None:
        super().__init__(
            what=f"--max-loss {max_loss:g}: a loss of Dice lies between 0 and 1",
            why="it decides what may take the place of the package as it was trained",
            fix="leave it out for 0.001, or give for example --max-loss 0.0005",
        )


@dataclass(frozen=True)
class Tuning:
    """What came of it. package: as it reads back. best: what was written; remarks: what else must be said."""

    package: Package
    out: Path
    untuned: Verdict
    best: Verdict
    verdicts: tuple[Verdict, ...]
    labelled: bool
    cases: int
    remarks: tuple[str, ...]
    record: dict[str, Any]


@refused_by_system()
def tune_package(
    package: Package,
    cases: Path,
    out: Path,
    *,
    max_loss: float = 0.001,
    precisions: Sequence[Precision] = PRECISIONS,
    most: int | None = None,
    tiles: TileExporter | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Tuning:
    """Measure how `package` is best applied to `cases` on this machine, and write that into the package.

    cases: a data set, or a folder of scans, see `find_tuning_cases`. out: where measurements are kept; a second call
    goes on from there. max_loss: of Dice, see `gate`. most: cases that are measured at most. tiles: makes graphs of
    other tiles. overwrite: measure again. Raises InputErrors; the package stays as it was then.
    """
    if not 0 <= max_loss < 1:
        raise LimitError(max_loss)
    found = find_tuning_cases(package, cases, most)
    folder = TuningFolder(out, identity(package, found))
    folder.begin(overwrite=overwrite)
    return _Study(package, found, folder.root, max_loss, tuple(precisions), tiles, progress or Progress()).run()


@dataclass
class _Study:
    package: Package
    cases: TuningCases
    root: Path
    max_loss: float
    precisions: tuple[Precision, ...]
    tiles: TileExporter | None
    progress: Progress

    def __post_init__(self) -> None:
        self.remarks: list[str] = []
        inference = _untuned(self.package)
        self.untuned = Candidate(inference.engine, "fp32", "all", inference.tile)
        graphs = None if inference.tile == self.package.plan.inference.tile else self._graphs(inference.tile)
        self.source = write_tuned(self.package, self.root / "packages" / "fp32", inference=inference, graphs=graphs)
        self.bench = Bench(self.root, self.untuned, self.cases, self.package.plan.data.targets, self.progress)
        self.measured: dict[Candidate, Measured] = {}

    def run(self) -> Tuning:
        """Measure, choose and write."""
        self._prepare(self.untuned)
        best = self._best_of(self.untuned, list(self._engines()))
        best = self._best_of(best, [each for each in other_threads(best) if self._prepare(each)])
        best = self._best_of(best, list(self._other_tiles(best)))
        verdicts = self._verdicts()
        chosen = next(verdict for verdict in verdicts if verdict.measured.candidate == best)
        self.remarks[:0] = self._cautions()
        record = self._record(verdicts, chosen)
        written = self._write(chosen, record)
        write_json(self.root / "tuning.json", {**record, "package": written.hash})
        return Tuning(
            package=written,
            out=self.root,
            untuned=verdicts[0],
            best=chosen,
            verdicts=tuple(verdicts),
            labelled=self.cases.labelled,
            cases=len(self.measured[self.untuned].cases),
            remarks=tuple(self.remarks),
            record=record,
        )

    def _best_of(self, incumbent: Candidate, rivals: Sequence[Candidate]) -> Candidate:
        new = [self.untuned] * (not self.measured) + [each for each in rivals if each not in self.measured]
        for measured in self.bench.measure(new):
            self.measured[measured.candidate] = measured
        verdicts = {verdict.measured.candidate: verdict for verdict in self._verdicts()}
        return fastest([verdicts[rival] for rival in rivals], verdicts[incumbent]).measured.candidate

    def _verdicts(self) -> list[Verdict]:
        """Return the verdicts on what is measured, the untuned package first."""
        untuned = self.measured[self.untuned]
        return [judge(measured, untuned, self.max_loss) for measured in self.measured.values()]

    def _engines(self) -> Iterator[Candidate]:
        for engine in ENGINES:
            for precision in self.precisions:
                candidate = Candidate(engine, precision, "all", self.untuned.tile)
                if candidate != self.untuned and self._is_possible(candidate):
                    yield candidate

    def _is_possible(self, candidate: Candidate) -> bool:
        if candidate.precision == "bf16":
            obstacle = bf16_obstacle(candidate.engine)
            if obstacle and candidate.engine == "openvino":
                self._remark(f"bf16 is left out: {obstacle}")
            return obstacle is None and self._prepare(candidate)
        if candidate.precision == "int8" and (obstacle := missing()):
            self._remark(obstacle)
            return False
        return self._prepare(candidate)

    def _other_tiles(self, best: Candidate) -> Iterator[Candidate]:
        if self.tiles is None:
            self._remark("other tiles are left out: their graphs are made by torch, which is not installed")
            return
        try:
            tiles = self.tiles.sizes(self.source)
        except LeansegError as error:  # of a network that is not installed here
            self._remark(f"other tiles are left out: {error.what}")
            return
        for tile in tiles:
            candidate = Candidate(best.engine, best.precision, best.threads, tile)
            if self._prepare(candidate):
                yield candidate

    def _prepare(self, candidate: Candidate) -> bool:
        """Make the package that `candidate` uses; tell whether that was possible."""
        int8 = candidate.precision == "int8"
        tile = "x".join(map(str, candidate.tile))
        try:
            source = self.source
            if candidate.tile != self.untuned.tile:
                path = self.root / "packages" / f"fp32-{tile}"
                source = self._kept(path, lambda: self._with_tile(candidate.tile, path))
            if int8:
                path = self.root / "packages" / f"int8-{tile}"
                source = self._kept(path, lambda: self._with_int8(source, path))
        except LeansegError as error:
            self._remark(f"{candidate.name} is left out: {error.what}")
            return False
        self.bench.packages[candidate] = source.path
        return True

    def _kept(self, path: Path, make: Callable[[], Package]) -> Package:
        try:
            return Package.read(path)
        except LeansegError:
            return make()

    def _with_tile(self, tile: Shape, path: Path) -> Package:
        inference = self.source.plan.inference.model_copy(update={"tile": tile})
        return write_tuned(self.source, path, inference=inference, graphs=self._graphs(tile))

    def _with_int8(self, source: Package, path: Path) -> Package:
        self.progress.note("quantising to int8: NNCF computes some tiles of your cases")
        cases = self.cases.trained_on or self.cases.measured
        graphs = quantised_graphs(source, cases, path.with_name(f"{path.name}-graphs"))
        return write_tuned(source, path, inference=source.plan.inference, int8=graphs)

    def _graphs(self, tile: Shape) -> list[bytes]:
        if self.tiles is None:
            raise TileNeedsTorchError(tile)
        return self.tiles.graphs(self.package, tile)

    def _write(self, chosen: Verdict, record: dict[str, Any]) -> Package:
        candidate = chosen.measured.candidate
        source = Package.read(self.bench.packages[candidate])
        members = range(source.members)
        inference = source.plan.inference.model_copy(
            update={"engine": candidate.engine, "precision": candidate.precision}
        )
        return write_tuned(
            self.package,
            self.package.path,
            inference=inference,
            graphs=[source.onnx_bytes(member) for member in members],
            int8=[source.int8_bytes(member) for member in members] if candidate.precision == "int8" else (),
            tuned=record,
            card=with_tuning(self.package.card(), record),
        )

    def _cautions(self) -> Iterator[str]:
        if not self.cases.labelled:
            yield (
                "There are no labels: only label maps that agree with those of the untuned package can pass, and "
                "whether they are good nobody has measured."
            )
        elif not self.cases.seen:
            yield "A package names no cases: if it was trained on some of these, the Dice flatters all candidates."
        for name, reason in self.bench.left_out.items():
            yield f"left out: {reason if reason.startswith(name) else f'{name}: {reason}'}"

    def _remark(self, text: str) -> None:
        if text not in self.remarks:
            self.remarks.append(text)
            self.progress.note(text)

    def _record(self, verdicts: Sequence[Verdict], chosen: Verdict) -> dict[str, Any]:
        return {
            **chosen.measured.candidate.record(),
            "date": datetime.now(UTC).date().isoformat(),
            "processor": this_processor().name,
            "cores": cores(),
            "cases": len(self.measured[self.untuned].cases),
            "labelled": self.cases.labelled,
            "max_loss": self.max_loss,
            "untuned": self.untuned.record(),
            "table": [verdict.record() for verdict in verdicts],
            "remarks": self.remarks,
        }


class TileNeedsTorchError(InputError):
    """A package whose tile was tuned is to be tuned again, without torch."""

    def __init__(self, tile: Shape) -> None:
        super().__init__(
            what=f"the graph of the tile {' x '.join(map(str, tile))} is not in the package any more",
            why="candidates are compared with the package as it was trained, and torch makes its graph anew",
            fix="tune where torch is installed, too",
        )


def _untuned(package: Package) -> Inference:
    """Return how the package was applied before it was tuned, now or ever."""
    inference = package.plan.inference
    tuned = package.manifest.measured.get(TUNED)
    before = tuned.get("untuned") if isinstance(tuned, dict) else None
    if not isinstance(before, dict):
        return inference.model_copy(update={"precision": "fp32"})
    candidate = Candidate.of(before)
    return inference.model_copy(update={"precision": "fp32", "engine": candidate.engine, "tile": candidate.tile})
