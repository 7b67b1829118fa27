"""leanseg info: what image files hold, and which of them are broken."""

from pathlib import Path
from typing import Annotated, Any

import typer

from leanseg.cli.options import JsonOption, MaxVoxelsOption
from leanseg.errors import InputError


def info(
    files: Annotated[list[Path], typer.Argument(help="Images: .nii, .nii.gz, .mha, .mhd, .nrrd or .nhdr")],
    max_voxels: MaxVoxelsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what image files hold, and refuse broken ones.

    Shape, spacing, orientation, type, range and size in memory. All files are looked at, voxels included. Exit code 2
    if any is broken.

    Example: leanseg info scans/*.nii.gz
    """
    from leanseg.cli.console import progress_bars, show_json
    from leanseg.cli.failures import described, tell

    shown: list[dict[str, Any]] = []
    broken = []
    with progress_bars() as progress:
        for path in progress.track(files, "Reading"):
            try:
                shown.append(_facts(path, max_voxels))
            except InputError as problem:
                shown.append({"file": path, "error": described(problem)})
                broken.append(problem)
    if as_json:
        show_json(shown)
    else:
        _show_table([entry for entry in shown if "error" not in entry])
    for error in broken:
        tell(error)
    if broken:
        raise SystemExit(InputError.exit_code)


def _facts(path: Path, max_voxels: int | None) -> dict[str, Any]:
    from leanseg.volumes import read_frames

    array, geometry = read_frames(path, max_voxels=max_voxels)
    return {
        "file": path,
        "shape": array.shape,
        "spacing_mm": geometry.spacing,
        "orientation": geometry.axcodes,
        "dtype": array.dtype.name,
        "min": array.min().item(),
        "max": array.max().item(),
        "bytes": array.nbytes,
        "affine": geometry.affine.tolist(),
    }


def _show_table(images: list[dict[str, Any]]) -> None:
    from leanseg.cli.console import table

    if not images:
        return
    rows = [
        (
            str(image["file"]),
            " x ".join(map(str, image["shape"])),
            " x ".join(f"{step:.4g}" for step in image["spacing_mm"]),
            image["orientation"],
            image["dtype"],
            f"{image['min']:g} .. {image['max']:g}",
            f"{image['bytes'] / 1e6:,.1f} MB",
        )
        for image in images
    ]
    table(("file", "shape", "spacing (mm)", "orientation", "type", "range", "in memory"), rows)
