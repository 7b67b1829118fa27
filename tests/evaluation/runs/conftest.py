"""Folders of runs as leanseg train leaves them, made of plain numbers."""

import csv
import json

import numpy as np
import pytest
from safetensors.numpy import save

from leanseg.packages import write_package
from leanseg.plans import Network, Sparsity, write_plan

CASES = tuple(f"case_{number:02d}" for number in range(12))
TARGETS = ("grey", "white")


@pytest.fixture
def new_run(make_package, tmp_path):
    """A function that writes the folder of a run and returns it."""

    def make(
        name,
        dice=0.8,
        *,
        cases=CASES,
        spread=0.05,
        volume=1000.0,
        network="unet3d",
        options=None,
        random=False,
        masks=None,
        parameters=1000,
        judged=True,
        seconds=True,
        state="done",
        dataset="/data/shades",
        fold=0,
        root=tmp_path,
        picture=None,
    ):
        folder = root / name
        made = make_package(folder / "package", random=random)
        sparsity = None if masks is None else Sparsity(method="static", density=0.5)
        plan = made.plan.model_copy(
            update={
                "network": Network(name=network, options=options or {}),
                "training": made.plan.training.model_copy(update={"sparsity": sparsity}),
            }
        )
        write_plan(folder / "plan.json", plan)
        write_package(
            folder / "package",
            plan=plan,
            weights=[save(made.weights() if masks is None else masks[0])],
            onnx=[made.onnx_bytes()],
            masks=[] if masks is None else [save(masks[1])],
            card="# a card\n",
            facts={"parameters": parameters},
        )
        splits = {"format": 1, "seed": 0, "folds": [{"training": ["other"], "validation": list(cases)}], "test": []}
        (folder / "splits.json").write_text(json.dumps(splits))
        record = {
            "leanseg": "0.1.0",
            "dataset": dataset,
            "fold": fold,
            "minutes": 2.0,
            "steps": None,
            "device": "cpu",
            "precision": "fp32",
            "state": state,
            "results": {"steps": 90, "peak_rss_bytes": 2 * 10**9},
        }
        (folder / "run.json").write_text(json.dumps(record))
        write_curve(folder / "logs" / "metrics.csv", dice, seconds=seconds)
        if picture:
            (folder / "logs" / "sparsity.svg").write_text(picture)
        if judged:
            write_report(folder / "validation", cases, dice, spread, volume)
        return folder

    return make


def write_curve(path, dice, *, seconds):
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ["step", *(["seconds"] if seconds else []), "loss", "learning_rate", "dice/mean"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        for step in range(1, 91):
            writer.writerow({"step": step, "seconds": step * 1.2, "loss": f"{2 / step + 0.1:.5g}"})
            if step % 30 == 0:
                writer.writerow({"step": step, "seconds": step * 1.2, "dice/mean": f"{dice - 3 / step:.5g}"})


def write_report(validation, cases, dice, spread, volume):
    """Write a table with Dice that differs from case to case by what every run shares, and sidecars."""
    rng = np.random.default_rng(0)
    (validation / "report").mkdir(parents=True)
    (validation / "predictions").mkdir()
    with (validation / "report" / "metrics.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["case", "class", "label", "status", "dice", "reference_volume_mm3"])
        for case in cases:
            for number, target in enumerate(TARGETS):
                score = dice + rng.uniform(-spread, spread) - 0.02 * number
                writer.writerow([case, target, number + 1, "judged", f"{score:.6g}", f"{volume:g}"])
            sidecar = {"seconds": {"read": 0.1, "total": 0.5}}
            (validation / "predictions" / f"{case}.json").write_text(json.dumps(sidecar))
