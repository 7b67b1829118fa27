"""What must work after training is tried before it, also on scans that are mostly background."""

import dataclasses

import nibabel
import numpy as np
import pytest

from leanseg.inference import prepare
from leanseg.learning.export import packaging
from leanseg.learning.export.parity import ParityError
from leanseg.learning.jobs.middle import middle_tile
from leanseg.learning.jobs.rehearsal import rehearse
from leanseg.plans import Inference, Network
from leanseg.volumes import read_channels

TILE = (32, 32, 32)


@pytest.fixture
def rehearsed(balls, plan, tmp_path):
    """Rehearse E2ENet on a scan of which nine tenths are one value."""
    labels = np.zeros((40, 40, 40), dtype=np.uint8)
    labels[12:28, 12:28, 12:28] = 1
    image = np.where(labels, np.random.default_rng(0).normal(50, 10, labels.shape), -1000).astype(np.float32)
    for kind, array in (("image", image), ("label", labels)):
        nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / f"{kind}.nii.gz")
    case = dataclasses.replace(balls.cases[0], images=(tmp_path / "image.nii.gz",), label=tmp_path / "label.nii.gz")
    options = {"base": 8, "pools": [[2, 2, 2], [2, 2, 2], [2, 2, 2]]}
    changed = {"network": Network(name="e2enet", options=options), "inference": Inference(tile=TILE)}
    of_e2enet = plan.model_copy(update=changed)
    prepared = prepare(*read_channels(case.images), of_e2enet.preprocessing)
    folder = tmp_path / "run"
    folder.mkdir()
    yield lambda: rehearse(of_e2enet, balls, case, middle_tile(prepared.array, TILE), folder)
    assert not list(folder.iterdir())


def test_engines_agree_with_an_untrained_network_where_most_of_a_tile_is_background(rehearsed):
    found = rehearsed()
    assert found.export > 0
    assert found.seconds(3) == pytest.approx(found.export + found.once + 3 * found.per_case)


def test_a_graph_with_a_wrong_weight_ends_the_rehearsal(rehearsed, monkeypatch):
    exported = packaging.export_onnx

    def with_a_wrong_weight(network, channels, tile):
        weight = network.backbone[1][0].convolution.weight.data
        weight[0] *= -1
        graph = exported(network, channels, tile)
        weight[0] *= -1
        return graph

    monkeypatch.setattr(packaging, "export_onnx", with_a_wrong_weight)
    with pytest.raises(ParityError, match="gives other labels than torch"):
        rehearsed()
