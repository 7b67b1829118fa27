"""JSON and tables that people and programs hand in: plans, data sets, splits, sidecars, reports, runs."""

import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tests.hostile import sound_volumes
from tests.hostile.json_mutations import mutated_json
from tests.hostile.mutations import damaged
from tests.hostile.package_contents import PLAN
from tests.hostile.trial import MEGABYTE, Family, Trial, WrongError

from leanseg.datasets import check_dataset, make_splits, open_dataset, read_splits
from leanseg.datasets.cases import Case, Dataset
from leanseg.evaluation import evaluate
from leanseg.evaluation.meaning import meaning_beside
from leanseg.plans import Plan, read_plan, write_plan

_ALLOWANCE = 64 * MEGABYTE
_CASES = ("a_01", "a_02", "b_01", "b_02", "c_01", "d_01")

DECATHLON: dict[str, Any] = {
    "name": "Shades",
    "description": "grey and white",
    "reference": "nobody",
    "licence": "none",
    "release": "1.0",
    "tensorImageSize": "3D",
    "modality": {"0": "MRI"},
    "labels": {"0": "background", "1": "grey", "2": "white"},
    "numTraining": 6,
    "numTest": 1,
    "training": [{"image": f"./imagesTr/{name}.nii", "label": f"./labelsTr/{name}.nii"} for name in _CASES],
    "test": ["./imagesTs/z.nii"],
}
NNUNET: dict[str, Any] = {
    "channel_names": {"0": "MRI"},
    "labels": {"background": 0, "grey": 1, "white": 2},
    "numTraining": 6,
    "file_ending": ".nii",
    "name": "Shades",
}
REGIONS: dict[str, Any] = {
    **NNUNET,
    "labels": {"background": 0, "all": [1, 2], "white": [2], "ignore": 3},
    "regions_class_order": [1, 2],
}
SPLITS: dict[str, Any] = {
    "format": 1,
    "seed": 0,
    "folds": [
        {"training": ["a_01", "a_02", "c_01", "d_01"], "validation": ["b_01", "b_02"]},
        {"training": ["b_01", "b_02", "d_01"], "validation": ["a_01", "a_02", "c_01"]},
    ],
}
SIDECAR: dict[str, Any] = {
    "case": "a_01",
    "images": ["a_01.nii"],
    "labels": {"background": 0, "grey": 1, "white": 2},
    "targets": {"grey": [1], "white": [2]},
    "ignore": None,
    "seconds": {"total": 0.1},
    "leanseg": "0.1.0",
}
METRICS: dict[str, Any] = {"leanseg": "0.1.0", "conventions": {"dice": "..."}, "cases": {"all": 1}, "scores": {}}
RUN: dict[str, Any] = {
    "format": 1, "leanseg": "0.1.0", "dataset": "/data", "fold": 0, "minutes": 1.0, "steps": None, "device": "cpu",
    "precision": "fp32", "state": "interrupted", "results": {"dice": 0.5},
}  # fmt: skip


def _refuse_others(found: Any, kind: type) -> None:
    if not isinstance(found, kind):
        raise WrongError("wrong type", f"{type(found).__name__}")


# ---- plans -----------------------------------------------------------------------------------------------------------


def _plan(random: Random, folder: Path) -> Trial:
    (path := folder / "plan.json").write_bytes(mutated_json(random, PLAN))

    def judge(plan: Any) -> str:
        _refuse_others(plan, Plan)
        write_plan(folder / "again.json", plan)
        if read_plan(folder / "again.json") != plan:
            raise WrongError("another plan", "written and read back")
        return "read"

    return Trial(run=lambda: read_plan(path), judge=judge, allowance=_ALLOWANCE)


# ---- data sets -------------------------------------------------------------------------------------------------------


def _scan(labels: bool, number: int) -> bytes:
    values = np.random.default_rng(number).integers(0, 3, (4, 4, 4))
    shown = sound_volumes.Picture(np.asfortranarray(values.astype("u1" if labels else "<f4")), np.diag([1.0, 1, 2, 1]))
    return sound_volumes.nifti(Random(0), shown)


def save_dataset(folder: Path, document: bytes, layout: str) -> Path:
    """Write a small data set with `document` as its dataset.json."""
    root = folder / "data"
    for name in ("imagesTr", "labelsTr", "imagesTs"):
        (root / name).mkdir(parents=True)
    suffix = "_0000.nii" if layout == "nnunet" else ".nii"
    for number, name in enumerate(_CASES):
        (root / "imagesTr" / f"{name}{suffix}").write_bytes(_scan(False, number))
        (root / "labelsTr" / f"{name}.nii").write_bytes(_scan(True, number))
    (root / "imagesTs" / f"z{suffix}").write_bytes(_scan(False, 9))
    (root / "dataset.json").write_bytes(document)
    return root


