"""Whole commands in this process: exit code, message and what is left behind, for inputs of every other kind."""

import functools
import io
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.hostile.cohorts import label_bytes, scan_bytes
from tests.hostile.document_families import DECATHLON, DOCUMENTS, save_dataset
from tests.hostile.engine_families import ENGINES
from tests.hostile.package_contents import contents, save_folder, with_manifest
from tests.hostile.package_families import PACKAGES
from tests.hostile.trial import MEGABYTE, Family, Trial, WrongError, snapshot
from tests.hostile.volume_families import VOLUMES

from leanseg.cli import main
from leanseg.volumes import SUFFIXES

_ALLOWANCE = 256 * MEGABYTE
_REFUSED, _SOME_FAILED = 2, 4
_CAP = 200_000  # voxels
_OUTPUTS = ("out", "out.zip", "out.json")


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def command(*arguments: object) -> Done:
    """Run one command as a shell would, and return how it ended."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)
    before = sys.argv, sys.stdout, sys.stderr
    sys.argv, sys.stdout, sys.stderr = ["leanseg", *map(str, arguments)], out, err
    code = 0
    try:
        main()
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else 0 if stopped.code is None else 1
    finally:
        sys.argv, sys.stdout, sys.stderr = before
    return Done(code, _text_of(out), _text_of(err))


def _text_of(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.buffer.read().decode("utf-8", "replace")


def _judge(done: Done, folder: Path, *, table: bool, machine: bool) -> str:
    for word in ("Traceback", "Warning:", "fault of ours"):
        if word in done.err or word in done.out:
            raise WrongError("unexplained", done.err[-3000:] + done.out[-1000:])
    if done.code not in {0, _REFUSED, _SOME_FAILED}:
        raise WrongError(f"exit code {done.code}", done.err[-3000:])
    if done.code and not (
        table or "Usage:" in done.err or all(part in done.err for part in ("error: ", "  why: ", "  fix: "))
    ):
        raise WrongError("incomplete message", repr(done))
    if machine and done.out.strip() and not done.out.startswith("Usage:"):
        json.loads(done.out)
    if done.code == _REFUSED:
        left = [name for name in snapshot(folder) if name.partition("/")[0] in _OUTPUTS]
        if left:
            raise WrongError("left behind", ", ".join(left[:10]))
    return f"exit code {done.code}"


def _trial(folder: Path, *arguments: object, machine: bool, table: bool = False) -> Trial:
    words = [str(argument).replace(str(folder), "") for argument in arguments]
    return Trial(
        run=lambda: command(*arguments, *(["--json"] if machine else [])),
        judge=lambda done: _judge(done, folder, table=table, machine=machine),
        allowance=_ALLOWANCE,
        outputs=_OUTPUTS,
        described=f"{' '.join(words)} {machine}",
    )


@functools.cache
def _warm() -> None:
    """Run every command once, so that all that is loaded once is loaded before anything is measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = save_dataset(folder, json.dumps(DECATHLON).encode(), "decathlon")
        package = save_folder(folder / "package", with_manifest(contents()))
        scan = root / "imagesTr" / "a_01.nii"
        lines: tuple[tuple[object, ...], ...] = (
            ("info", scan),
            ("check", root),
            ("split", root, "-o", "OUT"),
            ("predict", package, scan, "-o", "OUT"),
            ("predict", package, scan, "-o", "OUT", "--engine", "onnxruntime"),
            ("pack", package, "-o", "OUT"),
            ("evaluate", root / "labelsTr", root / "labelsTr", "-o", "OUT"),
        )
        for number, line in enumerate(lines):
            done = command(*(folder / f"out{number}" if word == "OUT" else word for word in line))
            if done.code:
                raise AssertionError(done)


def _image(random: Random, folder: Path) -> Path:
    """Make a hostile image by one of the other families, and return where it is (or should be)."""
    _warm()
    chosen = [family for family in VOLUMES if family.name != "many empty gzip members"]
    place = folder / "made"
    place.mkdir()
    random.choices(chosen, [family.share for family in chosen])[0].make(random, place)
    found = [
        path
        for path in sorted(place.rglob("*"))
        if path.name.lower().endswith(SUFFIXES) and path.parent.name != "secret"
    ]
    return found[0] if found else place / "scan.nii"


def _info(random: Random, folder: Path) -> Trial:
    return _trial(folder, "info", _image(random, folder), machine=random.random() < 0.3)


def _predict(random: Random, folder: Path) -> Trial:
    scan = _image(random, folder)
    package = save_folder(folder / "package", with_manifest(contents()))
    # A header that lies about its spacing makes a small scan a large grid: the cap is what bounds the work.
    more: list[object] = ["--max-voxels", _CAP]
    if random.random() < 0.3:
        (folder / "sound.nii").write_bytes(scan_bytes(1))
        more.append(folder / "sound.nii")
    if random.random() < 0.3:
        more += ["--engine", "onnxruntime"]
    if random.random() < 0.2:
        more += ["--nan", "0"]
    return _trial(folder, "predict", package, scan, "-o", folder / "out", *more, machine=random.random() < 0.3)


