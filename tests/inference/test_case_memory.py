import tracemalloc

import nibabel
import numpy as np
import pytest

from leanseg.inference import Predictor, prepare
from leanseg.inference.case_memory import Network, case_memory, geometry_of, plan_grid
from leanseg.machine import cores
from leanseg.plans import Data, Inference, Normalisation, Plan, Preprocessing, Training
from leanseg.plans import Network as PlannedNetwork
from leanseg.volumes import read_channels


class Flat:
    """An engine that takes no memory but that of its scores."""

    name, precision, head = "flat", "fp32", None

    def __init__(self, outputs, tile):
        self._scores = np.random.default_rng(0).normal(size=(1, outputs, *tile)).astype(np.float32)

    def __call__(self, _):
        return self._scores


def plan_of(channels=1, spacing=None, scheme="zscore", tile=(16, 32, 32), crop=False):
    return Plan(
        data=Data(name="noise", channels=("a", "b")[:channels], labels={"background": 0, "x": 1, "y": 2}),
        preprocessing=Preprocessing(
            spacing=spacing, normalisation=(Normalisation(scheme=scheme),) * channels, crop_to_content=crop
        ),
        network=PlannedNetwork(name="flat"),
        training=Training(patch=tile),
        inference=Inference(tile=tile, overlap=0.25),
    )


def scans(folder, channels, shape, spacing=(1, 1, 1)):
    image = np.random.default_rng(0).integers(1, 200, shape).astype(np.int16)
    paths = [folder / f"a_{channel:04d}.nii" for channel in range(channels)]
    for path in paths:
        nibabel.save(nibabel.Nifti1Image(image, np.diag([*spacing, 1.0])), path)
    return paths


def peak_of(work):
    tracemalloc.start()
    result = work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return result, peak


@pytest.mark.parametrize(
    ("channels", "spacing", "scheme", "crop"),
    [
        (1, None, "zscore", False),
        (2, None, "zscore_content", True),
        (1, (3, 3, 3), "none", False),
        (2, (0.8, 0.8, 0.8), "zscore", False),
    ],
)
def test_the_headers_tell_what_preparing_and_computing_take(tmp_path, channels, spacing, scheme, crop):
    plan = plan_of(channels, spacing, scheme, crop=crop)
    paths = scans(tmp_path, channels, (110, 100, 90))
    told = case_memory(Network(plan, 3), *geometry_of(paths))

    def preparing():
        array, geometry = read_channels(paths)
        return prepare(array, geometry, plan.preprocessing)

    predictor = Predictor(plan, Flat(3, plan.inference.tile))
    predictor.labels_of(preparing())  # caches fill now
    prepared, taken = peak_of(preparing)
    slack = 8e6 * cores()  # each core has slices of its own under work
    assert taken <= told.preparing <= 1.25 * taken + slack
    labels, taken = peak_of(lambda: predictor.labels_of(prepared))
    taken += prepared.array.nbytes
    assert taken <= told.computing <= 1.25 * taken + slack
    assert told.writing >= labels.nbytes


def test_the_grid_is_that_of_a_prepared_scan(tmp_path):
    plan = plan_of(spacing=(2.5, 0.7, 1.3))
    (path,) = scans(tmp_path, 1, (30, 41, 17), (0.9, 1.1, 2.0))
    array, geometry = read_channels([path])
    assert plan_grid(plan, geometry).shape == prepare(array, geometry, plan.preprocessing).grid.shape


def test_memory_grows_little_with_the_classes(tmp_path):
    plan = plan_of()
    (path,) = scans(tmp_path, 1, (110, 100, 90))
    two, many = (case_memory(Network(plan, channels), *geometry_of([path])).computing for channels in (2, 16))
    sum_of_scores = 4 * 14 * 110 * 100 * 90
    assert many - two < sum_of_scores
