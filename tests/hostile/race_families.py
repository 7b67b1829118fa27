"""Files that change while they are read: what comes out is all of one state, or nothing."""

import os
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tests.hostile import races, sound_volumes
from tests.hostile.cohorts import label_bytes, scan_bytes
from tests.hostile.package_contents import contents, entries_of, save_folder, with_manifest, zip_bytes
from tests.hostile.system_families import warm
from tests.hostile.trial import MEGABYTE, Family, Trial, WrongError

from leanseg.datasets import find_cases
from leanseg.evaluation import evaluate
from leanseg.inference import predict_cases
from leanseg.packages import Package
from leanseg.plans import Plan
from leanseg.volumes import read_channels, read_frames, read_labels

_ALLOWANCE = 192 * MEGABYTE


def _changing_image(random: Random, folder: Path) -> Trial:
    """An image that changes between two of the moments at which it is opened: all of one state, or none."""
    suffix, make = random.choice((
        (".nii", lambda seed: scan_bytes(seed, (4, 5, 6), random.choice(("<f4", "<i2")))),
        (".nii.gz", lambda seed: sound_volumes.gzipped(Random(seed), scan_bytes(seed, (4, 5, 6)))),
        (".mha", _meta),
        (".nrrd", _nrrd),
    ))  # fmt: skip
    before, after = make(1), make(random.choice((1, 2, 3)))
    place = folder / "images"
    place.mkdir()
    (path := place / f"scan{suffix}").write_bytes(before)
    expected = [read_frames(path)]
    if after != before:
        path.write_bytes(after)
        expected.append(read_frames(path))
        path.write_bytes(before)
    what, strike = races.change(random, path, after)
    opening = random.choice((1, 2, 3, 4, 5, 6, 7))
    os.utime(path, (10**9, 10**9))  # long ago, so that every change tells by its time
    read = random.choice((read_frames, lambda p: read_channels([p])))

    def run() -> Any:
        with races.laid(path.name, opening, strike):
            return read(path)

    def judge(found: Any) -> str:
        array = found[0]
        for voxels, geometry in expected:
            same = voxels if array.ndim == voxels.ndim else voxels.astype(np.float32)[None]
            if array.shape == same.shape and np.array_equal(array, same) and found[1] == geometry:
                return "all of one state"
        raise WrongError("mixture", f"{what} at opening {opening}")

    told = f"{what} {opening}"
    return Trial(run=run, judge=judge, allowance=_ALLOWANCE, described=told, changes=("images",))


def _meta(seed: int) -> bytes:
    random = Random(seed)
    lines, voxels = sound_volumes.meta(random, sound_volumes.picture(random, dimensions=(3,), dtypes=("i2",)))
    return "\n".join(lines).encode() + b"\n" + voxels


def _nrrd(seed: int) -> bytes:
    random = Random(seed)
    lines, voxels = sound_volumes.nrrd(random, sound_volumes.picture(random, dimensions=(3,), dtypes=("i2",)))
    return "\n".join(lines).encode() + b"\n\n" + voxels


def _changing_package(random: Random, folder: Path) -> Trial:
    """A package of which a file changes while it is read and verified."""
    files = with_manifest(contents())
    name = random.choice(list(files))
    place = folder / "place"
    place.mkdir()
    if random.random() < 0.6:
        path = save_folder(place / "package", files)
        target = path / name
    else:
        (path := place / "model.zip").write_bytes(zip_bytes(entries_of(files)))
        target = path
    other = (
        files[name].replace(b"1", b"2", 3)
        if target != path
        else zip_bytes(entries_of(with_manifest(contents(card__md=b"# other\n"))))
    )
    what, strike = races.change(random, target, other)
    opening = random.choice((1, 2, 3, 4, 6, 10))

    def run() -> Any:
        with races.laid(target.name, opening, strike):
            package = Package.read(path)
            return package, {one: package.file(one) for one in package.manifest.files}, package.weights()

    def judge(found: Any) -> str:
        package, read, _ = found
        if package.plan != Plan.model_validate_json(read["plan.json"].decode(), strict=True):
            raise WrongError("mixture", "the plan is not that of the package's file")
        return "all of one state"

    return Trial(
        run=run, judge=judge, allowance=_ALLOWANCE, described=f"{name} {what} {opening} {path.name}",
        outputs=("place",), changes=("place",),
    )  # fmt: skip


def _changing_input(random: Random, folder: Path) -> Trial:
    """A scan or label map that changes while a whole cohort is predicted, judged or measured."""
    place = folder / "place"
    place.mkdir()
    source = save_folder(folder / "source", with_manifest(contents()))
    for name in ("scans", "predictions", "references"):
        (place / name).mkdir()
        for number in range(3):
            (place / name / f"case_{number}.nii").write_bytes(
                scan_bytes(number) if name == "scans" else label_bytes(number)
            )
    kind = random.choice(("predict", "predict", "predict", "evaluate"))
    target = place / random.choice(("scans",) if kind == "predict" else ("predictions", "references")) / "case_1.nii"
    what, strike = races.change(random, target, scan_bytes(7) if kind == "predict" else label_bytes(7))
    opening = random.randrange(1, 9)
    warm()

    def run() -> Any:
        with races.laid(target.name, opening, strike):
            if kind == "evaluate":
                return len(evaluate(place / "predictions", place / "references", place / "report").failures)
            package = Package.read(source)
            summary = predict_cases(package, find_cases([place / "scans"]), place / "out", threads=1)
        for name in summary.done:
            read_labels(place / "out" / f"{name}.nii.gz")
        return len(summary.failed)

    return Trial(
        run=run, judge=lambda failed: f"{failed} failed", allowance=_ALLOWANCE, described=f"{kind} {what} {opening}",
        outputs=("place",), changes=("place",),
    )  # fmt: skip


RACES = (
    Family("races", "image changes", _changing_image, 50),
    Family("races", "package changes", _changing_package, 40),
    Family("races", "cohort changes", _changing_input, 20),
)
