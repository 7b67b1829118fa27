"""Every recipe trains, exports and judges: two of its steps on small scans that look like its data set."""

import json
import time

import nibabel
import numpy as np
import pytest

from leanseg.datasets import fingerprint, open_dataset
from leanseg.learning.costing import Calibration
from leanseg.learning.jobs.training import Limits, start
from leanseg.learning.planning import make_recipe_plan
from leanseg.learning.planning.recipes import follow
from leanseg.packages import Package
from leanseg.plans import Budget
from leanseg.plans.expectations import refuse_other_dataset
from leanseg.plans.recipe import own_recipes
from leanseg.progress import Progress

MACHINE = Calibration("cpu", "fp32", training_rate=691_000, prediction_rate=1_000_000, ram=24 * 10**9)
MILLIMETRES = {"CT": (0.8, 0.8, 2.5), "MR": (1.0, 1.0, 1.0)}  # along X, Y, Z, where a recipe names none
CASES = 3
# What makes a network of the published kind small enough for a test: patch and options.
SMALL = {
    "distill_dsm_unet": ((8, 32, 32), {}),
    "e2enet": ((32, 32, 32), {"base": 4}),
    "eneuronet": ((32, 32, 32), {}),
    "deformuxnet": ((32, 32, 32), {"feature_size": 4}),
}


def look_alike(recipe, folder):
    """A data set of three scans with the recipe's channels, classes, regions and spacing; classes lie side by side.

    Around them, in most of a scan, there is nothing: engines have to agree there, too, with an untrained network.
    """
    data, wanted = recipe.data, recipe.preprocessing.spacing.value
    spacing = MILLIMETRES[data.modality.value] if isinstance(wanted, str) else wanted
    channels, classes = len(data.channels.value), data.classes.value
    entries = []
    for number in range(CASES):
        random = np.random.default_rng(number)
        labels = np.zeros((36, 40, 32), dtype=np.uint8)
        labels[10:-10, 4:-4, 8:-8] = 1 + np.arange(32)[None, :, None] * classes // 32
        images = labels[..., None] * 20.0 + 30 * random.normal(size=(*labels.shape, channels))
        images[labels == 0] = 0
        for kind, array in (("image", images if channels > 1 else images[..., 0]), ("label", labels)):
            stored = array.astype(np.int16)
            nibabel.save(nibabel.Nifti1Image(stored, np.diag([*spacing, 1.0])), folder / f"{kind}{number}.nii.gz")
        entries.append({"image": f"./image{number}.nii.gz", "label": f"./label{number}.nii.gz"})
    described = {
        "name": recipe.data.name,
        "modality": {str(index): name for index, name in enumerate(data.channels.value)},
        "labels": {"0": "background", **{str(value): f"class {value}" for value in range(1, classes + 1)}},
        "training": entries,
        "test": [],
    }
    if data.regions.value:
        parts = {name: list(range(first, classes + 1)) for first, name in enumerate(data.regions.value, start=1)}
        described["regions"] = parts
    (folder / "dataset.json").write_text(json.dumps(described))
    return open_dataset(folder)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", own_recipes().values(), ids=own_recipes())
def test_two_steps_of_a_recipe_end_in_a_judged_model(recipe, tmp_path):
    name = recipe.network.name.value
    (tmp_path / "data").mkdir()
    dataset = look_alike(recipe, tmp_path / "data")
    patch, options = SMALL[name]
    override = {
        "training": {"patch": list(patch), "precision": "fp32"},
        "inference": {"tile": list(patch)},
        "network": options,
        "augmentation": {"registration": None},  # the look-alikes have no unlabelled scans beside them
    }
    found = fingerprint(dataset)
    scale = 2.2 / follow(recipe, dataset, found, Budget()).training.steps
    assert bool(refuse_other_dataset(recipe, dataset, rehearsal=True)) == bool(recipe.data.cases.value)
    plan = make_recipe_plan(recipe, dataset, found, Budget(), scale=scale, calibration=MACHINE, override=override)
    limits = Limits(time.monotonic(), steps=plan.training.steps, device="cpu")
    outcome = start(dataset, plan, tmp_path / "run", limits, folds=recipe.folds.count.value, progress=Progress())
    assert outcome.record.state == "done"
    assert outcome.record.results["steps"] == 2
    assert set(outcome.evaluation.cohort.summaries) == set(plan.data.targets)
    masks = Package.read(outcome.folder.package).masks()
    assert len(masks) == (35 if recipe.sparsity else 0)
    for mask in masks.values():
        assert mask.sum() == round(recipe.sparsity["density"].value * mask.size)
