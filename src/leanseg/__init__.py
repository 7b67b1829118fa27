"""leanseg: train, judge and deploy 3D medical image segmentation within the memory and time a person has."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leanseg.learning import networks

__all__ = ["__version__", "networks"]

__version__ = "0.1.0"

# Loaded when first asked for, so that `import leanseg` stays light and works without torch.
_LAZY = {"networks": "leanseg.learning.networks"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return importlib.import_module(_LAZY[name])


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
