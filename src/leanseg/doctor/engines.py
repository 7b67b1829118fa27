"""What the attempts of the engines mean: which of them may be used, and what to do about the others."""

import math
from collections.abc import Iterator, Mapping

from leanseg.doctor.attempts import Attempt, End
from leanseg.doctor.findings import Finding, good, note, problem
from leanseg.doctor.repairs import reinstall
from leanseg.doctor.software import of_core
from leanseg.errors import installation

AREA = "engines"
ENGINES = ("openvino", "onnxruntime", "torch")

# Shares of the largest score. Sound machines differ by 3e-7 in fp32 and by 0.005 in bf16; a wrong kernel by far more.
TOLERANCE = 1e-4
TOLERANCE_OF_BF16 = 0.05

_ROLES = {
    "openvino": "what leanseg predicts with by default",
    "onnxruntime": "the engine where OpenVINO cannot be used (--engine onnxruntime)",
    "torch": "what leanseg trains with; it predicts with --engine torch",
}
_CAUSES = {
    End.ERROR: "its installation is broken, or made for another system",
    End.ILLEGAL: "this processor, or what a virtual machine shows of it, lacks an instruction that the library uses",
    End.KILLED: "even a tile of a few kilobytes is too much for what memory is left",
    End.CRASHED: "its installation is broken, or does not suit this processor",
    End.HUNG: "its files are read from a very slow disk, or it waits for something that never comes",
}


def engine_findings(attempts: Mapping[str, Attempt]) -> list[Finding]:
    """Return what the attempts of the engines mean, by their names."""
    return [
        finding for engine, attempt in attempts.items() for finding in _of_engine(engine, attempt, _instead(attempts))
    ]


def works(attempt: Attempt) -> bool:
    """Tell whether the engine has computed the tile on the CPU, and rightly."""
    return attempt.computed and attempt.steps["computed"]["difference"] <= TOLERANCE


def is_absent(engine: str, attempt: Attempt) -> bool:
    """Tell whether the engine itself is not installed, rather than something that it needs."""
    return attempt.missing == engine


def failure(engine: str, attempt: Attempt) -> tuple[str, str]:
    """Return the cause of an attempt that did not end well, and what to do about it."""
    if attempt.missing:
        return _incomplete(engine, attempt.missing)
    again = reinstall(engine)
    if "DLL load failed" in attempt.detail:
        return (
            "a library of Windows that it needs is not there",
            f"install the Visual C++ Redistributable, then {again}",
        )
    fixes = {
        End.ERROR: again,
        End.ILLEGAL: "in a virtual machine let it see the host's processor (QEMU: -cpu host), "
        "on Apple silicon use Python for arm64; else use another machine",
        End.KILLED: "close other programs, or give the container more memory (docker run --memory)",
        End.CRASHED: again,
        End.HUNG: "run leanseg doctor again, when the files are in the system's cache",
    }
    return _CAUSES[attempt.end], fixes[attempt.end]


def _incomplete(engine: str, missing: str) -> tuple[str, str]:
    """Return what it means that the module `missing` is not installed, and what to do about it."""
    module = missing.partition(".")[0]
    if module == "leanseg":
        return "a part of leanseg is not installed", installation()
    library = of_core(module)
    if library is None:
        return f"{engine} needs what is missing", reinstall(engine, with_dependencies=True)
    # pip would leave alone what it takes for installed.
    again = reinstall(module, with_dependencies=True)
    return "a part of leanseg's core is not there", library.installing if library.version is None else again


def _instead(attempts: Mapping[str, Attempt]) -> str:
    """Return what to do until a broken engine is mended: nothing helps where none works."""
    sound = [engine for engine, attempt in attempts.items() if works(attempt)]
    return f"; predict with --engine {sound[0]} until then" if sound else ""


