import json

import numpy as np
import pytest

from leanseg.inference import open_engine
from leanseg.packages import CorruptPackageError, Package
from leanseg.packages.tiles import ValidatedTile, tile_graph_name, validated_tiles

OWN = (8, 8, 8)


def listed(*entries):
    return {"tiles": [{"tile": list(tile), "dice": dice} for tile, dice in entries]}


def test_the_plans_tile_is_always_one():
    assert validated_tiles(OWN, {}) == (ValidatedTile(OWN, None),)


def test_others_follow_by_falling_dice():
    found = validated_tiles(OWN, listed(((4, 4, 4), 0.7), ((4, 8, 8), 0.9), (OWN, 0.8)))
    assert found == (ValidatedTile(OWN, 0.8), ValidatedTile((4, 8, 8), 0.9), ValidatedTile((4, 4, 4), 0.7))


@pytest.mark.parametrize(
    "entry", [3, {}, {"tile": [4, 4]}, {"tile": [4, 4, 0], "dice": 0.5}, {"tile": [4, 4, 4], "dice": 7}, {"dice": 0.5}]
)
def test_what_is_no_tile_is_left_out(entry):
    assert validated_tiles(OWN, {"tiles": [entry]}) == (ValidatedTile(OWN, None),)


def test_members_have_graphs_of_their_own():
    assert tile_graph_name((4, 8, 16), 0, 1) == "model_tile_4x8x16.onnx"
    assert tile_graph_name((4, 8, 16), 2, 3) == "model_2_tile_4x8x16.onnx"


def test_a_package_at_another_tile_is_that_package_with_another_graph(make_package, add_tile, tmp_path):
    package = add_tile(make_package(tmp_path / "package"), (4, 8, 8), dice=0.5)
    other = package.at_tile((4, 8, 8))
    assert other.plan.inference.tile == (4, 8, 8)
    assert other.hash == package.hash
    found = open_engine(other, "onnxruntime")(np.zeros((1, 1, 4, 8, 8), dtype=np.float32))
    assert found.shape[2:] == (4, 8, 8)
    assert package.at_tile(OWN) is package


def test_a_tile_that_is_not_listed_is_no_choice(make_package, tmp_path):
    with pytest.raises(ValueError, match="none of the tiles"):
        make_package(tmp_path / "package").at_tile((4, 4, 4))


def test_a_listed_tile_without_its_graph_is_a_corrupt_package(make_package, add_tile, tmp_path):
    package = add_tile(make_package(tmp_path / "package"), (4, 4, 4), dice=0.5)
    name = tile_graph_name((4, 4, 4), 0, 1)
    (package.path / name).unlink()
    document = json.loads((package.path / "manifest.json").read_text())
    del document["files"][name]
    (package.path / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(CorruptPackageError, match="missing"):
        Package.read(package.path).at_tile((4, 4, 4))
