"""The commands that install anew what is broken."""

import importlib.metadata
import re

from leanseg.errors import SOURCE_FOLDER

_TORCHS_INDEX = "https://download.pytorch.org/whl"


def reinstall(module: str, *, with_dependencies: bool = False) -> str:
    """Return how what brings `module` is installed anew, in the version that is there: a newer one may not fit.

    with_dependencies: what it needs as well.
    """
    if module == "torch":
        return _reinstall_torch()
    name, version = _installed(module)
    if version is None:
        return f"pip install --force-reinstall {name}"
    return f"pip install --force-reinstall {'' if with_dependencies else '--no-deps '}{name}=={version}"


def _reinstall_torch() -> str:
    """Return how torch is installed anew, as the build that is there and with its dependencies.

    They may be what is broken: the libraries of CUDA come as packages of their own. "2.9.1+cu126" is a build from the
    index cu126 of PyTorch's own; PyPI, which has no such versions, would give its own build for another CUDA.
    """
    _, version = _installed("torch")
    if version is None:
        return f"{SOURCE_FOLDER}: pip install --force-reinstall torch -c constraints.txt"
    build = version.partition("+")[2]
    index = f" --extra-index-url {_TORCHS_INDEX}/{build}" if re.fullmatch(r"cpu|xpu|cu\d+|rocm[\d.]+", build) else ""
    return f"pip install --force-reinstall torch=={version}{index}"


def _installed(module: str) -> tuple[str, str | None]:
    """Return what pip calls that which brings `module`, and its version; None where nothing that is installed does."""
    try:
        return module, importlib.metadata.version(module)
    except importlib.metadata.PackageNotFoundError:
        pass
    names = [name for name in importlib.metadata.packages_distributions().get(module, []) if name != module]
    return (names[0], importlib.metadata.version(names[0])) if names else (module, None)
