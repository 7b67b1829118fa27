"""What unlabelled scans bring where few are labelled: no deformation, elastic deformation, registration.

Some cases train, others judge, and the images of all the rest are the unlabelled scans. Every arm trains the same
number of steps from the same seeds, on the same cases and, but for the deformations, on the same patches. The last
weights are judged, so that no case that judges has chosen them. A case's score is its mean Dice over classes and seeds;
intervals are those of the paired differences between arms, by bootstrap over cases. Finished runs are kept: the script
goes on where it was stopped.

    python benchmarks/augmentation_from_unlabelled.py --data ../shared/data/Task04_Hippocampus --out build/unlabelled

none: the plan as leanseg makes it (rotation, scaling, intensities). elastic: half of the patches are bent, too.
registration: the published mix, a third registered and a third elastic. --bare takes the plan's own augmentation away,
as in E-NeuroNet.
"""

import argparse
import csv
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

import leanseg
from leanseg.datasets import Dataset, Fold, Splits, open_dataset, write_splits
from leanseg.evaluation.statistics import mean_intervals
from leanseg.learning.jobs.training import Limits, resume, start
from leanseg.plans import Plan, RegistrationMix, read_plan
from leanseg.plans.deformations import PUBLISHED_PROBABILITY
from leanseg.progress import Progress

ARMS = ("none", "elastic", "registration")


class Lines(Progress):
    """Prints notes."""

    def note(self, message: str) -> None:
        """Print a line."""
        print(f"  {message}", flush=True)


def divide(dataset: Dataset, cases: int, judging: int, out: Path) -> tuple[Path, Path]:
    """Write the splits and a folder of links to the images of all other cases; return both."""
    names = [str(name) for name in np.random.default_rng(0).permutation([case.name for case in dataset.cases])]
    training, judges, rest = names[:cases], names[cases : cases + judging], set(names[cases + judging :])
    splits, folder = out / "splits.json", out / "unlabelled"
    folder.mkdir(parents=True, exist_ok=True)
    fold = Fold(training=tuple(training), validation=tuple(judges))
    write_splits(splits, Splits(seed=0, folds=(fold,)), overwrite=True)
    others = [*(case for case in dataset.cases if case.name in rest), *dataset.unlabelled]
    for case in others:
        for image in case.images:
            link = folder / image.name
            if not link.exists():
                link.symlink_to(image.resolve())
    return splits, folder


def plan_of(arm: str, seed: int, made: Plan, partners: int, *, bare: bool) -> Plan:
    """Return the plan of one arm. made: with the published mix."""
    settings = made.training.augmentation
    elastic, registration = settings.elastic, None
    assert elastic is not None
    if arm == "none":
        elastic = None
    elif arm == "elastic":
        elastic = elastic.model_copy(update={"probability": PUBLISHED_PROBABILITY})
    else:
        registration = RegistrationMix(partners=partners)
    changes = {"elastic": elastic, "registration": registration}
    if bare:
        changes |= {"affine_probability": 0.0, "flip_axes": (), "intensity_probability": 0.0}
    learned = {"augmentation": settings.model_copy(update=changes), "seed": seed, "keep": "last"}
    return made.model_copy(update={"training": made.training.model_copy(update=learned)})


def train(dataset: Dataset, plan: Plan, run: Path, splits: Path, folder: Path, steps: int, cache: Path) -> None:
    """Train one run, or go on with it, unless it is finished."""
    limits = Limits(time.monotonic(), steps=steps, device="auto")
    record = run / "run.json"
    if record.is_file():
        if json.loads(record.read_text())["state"] != "done":
            resume(dataset, run, limits, cache=cache, progress=Lines())
        return
    unlabelled = folder if plan.training.augmentation.registration else None
    start(dataset, plan, run, limits, splits=splits, unlabelled=unlabelled, cache=cache, progress=Lines())


def dice_of(run: Path) -> dict[str, float]:
    """Return the mean Dice over classes of every case that the run was judged on."""
    found = defaultdict(list)
    with (run / "validation" / "report" / "metrics.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            found[row["case"]].append(float(row["dice"] or "nan"))
    return {case: float(np.nanmean(scores)) for case, scores in found.items()}


def compare(scores: dict[str, list[dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Return mean Dice by arm, and the difference from "none" with its interval over cases."""
    cases = sorted(set.intersection(*(set(run) for runs in scores.values() for run in runs)))
    by_case = {arm: np.array([[run[case] for case in cases] for run in runs]).mean(0) for arm, runs in scores.items()}
    rows = {}
    for arm, found in by_case.items():
        rows[arm] = {
            "dice": float(found.mean()),
            "sd_over_seeds": float(np.std([np.mean([run[case] for case in cases]) for run in scores[arm]])),
        }
        if arm != ARMS[0] and ARMS[0] in by_case:
            difference = found - by_case[ARMS[0]]
            low, high = mean_intervals(difference[:, None])
            rows[arm] |= {"gain": float(difference.mean()), "low": float(low[0]), "high": float(high[0])}
    return rows


def show(rows: dict[str, dict[str, float]]) -> None:
    """Print the table."""
    print(f"{'arm':<16}{'Dice':>8}{'sd of seeds':>14}{'against none, 95 % interval':>34}")
    for arm, row in rows.items():
        gain = f"{row['gain']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]" if "gain" in row else ""
        print(f"{arm:<16}{row['dice']:>8.4f}{row['sd_over_seeds']:>14.4f}{gain:>34}", flush=True)


def main() -> None:
    """Train what is missing; print the table and write it as JSON after every seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/Task04_Hippocampus"))
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks/unlabelled"))
    parser.add_argument("--cases", type=int, default=20, help="that train")
    parser.add_argument("--judging", type=int, default=60, help="cases that judge")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--partners", type=int, default=8, help="unlabelled scans for each labelled one")
    parser.add_argument(
        "--minutes", type=float, default=5, help="for which the plan is made: it sets the size of patches"
    )
    parser.add_argument("--bare", action="store_true", help="no augmentation but the deformations")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    options = parser.parse_args()
    out = options.out
    out.mkdir(parents=True, exist_ok=True)
    dataset = open_dataset(options.data)
    splits, folder = divide(dataset, options.cases, options.judging, out)
    file = out / "plan.json"
    if not file.is_file():
        leanseg.plan(options.data, unlabelled=folder, minutes=options.minutes, out=file)
    made = read_plan(file)
    asked = {
        name: value if isinstance(value, int | float | list) else str(value) for name, value in vars(options).items()
    }
    scores: dict[str, list[dict[str, float]]] = {arm: [] for arm in options.arms}
    for seed in range(options.seeds):
        for arm in options.arms:
            print(f"{arm}, seed {seed}", flush=True)
            run = out / f"{arm}-{seed}"
            plan = plan_of(arm, seed, made, options.partners, bare=options.bare)
            train(dataset, plan, run, splits, folder, options.steps, out / "cache")
            scores[arm].append(dice_of(run))
        rows = compare(scores)
        show(rows)
        result = {"asked": asked, "seeds": seed + 1, "arms": rows, "runs": scores}
        (out / "result.json").write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
