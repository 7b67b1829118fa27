"""Cohorts from plain numbers, label maps in files, and a browser."""

import functools
import math
import runpy
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from leanseg.evaluation.cohort import CaseResult, Cohort, _summaries
from leanseg.evaluation.meaning import Meaning
from leanseg.evaluation.pairing import Pair
from leanseg.evaluation.scores import VOLUME_NAMES, Ruler, score_case, score_failure, score_names

TOLERANCES = (1.0, 2.0)


@pytest.fixture(scope="session")
def new_cohort():
    return cohort_of


def cohort_of(dice, *, errors=None, volumes=None, failed=(), unread=(), names=None, targets=None, **others):
    """Return a cohort whose Dice is the table `dice` (cases, targets); NaN is "not counted".

    errors: relative volume differences, volumes: those of the reference in mm^3, tables like `dice`; 0 for a class that
    only the prediction has. failed and unread: numbers of cases whose prediction, and whose reference, cannot be used.
    """
    dice = np.asarray(dice, dtype=np.float64)
    errors = np.zeros_like(dice) if errors is None else np.asarray(errors, dtype=np.float64)
    volumes = np.full_like(dice, 1000.0) if volumes is None else np.asarray(volumes, dtype=np.float64)
    targets = targets or {f"class {value}": (value,) for value in range(1, dice.shape[1] + 1)}
    names = names or [f"case_{number:03d}" for number in range(len(dice))]
    results = []
    for number, name in enumerate(names):
        scores = {
            target: _scores(*(float(table[number, place]) for table in (dice, errors, volumes)), number in failed)
            for place, target in enumerate(targets)
        }
        reason = "no prediction" if number in failed else "reference: broken" if number in unread else None
        pair = Pair(name, Path(f"references/{name}.nii.gz"), Path(f"predictions/{name}.nii.gz"), None)
        results.append(CaseResult(pair, {} if number in unread else scores, failure=reason))
    *summaries, foreground = _summaries(results, list(targets), score_names(TOLERANCES), 0)
    fields = {"ignored": (), "ignore": None, "tolerance": TOLERANCES[-1], "tolerances": TOLERANCES} | others
    return Cohort(
        targets=targets,
        results=tuple(results),
        summaries=dict(zip(targets, summaries, strict=True)),
        foreground=foreground,
        **fields,
    )


def _scores(dice, error, volume, failed):
    """Return the given values, but where the real scores of such a case are not counted neither are these."""
    has = math.isfinite(dice)
    real = _real_scores(in_prediction=has, in_reference=has and volume > 0, failed=failed)
    if failed:
        dice, error = 0.0, -1.0
    shares = [dice, dice / (2 - dice), 20 * (1 - dice), dice, dice, dice, 0.99, error * volume, error]
    volumes = [volume, math.nan if failed else volume * (1 + error)]
    given = dict(zip((*score_names(TOLERANCES), *VOLUME_NAMES), (*shares, *volumes), strict=True))
    # Of a class in neither the real numbers: no difference of volume, and a specificity of 1.
    return {name: given[name] if has and math.isfinite(value) else value for name, value in real.items()}


@functools.cache
def _real_scores(*, in_prediction, in_reference, failed):
    """Return what is judged of one voxel, where the prediction and the reference have it."""
    maps = np.zeros((2, 3, 3, 3), dtype=np.uint8)
    maps[:, 1, 1, 1] = in_prediction, in_reference
    meaning, ruler = Meaning({"one": (1,)}), Ruler.of(maps[0].shape, (1.0, 1.0, 1.0), TOLERANCES)
    scores = score_failure(maps[1], meaning, ruler) if failed else score_case(*maps, meaning, ruler)[0]
    return scores["one"]


@pytest.fixture(scope="session")
def write_labels():
    def write(path, labels, affine=None):
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(labels, np.diag([1.0, 1.0, 2.0, 1.0]) if affine is None else affine), path)

    return write


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    driver = runpy.run_path(str(Path(__file__).with_name("browser.py")))
    if driver["CHROMIUM"] is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    opened = driver["Browser"](tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.close()
