"""The file system at its worst: disks that are full or read-only, folders that are locked, odd places to write to."""

import contextlib
import functools
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tests.hostile.cohorts import label_bytes, scan_bytes
from tests.hostile.disks import make_read_only, mount_small, unmount
from tests.hostile.document_families import DECATHLON, save_dataset
from tests.hostile.package_contents import (
    PLAN,
    contents,
    save_folder,
    sound_graph,
    sound_weights,
    with_manifest,
)
from tests.hostile.trial import MEGABYTE, Family, Trial, WrongError, snapshot

from leanseg.datasets import find_cases, fingerprint, open_dataset, open_folders
from leanseg.datasets.splits import Fold, Splits, write_splits
from leanseg.evaluation import evaluate
from leanseg.inference import predict_cases
from leanseg.packages import Package, pack, write_package
from leanseg.plans import Plan, read_plan, write_plan
from leanseg.storage import whole_file, whole_folder, write_json
from leanseg.volumes import Geometry, read_frames, read_labels, read_volume, write_volume

_ALLOWANCE = 192 * MEGABYTE
_NOBODY = 65534
Act = Callable[[Path], Any]


# ---- what leanseg writes ---------------------------------------------------------------------------------------------


def _volume(folder: Path, random: Random) -> Act:
    shape = random.choice(((4, 4, 4), (20, 30, 40), (60, 60, 60)))
    voxels = np.random.default_rng(random.randrange(1000)).integers(0, 250, shape).astype(random.choice(("u1", "f4")))
    geometry = Geometry(shape, np.diag([1.0, 1, 2, 1]))
    suffix = random.choice((".nii", ".nii.gz"))

    def act(disk: Path) -> Any:
        write_volume(disk / f"out{suffix}", voxels, geometry)
        if not np.array_equal(read_volume(disk / f"out{suffix}").array, voxels):
            raise WrongError("wrong voxels", "written and read back")

    return act


def _json(folder: Path, random: Random) -> Act:
    value = {"numbers": list(range(random.choice((10, 5000, 50_000))))}
    return lambda disk: write_json(disk / "out.json", value)


def _packed_file(folder: Path, random: Random) -> Act:
    source = save_folder(folder / "source", with_manifest(contents()))
    return lambda disk: pack(source, disk / "out.zip")


def _package(folder: Path, random: Random) -> Act:
    plan, graph, weights = Plan.model_validate_json(_plan_text(), strict=True), sound_graph(), sound_weights()
    return lambda disk: write_package(
        disk / "out", plan=plan, weights=[weights], onnx=[graph], card="# card\n", facts={}
    )


def _plan_text() -> str:
    import json

    return json.dumps(PLAN)


def _plan(folder: Path, random: Random) -> Act:
    plan = Plan.model_validate_json(_plan_text(), strict=True)

    def act(disk: Path) -> Any:
        write_plan(disk / "out.json", plan)
        if read_plan(disk / "out.json") != plan:
            raise WrongError("another plan", "written and read back")

    return act


def _folds(folder: Path, random: Random) -> Act:
    names = tuple(f"case_{number:05d}" for number in range(random.choice((4, 2000))))
    splits = Splits(seed=0, folds=(Fold(training=names[::2], validation=names[1::2]),))
    return lambda disk: write_splits(disk / "out.json", splits, overwrite=True)


def _files(folder: Path, random: Random) -> Act:
    count, size = random.choice((1, 5, 40)), random.choice((10, 5000, 100_000))

    def act(disk: Path) -> Any:
        with whole_folder(disk / "out") as made:
            for number in range(count):
                (made / f"inner{number}").mkdir()
                with whole_file(made / f"inner{number}" / "file") as temporary:
                    temporary.write_bytes(bytes(size))

    return act


def _predictions(folder: Path, random: Random) -> Act:
    source = save_folder(folder / "source", with_manifest(contents()))
    (folder / "scans").mkdir()
    for number in range(random.choice((1, 3))):
        (folder / "scans" / f"scan_{number}.nii").write_bytes(scan_bytes(number, (30, 31, 32)))
    package, cases = Package.read(source), find_cases([folder / "scans"])

    def act(disk: Path) -> Any:
        summary = predict_cases(package, cases, disk / "out", threads=1, overwrite=True)
        for name in summary.done:
            read_labels(disk / "out" / f"{name}.nii.gz")
            if not (disk / "out" / f"{name}.json").stat().st_size:
                raise WrongError("empty sidecar", name)
        for failure in summary.failed:
            left = [path.name for path in (disk / "out").glob(f"*{failure.case}.*")] if (disk / "out").exists() else []
            if left:
                raise WrongError("half a case", ", ".join(left))
        return f"{len(summary.done)} done, {len(summary.failed)} failed"

    return act