def _of_engine(engine: str, attempt: Attempt, instead: str) -> Iterator[Finding]:
    if works(attempt):
        computed, loaded = attempt.steps["computed"], attempt.steps["loaded"]
        yield good(
            AREA,
            engine,
            f"{loaded['version']}, {loaded['precision']}, first tile after {computed['seconds']:.1f} s",
            f"{_ROLES[engine]}; computed one tile rightly (difference {computed['difference']:.0e})",
            works=True,
            **loaded,
            **computed,
        )
    elif attempt.computed:
        yield _wrong(engine, attempt, instead)
    elif engine == "torch" and is_absent(engine, attempt):
        fix = installation("train")
        yield note(AREA, engine, "not installed", _ROLES[engine], fix, works=False, detail=attempt.detail)
    else:
        yield _broken(engine, attempt, instead)
    if attempt.computed:
        yield from _besides(engine, attempt)


def _wrong(engine: str, attempt: Attempt, instead: str) -> Finding:
    difference = attempt.steps["computed"]["difference"]
    finite = math.isfinite(difference)
    wrong = f"they differ by {difference:.1%} of the largest" if finite else "they are not finite, or of another shape"
    return problem(
        AREA,
        engine,
        f"{attempt.steps['loaded']['version']} computes wrong scores: {wrong}",
        f"{_ROLES[engine]}; its label maps cannot be trusted on this machine",
        f"{reinstall(engine)}, or another version of it{instead}",
        works=False,
        **attempt.steps["loaded"],
        **attempt.steps["computed"],
    )


def _broken(engine: str, attempt: Attempt, instead: str) -> Finding:
    cause, fix = failure(engine, attempt)
    return problem(
        AREA,
        engine,
        attempt.detail,
        f"{_ROLES[engine]}; {cause}",
        f"{fix}{instead}",
        works=False,
        end=attempt.end,
        detail=attempt.detail,
    )


def _besides(engine: str, attempt: Attempt) -> Iterator[Finding]:
    """Yield what else an engine that computes has told."""
    if engine == "openvino":
        yield from _telemetry(attempt)
        yield from _devices(attempt)
    if engine == "torch":
        yield _bf16(attempt)


def _telemetry(attempt: Attempt) -> Iterator[Finding]:
    if "telemetry" not in attempt.steps:
        return
    if attempt.steps["telemetry"]["loaded"]:
        yield note(
            AREA,
            "telemetry",
            "OpenVINO's telemetry client was loaded",
            "leanseg leaves it out, but something else in this Python brought it in",
            "opt_in_out --opt_out",
            loaded=True,
        )
    else:
        yield good(
            AREA, "telemetry", "silent", "OpenVINO's client is not even loaded, ONNX Runtime's is off", loaded=False
        )


def _devices(attempt: Attempt) -> Iterator[Finding]:
    if "devices" not in attempt.steps:
        yield note(
            AREA,
            "OpenVINO devices",
            attempt.detail,
            "asking OpenVINO for GPUs and NPUs failed; leanseg uses its CPU device only, which works",
            "nothing for leanseg; for other programs update the driver of this machine's GPU",
            end=attempt.end,
        )
        return
    names = attempt.steps["devices"]["names"]
    shown = ", ".join(f"{device}: {name}" for device, name in names.items())
    yield good(AREA, "OpenVINO devices", shown, "leanseg uses the CPU; others are named for information", devices=names)


def _bf16(attempt: Attempt) -> Finding:
    name = "torch in bf16"
    if "bf16" not in attempt.steps:
        cause, fix = failure("torch", attempt)
        return problem(
            AREA, name, attempt.detail, f"leanseg plan and leanseg train try bf16; {cause}", fix, end=attempt.end
        )
    difference = attempt.steps["bf16"]["difference"]
    if difference <= TOLERANCE_OF_BF16:
        return good(
            AREA,
            name,
            f"works, difference {difference:.1%}",
            "training takes it where it is faster; 8 bits of precision differ by about this much",
            difference=difference,
        )
    finite = math.isfinite(difference)
    return note(
        AREA,
        name,
        f"scores differ by {difference:.0%} of the largest" if finite else "scores or gradients are not finite",
        "training in it would learn from wrong numbers",
        'set "precision": "fp32" under "training" in the plan',
        difference=difference,
    )
