"""leanseg plan: from a data set and a budget to a plan.json that a person can read and edit."""

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
    OutFileOption,
    OverwriteOption,
    RamOption,
    RandomContrastOption,
    RecipeOption,
    ScaleOption,
    SparsityOption,
    UnlabelledOption,
)

if TYPE_CHECKING:
    from leanseg.plans import Plan


def plan(
    out: OutFileOption,
    dataset: DatasetArgument = None,
    images: ImagesOption = None,
    labels: LabelsOption = None,
    network: NetworkOption = None,
    option: NetworkOptionsOption = None,
    sparsity: SparsityOption = None,
    density: DensityOption = None,
    elastic: ElasticOption = False,
    unlabelled: UnlabelledOption = None,
    random_contrast: RandomContrastOption = False,
    recipe: RecipeOption = None,
    scale: ScaleOption = None,
    ram: RamOption = None,
    predict_ram: Annotated[str | None, typer.Option(help="Memory to predict in, e.g. 2GB")] = None,
    vram: Annotated[str | None, typer.Option(help="Memory of the GPU, where there is one")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="Wall time of training, everything included")] = None,
    seconds_per_case: Annotated[
        float | None, typer.Option(min=0.01, help="Wall time to predict the largest case")
    ] = None,
    device: DeviceOption = None,
    splits: Annotated[Path | None, typer.Option(help="Folds of leanseg split: their test cases are left out")] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Decide how to train within a budget, and say why.

    Every decision is written down with its reason. This machine is measured for a few seconds. Exit code 3 when the
    budget cannot be met: nothing is written then.

    Example: leanseg plan Task04_Hippocampus -o plan.json --ram 8GB --minutes 15
    """
    from leanseg.cli.console import progress_bars, show_json
    from leanseg.cli.network_options import parse_options

    options = parse_options(option or [])
    with progress_bars() as progress:
        made = leanseg.plan(
            dataset,
            images=images,
            labels=labels,
            network=network,
            options=options,
            sparsity=sparsity.value if sparsity else None,
            density=density,
            elastic=elastic,
            unlabelled=unlabelled,
            random_contrast=random_contrast,
            recipe=recipe,
            scale=scale,
            ram=ram,
            predict_ram=predict_ram,
            vram=vram,
            minutes=minutes,
            seconds_per_case=seconds_per_case,
            device=device.value if device else None,
            splits=splits,
            out=out,
            overwrite=overwrite,
            progress=progress,
        )
    if as_json:
        show_json(made.model_dump(mode="json"))
    else:
        _show(made, out, unlabelled)


def _show(made: "Plan", out: Path, unlabelled: Path | None) -> None:
    from leanseg.cli.closing import close
    from leanseg.cli.console import table

    table(("plan", ""), _rows(made), title=f"{made.data.name}: {', '.join(made.data.regions or made.data.labels)}")
    for sentence in made.explanation:
        typer.echo(f"- {sentence}")
    limit = () if made.budget.minutes or made.training.steps else ("--minutes", "15")
    scans = () if unlabelled is None else ("--unlabelled", unlabelled)
    close(out, made.network.name, then=("train", "DATASET", "--plan", out, *scans, *limit, "-o", "RUN"))


def _rows(made: "Plan") -> list[tuple[str, str]]:
    from leanseg.plans import show_bytes

    options = "".join(f", {name} {value}" for name, value in made.network.options.items())
    masks, contrast = made.training.sparsity, made.training.augmentation.contrast
    preprocessing, training, estimates = made.preprocessing, made.training, made.estimates
    rows = [
        ("network", made.network.name + options),
        *([("sparsity", f"{masks.method}, density {masks.density:g}")] if masks else []),
        *([("deformed", deformed)] if (deformed := _deformed(made)) else []),
        *([("made-up contrast", f"{contrast.probability:.0%}")] if contrast else []),
        ("grid", f"{preprocessing.orientation}, {_spacing(preprocessing.spacing)}"),
        ("intensities", ", ".join(scheme.scheme for scheme in preprocessing.normalisation)),
        ("patch, batch", f"{_by(training.patch)}, {training.batch}"),
        ("tile, overlap", f"{_by(made.inference.tile)}, {made.inference.overlap:.0%}"),
    ]
    if estimates is not None:
        rows.append(("RAM to train", show_bytes(estimates.training_ram)))
        rows.append(("RAM to predict", show_bytes(estimates.prediction_ram)))
        rows.append(("steps", "as many as you say" if estimates.steps is None else f"about {estimates.steps:,}"))
    return rows


def _deformed(made: "Plan") -> str:
    """Return the shares of the patches that are bent, or take other shapes; nothing where none is."""
    settings = made.training.augmentation
    shares = [(settings.elastic.probability, "elastic")] if settings.elastic else []
    shares += [(settings.registration.share, "by registration")] if settings.registration else []
    return ", ".join(f"{share:.0%} {kind}" for share, kind in shares)


def _spacing(spacing: tuple[float, float, float] | None) -> str:
    return f"{_by(spacing)} mm" if spacing else "every scan's own spacing"


def _by(sizes: tuple[float, float, float]) -> str:
    return " x ".join(f"{size:.4g}" for size in sizes)
