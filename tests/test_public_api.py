"""`import leanseg` is light, what it promises is there, and its names have the types that they say."""

import importlib
import inspect
import re
import subprocess
import sys

import pytest
import typer

import leanseg
from leanseg.cli import _application

COMMANDS = (
    "check",
    "plan",
    "train",
    "ablate",
    "ensemble",
    "predict",
    "evaluate",
    "look",
    "register",
    "runs",
    "stress",
)
SCRIPT = """
from pathlib import Path

import nibabel
import numpy as np
import torch

import leanseg


class Quiet(leanseg.Progress):
    pass


def segment(model: leanseg.Model, image: nibabel.Nifti1Image, volume: leanseg.Volume) -> float:
    pair = (np.zeros((3, 3, 3), np.int16), np.eye(4))
    found: list[leanseg.Segmentation] = [
        leanseg.predict(model, pair, nan=0, progress=Quiet()),
        leanseg.predict("run", (torch.zeros(3, 3, 3), torch.eye(4)), engine="torch", device="cuda"),
        leanseg.predict(Path("run"), image),
        leanseg.predict(leanseg.Package.read(Path("run")), volume, max_voxels=10**6),
        model.predict(["t1.nii", Path("t2.nii")]),
    ]
    return found[0].volume_mm3("liver")


reveal_type(leanseg.check("data"))  # CheckReport
reveal_type(leanseg.plan("data", ram="8GB", options={"alpha": 0.5}))  # Plan
reveal_type(leanseg.train("data", out="run", minutes=15))  # Outcome
reveal_type(leanseg.train("data", out="run", minutes=15, fold="all"))  # CrossValidation
reveal_type(leanseg.predict("run", "scan.nii"))  # Segmentation
reveal_type(leanseg.predict("run", "scans", "out", overwrite=True))  # Summary
reveal_type(leanseg.evaluate("out", Path("labels"), "report"))  # Evaluation
reveal_type(leanseg.evaluate(leanseg.predict("run", "scan.nii"), "label.nii")["liver"]["dice"])  # float
reveal_type(leanseg.predict("run", "scan.nii").save("out.nii"))  # Path
reveal_type(leanseg.predict("run", "scan.nii").mask("liver").sum())  # Any
leanseg.predcit("run", "scan.nii")  # attr-defined
leanseg.predict("run", 3)  # call-overload
leanseg.predict("run", np.zeros((3, 3, 3)))  # call-overload
leanseg.predict("run", "scan.nii", engine="abacus")  # call-overload
leanseg.train("data")  # call-overload
leanseg.plan("data", memory="8GB")  # call-arg
"""
# What these libraries are to their own users takes mypy half a minute.
SETTINGS = """
[mypy]
strict = true
[mypy-torch.*,monai.*,pytorch_lightning.*,onnx.*,scipy.*,matplotlib.*]
follow_imports = skip
"""


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_leanseg_imports_neither_torch_nor_numpy():
    assert (
        python("import leanseg, sys; dir(leanseg); print({'torch', 'numpy', 'pydantic'} & set(sys.modules))") == "set()"
    )


def test_importing_leanseg_takes_less_than_a_tenth_of_a_second():
    code = "import time; began = time.process_time(); import leanseg; print(time.process_time() - began)"
    assert min(float(python(code)) for _ in range(3)) < 0.1


def test_networks_are_found_when_asked_for():
    from leanseg import networks

    assert "distill_dsm_unet" in networks.names()


def test_everything_promised_exists_and_is_the_one_of_its_room():
    assert set(leanseg.__all__) == {*leanseg._LAZY, "__version__"}
    for name in leanseg.__all__:
        assert name in dir(leanseg)
        assert getattr(leanseg, name) is not None
    assert leanseg.Plan is importlib.import_module("leanseg.plans").Plan
    assert leanseg.networks is importlib.import_module("leanseg.learning.networks")


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_thing"):
        leanseg.no_such_thing  # noqa: B018


@pytest.mark.parametrize("name", COMMANDS)
def test_functions_take_what_their_commands_take_by_the_same_names(name):
    command = typer.main.get_command(_application([name])).commands[name]
    of_command = {parameter.name for parameter in command.params} - {"as_json", "option"}
    of_function = set(inspect.signature(getattr(leanseg, name)).parameters) - {"progress", "options", "began"}
    assert of_function - {"out"} == of_command - {"out"}


@pytest.mark.parametrize("name", [*COMMANDS, "profile", "untrained_package", "Model", "Segmentation"])
def test_everything_that_is_called_explains_itself(name):
    assert len(inspect.getdoc(getattr(leanseg, name))) > 50


@pytest.mark.slow
def test_a_users_type_checker_sees_the_real_types(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "settings.ini").write_text(SETTINGS)
    options = ["--config-file", "settings.ini", "--no-error-summary", "--hide-error-context"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    said = dict(re.findall(r"script\.py:(\d+): (?:note: Revealed type is|error:) (.*)", done.stdout))
    expected = {
        str(number): line.rpartition("  # ")[2]
        for number, line in enumerate(SCRIPT.splitlines(), start=1)
        if "  # " in line
    }
    assert said.keys() == expected.keys(), done.stdout + done.stderr
    for number, what in expected.items():
        assert re.search(rf"\[{what}\]$|\"(.*\.)?{what}\"$", said[number]), said[number]
