"""Engines that are missing, broken or wrong, for the processes that try them."""

import os

import pytest

from leanseg.doctor.attempts import Attempt, End

HIDING = """
import sys

class Hiding:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)

sys.meta_path.insert(0, Hiding)
"""


@pytest.fixture
def instead_of(tmp_path, monkeypatch):
    """A function that puts `source` in the place of the module `name` in every process that is started from here."""
    folder = tmp_path / "instead"
    folder.mkdir()
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *([before] if before else [])]))

    def put(name, source):
        (folder / f"{name}.py").write_text(source)

    return put


@pytest.fixture
def without(instead_of):
    """A function that hides modules from every process that is started from here."""

    def hide(*names):
        instead_of("sitecustomize", HIDING.format(names=names))

    return hide


@pytest.fixture
def sound():
    """A function that gives an attempt that went well on a CPU; named steps replace its own, None leaves one out."""

    def attempt(end=End.WELL, detail="", **changed):
        steps = {
            "loaded": {"version": "1.2.3", "precision": "fp32", "cuda_build": None},
            "computed": {"difference": 3e-7, "seconds": 0.5},
            "telemetry": {"loaded": False},  # OpenVINO's, as the next
            "devices": {"names": {"CPU": "Xeon"}},
            "bf16": {"difference": 0.005},  # torch's
            **changed,
        }
        return Attempt({name: facts for name, facts in steps.items() if facts is not None}, end, detail)

    return attempt
