"""Rows against each other on one case: in turns, each in a process of its own, with what came out compared."""

import json
import math
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from peers.cases import Case
from peers.job import Job, said
from peers.process import FailedError, Measured, StoppedError, measured
from peers.rows import PLAN
from peers.scans import ROOT

import leanseg
from leanseg.machine import free_bytes, ram_bytes

PEERS = ROOT / "build" / "peers" / ".venv" / "bin" / "python"
REFERENCE = "leanseg fp32"
# In the order of the table. leanseg's own run with the environment of this script, the others with that of the peers.
OURS = (REFERENCE, "leanseg bf16", "leanseg ONNX Runtime")
THEIRS = (
    "torch eager",
    "torch.compile",
    "MONAI sliding window",
    "nnU-Net, same network",
    "naive export",
    "nnU-Net, its defaults",
)
NNUNET = tuple(row for row in THEIRS if row.startswith("nnU-Net"))
_EXTRAPOLATED = ("nnU-Net, its defaults",)  # hours: always with some passes only
_MOST = 0.9  # of the free memory: a row that takes more is ended
_LONG = 120.0  # seconds after which a row is not repeated


@dataclass(frozen=True)
class Settings:
    """How a contest is run.

    passes: see `Job`; for rows that would take hours it is `few` in any case. folds: of nnU-Net's defaults.
    """

    threads: int
    turns: int = 3
    passes: int | None = None
    few: int = 4
    folds: int = 5


def hold(case: Case, package: Path, rows: Sequence[str], out: Path, settings: Settings) -> dict[str, Any]:
    """Measure the rows on a case in turns and return what was found, which also goes to `out`/<case>.json each time.

    `out` also keeps label maps and logs. The reference comes first whether it was asked for or not.
    """
    rows = [REFERENCE, *(row for row in rows if row != REFERENCE)]
    scans = case.scan()
    place = out / case.name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    found: dict[str, Any] = {"case": case.name, **about(package, settings), "rows": {row: {} for row in rows}}
    for turn in range(settings.turns):
        for row in rows:
            done = found["rows"][row]
            if "problem" in done or done.get("seconds", 0) > _LONG:
                continue
            passes = settings.few if row in _EXTRAPOLATED else settings.passes
            job = Job(row, str(package), str(scans), str(place / _slug(row)), settings.threads, passes, settings.folds)
            print(f"{case.name}, turn {turn + 1}: {row}", flush=True)
            found["rows"][row] = better(done, attempt(job))
            (out / f"{case.name}.json").write_text(json.dumps(found, indent=1))
    compare(found, place)
    (out / f"{case.name}.json").write_text(json.dumps(found, indent=1))
    return found


def about(package: Path, settings: Settings) -> dict[str, Any]:
    """Return where, when and with what a contest is held."""
    plan = leanseg.Package.read(package).plan
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "ram_bytes": ram_bytes(),
            "load_before": os.getloadavg()[0],
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "settings": asdict(settings),
        "network": plan.network.model_dump(),
        "outputs": plan.data.outputs,
        "spacing": plan.preprocessing.spacing,
        "tile": plan.inference.tile,
        "overlap": plan.inference.overlap,
    }


def attempt(job: Job) -> dict[str, Any]:
    """Do a row once and return its figures, or the problem that kept it from them."""
    out = Path(job.out)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    if job.row in NNUNET:
        if problem := _too_large(job):
            return {"problem": problem}
        _make_plan(job)
    try:
        taken = run(job)
    except (StoppedError, FailedError) as error:
        return {"problem": str(error)}
    return _figures(taken, said(out))


def run(job: Job) -> Measured:
    """Run the process of a row. Raises StoppedError or FailedError."""
    out = Path(job.out)
    if job.row in (REFERENCE, "leanseg ONNX Runtime"):
        engine = "openvino" if job.row == REFERENCE else "onnxruntime"
        command = [sys.executable, "-m", "leanseg", "predict", job.package, job.scans, "-o", job.out, "--overwrite"]
        command += ["--engine", engine, "--threads", str(job.threads)]
    else:
        job.write(out / "job.json")
        python = sys.executable if job.row in OURS else str(PEERS)
        command = [python, "-m", "peers.rows", str(out / "job.json")]
    limit = int(free_bytes() * _MOST)
    return measured(command, out / "log.txt", environment(job.threads), limit)


def environment(threads: int) -> dict[str, str]:
    """Return the environment of a row: this tree's sources, and as many threads for every library that counts them."""
    count = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    paths = [str(ROOT / "src"), str(ROOT / "benchmarks")]
    return {**os.environ, **count, "PYTHONPATH": os.pathsep.join(paths), "PYTHONWARNINGS": "ignore"}


def better(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of the faster of two turns, with the larger peak and how many turns there were."""
    if "problem" in now or not before:
        return {**now, "turns": 1} if "problem" not in now else now
    fast = min(before, now, key=lambda figures: figures["seconds"])
    peak = max(before["peak_rss_bytes"], now["peak_rss_bytes"])
    slowest = max(before.get("slowest", before["seconds"]), now["seconds"])
    return {**fast, "peak_rss_bytes": peak, "slowest": slowest, "turns": before["turns"] + 1}


def compare(found: dict[str, Any], place: Path) -> None:
    """Add to every row the share of voxels with the reference's label; rows without a whole label map have none."""
    from leanseg.volumes import read_labels

    expected = _label_map(place, REFERENCE)
    if expected is None:
        return
    reference = read_labels(expected).array
    for row, figures in found["rows"].items():
        labels = _label_map(place, row)
        if labels is None or figures.get("passes") or "problem" in figures:
            continue
        figures["label_agreement"] = float((read_labels(labels).array == reference).mean())


def _label_map(place: Path, row: str) -> Path | None:
    return next((place / _slug(row)).glob("*.nii.gz"), None)


def _figures(taken: Measured, words: dict[str, Any]) -> dict[str, Any]:
    return {
        "seconds": taken.seconds + words["added_seconds"],
        "cpu_seconds": taken.cpu_seconds,
        "peak_rss_bytes": taken.peak_rss_bytes + words["added_bytes"],
        "extrapolated": bool(words["basis"]),
        "passes": any("passes" in basis for basis in words["basis"]),
        "measured_seconds": taken.seconds,
        "basis": words["basis"],
        "engine": words["engine"],
        "precision": words["precision"],
        "phases": words["seconds"],
    }


def _too_large(job: Job) -> str | None:
    """Return why nnU-Net's export cannot be run here, if so: it holds the scores of all classes on the scan's grid."""
    from leanseg.volumes import read_header

    header = read_header(job.files[0])
    least = leanseg.Package.read(Path(job.package)).plan.data.outputs * math.prod(header.shape) * 4
    if least < free_bytes() * _MOST:
        return None
    return f"not run: its export takes more than {least / 1e9:.0f} GB, {free_bytes() / 1e9:.0f} are free"


def _make_plan(job: Job) -> None:
    """Let nnU-Net plan for the case unless it has."""
    if (Path(job.out).with_name("nnunet-plan") / "plans.json").exists():
        return
    path = Path(job.out) / "plan.json"
    Job(PLAN, job.package, job.scans, job.out, job.threads).write(path)
    command = [str(PEERS), "-m", "peers.rows", str(path)]
    subprocess.run(command, env=environment(job.threads), stdout=subprocess.DEVNULL, check=True)


def _slug(row: str) -> str:
    return "-".join(row.replace(",", "").replace("'", "").replace(".", "-").lower().split())


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
