"""What attempts of engines mean."""

import pytest

from leanseg.doctor.attempts import Attempt, End
from leanseg.doctor.engines import engine_findings, works


def by_name(**attempts):
    return {finding.name: finding for finding in engine_findings(attempts)}


def failed(end, detail="in words", missing=None):
    steps = {"failed": {"error": detail, "missing": missing}} if end in {End.ERROR, End.MISSING} else {}
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
    fixes = {end: by_name(torch=failed(end))["torch"].fix for end in End if end is not End.WELL}
    assert "--force-reinstall --no-deps torch" in fixes[End.ERROR]
    assert "-cpu host" in fixes[End.ILLEGAL]
    assert "memory" in fixes[End.KILLED]
    assert "again" in fixes[End.HUNG]
    assert ".[train]" in fixes[End.MISSING]


def test_a_missing_dll_is_no_reason_to_reinstall_first():
    finding = by_name(onnxruntime=failed(End.ERROR, "ImportError: DLL load failed while importing"))["onnxruntime"]
    assert "Visual C++" in finding.fix


def test_torch_may_be_missing_and_openvino_may_not():
    findings = by_name(
        torch=failed(End.MISSING, missing="torch"), openvino=failed(End.MISSING, missing="openvino.core")
    )
    assert findings["torch"].status == "note"
    assert findings["openvino"].status == "problem"
    assert findings["openvino"].fix == "pip install openvino"


@pytest.mark.parametrize(("difference", "status"), [(9e-5, "good"), (2e-4, "problem"), (float("inf"), "problem")])
def test_wrong_scores_are_a_problem(sound, difference, status):
    attempt = sound(computed={"difference": difference, "seconds": 1.0})
    finding = by_name(onnxruntime=attempt)["onnxruntime"]
    assert finding.status == status
    assert finding.facts["works"] == works(attempt) == (status == "good")


@pytest.mark.parametrize(("difference", "status"), [(0.005, "good"), (0.2, "note"), (float("inf"), "note")])
def test_bf16_may_differ_a_little(sound, difference, status):
    finding = by_name(torch=sound(bf16={"difference": difference}))["torch in bf16"]
    assert finding.status == status
    assert ('"precision": "fp32"' in finding.fix) == (status == "note")


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
