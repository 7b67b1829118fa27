"""Versions: which are there, which are missing, which are too old."""

import importlib.metadata
import platform
import sys
import tomllib
from pathlib import Path

import pytest

from leanseg.doctor import software as room
from leanseg.doctor.software import Library, libraries, of_core, software

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture
def installed(monkeypatch):
    """A function that says which versions are installed; None for what is not. All others are as they are."""

    def pretend(**versions):
        real = importlib.metadata.version

        def version(name):
            known = versions.get(name.replace("-", "_"), real)
            if known is None:
                raise importlib.metadata.PackageNotFoundError(name)
            return real(name) if known is real else known

        monkeypatch.setattr(importlib.metadata, "version", version)
        return {finding.name: finding for finding in software()}

    return pretend


@pytest.mark.parametrize(
    ("extra", "declared"), [(None, PROJECT["dependencies"]), ("train", PROJECT["optional-dependencies"]["train"])]
)
def test_every_requirement_of_the_project_is_understood(extra, declared):
    assert sorted(library.requirement.lower() for library in libraries(extra)) == sorted(map(str.lower, declared))


def test_here_everything_is_there_and_new_enough(installed):
    findings = installed()
    assert {finding.status for finding in findings.values()} == {"good"}
    assert findings["leanseg"].value == PROJECT["version"]
    assert findings["Python"].facts["executable"] == sys.executable
    assert findings["core libraries"].facts["versions"]["numpy"] == importlib.metadata.version("numpy")
    assert f"torch {importlib.metadata.version('torch')}" in findings["training libraries"].value


@pytest.mark.parametrize(
    ("version", "least", "too_old"),
    [
        ("2.13.0+cpu", "2.6", False),
        ("2.6", "2.6", False),
        ("2.6", "2.6.0", False),
        ("2.6.0rc1", "2.6", False),
        ("2.10", "2.9", False),
        ("2.9", "2.10", True),
        ("1.26.4", "2.0", True),
        ("2024.6.0", "2025.0", True),
        ("2", "2.0", False),
        (None, "2.0", False),
    ],
)
def test_versions_are_compared_number_by_number(version, least, too_old):
    assert Library("library", least, version).is_too_old == too_old


def test_an_old_library_is_a_problem_with_the_command_that_helps(installed):
    finding = installed(scipy="1.2")["scipy"]
    assert finding.status == "problem"
    assert finding.fix == 'pip install "scipy>=1.14"'


def test_a_missing_library_of_the_core_is_a_problem(installed):
    finding = installed(safetensors=None)["safetensors"]
    assert (finding.status, finding.value) == ("problem", "not installed")
    assert finding.fix == 'pip install "safetensors>=0.5"'


def test_without_the_training_part_there_is_one_note(installed):
    absent = dict.fromkeys(("blosc2", "monai", "onnx", "pytorch_lightning", "tensorboard", "torch"))
    findings = installed(**absent)
    assert [name for name, finding in findings.items() if finding.status != "good"] == ["training part"]
    assert "training libraries" not in findings
    place, command = findings["training part"].fix.split(": ")
    assert (place, command) == ("in the folder of leanseg's source code", 'pip install ".[train]"')
    assert command.replace('"', "'") in (ROOT / "README.md").read_text(encoding="utf-8")


def test_half_a_training_part_names_what_is_missing(installed):
    findings = installed(monai=None)
    assert findings["training part"].facts["missing"] == ["monai"]
    assert "monai" not in findings["training libraries"].value


@pytest.mark.parametrize(
    ("system", "processor", "tested"),
    [("Linux", "x86_64", True), ("Linux", "aarch64", False), ("Darwin", "x86_64", False), ("Windows", "AMD64", False)],
)
def test_only_linux_for_x86_64_is_where_leanseg_is_tested(monkeypatch, system, processor, tested):
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: processor)
    (finding,) = [finding for finding in software() if finding.name == "platform"]
    assert (finding.meaning == "where leanseg is tested") == tested


def test_a_library_of_the_core_is_known_by_its_module():
    assert of_core("numpy") == Library("numpy", "2.0", importlib.metadata.version("numpy"))
    assert of_core("torch") is None


def test_without_being_installed_leanseg_says_so(monkeypatch):
    def requires(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(room.importlib.metadata, "requires", requires)
    finding = software()[-1]
    assert (finding.name, finding.status) == ("libraries", "note")
    assert finding.fix == "in the folder of leanseg's source code: pip install ."
    assert of_core("numpy") is None
