"""What became of the cases of a call."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from leanseg.errors import LeansegError
from leanseg.inference.engines import Engine, Ensemble


@dataclass(frozen=True)
class Failure:
    """A case that was not predicted, and why. The error's message names the case."""

    case: str
    error: LeansegError


@dataclass(frozen=True)
class Done:
    """A case whose label map was written. anew: why an earlier one did not do; nothing where nobody asked."""

    case: str
    anew: str


@dataclass(frozen=True)
class Skipped:
    """A case whose label map was there already."""

    case: str


Outcome = Done | Skipped | Failure


@dataclass(frozen=True)
class Summary:
    """What became of the cases. With `resume`: those left as they were, and why the others were predicted."""

    out: Path
    engine: str
    precision: str
    done: tuple[str, ...]
    failed: tuple[Failure, ...]
    seconds: float
    skipped: tuple[str, ...] = ()
    anew: Mapping[str, str] = field(default_factory=dict)


def summary_of(out: Path, engine: Engine | Ensemble, outcomes: Iterable[Outcome], seconds: float) -> Summary:
    """Return what `outcomes`, one per case, come to."""
    found = list(outcomes)
    done = [each for each in found if isinstance(each, Done)]
    return Summary(
        out=out,
        engine=engine.name,
        precision=engine.precision,
        done=tuple(each.case for each in done),
        failed=tuple(each for each in found if isinstance(each, Failure)),
        seconds=seconds,
        skipped=tuple(each.case for each in found if isinstance(each, Skipped)),
        anew={each.case: each.anew for each in done if each.anew},
    )