def _judgement(folder: Path, random: Random) -> Act:
    for name in ("predictions", "references"):
        (folder / name).mkdir()
        for number in range(2):
            (folder / name / f"case_{number}.nii").write_bytes(label_bytes(number))
    return lambda disk: evaluate(folder / "predictions", folder / "references", disk / "out", overwrite=True)


def _measured(folder: Path, random: Random) -> Act:
    """The cache of fingerprints: when it cannot be written, the fingerprint is computed all the same."""
    root = save_dataset(folder, _document(), "decathlon")
    return lambda disk: fingerprint(open_dataset(root), cache=disk / "out").content


def _document() -> bytes:
    import json

    return json.dumps(DECATHLON).encode()


_ACTS: tuple[Callable[[Path, Random], Act], ...] = (
    _volume, _volume, _volume, _json, _packed_file, _package, _package, _plan, _folds, _files, _files, _predictions,
    _predictions, _measured,
)  # fmt: skip


def _older(random: Random, disk: Path) -> None:
    """Something that lies there already, and must be as it was when the new does not get there."""
    for name in ("out.json", "out.nii", "out.nii.gz", "out.zip"):
        if random.random() < 0.3:
            (disk / name).write_bytes(random.randbytes(100))


def _chosen(random: Random, folder: Path) -> tuple[str, Act]:
    """Return the name of something that writes to a folder, and what does it."""
    warm()
    prepare = _judgement if random.random() < 0.04 else random.choice(_ACTS)
    return prepare.__name__.strip("_"), prepare(folder, random)


@functools.cache
def warm() -> None:
    """Load every library before anything is measured."""
    with tempfile.TemporaryDirectory() as name:
        for number, prepare in enumerate({*_ACTS, _judgement}):
            (folder := Path(name) / str(number)).mkdir()
            act = prepare(folder, Random(0))
            (folder / "disk").mkdir()
            act(folder / "disk")


def _full_disk(random: Random, folder: Path) -> Trial:
    """A disk with room for some kilobytes, or for some files only."""
    name, act = _chosen(random, folder)
    disk = folder / "disk"
    size = random.choice((4096, 8192, 16_384, 65_536, 262_144, 10**6, 4 * 10**6, random.randrange(4096, 300_000)))
    files = random.choice((200, 200, 200, 3, 5, 8))
    mount_small(disk, size, files)
    with contextlib.suppress(OSError):  # the disk is full of it
        _older(random, disk)
    return Trial(
        run=lambda: act(disk), judge=_said, allowance=_ALLOWANCE, described=f"{name} {size} {files}", outputs=("disk",),
        cleanup=lambda: unmount(disk),
    )  # fmt: skip


def _said(found: Any) -> str | None:
    return found if isinstance(found, str) and "done" in found else None


def _read_only_disk(random: Random, folder: Path) -> Trial:
    name, act = _chosen(random, folder)
    disk = folder / "disk"
    mount_small(disk, 4 * 10**6)
    _older(random, disk)
    make_read_only(disk)
    return Trial(
        run=lambda: act(disk), judge=_said, allowance=_ALLOWANCE, described=name, cleanup=lambda: unmount(disk)
    )


def _as_nobody(act: Callable[[], Any]) -> Any:
    """Call `act` with the rights of a user who owns nothing."""
    os.seteuid(_NOBODY)
    try:
        return act()
    finally:
        os.seteuid(0)


def _locked_folder(random: Random, folder: Path) -> Trial:
    """A folder in which this user may not write."""
    name, act = _chosen(random, folder)
    locked = folder / "locked"
    locked.mkdir()
    _older(random, locked)
    _open_the_way(folder)
    locked.chmod(random.choice((0o555, 0o755, 0o111, 0o000)))
    return Trial(
        run=lambda: _as_nobody(lambda: act(locked)), judge=_said, allowance=_ALLOWANCE,
        described=f"{name} {locked.stat().st_mode:o}",
    )  # fmt: skip


