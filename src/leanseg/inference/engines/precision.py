"""In which precision an engine computes a package: as asked for, as it was tuned, or in fp32 and saying why."""

from dataclasses import dataclass
from typing import Self

from leanseg.inference.engines.engine import NoSuchPrecisionError, Precision
from leanseg.machine import cores
from leanseg.packages import Package
from leanseg.packages.package import Threads

_UNITS = "AVX512-BF16 or AMX"


@dataclass(frozen=True)
class Choice:
    """A precision, and one sentence where it is not the one that the package was tuned to."""

    precision: Precision
    remark: str = ""

    @classmethod
    def of(cls, package: Package, engine: str, asked: Precision | None) -> Self:
        """Return the precision in which `engine` ("openvino" or "onnxruntime") computes `package`.

        asked: what a person wants instead of what the package was tuned to. Raises NoSuchPrecisionError where that is
        not to be had; what a package was tuned to elsewhere is replaced by fp32.
        """
        wanted = asked or package.plan.inference.precision
        obstacle = _obstacle(package, engine, wanted)
        if obstacle is None:
            return cls(wanted)
        reason, fix = obstacle
        if asked:
            raise NoSuchPrecisionError(asked, reason, fix)
        return cls("fp32", f"the package is tuned to {wanted}, but {reason}: computed in fp32")


def bf16_obstacle(engine: str) -> str | None:
    """Return why `engine` cannot compute bf16 on this machine, None if it can."""
    from leanseg.inference.engines.openvino_engine import computes_bf16

    if engine != "openvino":
        return f"{engine} has no bf16 on processors"
    return None if computes_bf16() else f"this processor has no bf16 arithmetic ({_UNITS})"


def thread_count(threads: Threads) -> int:
    """Return how many cores of those that this process may use are meant."""
    return {"all": cores(), "half": max(1, cores() // 2), "one": 1}[threads]


def _obstacle(package: Package, engine: str, precision: Precision) -> tuple[str, str] | None:
    """Return why `precision` is not to be had, and what to do."""
    if precision == "bf16" and (reason := bf16_obstacle(engine)):
        return reason, "leave --precision out, or use --precision fp32"
    if precision == "int8" and not package.has_int8:
        fix = f"measure whether it is worth it: leanseg tune {package.path} --cases DATASET --precision int8"
        return "the package has no graph that is quantised to int8", fix
    return None
