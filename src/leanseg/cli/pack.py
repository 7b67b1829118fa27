"""leanseg pack: a trained model as one file, to be copied or sent."""

import hashlib
from pathlib import Path
from typing import Annotated

import typer

from leanseg.cli.options import JsonOption, OutFileOption, OverwriteOption


def pack(
    package: Annotated[Path, typer.Argument(help="Run, or package folder")],
    out: OutFileOption,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put a trained model into one .zip file.

    The file is pure data and holds no scan. leanseg predict takes it in the place of the run, and checks it as it does
    a run.

    Example: leanseg pack runs/hippocampus -o hippocampus.zip
    """
    from leanseg.cli.closing import close
    from leanseg.cli.console import show_json
    from leanseg.packages import pack as write_zip
    from leanseg.plans import show_bytes
    from leanseg.storage import refuse_if_used

    refuse_if_used(out, overwrite=overwrite)
    write_zip(package, out)
    size, digest = out.stat().st_size, _sha256(out)
    if as_json:
        show_json({"file": out, "bytes": size, "sha256": digest})
    else:
        close(out, f"{show_bytes(size)}, SHA-256 {digest}", then=("predict", out, "SCANS", "-o", "OUT"))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
