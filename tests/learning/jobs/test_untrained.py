"""A package without training: everything is real but its weights."""

import json

import numpy as np
import pytest
import torch

from leanseg.errors import InputError
from leanseg.learning import networks
from leanseg.learning.jobs.package_folder import NotAPackageFolderError
from leanseg.learning.jobs.untrained import Untrained, UnusableSettingError, untrained_plan, write_untrained
from leanseg.learning.sparsity import select_layers
from leanseg.learning.training.module import sparse_training
from leanseg.packages import Package
from leanseg.storage import OutputNotEmptyError

TILE = (8, 16, 12)
SMALL = {"base": 4, "pools": [[2, 2, 2], [2, 2, 2]]}
WANTED = Untrained(
    "e2enet", 5, (3.0, 2.0, 1.0), channels=2, options=SMALL, density=0.25, seed=3, tile=TILE, modality="MR"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_untrained(WANTED, tmp_path_factory.mktemp("untrained") / "package")


def test_the_package_is_one_that_reads_back_with_what_was_asked_for(made):
    plan = Package.read(made.path).plan
    assert list(plan.data.labels.values()) == [0, 1, 2, 3, 4]
    assert plan.data.channels == ("MR 1", "MR 2")
    assert plan.network.options == SMALL
    assert plan.inference.tile == TILE
    assert [scheme.scheme for scheme in plan.preprocessing.normalisation] == ["zscore", "zscore"]


def test_spacing_is_given_along_x_y_and_z(made):
    grid = made.plan.preprocessing
    along = dict(zip(grid.orientation, grid.spacing, strict=True))
    assert along == {"R": 3.0, "A": 2.0, "S": 1.0}
    assert grid.orientation[0] == "R"  # the coarse axis becomes depth, as in every plan


def test_the_card_says_that_nothing_was_trained(made):
    card = made.card()
    assert card.startswith("# Random weights, never trained: e2enet")
    assert "its label maps mean nothing" in card
    assert "not validated" in card
    assert made.manifest.measured["untrained"] == {"seed": 3}


def test_weights_and_masks_are_those_that_training_would_begin_with(made):
    torch.manual_seed(3)
    network = networks.create("e2enet", 2, 5, **SMALL)
    sparse = sparse_training(network, made.plan.data, made.plan.training)
    for name, expected in network.state_dict().items():
        assert np.array_equal(made.weights()[name], expected.numpy())
    assert {name: mask.tolist() for name, mask in made.masks().items()} == {
        name: mask.tolist() for name, mask in sparse.masks.items()
    }


def test_a_quarter_of_the_kernels_is_alive_and_the_others_are_zero(made):
    network = networks.create("e2enet", 2, 5, **SMALL)
    masks = made.masks()
    assert set(masks) == {layer.name for layer in select_layers(network, (2, *TILE))}
    for name, alive in masks.items():
        assert abs(alive.mean() - 0.25) <= 1 / alive.size
        assert not made.weights()[name][~alive].any()
    assert made.manifest.measured["sparsity"]["density"] == pytest.approx(0.25, abs=0.01)


def test_the_random_numbers_of_the_caller_are_left_alone(tmp_path):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    write_untrained(Untrained("e2enet", 2, (1.0, 1.0, 1.0), options=SMALL, tile=TILE), tmp_path / "package")
    assert torch.equal(torch.rand(3), expected)


def test_a_dense_ct_package_has_no_masks_and_a_window(tmp_path):
    wanted = Untrained("e2enet", 2, (1.0, 1.0, 1.0), options=SMALL, tile=TILE)
    dense = write_untrained(wanted, tmp_path / "package")
    assert not dense.masks()
    assert dense.plan.data.channels == ("CT",)
    assert dense.plan.preprocessing.normalisation[0].scheme == "clip"


def test_the_planner_chooses_a_tile_that_is_at_least_the_patch_and_no_larger_than_the_scan():
    plan = untrained_plan(Untrained("e2enet", 3, (6.0, 6.0, 6.0), options=SMALL))
    for size, patch, scan in zip(plan.inference.tile, plan.training.patch, (50, 68, 68), strict=True):
        assert patch <= size < scan + 4
        assert size % 4 == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"classes": 1}, "--classes 1"),
        ({"spacing": (1.0, 0.0, 1.0)}, "--spacing 1 x 0 x 1"),
        ({"spacing": (1.0, float("nan"), 1.0)}, "--spacing"),
        ({"seed": -1}, "--seed -1"),
        ({"tile": (8, 15, 12)}, "--tile 8 x 15 x 12"),
        ({"tile": (0, 16, 12)}, "--tile 0 x 16 x 12"),
    ],
)
def test_what_no_package_can_be_is_refused_before_anything_is_written(tmp_path, changed, said):
    wanted = Untrained(**{"network": "e2enet", "classes": 2, "spacing": (1.0, 1.0, 1.0), "options": SMALL, **changed})
    with pytest.raises(UnusableSettingError, match=said):
        write_untrained(wanted, tmp_path / "package")
    assert not list(tmp_path.iterdir())


def test_the_tile_that_is_proposed_instead_is_taken():
    wanted = Untrained("e2enet", 2, (1.0, 1.0, 1.0), options=SMALL, tile=(8, 15, 13))
    with pytest.raises(UnusableSettingError) as refused:
        write_untrained(wanted, None)
    assert refused.value.fix.endswith("--tile 8x16x16")


def test_a_density_that_is_no_share_is_refused(tmp_path):
    with pytest.raises(InputError, match="--density 2"):
        write_untrained(Untrained("e2enet", 2, (1.0, 1.0, 1.0), options=SMALL, density=2.0), tmp_path / "package")


def test_only_packages_are_replaced(tmp_path, made):
    wanted = Untrained("e2enet", 2, (1.0, 1.0, 1.0), options=SMALL, tile=TILE)
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "thesis.txt").write_text("three years")
    with pytest.raises(OutputNotEmptyError):
        write_untrained(wanted, folder)
    with pytest.raises(NotAPackageFolderError):
        write_untrained(wanted, folder, overwrite=True)
    assert (folder / "thesis.txt").read_text() == "three years"
    (folder / "thesis.txt").unlink()
    (folder / "manifest.json").write_text(json.dumps({}))
    write_untrained(wanted, folder, overwrite=True)
    assert Package.read(folder).hash != made.hash
