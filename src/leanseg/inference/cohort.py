"""Predict many cases: each comes out as a label map and a sidecar that says how it was made.

A case that fails is named in the summary and the others go on. While the network computes one case, the next is read
and prepared and the last is written.
"""

import math
import time
from collections.abc import Sequence
from pathlib import Path

from leanseg.datasets import Case
from leanseg.errors import InputError
from leanseg.inference.engines import Engine, Ensemble, Precision, open_engine
from leanseg.inference.memory import promise
from leanseg.inference.outcomes import Summary, summary_of
from leanseg.inference.parts import Part
from leanseg.inference.predictor import Predictor
from leanseg.inference.results import Result
from leanseg.inference.stages import Ahead, Behind
from leanseg.inference.steps import Limits, Steps
from leanseg.packages import Package
from leanseg.progress import Progress
from leanseg.storage import OutputNotEmptyError, refuse_if_used
from leanseg.volumes import default_max_voxels


class OutputIsInputError(InputError):
    """A label map would take the place of a scan."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            what=f"{path}: the label map would replace this scan",
            why="leanseg never writes over its input",
            fix="choose another folder with -o",
        )


class NotANumberError(InputError):
    """What should take the place of NaN is itself no finite number."""

    def __init__(self, nan: float) -> None:
        super().__init__(
            what=f"{nan} cannot take the place of NaN and infinite voxels",
            why="networks compute with finite numbers",
            fix="give a number, for example --nan 0",
        )


def predict_cases(
    package: Package,
    cases: Sequence[Case],
    out: Path,
    *,
    engine: str | Engine | Ensemble | None = None,
    precision: Precision | None = None,
    nan: float | None = None,
    max_voxels: int | None = None,
    threads: int | None = None,
    mirror: bool = False,
    part: Part | None = None,
    resume: bool = False,
    overwrite: bool = False,
    read_ahead: bool = False,
    max_ram: int | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Write `out`/<case>.nii.gz and <case>.json for each case, and return what became of them.

    engine: a name, an engine handed in, or None for the one the plan names. precision: as the package was tuned, or
    else fp32, by default. nan: takes the place of NaN and infinite voxels, which are refused without it. threads: cores
    for the engine, all by default. mirror: see `Predictor`. part: predict these of the cases only; the results of the
    others may lie in `out`. resume: leave cases as they are whose label map would come out the same. overwrite: replace
    the files of these cases in a folder that is in use; what else lies there stays. read_ahead: prepare the next case
    and write the last while one is computed, which takes the memory of both. max_ram: the most resident memory in bytes
    that this process may take: see `leanseg.inference.memory`.
    Raises NotANumberError, NoMirrorError, EmptyPartError, OutputNotEmptyError, OutputIsInputError, EngineError or
    MemoryLimitError before anything is written; what goes wrong with a case is in the summary.
    """
    start = time.perf_counter()
    progress = progress or Progress()
    if nan is not None and not math.isfinite(nan):
        raise NotANumberError(nan)
    chosen = part.among(cases) if part else cases
    refuse_if_used(out, overwrite=True)  # only that it can be a folder at all
    _refuse_own_input(chosen, out)
    if not (resume or overwrite):
        _refuse_if_used(out, chosen, cases)
    limits = Limits(nan, default_max_voxels() if max_voxels is None else max_voxels)
    engine = engine or package.plan.inference.engine
    promised = None
    if max_ram is not None:
        promised = promise(
            package,
            chosen,
            max_ram,
            engine=engine,
            precision=precision,
            threads=threads,
            read_ahead=read_ahead,
            mirror=mirror,
            max_voxels=limits.max_voxels,
            nan=nan,
        )
        package = promised.package
    if isinstance(engine, str):
        engine = open_engine(package, engine, threads, precision=precision)
    if promised is not None:
        promised = promised.checked()
        read_ahead = promised.read_ahead
        progress.note(promised.sentence())
    facts = promised.facts() if promised else {}
    if remark := getattr(engine, "remark", ""):
        progress.note(remark)
        facts = {**facts, "remark": remark}
    predictor = Predictor(package.plan, engine, mirror=mirror)
    steps = Steps(predictor, package, out, limits, resume=resume, progress=progress, facts=facts)
    with (
        Ahead(steps.ready, chosen, threaded=read_ahead) as ahead,
        Behind(steps.written, threaded=read_ahead) as behind,
    ):
        for case in progress.track(chosen, "Predicting", len(chosen)):
            behind.give(steps.computed(case, ahead.take()))  # taken here, so that nothing else keeps it in memory
        outcomes = behind.results()
    return summary_of(out, engine, outcomes, time.perf_counter() - start)


def _refuse_own_input(cases: Sequence[Case], out: Path) -> None:
    scans = {path.resolve() for case in cases for path in case.images}
    for case in cases:
        for path in Result.of(case, out).files:
            if path.resolve() in scans:
                raise OutputIsInputError(path)


def _refuse_if_used(out: Path, chosen: Sequence[Case], cases: Sequence[Case]) -> None:
    """Raise OutputNotEmptyError if something is in `out` that the parts with the others of `cases` do not write."""
    try:
        refuse_if_used(out, overwrite=False)
    except OutputNotEmptyError:
        names = {case.name for case in chosen}
        others = {path.name for case in cases if case.name not in names for path in Result.of(case, out).files}
        if not others or any(not _is_written_by(others, entry.name) for entry in out.iterdir()):
            raise


def _is_written_by(others: set[str], name: str) -> bool:
    """Tell whether a file is one of `others`, or on its way to be one (see `leanseg.storage.whole_file`)."""
    return name in others or (name.startswith(".writing-") and any(name.endswith(f"-{other}") for other in others))
