"""Open an engine by name."""

from collections.abc import Callable
from functools import partial

from leanseg.inference.engines.cut_engine import CutEngine
from leanseg.inference.engines.engine import Engine, UnknownEngineError
from leanseg.inference.engines.ensemble import Ensemble
from leanseg.packages import Package
from leanseg.packages.graphs import cut_head


def open_engine(package: Package, name: str, threads: int | None = None) -> Engine | Ensemble:
    """Return the engine `name`, "openvino" or "onnxruntime", with the package's exported graph, or all of them.

    threads: cores to use; all that this process may use by default. Where a network has fewer features than the package
    has outputs, its graph is cut before the last convolution, which is then the engine's `head` (see `CutEngine`); of
    several networks, where all their features together are fewer. Raises UnknownEngineError, or EngineError when the
    engine cannot use the graph.
    """
    if name not in _ENGINES:
        raise UnknownEngineError(name, tuple(_ENGINES))
    openers = [partial(_open, package, name, member, threads) for member in range(package.members)]
    return Ensemble(openers) if len(openers) > 1 else openers[0]()


def _open(package: Package, name: str, member: int, threads: int | None) -> Engine:
    onnx = package.onnx_bytes(member)
    cut = cut_head(onnx, package.plan.data.outputs / package.members)
    if cut is None:
        return _ENGINES[name](onnx, threads)
    graph, head = cut
    del onnx, cut
    return CutEngine(_ENGINES[name](graph, threads), head)


def _openvino(onnx: bytes, threads: int | None) -> Engine:
    from leanseg.inference.engines.openvino_engine import OpenVinoEngine

    return OpenVinoEngine(onnx, threads)


def _onnxruntime(onnx: bytes, threads: int | None) -> Engine:
    from leanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine

    return OnnxRuntimeEngine(onnx, threads)


_ENGINES: dict[str, Callable[[bytes, int | None], Engine]] = {"openvino": _openvino, "onnxruntime": _onnxruntime}
