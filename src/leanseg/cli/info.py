"""leanseg info: what image files hold, and which of them are broken."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from leanseg.errors import InputError


def info(
    files: Annotated[list[Path], typer.Argument(help="Images: .nii, .nii.gz, .mha, .mhd, .nrrd or .nhdr")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
    max_voxels: Annotated[
        int | None, typer.Option(min=1, help="Refuse larger images; default 2^30 or an eighth of the memory.")
    ] = None,
) -> None:
    """Show shape, spacing, orientation, type, range and size in memory of images, and refuse broken ones.

    All files are looked at, voxels included; exit code 2 if any is broken.

    Example: leanseg info scans/*.nii.gz
    """
    from leanseg.cli.console import progress_bars, show_json

    with progress_bars() as progress:
        shown = [_described(path, max_voxels) for path in progress.track(files, "Reading")]
    broken = [entry["error"] for entry in shown if "error" in entry]
    if as_json:
        show_json(shown)
    else:
        _show_table([entry for entry in shown if "error" not in entry])
    for error in broken:
        sys.stderr.write(f"error: {error['what']}\n  why: {error['why']}\n  fix: {error['fix']}\n")
    if broken:
        raise SystemExit(InputError.exit_code)


def _described(path: Path, max_voxels: int | None) -> dict[str, Any]:
    """Return the facts of one image, or what is wrong with it."""
    from leanseg.volumes import read_frames

    try:
        array, geometry = read_frames(path, max_voxels=max_voxels)
    except InputError as error:
        return {"file": path, "error": {"what": error.what, "why": error.why, "fix": error.fix}}
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
