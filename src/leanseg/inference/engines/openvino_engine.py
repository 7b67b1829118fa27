"""OpenVINO's runtime on the CPU. Only its model reader is used: no conversion tool, no telemetry, no cache on disk."""

import sys
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leanseg.inference.engines.engine import EngineError, Precision, engine_failure, require_scores
from leanseg.inference.engines.instruction_sets import has_bf16, this_processor
from leanseg.machine import cores

Float32 = NDArray[np.float32]


_CONVERSION_TOOL = "openvino.tools.ovc"


def runtime() -> Any:
    """Return the module openvino, imported without its conversion tool, which brings a telemetry client along.

    Where somebody else has imported openvino already, it is left as it is.
    """
    if "openvino" in sys.modules:
        return sys.modules["openvino"]
    # None makes Python say "no such module", which openvino takes as "not installed"; later imports find the tool.
    sys.modules[_CONVERSION_TOOL] = None  # type: ignore[assignment]
    try:
        import openvino
    finally:
        del sys.modules[_CONVERSION_TOOL]
    return openvino


@cache
def _core() -> Any:
    """Return the one Core of this process.

    Each Core sets up a stack for signal handlers, and puts back the one before when it goes. Two that do not go in the
    reverse order leave the process with a stack that is gone: the next Ctrl-C would end it with a segmentation fault.
    """
    return runtime().Core()


def computes_bf16() -> bool:
    """Tell whether OpenVINO computes bf16 here with instructions that the processor has for it.

    Both are asked: OpenVINO says yes wherever there is AVX-512, and computes bf16 by other means then.
    """
    return has_bf16(this_processor()) and "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OpenVinoEngine:
    """An ONNX graph compiled for this processor, in fp32 even where it could do bf16, unless that is asked for.

    threads: cores to use; all that this process may use by default. precision: "fp32"; "bf16", for which
    `computes_bf16` should hold; or "int8" for a quantised graph, whose other operations are computed in fp32.
    """

    remark = ""  # see `open_engine`

    def __init__(self, onnx: bytes, threads: int | None = None, precision: Precision = "fp32") -> None:
        openvino, core = runtime(), _core()
        settings = {
            # Left alone, OpenVINO takes bf16 where the processor has it, and labels change without a word.
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads or cores(),
            "NUM_STREAMS": 1,
        }
        try:
            compiled = core.compile_model(core.read_model(onnx, b""), "CPU", settings)
        except (RuntimeError, ValueError) as error:  # ValueError: what it says is itself no text
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise EngineError("openvino", reason[-1], "onnxruntime") from error
        self._request = compiled.create_infer_request()
        # Asked of the compiled model, not of our settings: what is reported is what is used.
        hint = str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())
        self._precision = "int8" if precision == "int8" else {"f32": "fp32", "f16": "fp16"}.get(hint, hint)
        self._name = f"openvino {openvino.__version__.split('-')[0]}"

    @property
    def name(self) -> str:
        """Engine and version."""
        return self._name

    @property
    def precision(self) -> str:
        """Of the arithmetic, as the compiled model tells it; "int8" of a quantised graph."""
        return self._precision

    def __call__(self, tile: Float32) -> Float32:
        """Return the scores (1, K, d, h, w) of `tile` (1, C, d, h, w), in memory that the next call reuses."""
        try:
            scores = self._request.infer([tile], share_inputs=True, share_outputs=True)[0]
        except (RuntimeError, MemoryError, ValueError, LookupError) as error:  # the last two from its Python side
            raise engine_failure(self._name, error) from error
        return require_scores(self._name, scores, tile)
