import math
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
import torch
from peers.job import Job, Said
from peers.nnunet import _dataset, _fingerprint
from peers.packages import awaken, middle
from peers.prepared import export, fitting_classes
from peers.torch_network import Repeating

from leanseg.inference import Grid
from leanseg.kernels import labels_of_scores
from leanseg.learning import networks
from leanseg.plans import Data, Inference, Network, Normalisation, Plan, Preprocessing, Training
from leanseg.volumes import Geometry


def test_a_repeating_network_computes_its_first_tiles_only():
    network = Repeating(torch.nn.Conv3d(1, 2, 1), passes=2)
    tiles = [torch.full((1, 1, 2, 2, 2), float(n)) for n in range(5)]
    found = [network(tile) for tile in tiles]
    assert torch.equal(found[1], network.network(tiles[1]))
    assert all(torch.equal(one, found[1]) for one in found[2:])
    assert (network.calls, len(network.taken)) == (5, 2)


def test_what_a_caller_does_to_a_repeated_result_stays_there():
    network = Repeating(torch.nn.Identity(), passes=1)
    first = network(torch.ones(1, 1, 2, 2, 2))
    first += 5
    network(torch.ones(1, 1, 2, 2, 2)).zero_()
    assert torch.equal(network(torch.zeros(1, 1, 2, 2, 2)), torch.ones(1, 1, 2, 2, 2))


def test_the_time_of_tiles_that_were_not_computed_is_added():
    network = Repeating(torch.nn.Identity(), passes=3)
    network.taken, network.calls = [9.0, 2.0, 4.0], 10
    said = Said()
    network.account(said, times=5)
    assert said.added_seconds == (5 * 10 - 3) * 3.0  # the first one warmed up
    assert said.basis == ["3 of 5 x 10 passes of 3.00 s"]


def test_nothing_is_added_where_all_tiles_were_computed():
    network = Repeating(torch.nn.Identity(), None)
    for _ in range(3):
        network(torch.ones(1))
    said = Said()
    network.account(said)
    assert (said.added_seconds, said.basis) == (0.0, [])


@pytest.mark.parametrize("free", [10**6, 5 * 10**6, 10**9])
def test_classes_that_fit_take_no_more_than_is_free(free):
    voxels = 40_000
    classes = fitting_classes(117, voxels, free)
    assert 2 <= classes <= 117
    assert classes == 2 or classes * voxels * 4 + voxels * 8 <= free
    assert classes == 117 or (classes + 1) * voxels * 4 + voxels * 8 > free


@pytest.fixture
def job(tmp_path):
    (tmp_path / "scan_0000.nii.gz").touch()
    return Job("naive export", "package", str(tmp_path), str(tmp_path), threads=1)


def prepared(shape, small):
    grid = Grid(Geometry(shape, np.eye(4)), "RAS", tuple((0, size) for size in shape), small)
    return SimpleNamespace(grid=grid)


def test_the_usual_export_writes_the_labels_that_leanseg_does(job):
    scores = np.random.default_rng(0).normal(size=(4, 5, 6, 7)).astype(np.float32)
    export(job, torch.from_numpy(scores), prepared((9, 11, 13), (5, 6, 7)), Said())
    written = np.asarray(nib.load(job.labels).dataobj)
    assert np.array_equal(written, labels_of_scores(scores, (9, 11, 13)))


def test_scores_that_do_not_fit_are_exported_in_part_and_the_rest_is_added(job, monkeypatch):
    shape = (9, 11, 13)
    voxels = math.prod(shape)
    monkeypatch.setattr("peers.prepared.free_bytes", lambda: (5 * 4 + 8) * voxels / 0.75 + 1)
    said = Said()
    export(job, torch.zeros(20, 5, 6, 7), prepared(shape, (5, 6, 7)), said)
    assert not job.labels.exists()
    assert said.basis == ["exported 5 of 20 classes"]
    assert said.added_bytes == 15 * voxels * 4
    assert said.added_seconds == pytest.approx(3 * said.seconds["labels"])


def test_nnunet_clips_ct_as_the_plan_does_and_takes_other_scans_as_they_are():
    ct = Normalisation(scheme="clip", low=-1000, high=1000, mean=20, sd=500)
    plan = Plan(
        data=Data(name="toy", channels=("CT", "PET"), labels={"background": 0, "a": 1}),
        preprocessing=Preprocessing(spacing=(3, 2, 1), normalisation=(ct, Normalisation())),
        network=Network(name="unet3d"),
        training=Training(patch=(8, 8, 8)),
        inference=Inference(tile=(8, 8, 8)),
    )
    found = _fingerprint(plan, (10, 11, 12))
    first = found["foreground_intensity_properties_per_channel"]["0"]
    assert (first["percentile_00_5"], first["percentile_99_5"], first["mean"], first["std"]) == (-1000, 1000, 20, 500)
    assert (found["spacings"], found["shapes_after_crop"]) == ([[3, 2, 1]], [[10, 11, 12]])
    assert _dataset(plan)["channel_names"] == {"0": "CT", "1": "MR"}
    assert _dataset(plan)["labels"] == {"background": 0, "a": 1}


@pytest.mark.parametrize("name", ["distill_dsm_unet", "e2enet"])
def test_an_awakened_network_lets_every_class_win_somewhere(name):
    torch.manual_seed(0)
    options = {"distill_dsm_unet": {"alpha": 0.25}, "e2enet": {"base": 4, "pools": [[2, 2, 2]] * 2}}[name]
    network = networks.create(name, 1, 5, **options)
    tile = torch.randn(1, 1, 8, 32, 32)
    awaken(network, tile, 5)
    with torch.no_grad():
        scores = network(tile)[0].flatten(1)
    assert scores.mean(1).abs().max() < 0.2  # statistics are of one voxel in several
    assert (scores.std(1) - 1).abs().max() < 0.2
    assert len(scores.argmax(0).unique()) == 5


def test_the_middle_of_an_image_has_zeros_around_it_where_it_is_small():
    image = np.arange(1, 1 + 2 * 3 * 8 * 5, dtype=np.float32).reshape(2, 3, 8, 5)
    found = middle(image, (5, 4, 5)).numpy()[0]
    assert np.array_equal(found[:, 1:4], image[:, :, 2:6])
    assert not found[:, [0, 4]].any()
