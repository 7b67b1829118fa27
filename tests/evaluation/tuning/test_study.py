import json

import numpy as np
import pytest

from leanseg.evaluation.tuning import study, tune_package
from leanseg.evaluation.tuning.folder import OtherMeasurementsError
from leanseg.evaluation.tuning.study import LimitError
from leanseg.packages import Package
from leanseg.storage import OutputNotEmptyError


class Tiles:
    """Graphs for other tiles, for packages whose graphs the tests make."""

    def __init__(self, make_package, folder, tile):
        self.package = make_package(folder, tile=tile)
        self.tile = tile

    def sizes(self, package):
        return [self.tile]

    def graphs(self, package, tile):
        assert tile == self.tile
        return [self.package.onnx_bytes()]


@pytest.fixture
def slow(monkeypatch):
    """Make chosen candidates seem so many times faster than they are."""
    factors = {}
    real = study.Bench.measure

    def measure(self, candidates):
        for found in real(self, candidates):
            factor = factors.get((found.candidate.engine, found.candidate.precision, found.candidate.tile), 1.0)
            cases = {
                name: type(one)(1.0 / factor, one.dice, one.agreement) for name, one in sorted(found.cases.items())
            }
            yield type(found)(found.candidate, cases, found.peak_rss_bytes, found.engine, found.failure)

    monkeypatch.setattr(study.Bench, "measure", lambda *given: list(measure(*given)))
    return factors


def test_the_fastest_that_passes_is_written_with_its_evidence(package, shades, tmp_path, runs, slow):
    slow["onnxruntime", "fp32", (8, 8, 8)] = 3.0
    found = tune_package(package, shades, tmp_path / "out", precisions=["fp32"])
    written = Package.read(package.path)
    assert written.plan.inference.engine == "onnxruntime"
    assert written.hash == found.package.hash != package.hash
    tuned = written.manifest.measured["tuned"]
    assert [row["engine"] for row in tuned["table"]] == ["openvino", "onnxruntime"]
    assert all(row["dice"] == 1 and row["loss_bound"] == 0 and row["passed"] for row in tuned["table"])
    assert tuned["cases"] == 10
    assert tuned["labelled"]
    assert written.manifest.measured["parity"] == {"openvino": 1.0}
    assert written.card().startswith("# Shades of grey\n\n## Tuned\n")
    assert json.loads((tmp_path / "out" / "tuning.json").read_text())["package"] == written.hash
    np.testing.assert_array_equal(written.weights()["head.weight"], package.weights()["head.weight"])


def test_fewer_cores_are_measured_too(package, shades, tmp_path, monkeypatch):
    monkeypatch.setattr("leanseg.inference.engines.precision.cores", lambda: 2)
    found = tune_package(package, shades, tmp_path / "out", precisions=["fp32"], most=1)
    assert [row["threads"] for row in found.record["table"]] == ["all", "all", "half"]


def test_what_is_not_faster_leaves_the_package_with_its_hash(package, shades, tmp_path, runs, slow):
    found = tune_package(package, shades, tmp_path / "out", precisions=["fp32"])
    assert found.package.hash == package.hash
    assert found.best.measured.candidate.engine == "openvino"
    assert "tuned" in found.package.manifest.measured


def test_measurements_are_used_again(package, shades, tmp_path, runs):
    first = tune_package(package, shades, tmp_path / "out", precisions=["fp32"])
    done = len(runs)
    assert sorted(case for run in runs[::2] for case in run["cases"]) == [f"case{number}" for number in range(10)]
    second = tune_package(Package.read(package.path), shades, tmp_path / "out", precisions=["fp32"])
    assert len(runs) == done
    assert first.record["table"] == second.record["table"]
    assert second.package.card().count("## Tuned") == 1
    tune_package(Package.read(package.path), shades, tmp_path / "out", precisions=["fp32"], overwrite=True)
    assert len(runs) == 2 * done


