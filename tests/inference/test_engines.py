import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from leanseg.errors import OutOfMemoryError
from leanseg.inference import Predictor
from leanseg.inference.engines import EngineError, EngineFailedError, UnknownEngineError, engine_failure, open_engine
from leanseg.inference.engines.engine import WrongOutputError, require_scores
from leanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine
from leanseg.inference.engines.openvino_engine import OpenVinoEngine
from leanseg.volumes import read_channels

HIPPOCAMPUS = Path(__file__).parents[2] / "../shared/data/Task04_Hippocampus/imagesTr"
TILE = (8, 12, 10)
ENGINES = ["openvino", "onnxruntime"]


@pytest.fixture
def package(make_package, tmp_path):
    return make_package(tmp_path / "package", tile=TILE, channels=2, random=True)


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(1, 2, *TILE)).astype(np.float32)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("threads", [None, 1])
def test_engines_compute_what_onnx_defines(package, image, name, threads):
    from onnx.reference import ReferenceEvaluator

    (expected,) = ReferenceEvaluator(package.onnx_bytes()).run(None, {"image": image})
    scores = open_engine(package, name, threads)(image)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, atol=2e-4)


def test_labels_of_the_engines_agree(package):
    engines = [open_engine(package, name) for name in ENGINES]
    differing = 0
    for seed in range(20):
        tile = np.random.default_rng(seed).normal(size=(1, 2, *TILE)).astype(np.float32)
        first, second = (engine(tile).argmax(axis=1).copy() for engine in engines)
        differing += (first != second).mean() / 20
    assert differing < 0.001


@pytest.mark.skipif(not HIPPOCAMPUS.is_dir(), reason="needs shared/data/Task04_Hippocampus beside the repository")
def test_labels_of_the_engines_agree_on_real_scans(make_package, tmp_path):
    package = make_package(
        tmp_path / "package", tile=(32, 48, 32), random=True, normalisation=[{"scheme": "zscore"}], spacing=(1.2, 1, 1)
    )
    predictors = [Predictor(package.plan, open_engine(package, name)) for name in ENGINES]
    agreeing = voxels = 0
    for path in sorted(HIPPOCAMPUS.glob("hippocampus_*.nii.gz"))[:5]:
        array, geometry = read_channels([path])
        first, second = (predictor.labels(array, geometry) for predictor in predictors)
        assert len(np.unique(first)) == 3
        agreeing += (first == second).sum()
        voxels += first.size
    assert agreeing / voxels > 0.999


@pytest.mark.parametrize("name", ENGINES)
def test_engines_compute_in_fp32_and_say_what_they_are(package, name):
    engine = open_engine(package, name)
    assert engine.precision == "fp32"
    assert engine.name.startswith(f"{name} 2" if name == "openvino" else f"{name} 1")


@pytest.mark.parametrize(("engine", "other"), [(OpenVinoEngine, "onnxruntime"), (OnnxRuntimeEngine, "openvino")])
def test_a_graph_that_an_engine_cannot_use_names_the_other_engine(engine, other):
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 2, 2, 2])
    scores = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 2, 2, 2])
    graph = helper.make_graph([helper.make_node("Mystery", ["x"], ["y"], domain="own")], "g", [value], [scores])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("own", 1)])
    for bytes_ in (model.SerializeToString(), b"no model"):
        with pytest.raises(EngineError) as refused:
            engine(bytes_)
        assert refused.value.fix.endswith(f"--engine {other}")


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_that_fails_at_a_tile_says_so_in_one_way(package, name):
    engine = open_engine(package, name)
    with pytest.raises(EngineFailedError, match=name) as failed:
        engine(np.zeros((1, 7, 3, 3, 3), dtype=np.float32))
    assert "--engine" in failed.value.fix


@pytest.mark.parametrize(
    ("said", "is_memory"),
    [("Failed to allocate memory for requested buffer", True), ("std::bad_alloc", True), ("kernel lost", False)],
)
def test_an_engine_without_memory_is_told_from_one_that_fails(said, is_memory):
    assert isinstance(engine_failure("any", RuntimeError(said)), OutOfMemoryError) == is_memory


def test_an_unknown_engine_is_refused_with_the_list(package):
    with pytest.raises(UnknownEngineError, match="'tensorrt'") as refused:
        open_engine(package, "tensorrt")
    assert refused.value.why == "leanseg has openvino, onnxruntime"


def test_importing_the_room_imports_no_engine_and_nothing_heavy():
    script = """
import sys
import leanseg.inference, leanseg.packages, leanseg.kernels
heavy = {"torch", "scipy", "matplotlib", "pandas", "onnx", "onnxruntime", "openvino", "monai", "safetensors", "rich"}
print(sorted(heavy & set(sys.modules)))
"""
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize("shape", [(), (1, 3), (1, 3, 8, 12), (2, 3, *TILE), (1, 0, *TILE), (1, 3, 8, 12, 9)])
def test_what_is_no_score_of_every_voxel_is_refused(shape):
    tile = np.zeros((1, 2, *TILE), np.float32)
    with pytest.raises(WrongOutputError, match="any engine"):
        require_scores("any engine", np.zeros(shape, np.float32), tile)
    scores = np.zeros((1, 3, *TILE), np.float32)
    assert require_scores("any engine", scores, tile) is scores


@pytest.mark.parametrize("engine", [OpenVinoEngine, OnnxRuntimeEngine])
def test_an_engine_whose_complaint_is_no_text_is_understood(engine):
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 2, 2, 2])
    scores = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 2, 2, 2])
    graph = helper.make_graph([helper.make_node("Mystery", ["x"], ["y"])], "g", [value], [scores])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    with pytest.raises(EngineError):
        engine(model.SerializeToString().replace(b"Mystery", b"\xff\xfestery"))


def test_ctrl_c_finds_a_process_alive_after_engines_were_closed_in_any_order(package, tmp_path):
    """OpenVINO sets up a stack for signal handlers, and who closes two in the wrong order has none."""
    (tmp_path / "graph.onnx").write_bytes(package.onnx_bytes())
    program = (
        "import gc, signal, sys\n"
        "from pathlib import Path\n"
        "from leanseg.inference.engines.openvino_engine import OpenVinoEngine\n"
        "graph = Path(sys.argv[1]).read_bytes()\n"
        "engines = [OpenVinoEngine(graph), OpenVinoEngine(graph), OpenVinoEngine(graph)]\n"
        "while engines:\n"
        "    del engines[0]\n"
        "    gc.collect()\n"
        "signal.signal(signal.SIGINT, lambda number, frame: print('heard'))\n"
        "signal.raise_signal(signal.SIGINT)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "graph.onnx")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr
