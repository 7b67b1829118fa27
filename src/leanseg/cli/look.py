"""leanseg look: what has a network learned?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import leanseg
from leanseg.cli.options import DeviceOption, JsonOption, MaxVoxelsOption, OutFolderOption, OverwriteOption

if TYPE_CHECKING:
    from leanseg.learning.jobs.inspection import Look


def look(
    package: Annotated[Path, typer.Argument(help="Run folder, package folder or .zip")],
    scan: Annotated[list[Path], typer.Argument(help="One scan; several files are its channels, in the plan's order")],
    out: OutFolderOption,
    positions: Annotated[int, typer.Option(min=1, help="Places of the scan that are looked at, and averaged")] = 12,
    device: DeviceOption = None,
    max_voxels: MaxVoxelsOption = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show what a network has learned, over a scan.

    Of any network: the effective receptive field. With deformable convolutions: where their taps look. With depth
    shifts: what each layer takes from neighbouring slices, and what it keeps.

    Example: leanseg look runs/hippocampus scan.nii.gz -o look
    """
    from leanseg.cli.console import progress_bars

    with progress_bars() as progress:
        found = leanseg.look(
            package,
            scan[0] if len(scan) == 1 else scan,
            out,
            positions=positions,
            device=device.value if device else None,
            max_voxels=max_voxels,
            overwrite=overwrite,
            progress=progress,
        )
    _show(found, as_json=as_json)


def _show(found: "Look", *, as_json: bool) -> None:
    from leanseg.cli.closing import close
    from leanseg.cli.console import show_json, table

    if as_json:
        show_json({**found.record, "out": found.folder, "pictures": found.pictures})
        return
    field = found.record["receptive_field"]
    rows = [[axis["along"], *_mm(axis["within_mm"])] for axis in field["axes"].values()]
    table(
        ["receptive field", "50 %", "95 %"],
        [*rows, ["in any direction", *_mm(field["within_mm"])]],
        title="mm from the labelled voxel that hold this share of the gradient",
    )
    if offsets := found.record["offsets"]:
        _show_offsets(offsets)
    if exchange := found.record["exchange"]:
        _show_exchange(exchange)
    if not found.record["segmented"]:
        typer.echo("the network segments nothing in this scan: places anywhere in it were looked at")
    for line in found.absent:
        typer.echo(line)
    close(found.folder, ", ".join((*found.pictures, "look.json")))


def _show_offsets(layers: list[dict[str, object]]) -> None:
    from leanseg.cli.console import table

    rows = []
    for layer in layers:
        length, step = layer["length_mm"], layer["voxel_mm"]
        assert isinstance(length, dict)
        assert isinstance(step, list)
        cells = " x ".join(f"{mm:g}" for mm in step)
        numbers = (length["mean"], length["quantile_0.95"], length["largest"])
        rows.append([str(layer["layer"]), cells, *(f"{number:.3g}" for number in numbers)])
    table(["offsets of", "voxel, mm", "mean", "95 %", "largest"], rows, title="length of learned offsets in mm")


def _show_exchange(layers: list[dict[str, object]]) -> None:
    from leanseg.cli.console import table

    kinds = {"energy": "signal", "influence": "influence", "weights": "kernels"}
    kinds = {kind: name for kind, name in kinds.items() if any(layer[kind] for layer in layers)}
    rows = []
    for layer in layers:
        cells = [str(layer["layer"])]
        for kind in kinds:
            shares = layer[kind]
            cells.append(f"{1 - shares.get('0', 0.0):.1%}" if isinstance(shares, dict) else "-")
        rows.append(cells)
    table(["depth shift", *kinds.values()], rows, title="share that comes from other slices")


def _mm(within: dict[str, float]) -> list[str]:
    return [f"{mm:.1f}" for mm in within.values()]