def _unreadable(random: Random, folder: Path) -> Trial:
    """Inputs of which some file or folder may not be read."""
    save_folder(folder / "package", with_manifest(contents()))
    (folder / "scans").mkdir()
    for number in range(3):
        (folder / "scans" / f"scan_{number}.nii").write_bytes(scan_bytes(number))
    (folder / "plan.json").write_text(_plan_text(), encoding="utf-8")
    root = save_dataset(folder, _document(), "decathlon")
    _open_the_way(folder)
    locked = random.choice(sorted(folder.rglob("*")))
    locked.chmod(random.choice((0o000, 0o222, 0o111, 0o444)) if locked.is_dir() else random.choice((0o000, 0o222)))
    reads: dict[str, Callable[[], Any]] = {
        "image": lambda: read_frames(folder / "scans" / "scan_0.nii"),
        "cases": lambda: find_cases([folder / "scans"]),
        "package": lambda: Package.read(folder / "package"),
        "plan": lambda: read_plan(folder / "plan.json"),
        "data set": lambda: fingerprint(open_dataset(root), cache=folder / "cache"),
        "folders": lambda: open_folders(root / "imagesTr", root / "labelsTr"),
        "judgement": lambda: evaluate(folder / "scans", folder / "scans", folder / "report"),
    }
    kind = random.choice([*list(reads)[:-1], *list(reads)[:-1], "judgement"])
    return Trial(
        run=lambda: _as_nobody(reads[kind]), allowance=_ALLOWANCE,
        described=f"{kind} {locked.name} {locked.stat().st_mode:o}",
    )  # fmt: skip


def _open_the_way(folder: Path) -> None:
    """Let everybody into the folder of this input, whose parents are for root only."""
    for path in (folder, *folder.parents):
        if path.stat().st_uid == 0 and path.name.startswith(("leanseg-hostile-", "input")):
            path.chmod(0o755)


# ---- odd places to write to ------------------------------------------------------------------------------------------

_SPECIAL = (stat.S_IFIFO, stat.S_IFCHR)


def _odd_output(random: Random, folder: Path) -> Trial:
    """The place to write to is a file, a folder in use, a link to nothing, a pipe, a device, or has an odd name."""
    name, act = _chosen(random, folder)
    disk = folder / "disk"
    kind = random.choice(
        (
            "file",
            "folder in use",
            "dangling",
            "loop",
            "pipe",
            "device",
            "parent is a file",
            "parent is a loop",
            "long",
            "nul",
            "surrogate",
            "link to a folder",
        )
    )
    place = disk / (
        "a" * 260 if kind == "long" else "a\0b" if kind == "nul" else "a\ud800" if kind == "surrogate" else ""
    )
    disk.mkdir()
    out = [disk / name for name in ("out", "out.json", "out.zip", "out.nii", "out.nii.gz")]
    if kind == "parent is a file":
        disk.rmdir()
        disk.write_bytes(b"precious")
    elif kind == "parent is a loop":
        disk.rmdir()
        disk.symlink_to("disk")
    else:
        for path in out:
            _put_in_the_way(kind, path, folder)
    precious = {name: told for name, told in snapshot(folder).items() if "kind" in told}  # pipes and devices

    def run() -> Any:
        result = act(place)
        now = snapshot(folder)
        for path, told in precious.items():
            if now.get(path) != told:
                raise WrongError("something special replaced", f"{path}: {told} is now {now.get(path)}")
        return result

    return Trial(run=run, judge=_said, allowance=_ALLOWANCE, described=f"{name} {kind}", outputs=("disk", "elsewhere"))


def _put_in_the_way(kind: str, path: Path, folder: Path) -> None:
    if kind == "file":
        path.write_bytes(b"precious")
    elif kind == "folder in use":
        path.mkdir()
        (path / "precious").write_bytes(b"precious")
    elif kind == "dangling":
        path.symlink_to("nothing/at/all")
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 7))  # like /dev/full
    elif kind == "link to a folder":
        (folder / "elsewhere").mkdir(exist_ok=True)
        path.symlink_to(folder / "elsewhere")


SYSTEM = (
    Family("system", "disk full", _full_disk, 40),
    Family("system", "disk read-only", _read_only_disk, 10),
    Family("system", "folder locked", _locked_folder, 15),
    Family("system", "input unreadable", _unreadable, 20),
    Family("system", "odd outputs", _odd_output, 25),
)
