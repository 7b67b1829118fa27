"""The commands that install anew what is broken."""

import importlib.metadata

import pytest

from leanseg.doctor.repairs import reinstall


@pytest.fixture
def installed(monkeypatch):
    """A function that says which versions are installed; nothing else is."""

    def pretend(**versions):
        def version(name):
            if name not in versions:
                raise importlib.metadata.PackageNotFoundError(name)
            return versions[name]

        monkeypatch.setattr(importlib.metadata, "version", version)

    return pretend


@pytest.mark.parametrize(
    ("version", "index"),
    [
        ("2.13.0", None),
        ("2.13.0+cpu", "cpu"),
        ("2.9.1+cu126", "cu126"),
        ("2.9.1+rocm6.4", "rocm6.4"),
        ("2.9.1+xpu", "xpu"),
        ("2.9.0a0+git1234567", None),
    ],
)
@pytest.mark.parametrize("with_dependencies", [False, True])
def test_torch_is_reinstalled_as_the_build_that_is_there_and_with_what_it_needs(
    installed, version, index, with_dependencies
):
    installed(torch=version)
    command, *source = reinstall("torch", with_dependencies=with_dependencies).split(" --extra-index-url ")
    assert command == f"pip install --force-reinstall torch=={version}"
    assert source == ([f"https://download.pytorch.org/whl/{index}"] if index else [])


def test_a_torch_of_no_known_version_is_pinned_by_our_constraints(installed):
    installed()
    assert reinstall("torch").endswith("source code: pip install --force-reinstall torch -c constraints.txt")


def test_others_keep_their_version(installed):
    installed(openvino="2026.4.1")
    assert reinstall("openvino") == "pip install --force-reinstall --no-deps openvino==2026.4.1"
    assert reinstall("openvino", with_dependencies=True) == "pip install --force-reinstall openvino==2026.4.1"


def test_a_library_goes_by_the_name_that_pip_knows(installed, monkeypatch):
    installed(**{"onnxruntime-gpu": "1.31.1"})
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: {"onnxruntime": ["onnxruntime-gpu"]})
    assert reinstall("onnxruntime").endswith(" onnxruntime-gpu==1.31.1")


def test_what_is_not_installed_is_installed_with_what_it_needs(installed):
    installed()
    assert reinstall("psutil") == "pip install --force-reinstall psutil"
