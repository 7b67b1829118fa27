"""Options and arguments that mean the same in every command that has them, with one wording."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Device(StrEnum):
    """Where torch computes."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Precision(StrEnum):
    """In which numbers a network computes."""

    FP32 = "fp32"
    BF16 = "bf16"
    INT8 = "int8"


class Sparsity(StrEnum):
    """Whether kernels are masked while training."""

    NONE = "none"
    STATIC = "static"
    DYNAMIC = "dynamic"


DatasetArgument = Annotated[
    Path | None, typer.Argument(help="Data set: Decathlon or nnU-Net v2 raw", show_default=False)
]
ImagesOption = Annotated[Path | None, typer.Option("--images", help="Folder of scans, where there is no dataset.json")]
LabelsOption = Annotated[Path | None, typer.Option("--labels", help="Folder of label maps of the same names")]
SubjectPatternOption = Annotated[
    str | None,
    typer.Option(
        "--subject-pattern", help="Regular expression that finds the patient in a case's name, e.g. '(pat\\d+)'"
    ),
]
NetworkOption = Annotated[str | None, typer.Option("--network", help="Network to plan with, e.g. distill_dsm_unet")]
NetworkOptionsOption = Annotated[
    list[str] | None, typer.Option("--option", metavar="KEY=VALUE", help="Option of the network, e.g. alpha=0.25")
]
SparsityOption = Annotated[
    Sparsity | None,
    typer.Option(
        "--sparsity",
        help="Mask kernels of the network: none, static (as first drawn) or dynamic (they die and grow while training)",
        show_default=False,
    ),
]
DensityOption = Annotated[
    float | None, typer.Option("--density", help="Share of kernels that --sparsity keeps; default: 0.2")
]
ElasticOption = Annotated[
    bool, typer.Option("--elastic", help="Bend training patches at random, by a smooth displacement of the whole scan")
]
UnlabelledOption = Annotated[
    Path | None,
    typer.Option(
        "--unlabelled",
        metavar="DIR",
        help="Scans without labels, whose shapes labelled ones take by registration; bends at random, too",
    ),
]
RandomContrastOption = Annotated[
    bool, typer.Option("--random-contrast", help="Train on pictures made up from labels, for scans of any contrast")
]
RecipeOption = Annotated[
    str | None, typer.Option("--recipe", help="Published experiment to follow, e.g. e2enet-btcv; see leanseg recipes")
]
ScaleOption = Annotated[
    float | None, typer.Option("--scale", help="Share of the recipe's steps to do, e.g. 0.01 to rehearse it")
]
RamOption = Annotated[str | None, typer.Option("--ram", help="Memory to train in, e.g. 8GB")]
DeviceOption = Annotated[
    Device | None, typer.Option("--device", help="Where torch computes: auto, cpu or cuda", show_default=False)
]
MaxVoxelsOption = Annotated[
    int | None,
    typer.Option("--max-voxels", min=1, help="Refuse larger scans; default: 2^30 or an eighth of the memory"),
]
OutFileOption = Annotated[Path, typer.Option("-o", "--out", help="File to write")]
OutFolderOption = Annotated[Path, typer.Option("-o", "--out", help="Folder to write")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace earlier results there")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines")]