def _judge_dataset(found: Any) -> str:
    dataset, report = found
    _refuse_others(dataset, Dataset)
    for case in (*dataset.cases, *dataset.unlabelled):
        for path in (*case.images, *([case.label] if case.label else [])):
            if ".." in path.parts or not path.is_relative_to(dataset.root):
                raise WrongError("path outside", str(path))
    json.loads(report.model_dump_json())
    return "checked: sound" if report.passed else "checked: problems"


def _opened(root: Path) -> Any:
    dataset = open_dataset(root)
    return dataset, check_dataset(dataset)


def _dataset(layout: str, document: dict[str, Any]) -> Callable[[Random, Path], Trial]:
    def make(random: Random, folder: Path) -> Trial:
        root = save_dataset(folder, mutated_json(random, document), layout)
        return Trial(run=lambda: _opened(root), judge=_judge_dataset, allowance=_ALLOWANCE)

    return make


_PATHS = (
    "../secret.nii", "/etc/passwd", "{absolute}", "imagesTr/../../secret.nii", "./imagesTr/link.nii",
    "./imagesTr/loop.nii", "C:\\secret.nii", "..\\secret.nii", "./imagesTr", ".", "", " ", "~", "\0", "a\0b.nii",
    "\ud800.nii", "\udc80.nii", "./imagesTr/a_01.nii ", "http://x/a.nii", "imagesTr/a_01.nii\n", "a" * 300 + ".nii",
    "/" * 5000 + "a.nii", "imagesTr/" * 500 + "a.nii", "./imagesTr/pipe.nii", "./imagesTr/a_01.dcm",
    "./imagesTr/a_01.nii/x.nii", "//server/share/a.nii",
)  # fmt: skip


def _paths(random: Random, folder: Path) -> Trial:
    """Images and labels that are said to lie elsewhere, or are links and pipes."""
    import os

    document = json.loads(json.dumps(DECATHLON))
    for _ in range(random.choice((1, 1, 3))):
        place = random.choice(_PATHS).format(absolute=folder / "secret.nii")
        random.choice(document["training"])[random.choice(("image", "label"))] = place
    if random.random() < 0.2:
        document["test"] = [place]
    root = save_dataset(folder, json.dumps(document).encode(), "decathlon")
    (folder / "secret.nii").write_bytes(_scan(False, 5))
    (root / "imagesTr" / "link.nii").symlink_to("a_02.nii")
    (root / "imagesTr" / "loop.nii").symlink_to("loop.nii")
    os.mkfifo(root / "imagesTr" / "pipe.nii")
    return Trial(run=lambda: _opened(root), judge=_judge_dataset, allowance=_ALLOWANCE)


_TABLES = (
    b"case\tsubject\n", b"case,subject\n", b"participant_id\tage\n", b"subject\tcase\textra\n",
    b"case\tsubject\tcase\n", b"\n", b"",
)  # fmt: skip


def _table(random: Random, folder: Path) -> Trial:
    """A table of subjects that is damaged, contradicts itself, or is none."""
    root = save_dataset(folder, json.dumps(DECATHLON).encode(), "decathlon")
    rows = b"".join(f"{name}\t{name[0]}\n".encode() for name in _CASES)
    rows = random.choice(
        (
            rows,
            rows,
            rows + b"a_01\tz\n",
            b'"' + rows,
            rows.replace(b"\t", b","),
            b"a_01\t" + b"x" * 200_000 + b"\n",
            rows * 1000,
        )
    )
    content = random.choice(_TABLES) + rows
    name = random.choice(("cases.tsv", "cases.tsv", "cases.csv", "participants.tsv"))
    (root / name).write_bytes(damaged(random, content) if random.random() < 0.7 else content)

    def run() -> Any:
        dataset = open_dataset(root)
        return dataset, check_dataset(dataset), make_splits(dataset, 2)

    return Trial(run=run, judge=lambda found: _judge_dataset(found[:2]), allowance=_ALLOWANCE)


# ---- splits ----------------------------------------------------------------------------------------------------------


def _splits(random: Random, folder: Path) -> Trial:
    cases = tuple(Case(name, (folder / f"{name}.nii",), folder / f"{name}.nii", name[0]) for name in _CASES)
    dataset = Dataset("Shades", folder, ("MRI",), {"background": 0, "grey": 1}, cases)
    document = {**SPLITS, "test": []} if random.random() < 0.5 else SPLITS
    (path := folder / "splits.json").write_bytes(mutated_json(random, document))

    def judge(splits: Any) -> str:
        for fold in splits.folds:
            sides = [{name[0] for name in side} for side in (fold.training, fold.validation)]
            if sides[0] & sides[1] or not all(sides) or not {*fold.training, *fold.validation} <= {*_CASES}:
                raise WrongError("leaking fold", str(fold))
        return "read"

    return Trial(run=lambda: read_splits(path, dataset), judge=judge, allowance=_ALLOWANCE)


# ---- results of earlier commands -------------------------------------------------------------------------------------


