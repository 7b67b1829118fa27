"""leanseg split: folds for cross-validation, grouped by patient, in a file that a person can edit."""

from pathlib import Path
from typing import Annotated

import typer

from leanseg.cli.named_dataset import DatasetArgument, ImagesOption, LabelsOption, SubjectPatternOption, open_named


def split(
    out: Annotated[Path, typer.Option("-o", "--out", help="Where to write the folds, e.g. splits.json")],
    dataset: DatasetArgument = None,
    images: ImagesOption = None,
    labels: LabelsOption = None,
    folds: Annotated[int, typer.Option(help="Number of folds; fewer where there are fewer patients")] = 5,
    seed: Annotated[int, typer.Option(help="The same seed makes the same folds")] = 0,
    subject_pattern: SubjectPatternOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an older file")] = False,
) -> None:
    """Divide the labelled cases into folds; all cases of a patient stay together.

    Example: leanseg split Task04_Hippocampus -o splits.json
    """
    from leanseg.cli.console import progress_bars, table
    from leanseg.datasets import make_splits, write_splits

    with progress_bars() as progress:
        opened = open_named(dataset, images, labels, subject_pattern, progress)
    splits = make_splits(opened, folds, seed)
    write_splits(out, splits, overwrite=overwrite)
    subjects = {case.name: case.subject or case.name for case in opened.cases}
    table(
        ("fold", "training", "validation", "subjects validated"),
        [
            (
                str(index),
                str(len(fold.training)),
                str(len(fold.validation)),
                str(len({subjects[name] for name in fold.validation})),
            )
            for index, fold in enumerate(splits.folds)
        ],
    )
    if len(splits.folds) < folds:
        typer.echo(f"{len(splits.folds)} folds instead of {folds}: there are no more patients")
    typer.echo(f"written: {out}")
