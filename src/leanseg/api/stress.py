"""How robust are trained models: `leanseg.stress`."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from leanseg.api.choices import require_one
from leanseg.api.named_dataset import open_labelled
from leanseg.api.paths import PathLike, path_or_none
from leanseg.datasets import Dataset
from leanseg.evaluation.stress import Question, StressTest, stress_test
from leanseg.packages import Package
from leanseg.progress import Progress


def stress(
    packages: PathLike | Sequence[PathLike],
    dataset: PathLike,
    out: PathLike,
    *,
    stress: str | Sequence[str] | None = None,
    levels: int = 4,
    cases: int | None = None,
    splits: PathLike | None = None,
    fold: int | None = None,
    participants: PathLike | None = None,
    seed: int = 0,
    images: PathLike | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> StressTest:
    """Judge trained models on scans that are made worse, step by step, and write curves and tables to the folder `out`.

    packages: one or several runs, package folders or .zip files. dataset: a folder with a dataset.json, of the same
    channels and classes, or a folder of label maps with `images`, the folder of their scans; what their values mean the
    first package says. Judged are its validation cases where a package is a run; with `fold` those of that fold of the
    file `splits` (default: splits.json in the data set); with `splits` alone its test cases; else all.

    stress: what is done to the scans, a list of names or "noise,motion"; all by default. levels: how many severities of
    each. cases: at most so many, drawn by `seed`. participants: a participants.tsv whose columns group the cases.
    overwrite: replace an earlier stress test. What is computed is kept beside `out` until all is there: the same call
    goes on. Cases that fail are in the result's `failures`. Raises InputErrors; torch is not imported.
    """
    for option, count in (("--levels", levels), ("--cases", cases)):
        require_one(option, count)
    paths = [packages] if isinstance(packages, str | os.PathLike) else list(packages)
    question = Question(
        stresses=None if stress is None else _names(stress),
        levels=levels,
        cases=cases,
        splits=path_or_none(splits),
        fold=fold,
        participants=path_or_none(participants),
        seed=seed,
    )
    return stress_test(
        [Path(path) for path in paths],
        _labelled(Path(dataset), path_or_none(images), paths[0] if paths else None, progress),
        Path(out),
        question,
        overwrite=overwrite,
        progress=progress,
    )


def _labelled(references: Path, images: Path | None, package: PathLike | None, progress: Progress | None) -> Dataset:
    """Return the cases to judge on. Plain folders name no classes and channels: they are taken to be the package's."""
    opened = open_labelled(references, images, progress)
    if images is None or package is None:
        return opened
    data = Package.read(Path(package)).plan.data
    other = set(opened.labels.values()) - {*data.labels.values(), data.ignore}
    if other or len(opened.channels) != len(data.channels):
        return opened  # refused by whoever compares it with the packages
    return replace(
        opened,
        channels=data.channels,
        labels=data.labels,
        regions=data.regions,
        ignore=data.ignore,
        left_right=data.left_right,
    )


def _names(stress: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(name.strip() for name in (stress.split(",") if isinstance(stress, str) else stress))
