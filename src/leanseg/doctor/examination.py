"""The whole examination, area by area, and what it amounts to."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from leanseg.doctor.attempts import Attempt, attempt
from leanseg.doctor.engines import ENGINES, engine_findings
from leanseg.doctor.findings import Finding, Status, note, problem
from leanseg.doctor.folders import folders
from leanseg.doctor.gpu import gpu, sees_cuda
from leanseg.doctor.memory import memory
from leanseg.doctor.processor import processor
from leanseg.doctor.repairs import reinstall
from leanseg.doctor.software import software
from leanseg.errors import InputError, LeansegError, SomeCasesFailedError, first_line, installation
from leanseg.progress import Progress


class NoEngineWorksError(InputError):
    """Nothing here can compute a network."""

    def __init__(self) -> None:
        super().__init__(
            what=f"none of the engines works: {', '.join(ENGINES)}",
            why="without one leanseg can neither predict nor train on this machine",
            fix="start with what is said about openvino",
        )


class ProblemsFoundError(SomeCasesFailedError):
    """A part of leanseg does not work here; the others do."""

    def __init__(self, found: Sequence[Finding]) -> None:
        super().__init__(
            what=f"{len(found)} problem{'s' * (len(found) != 1)}: {', '.join(finding.name for finding in found)}",
            why="a part of leanseg does not work on this machine; the others do",
            fix="do what is said about each of them",
        )


def examine(progress: Progress | None = None) -> list[Finding]:
    """Return what is found about this machine, in the order of its areas. Takes a few seconds.

    Engines run in processes of their own; a file of 128 MiB is written to the cache folder and is gone afterwards.
    """
    progress = progress or Progress()
    attempts: Mapping[str, Attempt] = {engine: attempt(engine) for engine in progress.track(ENGINES, "Trying engines")}
    return [
        *_found("software", software),
        *_found("processor", processor),
        *_found("memory", memory),
        *engine_findings(attempts),
        *_found("GPU", lambda: gpu(attempts["torch"])),
        *_found("disks", lambda: folders(progress, cuda=sees_cuda(attempts["torch"]))),
    ]


def verdict(findings: Sequence[Finding]) -> LeansegError | None:
    """Return what the findings amount to: nothing where leanseg works, whatever notes there are."""
    if not any(finding.facts.get("works") for finding in findings if finding.name in ENGINES):
        return NoEngineWorksError()
    problems = [finding for finding in findings if finding.status is Status.PROBLEM]
    return ProblemsFoundError(problems) if problems else None


def _found(area: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """Return what `check` finds. What keeps it from looking is a finding, too, and the other areas go on."""
    try:
        return list(check())
    except ImportError as error:
        module = (error.name or "").partition(".")[0]
        return [
            problem(
                area,
                module or "a library",
                first_line(error),
                "leanseg's core needs it, and so does this check",
                reinstall(module) if module not in {"", "leanseg"} else installation(),
            )
        ]
    except (OSError, RuntimeError) as error:
        return [
            note(
                area,
                "not examined",
                first_line(error),
                "the system did not let leanseg look, so that nothing is known about this here",
                "run leanseg doctor in a folder that still exists, and where /proc and /sys may be read",
            )
        ]
