"""Precisions: as asked for, as the package was tuned, or fp32 and a word about it."""

import numpy as np
import pytest

from leanseg.inference.engines import open_engine, openvino_engine
from leanseg.inference.engines.engine import NoSuchPrecisionError
from leanseg.inference.engines.instruction_sets import Processor
from leanseg.inference.engines.precision import thread_count
from leanseg.machine import cores
from leanseg.packages.writing import write_tuned

TILE = (8, 12, 10)


@pytest.fixture
def package(make_package, tmp_path):
    return make_package(tmp_path / "package", tile=TILE, channels=2, random=True)


@pytest.fixture
def tuned(package, tmp_path):
    """A function that returns the package tuned to a precision; its int8 graph is that of fp32."""

    def tune(precision, **facts):
        inference = package.plan.inference.model_copy(update={"precision": precision})
        int8 = [package.onnx_bytes()] if precision == "int8" else ()
        return write_tuned(package, tmp_path / f"to {precision}", inference=inference, int8=int8, tuned=facts)

    return tune


@pytest.fixture
def image():
    return np.random.default_rng(0).normal(size=(1, 2, *TILE)).astype(np.float32)


def without_bf16(monkeypatch):
    monkeypatch.setattr(openvino_engine, "this_processor", lambda: Processor("old", {"AVX-512": True}))


def test_an_untuned_package_computes_in_fp32(package):
    engine = open_engine(package, "openvino")
    assert engine.precision == "fp32"
    assert engine.remark == ""


@pytest.mark.skipif(not openvino_engine.computes_bf16(), reason="this processor has no bf16 arithmetic")
def test_bf16_is_computed_where_the_package_is_tuned_to_it_or_it_is_asked_for(package, tuned, image):
    exact = open_engine(package, "openvino")(image)
    for engine in (open_engine(tuned("bf16"), "openvino"), open_engine(package, "openvino", precision="bf16")):
        assert engine.precision == "bf16"
        scores = engine(image)
        assert not np.array_equal(scores, exact)
        np.testing.assert_allclose(scores, exact, atol=0.1 * np.abs(exact).max())


def test_without_bf16_a_tuned_package_computes_in_fp32_and_says_so(package, tuned, image, monkeypatch):
    without_bf16(monkeypatch)
    engine = open_engine(tuned("bf16"), "openvino")
    assert engine.precision == "fp32"
    assert engine.remark.startswith("the package is tuned to bf16, but this processor has no bf16 arithmetic")
    np.testing.assert_array_equal(engine(image), open_engine(package, "openvino")(image))


def test_bf16_that_is_asked_for_and_not_to_be_had_is_refused(package, monkeypatch):
    without_bf16(monkeypatch)
    with pytest.raises(NoSuchPrecisionError, match="no bf16 arithmetic"):
        open_engine(package, "openvino", precision="bf16")
    with pytest.raises(NoSuchPrecisionError, match="onnxruntime has no bf16"):
        open_engine(package, "onnxruntime", precision="bf16")


def test_another_engine_than_the_tuned_one_says_what_it_computes_in(tuned):
    engine = open_engine(tuned("bf16"), "onnxruntime")
    assert engine.precision == "fp32"
    assert "onnxruntime has no bf16" in engine.remark


def test_fp32_can_always_be_asked_for(tuned):
    engine = open_engine(tuned("bf16"), "openvino", precision="fp32")
    assert (engine.precision, engine.remark) == ("fp32", "")


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_int8_takes_the_quantised_graph(tuned, name):
    assert open_engine(tuned("int8"), name).precision == "int8"


def test_int8_without_a_quantised_graph_is_refused_with_the_command_that_makes_one(package):
    with pytest.raises(NoSuchPrecisionError, match="no graph that is quantised") as refused:
        open_engine(package, "openvino", precision="int8")
    assert "leanseg tune" in refused.value.fix


def test_the_remark_stands_for_all_networks_of_an_ensemble(make_package, tmp_path, monkeypatch):
    without_bf16(monkeypatch)
    both = make_package(tmp_path / "both", random=True, members=2)
    inference = both.plan.inference.model_copy(update={"precision": "bf16"})
    engine = open_engine(write_tuned(both, tmp_path / "tuned", inference=inference), "openvino")
    assert "computed in fp32" in engine.remark


def test_threads_are_shares_of_the_cores_that_this_process_may_use(monkeypatch):
    assert thread_count("all") == cores()
    for number, half in ((1, 1), (2, 1), (8, 4)):
        monkeypatch.setattr("leanseg.inference.engines.precision.cores", lambda number=number: number)
        assert (thread_count("all"), thread_count("half"), thread_count("one")) == (number, half, 1)


def test_threads_are_taken_as_tuned(tuned, monkeypatch):
    taken = []
    real = openvino_engine.OpenVinoEngine.__init__

    def note(self, onnx, threads=None, precision="fp32"):
        taken.append(threads)
        real(self, onnx, threads, precision)

    monkeypatch.setattr(openvino_engine.OpenVinoEngine, "__init__", note)
    monkeypatch.setattr("leanseg.inference.engines.precision.cores", lambda: 8)
    package = tuned("fp32", threads="half")
    open_engine(package, "openvino")
    open_engine(package, "openvino", 3)
    assert taken == [4, 3]


def test_the_sidecar_says_what_was_computed_and_why(make_package, tmp_path, save_scan, monkeypatch):
    import json

    from leanseg.datasets import find_cases
    from leanseg.inference import predict_cases
    from leanseg.progress import Progress

    without_bf16(monkeypatch)
    notes = []
    progress = Progress()
    monkeypatch.setattr(progress, "note", notes.append)
    package = make_package(tmp_path / "one")
    inference = package.plan.inference.model_copy(update={"precision": "bf16"})
    scan = save_scan(tmp_path / "scan.nii.gz", np.zeros((8, 8, 8), np.float32), np.eye(4))
    tuned = write_tuned(package, tmp_path / "tuned", inference=inference)
    summary = predict_cases(tuned, find_cases([scan]), tmp_path / "out", progress=progress)
    sidecar = json.loads((tmp_path / "out" / "scan.json").read_text())
    assert summary.precision == sidecar["precision"] == "fp32"
    assert notes == [sidecar["remark"]]
    assert "no bf16 arithmetic" in sidecar["remark"]
