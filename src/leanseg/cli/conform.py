"""leanseg conform: a brain on the grid that whole-brain networks learn on, and its labels back on the scan's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leanseg.cli.options import JsonOption, OutFileOption, OverwriteOption
from leanseg.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leanseg.volumes import Geometry

_WRITTEN = (".nii", ".nii.gz")


class NotNiftiOutputError(InputError):
    """The file to write is of a format that leanseg does not write."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            what=f"{path.name}: images are written as NIfTI",
            why="its name says in which format a file is",
            fix="give -o a name that ends in .nii.gz or .nii",
        )


def conform(
    image: Annotated[Path, typer.Argument(help="Scan; or label map, with --of or --back-to")],
    out: OutFileOption,
    of: Annotated[
        Path | None, typer.Option("--of", metavar="SCAN", help="IMAGE holds labels of this scan: lay them on its grid")
    ] = None,
    back_to: Annotated[
        Path | None,
        typer.Option("--back-to", metavar="SCAN", help="IMAGE holds conformed labels: bring them to this scan's grid"),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Lay a brain on a whole-brain network's grid, or labels back.

    The grid is FreeSurfer's conformed one (left, inferior, anterior), cropped to 160 x 192 x 224 voxels of 1 mm with
    the brain in the middle. The brain is what differs from the value in the scan's corners, so its skull should be
    stripped. Scans are interpolated linearly, labels take the nearest voxel.

    Example: leanseg conform brain.nii.gz -o conformed.nii.gz
    """
    from leanseg.api.choices import refuse_contradictions
    from leanseg.cli.closing import close
    from leanseg.cli.console import show_json
    from leanseg.inference.cohort import OutputIsInputError
    from leanseg.storage import refuse_if_used
    from leanseg.volumes import write_volume

    refuse_contradictions([("of", "back-to", "labels go one way at a time")], {"of": of, "back-to": back_to})
    if not out.name.lower().endswith(_WRITTEN):
        raise NotNiftiOutputError(out)
    refuse_if_used(out, overwrite=overwrite)
    if out.exists() and any(out.samefile(path) for path in (image, of, back_to) if path is not None and path.exists()):
        raise OutputIsInputError(out)
    if back_to is None:
        array, geometry, cut = _conformed(image, of)
    else:
        array, geometry, cut = *_native(image, back_to), None
    write_volume(out, array, geometry, like=back_to)
    if as_json:
        show_json({"file": out, "shape": geometry.shape, "affine": geometry.affine.tolist(), "cut_mm": cut})
        return
    if cut is not None and any(cut):
        sides = " x ".join(f"{mm:.3g}" for mm in cut)
        typer.echo(f"too large: up to {sides} mm of it are cut off (left or right, below or above, behind or in front)")
    voxels = " x ".join(map(str, geometry.shape))
    then = ("conform", "LABELS", "--back-to", image, "-o", "OUT.nii.gz") if of is None and back_to is None else ()
    close(out, f"{voxels} voxels", then=then)


def _conformed(image: Path, of: Path | None) -> "tuple[NDArray[Any], Geometry, tuple[float, float, float]]":
    """Return the scan `image`, or the labels `image` of the scan `of`, on its brain's grid, and what is cut off."""
    from leanseg.kernels import background_value
    from leanseg.volumes import conform as lay_grid
    from leanseg.volumes import read_labels, read_volume, require_same_grid

    scan = read_volume(image if of is None else of)
    background = background_value(scan.array)
    try:
        way = lay_grid(scan.array != background, scan.geometry)
    except InputError as error:
        raise error.at(str(image if of is None else of)) from None
    if of is None:
        return way.image(scan.array, outside=background), way.conformed, way.cut_mm
    labels = read_labels(image)
    require_same_grid(of, scan.geometry, image, labels.geometry)
    return way.labels(labels.array), way.conformed, way.cut_mm


def _native(image: Path, scan: Path) -> "tuple[NDArray[Any], Geometry]":
    """Return the labels `image` on the grid of `scan`, with background beyond what they cover."""
    from leanseg.volumes import Conformed, read_header, read_labels

    labels, native = read_labels(image), read_header(scan).geometry
    return Conformed(native, labels.geometry, (0, 0, 0)).restore(labels.array), native
