"""Packages with more classes than features: the graph is cut, labels stay what they are."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save

from leanseg.inference import Predictor, fuse, open_engine, prepare
from leanseg.inference.engines import Ensemble
from leanseg.inference.engines.cut_engine import CutEngine, head_of
from leanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine
from leanseg.inference.engines.openvino_engine import OpenVinoEngine
from leanseg.inference.members import fuse_members
from leanseg.inference.predictor import NotFiniteScoresError, Stopwatch
from leanseg.kernels import labels_of_scores
from leanseg.packages import write_package
from leanseg.plans import Normalisation, Plan, Preprocessing
from leanseg.volumes import Geometry

TILE, CLASSES, FEATURES = (6, 8, 7), 12, 4
ENGINES = {"openvino": OpenVinoEngine, "onnxruntime": OnnxRuntimeEngine}


def graph(seed):
    """A 3x3x3 convolution to 4 features, ReLU, a 1x1x1 convolution to 12 scores."""
    random = np.random.default_rng(seed)
    sizes = {"kernel": (FEATURES, 1, 3, 3, 3), "head": (CLASSES, FEATURES, 1, 1, 1), "bias": (CLASSES,)}
    tensors = [numpy_helper.from_array(random.normal(size=s).astype(np.float32), name) for name, s in sizes.items()]
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["convolved"], pads=[1] * 6),
        helper.make_node("Relu", ["convolved"], ["features"]),
        helper.make_node("Conv", ["features", "head", "bias"], ["scores"]),
    ]
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, *TILE])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, CLASSES, *TILE])
    made = helper.make_graph(nodes, "network", [given], [scores], tensors)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def package_of(path, members=1):
    plan = Plan.model_validate(
        {
            "data": {"name": "many", "channels": ["one"], "labels": {f"class {k}": k for k in range(CLASSES)}},
            "preprocessing": {"spacing": (1, 1, 1), "normalisation": [{"scheme": "none"}]},
            "network": {"name": "own"},
            "training": {"patch": TILE, "augmentation": {"flip_axes": (0, 1)}},
            "inference": {"tile": TILE},
        }
    )
    weights = [save({"head": np.zeros((1, 1), np.float32)})] * members
    graphs = [graph(seed) for seed in range(members)]
    return write_package(path, plan=plan, weights=weights, onnx=graphs, card="# Many", facts={})


@pytest.fixture
def prepared():
    scan = np.random.default_rng(3).normal(size=(1, 9, 11, 13)).astype(np.float32)
    geometry = Geometry(scan.shape[1:], np.diag([1.5, 1.2, 1.0, 1.0]))
    return prepare(scan, geometry, Preprocessing(spacing=(1, 1, 1), normalisation=(Normalisation(scheme="none"),)))


def expected_labels(prepared, members):
    """Labels of the mean scores of the graphs as they are, all at once."""
    engines = [OnnxRuntimeEngine(graph(seed)) for seed in range(members)]
    scores = np.mean([fuse(engine, prepared.array, TILE, 0.5) for engine in engines], axis=0)
    labels = np.zeros(prepared.grid.geometry.shape, np.uint8)
    prepared.grid.kept(labels)[...] = labels_of_scores(scores, prepared.grid.box_shape)
    return labels


@pytest.mark.parametrize("name", ENGINES)
def test_the_engine_of_a_package_with_many_classes_gives_features(name, tmp_path):
    engine = open_engine(package_of(tmp_path / "package"), name, 1)
    tile = np.random.default_rng(0).normal(size=(1, 1, *TILE)).astype(np.float32)
    assert isinstance(engine, CutEngine)
    assert engine.name.startswith(name)
    assert engine.precision == "fp32"
    features = engine(tile)
    assert features.shape == (1, FEATURES, *TILE)
    scores = ENGINES[name](graph(0), 1)(tile)
    np.testing.assert_allclose(engine.head.scores(features[0]), scores[0], atol=1e-4)


@pytest.mark.parametrize(("members", "features"), [(1, True), (2, True), (3, False)])
def test_labels_of_features_are_those_of_scores(members, features, tmp_path, prepared):
    """Of three networks the features would be as many as the scores."""
    package = package_of(tmp_path / "package", members)
    engine = open_engine(package, "onnxruntime", 1)
    assert (engine.gives_features if isinstance(engine, Ensemble) else head_of(engine) is not None) == features
    differing = Predictor(package.plan, engine).labels_of(prepared) != expected_labels(prepared, members)
    assert differing.sum() <= 1  # a tie within rounding


def test_features_of_members_lie_one_after_the_other(tmp_path, prepared):
    ensemble = open_engine(package_of(tmp_path / "package", 2), "onnxruntime", 1)
    features, head = fuse_members(ensemble, prepared.array, TILE, 0.5)
    assert features.shape == (2 * FEATURES, *prepared.array.shape[1:])
    scores = [fuse(OnnxRuntimeEngine(graph(seed), 1), prepared.array, TILE, 0.5) for seed in range(2)]
    np.testing.assert_allclose(head.scores(features), np.mean(scores, axis=0), atol=1e-4)


def test_members_that_give_different_things_are_refused(prepared):
    class Scores:
        name, precision = "scores", "fp32"

    ensemble = Ensemble([Scores]).wrapped(lambda engine: engine, gives_features=True)
    with pytest.raises(ValueError, match="some members of an ensemble give features"):
        fuse_members(ensemble, prepared.array, TILE, 0.5)


@pytest.mark.parametrize("members", [1, 2])
def test_mirror_images_are_averaged_whatever_is_cut(members, tmp_path, prepared):
    package = package_of(tmp_path / "package", members)
    predictor = Predictor(package.plan, open_engine(package, "onnxruntime", 1), mirror=True)
    assert predictor.mirrored == (0, 1)

    def mean(tile):
        images = [(), (2,), (3,), (2, 3)]
        found = [np.flip(engine(np.flip(tile, axes).copy()), axes) for engine in engines for axes in images]
        return np.mean(found, axis=0)

    engines = [OnnxRuntimeEngine(graph(seed), 1) for seed in range(members)]
    scores = fuse(mean, prepared.array, TILE, 0.5)
    expected = np.zeros(prepared.grid.geometry.shape, np.uint8)
    prepared.grid.kept(expected)[...] = labels_of_scores(scores, prepared.grid.box_shape)
    assert (predictor.labels_of(prepared) != expected).sum() <= 1


def test_features_that_are_not_finite_are_refused(tmp_path, prepared):
    package = package_of(tmp_path / "package")
    engine = open_engine(package, "onnxruntime", 1)
    broken = CutEngine(engine, engine.head)
    broken._engine = lambda tile: np.full_like(engine(tile), np.inf)
    with pytest.raises(NotFiniteScoresError):
        Predictor(package.plan, broken).labels_of(prepared)


def test_empty_tiles_are_computed_once_and_counted(tmp_path):
    package = package_of(tmp_path / "package")
    scan = np.zeros((1, 40, 8, 6), np.float32)
    scan[0, 17:19] = 1
    prepared = prepare(scan, Geometry(scan.shape[1:], np.eye(4)), package.plan.preprocessing)
    engine, stopwatch, seen = open_engine(package, "onnxruntime", 1), Stopwatch(), []
    counted = CutEngine(engine, engine.head)
    counted._engine = lambda tile: seen.append(tile) or engine(tile)
    labels = Predictor(package.plan, counted).labels_of(prepared, stopwatch=stopwatch)
    assert len(seen) + stopwatch.tiles.known == stopwatch.tiles.asked
    assert sum(not tile.any() for tile in seen) == 1
    assert stopwatch.tiles.known > 4
    np.testing.assert_array_equal(labels, expected_labels(prepared, 1))
