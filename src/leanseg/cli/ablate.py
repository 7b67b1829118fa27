"""leanseg ablate: what does an option of a network do?"""

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import leanseg
from leanseg.cli.options import (
    DatasetArgument,
    DensityOption,
    DeviceOption,
    ElasticOption,
    ImagesOption,
    JsonOption,
    LabelsOption,
    NetworkOption,
    NetworkOptionsOption,
    OutFolderOption,
    OverwriteOption,
    RamOption,
    RandomContrastOption,
    SparsityOption,
    SubjectPatternOption,
    UnlabelledOption,
)
from leanseg.cli.shares import share
from leanseg.errors import SomeCasesFailedError

if TYPE_CHECKING:
    from leanseg.evaluation import Summary
    from leanseg.learning.jobs.ablation import Ablation
    from leanseg.learning.jobs.ablation_scores import SettingScores


class SettingsFailedError(SomeCasesFailedError):
    """Some settings have no result."""

    def __init__(self, failed: int, all_of_them: int, out: Path) -> None:
        super().__init__(
            what=f"{failed} of {all_of_them} runs failed; the others are compared",
            why="a setting that fails costs the others nothing",
            fix=f"see above why, and try these again: leanseg ablate DATASET --resume -o {out}",
        )


def ablate(
    out: OutFolderOption,
    dataset: DatasetArgument = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=A,B,..",
            help="An option of the network, or network, sparsity or density, and its values; "
            "of several --vary all combinations are trained",
            show_default=False,
        ),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option(metavar="N,N,..", help="Train each setting with these seeds; default: 0")
    ] = None,
    network: NetworkOption = None,
    option: NetworkOptionsOption = None,
    sparsity: SparsityOption = None,
    density: DensityOption = None,
    elastic: ElasticOption = False,
    unlabelled: UnlabelledOption = None,
    random_contrast: RandomContrastOption = False,
    fold: Annotated[
        int | None, typer.Option(min=0, help="Which fold to keep for validation; default: 0", show_default=False)
    ] = None,
    splits: Annotated[Path | None, typer.Option(help="Folds made by leanseg split; left out, five are made")] = None,
    ram: RamOption = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.1, help="Wall time of each training, validation and export included"),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Train this many steps instead, however long it takes")
    ] = None,
    device: DeviceOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted ablation; finished runs are left as they are")
    ] = False,
    images: ImagesOption = None,
    labels: LabelsOption = None,
    subject_pattern: SubjectPatternOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a network for every value of an option and compare.

    All are judged on the same cases, and compared with the first one case by case. Every setting is a run in a folder
    of its own, as leanseg train leaves it. All settings are checked before the first training begins.

    Example: leanseg ablate Task04_Hippocampus --vary alpha=0.25,0.5,1.0 --minutes 8 -o runs/alpha
    """
    from leanseg.machine import process_seconds

    began = time.monotonic() - process_seconds()
    from leanseg.cli.console import progress_bars
    from leanseg.cli.network_options import parse_options
    from leanseg.cli.variations import parse_seeds, parse_variations

    options = parse_options(option) if option else None
    variations = parse_variations(vary) if vary else None
    numbers = parse_seeds(seeds) if seeds is not None else None
    with progress_bars() as progress:
        found = leanseg.ablate(
            dataset,
            out=out,
            vary=variations,
            seeds=numbers,
            network=network,
            options=options,
            sparsity=sparsity.value if sparsity else None,
            density=density,
            elastic=elastic,
            unlabelled=unlabelled,
            random_contrast=random_contrast,
            fold=fold,
            splits=splits,
            ram=ram,
            minutes=minutes,
            steps=steps,
            device=device.value if device else None,
            resume=resume,
            images=images,
            labels=labels,
            subject_pattern=subject_pattern,
            overwrite=overwrite,
            progress=progress,
            began=began,
        )
    _show(found, time.monotonic() - began, as_json=as_json)


def _show(found: "Ablation", seconds: float, *, as_json: bool) -> None:
    from leanseg.cli.closing import close
    from leanseg.cli.console import show_json
    from leanseg.cli.failures import STOPPED

    root = found.folder.root
    if as_json:
        show_json({**found.record.model_dump(mode="json"), "seconds": seconds, "out": root})
    elif found.interrupted:
        close(root, "interrupted", then=("ablate", "DATASET", "--resume", "-o", root))
    else:
        _show_scores(found.scores)
        typer.echo(f"{len(found.record.runs) - len(found.failures)} runs, {seconds / 60:.1f} minutes")
        close(root, "a run per setting, ablation.json, ablation.csv, ablation.svg")
    if found.interrupted:
        raise typer.Exit(STOPPED)
    _tell_failures(found)


def _show_scores(settings: "tuple[SettingScores, ...]") -> None:
    from leanseg.cli.console import table

    names = list(settings[0].dice)
    table(
        ["setting", *names, "95 % interval", "to the first", "95 % interval", "parameters", "MACs", "steps", "minutes"],
        [
            [
                each.setting,
                *(share(each.dice[name].mean) if name in each.dice else "-" for name in names),
                _interval(each.dice["mean"], ".3f"),
                f"{each.difference.mean:+.4f}" if each.difference and math.isfinite(each.difference.mean) else "-",
                _interval(each.difference, "+.4f"),
                f"{each.parameters:,}",
                f"{each.macs_per_voxel:,.0f}",
                f"{each.steps:,.0f}",
                f"{each.minutes:.1f}",
            ]
            for each in settings
        ],
        title=f"Dice of {settings[0].cases} validation cases; MACs per voxel",
    )


def _tell_failures(found: "Ablation") -> None:
    from leanseg.cli.failures import tell

    for name, error in found.failures.items():
        tell(error.at(name))
    for name, cases in found.failed_cases.items():
        typer.echo(f"{name}: {cases} case{'s' * (cases != 1)} failed, and count with the worst scores", err=True)
    if found.failures:
        tell(SettingsFailedError(len(found.failures), len(found.record.runs), found.folder.root))
    if found.failures or found.failed_cases:
        raise SystemExit(SettingsFailedError.exit_code)


def _interval(summary: "Summary | None", form: str) -> str:
    if summary is None or not math.isfinite(summary.low):
        return "-"
    return f"[{summary.low:{form}}, {summary.high:{form}}]"
