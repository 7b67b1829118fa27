"""leanseg doctor, as a person runs it."""

import json
import os

import pytest

from leanseg.doctor import examination
from leanseg.doctor.attempts import Attempt, End

AREAS = ["software", "processor", "memory", "engines", "GPU", "disks"]
BROKEN = Attempt({}, End.ILLEGAL, "ended by an illegal instruction")
SOUND = Attempt(
    {
        "loaded": {"version": "1.2.3", "precision": "fp32", "cuda_build": None},
        "computed": {"difference": 3e-7, "seconds": 0.5},
        "telemetry": {"loaded": False},
        "devices": {"names": {"CPU": "Xeon"}},
        "bf16": {"difference": 0.005},
    },
    End.WELL,
)


@pytest.fixture
def engines(monkeypatch, tmp_path):
    """A function that says how each engine fares; the cache lies in a folder of its own."""

    def pretend(**attempts):
        monkeypatch.setattr(examination, "attempt", lambda engine: attempts.get(engine, SOUND))

    monkeypatch.setenv("LEANSEG_CACHE", str(tmp_path / "cache"))
    return pretend


def test_the_table_shows_every_area_with_marks_and_a_verdict(engines, leanseg):
    engines()
    done = leanseg("doctor")
    assert done.code == 0
    heads = [line.split()[0] for line in done.out.splitlines() if line.rstrip().endswith("what it means")]
    assert heads == AREAS
    assert "good" in done.out
    assert done.out.splitlines()[-1].startswith("leanseg works here: ")


def test_a_broken_default_engine_ends_with_4_and_says_what_to_do(engines, leanseg):
    engines(openvino=BROKEN)
    done = leanseg("doctor")
    assert done.code == 4
    assert "ended by an illegal instruction" in done.out
    assert "fix: in a virtual machine" in done.out
    assert "--engine onnxruntime" in done.out
    assert "error: 1 problem: openvino" in done.err
    assert "does not work here as it should" in done.out.splitlines()[-1]


def test_without_any_engine_it_ends_with_2(engines, leanseg):
    engines(openvino=BROKEN, onnxruntime=BROKEN, torch=BROKEN)
    done = leanseg("doctor")
    assert done.code == 2
    assert "error: none of the engines works" in done.err


def test_json_is_one_document_with_every_finding(engines, leanseg):
    engines(openvino=BROKEN)
    done = leanseg("doctor", "--json")
    document = json.loads(done.out)
    assert done.code == document["exit_code"] == 4
    assert {"area", "name", "status", "value", "meaning", "fix", "facts"} == set.union(*map(set, document["findings"]))
    assert all(len(finding) == 7 for finding in document["findings"])
    assert list(dict.fromkeys(finding["area"] for finding in document["findings"])) == AREAS
    assert sum(document["counts"].values()) == len(document["findings"])
    assert document["counts"]["problem"] == 1


def test_numbers_that_are_not_finite_are_null(engines, leanseg):
    engines(onnxruntime=Attempt({**SOUND.steps, "computed": {"difference": float("inf"), "seconds": 1.0}}, End.WELL))
    findings = {finding["name"]: finding for finding in json.loads(leanseg("doctor", "--json").out)["findings"]}
    assert findings["onnxruntime"]["facts"]["difference"] is None
    assert findings["onnxruntime"]["status"] == "problem"


def test_nothing_is_left_in_the_cache_or_here(engines, leanseg, tmp_path, monkeypatch):
    engines()
    monkeypatch.chdir(tmp_path)
    assert leanseg("doctor").code == 0
    assert list(tmp_path.iterdir()) == []


def test_it_works_without_torch_and_says_what_is_missing(leanseg, tmp_path, monkeypatch):
    """With real engines, in processes from which the training part is hidden."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import sys\nsys.modules.update(dict.fromkeys(('torch', 'monai', 'onnx', 'blosc2', 'pytorch_lightning')))\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(hidden), os.environ.get("PYTHONPATH", "")]))
    done = leanseg("doctor", "--json")
    findings = {finding["name"]: finding for finding in json.loads(done.out)["findings"]}
    assert done.code == 0
    assert findings["openvino"]["facts"]["works"]
    assert findings["onnxruntime"]["facts"]["works"]
    assert (findings["torch"]["status"], findings["torch"]["value"]) == ("note", "not installed")
    assert 'pip install ".[train]"' in findings["torch"]["fix"]
