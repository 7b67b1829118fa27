"""Quantising: what it takes, and that nothing of it leaves this machine."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from leanseg.datasets import open_dataset
from leanseg.evaluation.tuning import int8, tune_package
from leanseg.evaluation.tuning.processes import ProcessFailedError, run_module

with_nncf = pytest.mark.skipif(importlib.util.find_spec("nncf") is None, reason="nncf is not installed")
SENDS = """
try:
    from openvino_telemetry import Telemetry
    Telemetry()
except ImportError:
    pass
"""
TELEMETRY = """
import os
open(os.environ["TOLD"], "w").close()
class Telemetry: pass
"""
NNCF = (
    SENDS
    + """
class QuantizationPreset: MIXED = None
Dataset = list
def quantize(graph, tiles, preset, subset_size): return graph
"""
)


def test_tiles_come_from_all_cases_and_fit_the_network(package, shades):
    tiles = int8.calibration_tiles(package.plan, open_dataset(shades).cases)
    assert tiles.shape == (10, 1, 8, 8, 8)  # one place in each case
    assert tiles.dtype == np.float32
    assert len({tile.tobytes() for tile in tiles}) == 10


def test_a_case_that_cannot_be_read_gives_no_tiles(package, shades):
    (shades / "images" / "case3.nii.gz").write_bytes(b"")
    assert len(int8.calibration_tiles(package.plan, open_dataset(shades).cases)) == 9


def test_what_is_missing_is_named_with_how_to_get_it(monkeypatch):
    monkeypatch.setattr(int8, "_NEEDED", ("nncf", "no_such_library"))
    assert "no_such_library" in int8.missing()
    assert "tune" in int8.missing()
    monkeypatch.setattr(int8, "_NEEDED", ("numpy",))
    assert int8.missing() is None


def test_telemetry_cannot_even_be_imported(package, tmp_path, monkeypatch):
    """NNCF and its telemetry are played by files that say when they are imported."""
    (tmp_path / "fakes").mkdir()
    (tmp_path / "fakes" / "nncf.py").write_text(NNCF)
    (tmp_path / "fakes" / "openvino_telemetry.py").write_text(TELEMETRY)
    told = tmp_path / "told"
    monkeypatch.setenv("TOLD", str(told))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "fakes"), os.environ.get("PYTHONPATH", "")]))
    subprocess.run([sys.executable, "-c", "import nncf"], check=True)
    assert told.exists()  # so it would have been noticed
    told.unlink()
    np.save(tmp_path / "tiles.npy", np.zeros((1, 1, 8, 8, 8), np.float32))
    request = {
        "tiles": str(tmp_path / "tiles.npy"),
        "graphs": [str(package.path / "model.onnx")],
        "out": [str(tmp_path / "out.onnx")],
    }
    (tmp_path / "request.json").write_text(json.dumps(request))
    run_module("leanseg.evaluation.tuning.quantising", tmp_path / "request.json", "quantising")
    assert (tmp_path / "out.onnx").stat().st_size > 100
    assert not told.exists()


def test_a_process_that_fails_is_told_by_its_last_line(tmp_path):
    with pytest.raises(ProcessFailedError, match=r"quantising: .*FileNotFoundError"):
        run_module("leanseg.evaluation.tuning.quantising", tmp_path / "no.json", "quantising")


@with_nncf
def test_a_package_tuned_to_int8_computes_in_it(make_package, shades, tmp_path, runs, monkeypatch):
    package = make_package(tmp_path / "random", random=True)
    graphs = int8.quantised_graphs(package, open_dataset(shades).cases, tmp_path / "graphs")
    assert b"QuantizeLinear" in graphs[0]
    assert int8.quantised_graphs(package, [], tmp_path / "graphs") == graphs  # from the folder
    found = tune_package(package, shades, tmp_path / "out", precisions=["int8"], max_loss=0.9)
    rows = [row for row in found.record["table"] if row["precision"] == "int8"]
    assert [row["engine"] for row in rows] == ["openvino", "onnxruntime"]
    assert all(0 < row["agreement"] < 1 for row in rows)
