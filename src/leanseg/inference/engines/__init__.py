"""What computes a network: OpenVINO, ONNX Runtime, or anything handed in that behaves like an `Engine`.

An engine's library is imported when it is opened, not before.
"""

from leanseg.inference.engines.engine import (
    Engine,
    EngineError,
    EngineFailedError,
    Precision,
    UnknownEngineError,
    engine_failure,
)
from leanseg.inference.engines.ensemble import Ensemble
from leanseg.inference.engines.opening import open_engine

__all__ = [
    "Engine",
    "EngineError",
    "EngineFailedError",
    "Ensemble",
    "Precision",
    "UnknownEngineError",
    "engine_failure",
    "open_engine",
]