def _sidecar(random: Random, folder: Path) -> Trial:
    """What stands beside a label map: it may be ignored, but must not be trusted or fallen over."""
    (folder / "a_01.nii").write_bytes(_scan(True, 0))
    (folder / "a_01.json").write_bytes(mutated_json(random, SIDECAR))

    def judge(meaning: Any) -> str:
        for name, values in meaning.targets.items():
            if not (isinstance(name, str) and values and all(isinstance(value, int) for value in values)):
                raise WrongError("wrong targets", str(meaning.targets))
        return "used" if meaning.targets else "passed over"

    return Trial(run=lambda: meaning_beside([folder / "a_01.nii"]), judge=judge, sound=True, allowance=_ALLOWANCE)


def _judged(random: Random, folder: Path) -> Trial:
    """Whole judgements of predictions with damaged sidecars, into a folder with a damaged older report."""
    for name in ("predictions", "references"):
        (folder / name).mkdir()
        for number in range(2):
            (folder / name / f"case_{number}.nii").write_bytes(_scan(True, number))
    (folder / "predictions" / "case_0.json").write_bytes(mutated_json(random, SIDECAR))
    _warm()
    out, overwrite = folder / "report", random.random() < 0.7
    if random.random() < 0.7:
        out.mkdir()
        (out / "metrics.json").write_bytes(mutated_json(random, METRICS))
    return Trial(
        run=lambda: evaluate(folder / "predictions", folder / "references", out, overwrite=overwrite),
        outputs=("report",),
        allowance=192 * MEGABYTE,  # of which the drawing library takes most
        described=str(overwrite),
    )


@functools.cache
def _warm() -> None:
    """Load the libraries that draw before anything is measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(2):
            (folder / f"case_{number}.nii").write_bytes(_scan(True, number))
        evaluate(folder, folder, folder / "report")


def _run(random: Random, folder: Path) -> Trial:
    from leanseg.learning.jobs.run_folder import RunFolder, RunRecord

    (folder / "run.json").write_bytes(mutated_json(random, RUN))
    return Trial(run=RunFolder(folder).read, judge=lambda found: _refuse_others(found, RunRecord), allowance=_ALLOWANCE)


# ---- far too large ---------------------------------------------------------------------------------------------------


def _huge(random: Random, folder: Path) -> Trial:
    """Documents of a gigabyte, and of a few megabytes that take twenty times as much when read."""
    from leanseg.learning.jobs.run_folder import RunFolder

    names = {
        "plan": "plan.json",
        "dataset": "dataset.json",
        "splits": "splits.json",
        "sidecar": "x.json",
        "run": "run.json",
        "report": "metrics.json",
        "table": "cases.tsv",
    }
    kind = random.choice(list(names))
    root = (
        save_dataset(folder, json.dumps(DECATHLON).encode(), "decathlon")
        if kind in {"dataset", "table", "splits"}
        else folder
    )
    path = root / names[kind]
    size = random.choice((10**9, 10**9, 5 * 10**9, 33 * MEGABYTE, 3 * MEGABYTE, 900_000))
    filling = random.choice((b"\0", b"\0", b"[],", b"{},", b"[", b'"', b"1,", b" "))
    if size < 10**8 and filling != b"\0":
        path.write_bytes(b"[" + filling * (size // len(filling)))
    else:
        with path.open("wb") as file:
            file.truncate(size)
    (folder / "x.nii").write_bytes(_scan(True, 0))
    dataset = Dataset("Shades", folder, ("MRI",), {"background": 0, "grey": 1}, ())
    runs: dict[str, Callable[[], Any]] = {
        "plan": lambda: read_plan(path),
        "dataset": lambda: _opened(root),
        "splits": lambda: read_splits(path, dataset),
        "sidecar": lambda: meaning_beside([folder / "x.nii"]),
        "run": RunFolder(folder).read,
        "report": lambda: evaluate(folder, folder, folder, overwrite=True),
        "table": lambda: _opened(root),
    }
    return Trial(
        run=runs[kind], allowance=_ALLOWANCE + 40 * min(size, 33 * MEGABYTE), described=f"{kind} {size} {filling!r}"
    )


DOCUMENTS = (
    Family("documents", "plan", _plan, 60),
    Family("documents", "dataset.json, Decathlon", _dataset("decathlon", DECATHLON), 60),
    Family("documents", "dataset.json, nnU-Net", _dataset("nnunet", NNUNET), 40),
    Family("documents", "dataset.json, nnU-Net with regions", _dataset("nnunet", REGIONS), 30),
    Family("documents", "dataset.json, paths", _paths, 30),
    Family("documents", "table of subjects", _table, 25),
    Family("documents", "splits", _splits, 50),
    Family("documents", "sidecar of a label map", _sidecar, 40),
    Family("documents", "sidecars and older reports, judged", _judged, 6),
    Family("documents", "run.json", _run, 25),
    Family("documents", "a gigabyte, or much in little", _huge, 10),
)
