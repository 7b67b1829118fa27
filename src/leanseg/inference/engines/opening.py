"""Open an engine by name."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from leanseg.inference.engines.cut_engine import CutEngine
from leanseg.inference.engines.engine import Engine, Precision, UnknownEngineError
from leanseg.inference.engines.ensemble import Ensemble
from leanseg.inference.engines.precision import Choice, thread_count
from leanseg.packages import Package
from leanseg.packages.graphs import cut_head

if TYPE_CHECKING:
    from leanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine
    from leanseg.inference.engines.openvino_engine import OpenVinoEngine

    OwnEngine = OpenVinoEngine | OnnxRuntimeEngine


def open_engine(
    package: Package, name: str, threads: int | None = None, *, precision: Precision | None = None
) -> Engine | Ensemble:
    """Return the engine `name`, "openvino" or "onnxruntime", with the package's exported graph, or all of them.

    threads: cores to use; as the package was tuned by default, else all that this process may use. precision: as the
    package was tuned by default, else fp32. Where the engine or this processor has not what the package was tuned to,
    it is fp32, and `remark` of what is returned says so. Where a network has fewer features than the package has
    outputs, its graph is cut before the last convolution, which is then the engine's `head` (see `CutEngine`); of
    several networks, where all their features together are fewer. Raises UnknownEngineError, EngineError when the
    engine cannot use the graph, or NoSuchPrecisionError where `precision` is not to be had.
    """
    if name not in _ENGINES:
        raise UnknownEngineError(name, tuple(_ENGINES))
    choice = Choice.of(package, name, precision)
    threads = threads or thread_count(package.threads)
    openers = [partial(_open, package, name, member, threads, choice) for member in range(package.members)]
    opened: Ensemble | OwnEngine | CutEngine = Ensemble(openers) if len(openers) > 1 else openers[0]()
    if choice.remark:
        opened.remark = choice.remark
    return opened


def _open(package: Package, name: str, member: int, threads: int | None, choice: Choice) -> "OwnEngine | CutEngine":
    onnx = package.int8_bytes(member) if choice.precision == "int8" else package.onnx_bytes(member)
    cut = cut_head(onnx, package.plan.data.outputs / package.members)
    if cut is None:
        return _ENGINES[name](onnx, threads, choice.precision)
    graph, head = cut
    del onnx, cut
    return CutEngine(_ENGINES[name](graph, threads, choice.precision), head)


def _openvino(onnx: bytes, threads: int | None, precision: Precision) -> "OwnEngine":
    from leanseg.inference.engines.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(onnx, threads, precision)


def _onnxruntime(onnx: bytes, threads: int | None, precision: Precision) -> "OwnEngine":
    from leanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine

    return OnnxRuntimeEngine(onnx, threads, precision)


_ENGINES: dict[str, Callable[[bytes, int | None, Precision], "OwnEngine"]] = {
    "openvino": _openvino,
    "onnxruntime": _onnxruntime,
}
