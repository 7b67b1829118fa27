"""Lay one scan over another: `leanseg.register`."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from leanseg.api.choices import Device
from leanseg.api.extras import naming_what_is_missing
from leanseg.api.paths import PathLike, path_or_none
from leanseg.progress import Progress

if TYPE_CHECKING:
    from leanseg.learning.registration.folder import Registration


def register(
    moving: PathLike,
    fixed: PathLike,
    out: PathLike,
    *,
    labels: PathLike | None = None,
    fixed_labels: PathLike | None = None,
    similarity: Literal["auto", "lncc", "mi", "mind"] = "auto",
    backend: Literal["leanseg", "ants"] = "leanseg",
    start: Literal["headers", "centres"] = "headers",
    device: Device | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> "Registration":
    """Lay the scan `moving` over the scan `fixed`, and write what comes of it into the folder `out`.

    Written are warped.nii.gz, displacement.nii.gz, registration.png, registration.json (the result's `record`), and
    labels.nii.gz with `labels`, a label map on the grid of `moving`. fixed_labels: one on the grid of `fixed`, to
    compare with. similarity: what is maximised; auto decides by the scans. backend: ants needs antspyx. start: where
    the scans lie to one another before: as their headers have it, or with their middles on one another. device: where
    torch computes. overwrite: replace an earlier result.
    Raises InputErrors: scans that cannot be read, whose fields of view do not overlap, or that do not match.
    """
    with naming_what_is_missing():
        from leanseg.learning.export.torch_engine import resolve_device
        from leanseg.learning.registration import Settings, Similarity
        from leanseg.learning.registration.backends import BackendName
        from leanseg.learning.registration.folder import Files, Start, register_files

        files = Files(Path(moving), Path(fixed), path_or_none(labels), path_or_none(fixed_labels))
        return register_files(
            files,
            Path(out),
            settings=Settings(similarity=Similarity(similarity), device=resolve_device(device or "auto")),
            backend=BackendName(backend),
            start=Start(start),
            overwrite=overwrite,
            progress=progress,
        )
