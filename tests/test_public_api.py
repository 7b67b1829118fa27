"""`import leanseg` is light, and what it promises is there."""

import subprocess
import sys

import pytest

import leanseg


def test_importing_leanseg_imports_neither_torch_nor_numpy():
    code = "import leanseg, sys; dir(leanseg); print({'torch', 'numpy', 'monai'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_networks_are_found_when_asked_for():
    from leanseg import networks

    assert "distill_dsm_unet" in networks.names()


def test_everything_promised_exists():
    for name in leanseg.__all__:
        assert name in dir(leanseg)
        assert getattr(leanseg, name) is not None


def test_what_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_thing"):
        leanseg.no_such_thing  # noqa: B018
