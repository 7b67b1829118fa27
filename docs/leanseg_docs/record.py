"""Run every scene and keep what it printed: `make docs-record`.

    python -m leanseg_docs.record --data ../../shared/data [SCENE ...]

With names only these scenes run, in the scratch folder that an earlier recording left.
"""

import argparse
import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from leanseg import __version__, machine
from leanseg_docs import stage
from leanseg_docs.memory_picture import record_memory
from leanseg_docs.places import DOCS
from leanseg_docs.recordings import Recording, write_recording
from leanseg_docs.scenes import SCENES, Scene, Snippets
from leanseg_docs.snippets import code_blocks

SCRATCH = Path(tempfile.gettempdir()) / "leanseg-docs"
BUDGETS = {"long.json": "budget-time", "short.json": "budget-middle", "small.json": "budget-memory"}


def main() -> None:
    """Record the scenes that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help=f"folder of {stage.HIPPOCAMPUS} and {stage.BRATS}")
    parser.add_argument("scenes", nargs="*", help="names of scenes; all of them unless given")
    options = parser.parse_args()
    if not options.scenes:
        shutil.rmtree(SCRATCH, ignore_errors=True)
    stage.set_up(SCRATCH, options.data / stage.HIPPOCAMPUS, options.data / stage.BRATS)
    origin = _origin()
    for each in SCENES:
        name = each.name if isinstance(each, Scene) else Path(each.page).stem
        if options.scenes and name not in options.scenes:
            continue
        print(f"{name} ...", flush=True)
        if isinstance(each, Scene):
            record_scene(each, origin)
        else:
            record_snippets(each, origin)
    if all((SCRATCH / plan).is_file() for plan in BUDGETS):
        record_memory(SCRATCH, {SCRATCH / plan: scene for plan, scene in BUDGETS.items()})


def record_scene(scene: Scene, origin: str) -> None:
    """Run one command line and keep what it printed. Fails where it ends otherwise than the scene says."""
    if scene.before:
        scene.before(SCRATCH)
    for output in _outputs(scene.command):
        _remove(SCRATCH / output)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    began = time.monotonic()
    done = subprocess.run(
        ["sh", "-c", scene.command],
        cwd=SCRATCH,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    if done.returncode != scene.code:
        message = f"{scene.name} ended with {done.returncode} instead of {scene.code}:\n{done.stdout}"
        raise SystemExit(message)
    write_recording(scene.name, Recording(origin, done.returncode, seconds, scene.command, _tidied(done.stdout)))


def record_snippets(snippets: Snippets, origin: str) -> None:
    """Run the Python of a page in the scratch folder and keep what each block printed."""
    page = DOCS / snippets.page
    known: dict[str, object] = {}
    os.chdir(SCRATCH)
    for output in snippets.writes:
        _remove(SCRATCH / output)
    for number, block in enumerate(code_blocks(page.read_text(encoding="utf-8"), "python"), start=1):
        printed = io.StringIO()
        began = time.monotonic()
        with contextlib.redirect_stdout(printed):
            exec(compile(block, f"{snippets.page}, block {number}", "exec"), known)
        if printed.getvalue():
            seconds = time.monotonic() - began
            write_recording(f"{page.stem}-{number}", Recording(origin, 0, seconds, None, _tidied(printed.getvalue())))


def _outputs(command: str) -> list[str]:
    """Return what `command` writes: an earlier recording may have left it."""
    words = command.split()
    named = [word for flag, word in pairwise(words) if flag in ("-o", "--package")]
    return named or (["leanseg-demo"] if words[:2] == ["leanseg", "demo"] else [])


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _tidied(text: str) -> str:
    """Return `text` without blanks at the ends of lines and without empty lines around it."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n") + "\n"


def _origin() -> str:
    """Return date, version and machine."""
    from leanseg.inference.engines.instruction_sets import this_processor

    today = datetime.now(UTC).date().isoformat()
    versions = f"leanseg {__version__}, Python {'.'.join(map(str, sys.version_info[:3]))}"
    ram = f"{machine.ram_bytes() / 1e9:.0f} GB"
    threads = os.environ.get("OMP_NUM_THREADS")
    limited = f", OMP_NUM_THREADS={threads}" if threads else ""
    return f"{today}, {versions}, {machine.cores()} cores ({this_processor().name}), {ram}, no GPU{limited}"


if __name__ == "__main__":
    main()
