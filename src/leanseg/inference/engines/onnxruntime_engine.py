"""ONNX Runtime on the CPU, in fp32, or int8 where the graph is quantised."""

import numpy as np
from numpy.typing import NDArray

from leanseg.errors import first_line
from leanseg.inference.engines.engine import EngineError, Precision, engine_failure, require_scores
from leanseg.machine import cores

Float32 = NDArray[np.float32]

_ERRORS_ONLY = 3


class OnnxRuntimeEngine:
    """An ONNX graph in a session of its own.

    threads: cores to use; all that this process may use by default. precision: "fp32", or "int8" for a quantised graph.
    """

    remark = ""  # see `open_engine`

    def __init__(self, onnx: bytes, threads: int | None = None, precision: Precision = "fp32") -> None:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        self._failures = _failures()
        try:
            self._session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        except self._failures as error:
            raise EngineError("onnxruntime", first_line(error), "openvino") from error
        self._input = self._session.get_inputs()[0].name
        self._name = f"onnxruntime {onnxruntime.__version__}"
        self._precision = precision

    @property
    def name(self) -> str:
        """Engine and version."""
        return self._name

    @property
    def precision(self) -> str:
        """Of the arithmetic: the graph's own, as this provider changes none."""
        return self._precision

    def __call__(self, tile: Float32) -> Float32:
        """Return the scores (1, K, d, h, w) of `tile` (1, C, d, h, w)."""
        try:
            scores = self._session.run(None, {self._input: tile})[0]
        except self._failures as error:
            raise engine_failure(self._name, error) from error
        return require_scores(self._name, scores, tile)


def _failures() -> tuple[type[Exception], ...]:
    """Return the errors of a session, one per status code; they have no common base but Exception."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (
        RuntimeError,
        MemoryError,
        ValueError,  # from its Python side, or because what it says is itself no text
        LookupError,
        *(found for found in vars(state).values() if isinstance(found, type) and issubclass(found, Exception)),
    )
