"""leanseg demo: the whole way, from a data set to a judged model, in a few minutes."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from leanseg.cli.options import OutFolderOption, OverwriteOption
from leanseg.errors import SomeCasesFailedError

_HONEST = """\
This was one brain (FSL's MNI152 average) under random deformations: it proves that the way works on this machine,
and says nothing about accuracy in the clinic. leanseg is not a medical device."""
_HONEST_WITH_OWN_DATA = """\
The scores are those of the validation cases of fold 0, after a training of a few minutes. leanseg is not a medical
device."""


@dataclass(frozen=True)
class _Material:
    """A data set to train on, and scans with labels that training never sees."""

    dataset: Path
    images: Path
    labels: Path


def demo(
    out: OutFolderOption = Path("leanseg-demo"),
    minutes: Annotated[float, typer.Option(min=0.5, help="Minutes of training")] = 3.0,
    data: Annotated[
        Path | None, typer.Option(help="Your own data set instead of the deformed brain; judged on fold 0's validation")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed makes other brains")] = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """See the whole way work, from data to a judged model.

    Runs check, plan, train, predict and evaluate as you would, on one real brain MRI under many random deformations, or
    on your data set with --data.

    Example: leanseg demo --minutes 3
    """
    from leanseg.storage import refuse_if_used

    started = time.monotonic()
    refuse_if_used(out, overwrite=overwrite)
    material = _phantom(out, seed, overwrite) if data is None else _own(data, out, overwrite)
    again = ["--overwrite"] if overwrite else []
    plan, run, predictions, report = out / "plan.json", out / "run", out / "predictions", out / "report"
    splits: list[str | Path] = [] if data is None else ["--splits", out / "splits.json"]
    _leanseg("check", material.dataset)
    _leanseg("plan", material.dataset, "-o", plan, "--minutes", f"{minutes:g}", *again)
    _leanseg("train", material.dataset, "--plan", plan, "--fold", "0", *splits, "-o", run, *again)
    _leanseg("predict", run, material.images, "-o", predictions, *again)
    _leanseg("evaluate", predictions, material.labels, "-o", report, "--images", material.images, *again)
    _close(out, report, run, time.monotonic() - started, _HONEST if data is None else _HONEST_WITH_OWN_DATA)


def _phantom(out: Path, seed: int, overwrite: bool) -> _Material:
    from leanseg.cli.console import progress_bars
    from leanseg.learning.jobs.phantom import HELD_OUT, TRAINING, write_phantom

    typer.echo(f"Making {TRAINING} brains to train on and {HELD_OUT} to be judged by, in {out / 'brains'}")
    with progress_bars() as progress:
        made = write_phantom(out / "brains", seed=seed, overwrite=overwrite, progress=progress)
    return _Material(made.dataset, made.held_out_images, made.held_out_labels)


def _own(data: Path, out: Path, overwrite: bool) -> _Material:
    """Put the validation cases of fold 0 of the data set `data` side by side, as links, where they are judged."""
    from leanseg.datasets import make_splits, open_dataset, read_splits, write_splits
    from leanseg.storage import whole_folder

    dataset = open_dataset(data)
    given = dataset.root / "splits.json"
    splits = read_splits(given, dataset) if given.is_file() else make_splits(dataset)
    write_splits(out / "splits.json", splits, overwrite=overwrite)
    names = set(splits.folds[0].validation)
    with whole_folder(out / "held-out") as folder:
        for kind in ("images", "labels"):
            (folder / kind).mkdir()
        for case in dataset.cases:
            if case.name in names and case.label is not None:
                _lend(case.images, folder / "images", case.name)
                _lend((case.label,), folder / "labels", case.name)
    return _Material(data, out / "held-out" / "images", out / "held-out" / "labels")


def _lend(files: Sequence[Path], folder: Path, case: str) -> None:
    """Link `files`, the channels of `case`, into `folder`; copy them where the system has no links."""
    from leanseg.volumes import files_of, suffix_of

    for channel, file in enumerate(files):
        suffix = suffix_of(file)
        _link(file, folder / (f"{case}_{channel:04d}{suffix}" if len(files) > 1 else f"{case}{suffix}"))
        for voxels in files_of(file)[1:]:
            _link(voxels, folder / voxels.name)  # the header calls them by this name


def _link(file: Path, place: Path) -> None:
    try:
        place.symlink_to(file.resolve())
    except FileExistsError:
        raise  # and never write through the link that is there
    except OSError:
        shutil.copyfile(file, place)


def _leanseg(*arguments: str | Path) -> None:
    """Show one command line and run it as a user would. Ends the demo when it fails."""
    words = [str(argument) for argument in arguments]
    typer.echo(f"\n$ {shlex.join(['leanseg', *words])}")
    sys.stdout.flush()
    # This very Python, whatever else is called leanseg on this machine.
    done = subprocess.run([sys.executable, "-m", "leanseg", *words], env=os.environ, check=False)  # noqa: S603
    if done.returncode not in (0, SomeCasesFailedError.exit_code):
        raise typer.Exit(done.returncode)


def _close(out: Path, report: Path, run: Path, seconds: float, honest: str) -> None:
    from leanseg.cli.closing import close

    typer.echo()
    for what, places in (
        ("pictures", sorted(report.glob("*.png"))),
        ("scores", sorted(report.glob("metrics.*"))),
        ("label maps", [out / "predictions"]),
        ("model", [run]),
    ):
        for place in places:
            typer.echo(f"{what:<11} {place}")
    typer.echo(f"\n{honest}\n")
    close(out, f"all of this, in {seconds / 60:.1f} minutes", then=("predict", run, "SCANS", "-o", "OUT"))
