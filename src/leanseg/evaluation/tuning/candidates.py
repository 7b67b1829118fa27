"""What is tried: an engine, a precision, how many of the cores, and a tile."""

from dataclasses import dataclass
from typing import Any, Self

from leanseg.inference.engines.engine import Precision
from leanseg.inference.engines.precision import thread_count
from leanseg.packages.package import Threads

Shape = tuple[int, int, int]

ENGINES = ("openvino", "onnxruntime")
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "int8")


@dataclass(frozen=True)
class Candidate:
    """One way to apply a package. tile: (D, H, W)."""

    engine: str
    precision: Precision
    threads: Threads
    tile: Shape

    @property
    def name(self) -> str:
        """What it is called in tables and files."""
        tile = "x".join(map(str, self.tile))
        return f"{self.engine} {self.precision} {self.threads} {tile}"

    def record(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"engine": self.engine, "precision": self.precision, "threads": self.threads, "tile": list(self.tile)}

    @classmethod
    def of(cls, record: dict[str, Any]) -> Self:
        """Return the candidate that `record` made."""
        depth, height, width = record["tile"]
        return cls(record["engine"], record["precision"], record["threads"], (depth, height, width))


def other_threads(best: Candidate) -> list[Candidate]:
    """Return `best` with fewer cores, where that is another number of them: half, and one."""
    counts = {thread_count("all")}
    found = []
    names: tuple[Threads, ...] = ("half", "one")
    for threads in names:
        if thread_count(threads) not in counts:
            counts.add(thread_count(threads))
            found.append(Candidate(best.engine, best.precision, threads, best.tile))
    return found
