import threading
import time

import nibabel
import numpy as np
import pytest

from leanseg.datasets import Case
from leanseg.datasets.targets import Region
from leanseg.errors import InputError
from leanseg.learning.training import cache as cache_module
from leanseg.learning.training.cache import build_cache, cache_scans
from leanseg.plans import Data, Inference, Network, Normalisation, Plan, Preprocessing, Training
from leanseg.progress import Progress

VALUES = {"background": 0, "one": 5, "two": 9}


@pytest.fixture
def plan():
    return Plan(
        data=Data(name="toy", channels=("MR",), labels=VALUES),
        preprocessing=Preprocessing(orientation="SAR", spacing=(1, 1, 1), normalisation=(Normalisation(),)),
        network=Network(name="unet2d"),
        training=Training(patch=(8, 8, 8)),
        inference=Inference(tile=(8, 16, 16)),
    )


@pytest.fixture
def cases(tmp_path):
    rng = np.random.default_rng(0)
    made = []
    for number in range(3):
        image = rng.normal(size=(12, 14, 10 + number)).astype(np.float32)
        labels = rng.choice([0, 5, 9], size=image.shape).astype(np.uint8)
        for kind, array in (("image", image), ("label", labels)):
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / f"{kind}{number}.nii.gz")
        made.append(Case(f"case{number}", (tmp_path / f"image{number}.nii.gz",), tmp_path / f"label{number}.nii.gz"))
    return made


def test_cached_cases_hold_normalised_images_and_class_indices(cases, plan, tmp_path):
    for case, cached in zip(cases, build_cache(cases, plan, tmp_path / "cache", Progress()), strict=True):
        image = np.asarray(nibabel.load(case.images[0]).dataobj).transpose(2, 1, 0)
        labels = np.asarray(nibabel.load(case.label).dataobj).transpose(2, 1, 0)
        assert np.allclose(cached.image[0], (image - image.mean()) / image.std(), atol=1e-4)
        assert np.array_equal(np.array([0, 5, 9])[cached.labels], labels)
        for index, voxels in enumerate(cached.foreground, start=1):
            assert (cached.labels[tuple(voxels.T)] == index).all()
            assert len(voxels) > 0


def test_nobody_writes_on_after_an_interruption(cases, plan, tmp_path, monkeypatch):
    written, first_done = [], threading.Event()
    write = cache_module._write_case

    def slowly(case, *rest):
        if case is not cases[0]:
            first_done.wait(5)
            time.sleep(0.1)  # the consumer of the first case is interrupted meanwhile
        write(case, *rest)
        written.append(case.name)

    class Hasty(Progress):
        def track(self, items, doing, total=None):
            for item in items:
                yield item
                first_done.set()
                raise KeyboardInterrupt

    monkeypatch.setattr(cache_module, "_write_case", slowly)
    monkeypatch.setattr(cache_module, "workers_for", lambda _: 3)
    with pytest.raises(KeyboardInterrupt) as _interrupted:  # kept, as by whoever tidies up meanwhile
        build_cache(cases, plan, tmp_path / "cache", Hasty())
    at_return = list(written)
    time.sleep(0.3)
    assert at_return == written


def test_regions_are_sampled_one_by_one_and_ignored_voxels_never(cases, plan, tmp_path):
    regions = {"both": Region(values=(5, 9), written=5), "two": Region(values=(9,), written=9)}
    data = plan.data.model_copy(update={"labels": {**VALUES, "three": 11}, "regions": regions, "ignore": 200})
    for case in cases:
        labels = np.asarray(nibabel.load(case.label).dataobj).copy()
        labels[:6] = 200
        nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), case.label)
    for case, cached in zip(
        cases, build_cache(cases, plan.model_copy(update={"data": data}), tmp_path / "cache", Progress()), strict=True
    ):
        labels = np.asarray(nibabel.load(case.label).dataobj).transpose(2, 1, 0)
        assert np.array_equal(np.array([0, 5, 9, 11, 200])[cached.labels], labels)
        both, two = (labels[tuple(voxels.T)] for voxels in cached.foreground)
        assert set(both) == {5, 9}
        assert set(two) == {9}


def test_other_targets_are_another_cache(cases, plan, tmp_path):
    build_cache(cases[:1], plan, tmp_path / "cache", Progress())
    for change in ({"regions": {"both": Region(values=(5, 9), written=5)}}, {"ignore": 10}):
        changed = plan.model_copy(update={"data": plan.data.model_copy(update=change)})
        before = len(list((tmp_path / "cache").iterdir()))
        build_cache(cases[:1], changed, tmp_path / "cache", Progress())
        assert len(list((tmp_path / "cache").iterdir())) == before + 1


