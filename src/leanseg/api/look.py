"""What a network learned: `leanseg.look`."""

from pathlib import Path
from typing import TYPE_CHECKING

from leanseg.api.choices import Device, require_one
from leanseg.api.extras import naming_what_is_missing
from leanseg.api.model import open_package
from leanseg.api.paths import PathLike
from leanseg.api.scans import Scan, one_scan
from leanseg.errors import LeansegError
from leanseg.inference import prepare
from leanseg.packages import Package
from leanseg.progress import Progress

if TYPE_CHECKING:
    from leanseg.learning.jobs.inspection import Look


def look(
    package: PathLike | Package,
    scan: Scan,
    out: PathLike,
    *,
    positions: int = 12,
    device: Device | None = None,
    max_voxels: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> "Look":
    """Look into a trained network with a scan, and write pictures and their numbers (look.json) to the folder `out`.

    Of any network: its effective receptive field, from the gradient of the score in the middle of a tile by the scan,
    as the mean over tiles around `positions` voxels of what it segments. Of networks with deformable convolutions: the
    offsets of their taps. Of networks with depth shifts: what each layer takes from neighbouring slices.

    package: a run, a package folder or a .zip. scan: see `leanseg.predict`. device: where torch computes; it takes
    about the memory of a training step with one tile. max_voxels: refuse larger scans. overwrite: replace an earlier
    look. Raises InputErrors before anything is written.
    """
    require_one("--positions", positions)
    folder, progress = Path(out), progress or Progress()
    opened = open_package(package)
    found = one_scan(scan, opened.plan.data.channels, several="call leanseg look once for each")
    with naming_what_is_missing():
        from leanseg.learning.export.torch_engine import resolve_device
        from leanseg.learning.jobs.inspection import look_into, refuse_other_output

        where = resolve_device(device or "auto")
        refuse_other_output(folder, overwrite=overwrite)
        try:
            array, geometry = found.read(max_voxels, None)
            prepared = prepare(array, geometry, opened.plan.preprocessing, max_voxels)
        except LeansegError as error:
            if found.name not in error.what:
                error.at(found.name)
            raise
        return look_into(opened, found.name, prepared, folder, positions=positions, device=where, progress=progress)
