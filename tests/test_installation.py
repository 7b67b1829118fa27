"""What must and must not be installed beside leanseg, and which room may import which."""

import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def installed(name):
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.mark.parametrize("name", ["torchvision", "timm"])
def test_nothing_that_replaces_torch_is_installed(name):
    assert installed("torch")
    assert not installed(name)


def test_the_core_needs_nothing_of_the_torch_wing():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = {requirement.partition(">")[0] for requirement in project["dependencies"]}
    assert not needed & {"torch", "monai", "pytorch-lightning", "blosc2", "onnx", "torchmetrics"}


def test_the_version_is_the_same_wherever_it_is_told():
    import leanseg

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == leanseg.__version__


def test_rooms_import_only_from_rooms_below_them():
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