def test_a_stopped_tuning_goes_on(package, shades, tmp_path, runs, monkeypatch):
    from leanseg.evaluation.tuning import measuring

    ours = measuring.run_module

    def stopping(module, request, doing):
        if len(runs) == 3:
            raise KeyboardInterrupt
        ours(module, request, doing)

    monkeypatch.setattr(measuring, "run_module", stopping)
    with pytest.raises(KeyboardInterrupt):
        tune_package(package, shades, tmp_path / "out", precisions=["fp32"])
    assert Package.read(package.path).manifest == package.manifest
    monkeypatch.setattr(measuring, "run_module", ours)
    tune_package(package, shades, tmp_path / "out", precisions=["fp32"])
    assert len(runs) == 6


def test_measurements_of_other_cases_are_refused(package, shades, tmp_path, runs):
    tune_package(package, shades, tmp_path / "out", precisions=["fp32"])
    with pytest.raises(OtherMeasurementsError, match="other cases"):
        tune_package(package, shades, tmp_path / "out", precisions=["fp32"], most=5)


def test_a_folder_of_somebody_else_is_left_alone(package, shades, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("")
    with pytest.raises(OutputNotEmptyError):
        tune_package(package, shades, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "thesis.txt").exists()


def test_without_labels_only_agreement_can_pass_and_that_is_said(package, shades, tmp_path, runs):
    found = tune_package(package, shades / "images", tmp_path / "out", precisions=["fp32"])
    assert not found.labelled
    assert any("no labels" in remark for remark in found.remarks)
    assert found.record["table"][1]["dice"] is None
    assert found.record["table"][1]["agreement"] == 1


def test_another_tile_changes_plan_graph_and_hash_and_is_forgotten_when_tuned_again(
    package, make_package, shades, tmp_path, runs, slow
):
    tiles = Tiles(make_package, tmp_path / "other", (8, 4, 8))
    slow["openvino", "fp32", (8, 4, 8)] = 2.0
    tune_package(package, shades, tmp_path / "out", precisions=["fp32"], tiles=tiles)
    written = Package.read(package.path)
    assert written.plan.inference.tile == (8, 4, 8)
    assert written.onnx_bytes() == tiles.package.onnx_bytes()
    assert written.hash != package.hash
    assert written.manifest.measured["tuned"]["untuned"]["tile"] == [8, 8, 8]
    with pytest.raises(study.TileNeedsTorchError):
        tune_package(written, shades, tmp_path / "out", precisions=["fp32"])
    assert Package.read(package.path).hash == written.hash


def test_what_cannot_be_tried_is_said(package, shades, tmp_path, runs, monkeypatch):
    monkeypatch.setattr(study, "missing", lambda: "int8 is left out: nncf is not installed")
    monkeypatch.setattr(study, "bf16_obstacle", lambda engine: "this processor has no bf16 arithmetic")
    found = tune_package(package, shades, tmp_path / "out")
    assert {row["precision"] for row in found.record["table"]} == {"fp32"}
    for part in ("int8 is left out", "bf16 is left out", "other tiles are left out"):
        assert any(remark.startswith(part) for remark in found.remarks)


def test_a_candidate_that_fails_is_out_and_the_others_go_on(package, shades, tmp_path, runs, monkeypatch):
    from leanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine

    def broken(self, tile):
        raise MemoryError

    monkeypatch.setattr(OnnxRuntimeEngine, "__call__", broken)
    found = tune_package(package, shades, tmp_path / "out", precisions=["fp32"])
    failed = next(row for row in found.record["table"] if row["engine"] == "onnxruntime")
    assert not failed["passed"]
    assert "memory" in failed["reason"]


@pytest.mark.parametrize("limit", [-0.1, 1.0, float("nan")])
def test_a_limit_that_makes_no_sense_is_refused(package, shades, tmp_path, limit):
    with pytest.raises(LimitError):
        tune_package(package, shades, tmp_path / "out", max_loss=limit)
    assert not (tmp_path / "out").exists()
