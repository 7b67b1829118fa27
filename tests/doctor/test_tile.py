"""The stored tile: its scores are what its network computes by definition, and it can be made again."""

import runpy

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from scipy.ndimage import convolve

from leanseg.doctor.tile import FOLDER, NETWORK, NUMBERS, Tile, difference, read_tile


def convolved(image, kernel, bias):
    """A cross-correlation with zeros outside, channel by channel, in float64."""
    return np.stack(
        [
            sum(convolve(x, k[::-1, ::-1, ::-1], mode="constant") for x, k in zip(image, kernels, strict=True)) + shift
            for kernels, shift in zip(kernel, bias, strict=True)
        ]
    )


def enlarged(image):
    """Linear interpolation to twice the size along each axis, corners on corners."""
    for axis in (1, 2, 3):
        size = image.shape[axis]
        places = np.linspace(0, size - 1, 2 * size)
        low = np.minimum(places.astype(int), size - 2)
        share = (places - low).reshape([-1 if each == axis else 1 for each in range(4)])
        image = (1 - share) * image.take(low, axis) + share * image.take(low + 1, axis)
    return image


def by_definition(tile):
    weights = {name: array.astype(np.float64) for name, array in tile.weights.items()}
    x = convolved(tile.image[0].astype(np.float64), weights["first.weight"], weights["first.bias"])
    x = (x - x.mean((1, 2, 3), keepdims=True)) / np.sqrt(x.var((1, 2, 3), keepdims=True) + 1e-5)
    x = weights["norm.weight"][:, None, None, None] * x + weights["norm.bias"][:, None, None, None]
    fine = np.where(x > 0, x, 0.01 * x)
    channels, depth, height, width = fine.shape
    blocks = fine.reshape(channels, depth // 2, 2, height // 2, 2, width // 2, 2)
    coarse = convolved(blocks.max((2, 4, 6)), weights["second.weight"], weights["second.bias"]).clip(0)
    joined = np.concatenate([fine, enlarged(coarse)])
    scores = np.einsum("oc,cdhw->odhw", weights["head.weight"][..., 0, 0, 0], joined)
    return (scores + weights["head.bias"][:, None, None, None])[None]


def test_the_stored_scores_are_those_of_the_definition():
    tile = read_tile()
    assert difference(by_definition(tile), tile.scores) < 1e-6


def test_the_stored_graph_computes_them_too():
    tile = read_tile()
    (scores,) = ReferenceEvaluator(onnx.load_from_string(tile.onnx)).run(None, {"image": tile.image})
    assert difference(scores, tile.scores) < 1e-5


def test_the_script_beside_them_makes_them_again(tmp_path):
    runpy.run_path(str(FOLDER / "make.py"))["make"](tmp_path)
    with np.load(NUMBERS) as stored, np.load(tmp_path / NUMBERS.name) as made:
        assert stored.files == made.files
        for name in stored.files:
            np.testing.assert_allclose(made[name], stored[name], rtol=1e-5, atol=1e-5)
    graphs = [onnx.load(path).graph for path in (NETWORK, tmp_path / NETWORK.name)]
    operations, again = ([node.op_type for node in graph.node] for graph in graphs)
    assert again == operations


def test_the_files_are_small():
    assert NETWORK.stat().st_size + NUMBERS.stat().st_size < 50_000


def test_the_tile_is_not_the_same_when_axes_are_exchanged():
    tile = read_tile()
    assert isinstance(tile, Tile)
    assert len(set(tile.image.shape[2:])) == 3


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([1.0, 4.0], 0.0), ([1.0, 3.0], 0.25), ([2.0, 4.0], 0.25), ([1.0, np.nan], np.inf), ([[1.0, 4.0]], np.inf)],
)
def test_the_difference_is_a_share_of_the_largest_score(scores, expected):
    assert difference(np.array(scores), np.array([1.0, 4.0])) == expected
