"""What the predictor asks of whatever computes a network."""

from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from leanseg.errors import InputError, LeansegError, OutOfMemoryError, first_line, is_out_of_memory

Float32 = NDArray[np.float32]
Precision = Literal["fp32", "bf16", "int8"]


class Engine(Protocol):
    """A network that takes one tile at a time."""

    @property
    def name(self) -> str:
        """Engine and version, for example "openvino 2026.4.1"."""

    @property
    def precision(self) -> str:
        """Of the arithmetic: "fp32", "bf16", ..."""

    def __call__(self, tile: Float32) -> Float32:
        """Return the scores (1, K, d, h, w) of `tile` (1, C, d, h, w). The result may be reused by the next call.

        Raises EngineFailedError or OutOfMemoryError; a plain RuntimeError or MemoryError is taken as one of them.
        """


class UnknownEngineError(InputError):
    """There is no engine of that name."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(
            what=f"there is no engine {name!r}",
            why=f"leanseg has {', '.join(known)}",
            fix=f"choose one of them, for example --engine {known[0]}",
        )


class NoSuchPrecisionError(InputError):
    """A precision was asked for that this engine does not have, on this machine or for this package."""

    def __init__(self, precision: str, reason: str, fix: str) -> None:
        super().__init__(
            what=f"--precision {precision}: {reason}",
            why="another precision gives other labels, so none takes the place of what was asked for",
            fix=fix,
        )


class EngineError(InputError):
    """An engine cannot use a package's model."""

    def __init__(self, name: str, reason: str, other: str) -> None:
        super().__init__(
            what=f"{name} cannot use this model: {reason}",
            why="the exported graph uses something that this version of the engine does not know",
            fix=f"try the other engine: --engine {other}",
        )


class EngineFailedError(InputError):
    """An engine gave up on a tile."""

    def __init__(self, engine: str, error: Exception) -> None:
        super().__init__(
            what=f"{engine} failed: {first_line(error)}",
            why="the network could not be computed on this scan",
            fix="try another engine with --engine",
        )


class WrongOutputError(InputError):
    """An engine's result is not what a tile's scores look like."""

    def __init__(self, engine: str, shape: tuple[int, ...], tile: tuple[int, ...]) -> None:
        super().__init__(
            what=f"{engine} gives numbers of shape {shape} for a tile of shape {tile}",
            why="scores are one number per class and voxel of the tile",
            fix="copy the package again from where it was made; if it is no better there, train again",
        )


def require_scores(engine: str, result: Any, tile: Float32) -> Float32:
    """Return what an engine has computed for a tile (1, C, d, h, w) if it is (1, K, d, h, w) with K at least one."""
    scores = np.asarray(result)
    if scores.ndim != 5 or 0 in scores.shape or (len(scores), *scores.shape[2:]) != (len(tile), *tile.shape[2:]):
        raise WrongOutputError(engine, scores.shape, tile.shape)
    return scores


def engine_failure(engine: str, error: Exception) -> LeansegError:
    """Return what it means that the library of `engine` has raised `error` for a tile."""
    return OutOfMemoryError(error) if is_out_of_memory(error) else EngineFailedError(engine, error)