def test_large_sets_stay_on_disk_and_read_the_same(cases, plan, tmp_path, monkeypatch):
    decoded = build_cache(cases, plan, tmp_path / "cache", Progress())
    monkeypatch.setattr(cache_module, "_fits", lambda *_: False)
    for ours, theirs in zip(build_cache(cases, plan, tmp_path / "cache", Progress()), decoded, strict=True):
        assert not isinstance(ours.image, np.ndarray)
        assert np.array_equal(ours.image[:, 2:7, 3:9, 1:4], theirs.image[:, 2:7, 3:9, 1:4])
        assert np.array_equal(ours.labels[1:2], theirs.labels[1:2])


def test_only_what_is_missing_or_changed_is_made(cases, plan, tmp_path, monkeypatch):
    made = []
    write = cache_module._write_case
    monkeypatch.setattr(cache_module, "_write_case", lambda case, *rest: (made.append(case.name), write(case, *rest)))

    def build(with_plan=plan):
        made.clear()
        build_cache(cases, with_plan, tmp_path / "cache", Progress())
        return sorted(made)

    assert build() == ["case0", "case1", "case2"]
    assert build() == []
    nibabel.save(nibabel.Nifti1Image(np.zeros((12, 14, 11), np.float32), np.eye(4)), cases[1].images[0])
    assert build() == ["case1"]
    turned = plan.preprocessing.model_copy(update={"orientation": "ASR"})
    assert build(plan.model_copy(update={"preprocessing": turned})) == ["case0", "case1", "case2"]


def test_a_case_without_label_is_refused_by_name(cases, plan, tmp_path):
    unlabelled = Case("orphan", cases[0].images)
    with pytest.raises(InputError) as caught:
        build_cache([*cases, unlabelled], plan, tmp_path / "cache", Progress())
    assert "orphan" in caught.value.what


def test_a_label_on_another_grid_is_refused(cases, plan, tmp_path):
    moved = np.eye(4)
    moved[0, 3] = 4
    labels = np.asarray(nibabel.load(cases[0].label).dataobj)
    nibabel.save(nibabel.Nifti1Image(labels, moved), cases[0].label)
    with pytest.raises(InputError, match=r"label0\.nii\.gz: not on the grid"):
        build_cache(cases, plan, tmp_path / "cache", Progress())


def test_scans_without_labels_are_preprocessed_like_labelled_ones(cases, plan, tmp_path):
    labelled = build_cache(cases, plan, tmp_path / "cache", Progress())
    scans = cache_scans([Case(case.name, case.images) for case in cases], plan, tmp_path / "cache", Progress())
    for case, scan in zip(labelled, scans, strict=True):
        assert np.array_equal(case.image, scan.image[:])
        assert (scan.content, scan.spacing) == (case.scan.content, (1.0, 1.0, 1.0))
        assert not (scan.folder / "labels.b2nd").exists()
    assert len({scan.content for scan in scans}) == 3


def test_what_a_scan_holds_does_not_depend_on_its_file(cases, plan, tmp_path):
    """The same scan, uncompressed and turned by a quarter, and one with another voxel."""
    image = nibabel.load(cases[0].images[0])
    turned = image.as_reoriented(np.array([[1, 1], [0, -1], [2, 1]]))
    other = np.asarray(image.dataobj).copy()
    other[3, 4, 5] += 1
    nibabel.save(nibabel.Nifti1Image(np.asarray(turned.dataobj), turned.affine), tmp_path / "turned.nii")
    nibabel.save(nibabel.Nifti1Image(other, np.eye(4)), tmp_path / "other.nii.gz")
    files = [cases[0].images[0], tmp_path / "turned.nii", tmp_path / "other.nii.gz"]
    scans = cache_scans([Case(file.name, (file,)) for file in files], plan, tmp_path / "cache", Progress())
    assert scans[0].content == scans[1].content != scans[2].content


def test_spacing_is_that_of_the_grid(cases, plan, tmp_path):
    """10 voxels of 1 mm on a grid of 3 mm are 3 voxels."""
    grid = plan.preprocessing.model_copy(update={"spacing": (3.0, 1.0, 1.0)})
    coarse = plan.model_copy(update={"preprocessing": grid})
    (scan,) = cache_scans(cases[:1], coarse, tmp_path / "cache", Progress())
    assert scan.image.shape == (1, 3, 14, 12)
    assert scan.spacing == pytest.approx((10 / 3, 1, 1))
