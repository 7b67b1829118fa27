"""What attempts of engines mean."""

import importlib.metadata

import pytest

from leanseg.doctor.attempts import Attempt, End
from leanseg.doctor.engines import engine_findings, failure, works

VERSION = importlib.metadata.version


def by_name(**attempts):
    return {finding.name: finding for finding in engine_findings(attempts)}


def failed(end, detail="in words", missing=None):
    told = {"error": detail, "missing": missing if end is End.MISSING else None}
    steps = {"failed": told} if end in {End.ERROR, End.MISSING} else {}
    return Attempt(steps, end, detail)


def test_engines_that_work_are_told_with_version_precision_time_and_difference(sound):
    findings = by_name(openvino=sound(), torch=sound())
    assert {finding.status for finding in findings.values()} == {"good"}
    assert set(findings) == {"openvino", "telemetry", "OpenVINO devices", "torch", "torch in bf16"}
    for part in ("1.2.3", "fp32", "0.5 s"):
        assert part in findings["openvino"].value
    assert "3e-07" in findings["openvino"].meaning
    assert findings["openvino"].facts["works"]
    assert findings["OpenVINO devices"].value == "CPU: Xeon"


@pytest.mark.parametrize("end", [End.ERROR, End.ILLEGAL, End.KILLED, End.CRASHED, End.HUNG])
@pytest.mark.parametrize(("engine", "other"), [("openvino", "onnxruntime"), ("onnxruntime", "openvino")])
def test_an_engine_that_fails_is_a_problem_with_two_ways_out(sound, engine, other, end):
    finding = by_name(**{engine: failed(end), other: sound(), "torch": sound()})[engine]
    assert (finding.status, finding.value) == ("problem", "in words")
    assert not finding.facts["works"]
    first, second = finding.fix.rsplit("; ", 1)
    assert first
    assert second == f"predict with --engine {other} until then"


def test_no_broken_engine_is_advised_instead_of_another():
    findings = by_name(openvino=failed(End.CRASHED), onnxruntime=failed(End.HUNG), torch=failed(End.KILLED))
    assert not [finding for finding in findings.values() if "--engine" in finding.fix]


def test_every_end_has_a_fix_of_its_own_where_another_helps():
    fixes = {end: by_name(torch=failed(end, missing="torch"))["torch"].fix for end in End if end is not End.WELL}
    for end in (End.ERROR, End.CRASHED):
        assert fixes[end].startswith(f"pip install --force-reinstall torch=={VERSION('torch')}")
    assert "-cpu host" in fixes[End.ILLEGAL]
    assert "memory" in fixes[End.KILLED]
    assert "again" in fixes[End.HUNG]
    assert ".[train]" in fixes[End.MISSING]


def test_a_missing_dll_is_no_reason_to_reinstall_first():
    finding = by_name(onnxruntime=failed(End.ERROR, "ImportError: DLL load failed while importing"))["onnxruntime"]
    assert "Visual C++" in finding.fix


def test_torch_may_be_missing_and_openvino_may_not(monkeypatch):
    def version(name):
        if name in {"torch", "openvino"}:
            raise importlib.metadata.PackageNotFoundError(name)
        return VERSION(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    findings = by_name(torch=failed(End.MISSING, missing="torch"), openvino=failed(End.MISSING, missing="openvino"))
    assert findings["torch"].status == "note"
    assert findings["openvino"].status == "problem"
    assert findings["openvino"].fix == 'pip install "openvino>=2025.0"'


@pytest.mark.parametrize(
    ("engine", "missing"), [("torch", "sympy"), ("torch", "torch._C"), ("onnxruntime", "google.protobuf")]
)
def test_an_engine_without_something_that_it_needs_is_broken_and_comes_anew_with_all_of_it(engine, missing):
    finding = by_name(**{engine: failed(End.MISSING, f"module {missing} is missing", missing)})[engine]
    assert (finding.status, finding.value) == ("problem", f"module {missing} is missing")
    assert finding.fix.startswith(f"pip install --force-reinstall {engine}=={VERSION(engine)}")
    assert engine in finding.meaning


def test_a_core_library_that_is_there_and_incomplete_comes_anew():
    (finding,) = by_name(openvino=failed(End.MISSING, missing="numpy.linalg")).values()
    assert finding.fix == f"pip install --force-reinstall numpy=={VERSION('numpy')}"


def test_a_module_that_is_missing_only_in_bf16_is_told(sound):
    steps = {"failed": {"error": "", "missing": "sympy"}, "bf16": None}
    finding = by_name(torch=sound(End.MISSING, "module sympy is missing", **steps))["torch in bf16"]
    assert (finding.status, finding.value) == ("problem", "module sympy is missing")
    assert "torch==" in finding.fix


def test_leanseg_itself_comes_from_its_source_code():
    _, fix = failure("openvino", failed(End.MISSING, missing="leanseg.inference"))
    assert fix == "in the folder of leanseg's source code: pip install ."


@pytest.mark.parametrize(("difference", "status"), [(9e-5, "good"), (2e-4, "problem"), (float("inf"), "problem")])
def test_wrong_scores_are_a_problem(sound, difference, status):
    attempt = sound(computed={"difference": difference, "seconds": 1.0})
    finding = by_name(onnxruntime=attempt)["onnxruntime"]
    assert finding.status == status
    assert finding.facts["works"] == works(attempt) == (status == "good")
    assert "inf%" not in finding.value


@pytest.mark.parametrize(("difference", "status"), [(0.005, "good"), (0.2, "note"), (float("inf"), "note")])
def test_bf16_may_differ_a_little(sound, difference, status):
    finding = by_name(torch=sound(bf16={"difference": difference}))["torch in bf16"]
    assert finding.status == status
    assert ('"precision": "fp32"' in finding.fix) == (status == "note")
    assert "inf%" not in finding.value


def test_a_bf16_that_kills_its_process_is_a_problem_though_fp32_works(sound):
    findings = by_name(torch=sound(End.ILLEGAL, "ended by an illegal instruction", bf16=None))
    assert findings["torch"].status == "good"
    assert findings["torch in bf16"].status == "problem"


def test_a_gpu_driver_that_kills_openvino_is_no_problem_for_the_cpu(sound):
    findings = by_name(openvino=sound(End.CRASHED, "crashed (SIGSEGV)", devices=None))
    assert findings["openvino"].status == "good"
    assert (findings["OpenVINO devices"].status, findings["OpenVINO devices"].value) == ("note", "crashed (SIGSEGV)")


def test_telemetry_that_was_loaded_is_told(sound):
    finding = by_name(openvino=sound(telemetry={"loaded": True}))["telemetry"]
    assert finding.status == "note"
    assert "opt_out" in finding.fix