def _predict_with(random: Random, folder: Path) -> Trial:
    """Packages of the package and engine families, applied to a sound scan."""
    _warm()
    place = folder / "made"
    place.mkdir()
    chosen = [*PACKAGES, *ENGINES]
    random.choices(chosen, [family.share for family in chosen])[0].make(random, place)
    (folder / "sound.nii").write_bytes(scan_bytes(1))
    path = place / "package" if (place / "package").exists() else place / "model.zip"
    if random.random() < 0.25:
        return _trial(folder, "pack", path, "-o", folder / "out.zip", machine=random.random() < 0.3)
    return _trial(folder, "predict", path, folder / "sound.nii", "-o", folder / "out", machine=random.random() < 0.3)


def _check(random: Random, folder: Path) -> Trial:
    """A data set with a hostile description, or with a hostile image in it."""
    place = folder / "made"
    if random.random() < 0.5:
        chosen = [family for family in DOCUMENTS if "dataset.json" in family.name or "table" in family.name]
        place.mkdir()
        _warm()
        random.choice(chosen).make(random, place)
        root = place / "data"
    else:
        image = _image(random, folder)
        root = save_dataset(folder, json.dumps(DECATHLON).encode(), "decathlon")
        target = random.choice(sorted(root.glob("*Tr/*.nii")))
        if image.is_file() and image.stat().st_size < 10**7:
            target.write_bytes(image.read_bytes())
        else:
            target.unlink()
    machine = random.random() < 0.3
    if random.random() < 0.3:
        return _trial(folder, "split", root, "-o", folder / "out.json", machine=machine)
    return _trial(folder, "check", root, machine=machine, table=True)


def _evaluate(random: Random, folder: Path) -> Trial:
    """Label maps of which one is hostile, on either side."""
    image = _image(random, folder)
    for name in ("predictions", "references"):
        (folder / name).mkdir()
        for number in range(2):
            (folder / name / f"case_{number}.nii").write_bytes(label_bytes(number))
    suffix = "".join(image.suffixes[-2:]) if image.name.endswith(".gz") else image.suffix
    target = folder / random.choice(("predictions", "references")) / "case_0.nii"
    if image.is_file() and image.stat().st_size < 10**7:
        target.unlink()
        target.with_name(f"case_0{suffix}").write_bytes(image.read_bytes())
    machine = random.random() < 0.3
    return _trial(
        folder, "evaluate", folder / "predictions", folder / "references", "-o", folder / "out", machine=machine
    )


_ODD = (
    "", "-", "--", "-x", "--help", "\n", "é", "\udc80", "a" * 300, "a" * 5000, "/", ".", "..", "/dev/null",
    "/dev/zero", "/proc/self/mem", "/proc/self/environ", "/etc/passwd", "~", "*", "$HOME", "%s", "{}", "NaN", "-1",
    "0", "1e999", "9" * 400, "\u202e",
)  # fmt: skip


def _arguments(random: Random, folder: Path) -> Trial:
    """Words on the command line that are no data, no numbers, no names."""
    _warm()
    package = save_folder(folder / "package", with_manifest(contents()))
    (folder / "sound.nii").write_bytes(scan_bytes(1))
    root = save_dataset(folder, json.dumps(DECATHLON).encode(), "decathlon")
    out = folder / "out"
    lines: list[list[object]] = [
        ["info", folder / "sound.nii"],
        ["info", folder / "sound.nii", "--max-voxels", "100"],
        ["check", root],
        ["check", "--images", root / "imagesTr", "--labels", root / "labelsTr"],
        ["check", root, "--subject-pattern", "([a-z])"],
        ["split", root, "-o", folder / "out.json", "--folds", "2", "--seed", "1"],
        ["predict", package, folder / "sound.nii", "-o", out, "--nan", "0", "--threads", "1"],
        ["predict", package, folder / "sound.nii", "-o", out, "--engine", "onnxruntime"],
        ["evaluate", root / "labelsTr", root / "labelsTr", "-o", out, "--tolerance", "1"],
        ["pack", package, "-o", folder / "out.zip"],
    ]
    line = random.choice(lines)
    fixed = {at for at, word in enumerate(line) if str(word).startswith(str(folder / "out"))} | {0}
    places = [at for at in range(len(line)) if at not in fixed]
    for at in random.sample(places, min(len(places), random.choice((1, 1, 2)))):
        line[at] = random.choice(_ODD)
    return _trial(folder, *line, machine=random.random() < 0.3, table=line[0] == "check" or "--help" in line)


COMMANDS = (
    Family("commands", "info, hostile images", _info, 40),
    Family("commands", "predict, hostile images", _predict, 40),
    Family("commands", "predict and pack, hostile packages", _predict_with, 40),
    Family("commands", "check and split, hostile data sets", _check, 30),
    Family("commands", "evaluate, hostile label maps", _evaluate, 10),
    Family("commands", "odd words", _arguments, 30),
)
