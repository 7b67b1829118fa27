"""The process that tries an engine."""

import json
import subprocess
import sys

import pytest


def smoke(engine, *code):
    command = [sys.executable, "-P", *(code or ("-m", "leanseg.doctor.smoke")), engine]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("engine", "steps"),
    [("openvino", ["loaded", "computed", "telemetry", "devices"]), ("onnxruntime", ["loaded", "computed"])],
)
def test_each_step_is_a_line_of_json(engine, steps):
    done = smoke(engine)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [step["step"] for step in told] == steps
    assert told[0]["precision"] == "fp32"


def test_openvinos_telemetry_is_silent():
    told = [json.loads(line) for line in smoke("openvino").stdout.splitlines()]
    assert {"step": "telemetry", "loaded": False} in told


def test_an_engine_that_fails_ends_the_process_with_code_1_and_no_traceback(without):
    without("onnxruntime")
    done = smoke("onnxruntime")
    assert done.returncode == 1
    assert done.stderr == ""
    assert json.loads(done.stdout)["missing"] == "onnxruntime"


@pytest.mark.skipif(sys.platform == "win32", reason="core files")
def test_no_core_file_is_written(instead_of):
    instead_of("onnxruntime", "import resource\nprint(resource.getrlimit(resource.RLIMIT_CORE)[0])\nraise SystemExit")
    assert smoke("onnxruntime").stdout.splitlines()[0] == "0"


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_the_lean_engines_are_tried_without_torch(engine):
    code = "import sys; from leanseg.doctor import smoke; smoke.main(); print({'torch', 'onnx'} & set(sys.modules))"
    assert smoke(engine, "-c", code).stdout.splitlines()[-1] == "set()"
