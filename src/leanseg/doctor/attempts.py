"""Run the one-tile test of an engine in a process of its own, and tell how it ended."""

import json
import os
import signal
import site
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

_PATIENCE = 60.0  # seconds; reading torch from a slow disk for the first time may take half of it
_HOME = Path(__file__).parents[2]  # where the package leanseg lies
_WINDOWS_CRASHES = {0xC000001D: signal.SIGILL, 0xC0000005: signal.SIGSEGV}  # NTSTATUS


class End(StrEnum):
    """How the process of an attempt ended."""

    WELL = "well"
    MISSING = "missing"  # a module is not installed
    ERROR = "error"  # Python told an error
    ILLEGAL = "illegal instruction"
    KILLED = "killed"
    CRASHED = "crashed"
    HUNG = "hung"


@dataclass(frozen=True)
class Attempt:
    """How far an engine came. steps: what each step told, by its name; detail: in words, what went wrong."""

    steps: Mapping[str, Mapping[str, Any]]
    end: End
    detail: str = ""

    @property
    def computed(self) -> bool:
        """Tell whether the engine has computed the tile on the CPU, right or wrong."""
        return "computed" in self.steps

    @property
    def missing(self) -> str | None:
        """The module that was not found, where that is how it ended."""
        module: str | None = self.steps.get("failed", {}).get("missing")
        return module


def attempt(engine: str, patience: float = _PATIENCE) -> Attempt:
    """Return how the engine ("openvino", "onnxruntime" or "torch") fares within `patience` seconds."""
    # -P: a file named like a library in the current folder must not take that library's place.
    return run([sys.executable, "-P", "-m", "leanseg.doctor.smoke", engine], patience, _environment(), _folder())


def run(
    command: Sequence[str], patience: float, environment: Mapping[str, str] | None = None, folder: Path | None = None
) -> Attempt:
    """Run `command`, which tells its steps as `leanseg.doctor.smoke` does, and kill it after `patience` seconds.

    environment, folder: its environment variables and current folder; those of this process by default.
    """
    try:
        done = subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=patience,
            check=False,
            env=environment,
            cwd=folder,
        )
    except subprocess.TimeoutExpired as late:
        return Attempt(_steps(late.stdout or b""), End.HUNG, f"no answer within {patience:.0f} s")
    steps = _steps(done.stdout)
    if "failed" in steps:
        missing = steps["failed"]["missing"]
        if missing:
            return Attempt(steps, End.MISSING, f"module {missing} is missing")
        return Attempt(steps, End.ERROR, steps["failed"]["error"])
    if done.returncode:
        return _died(steps, done.returncode, done.stderr)
    return Attempt(steps, End.WELL)


def _environment() -> dict[str, str]:
    """Return the environment in which another Python finds this leanseg, be it installed or run from its source code.

    Where it is installed nothing changes: PYTHONPATH would put its neighbours before Python's own library.
    """
    environment = dict(os.environ)
    if str(_HOME) not in (*site.getsitepackages(), site.getusersitepackages()):
        given = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([*([given] if given else []), str(_HOME)])
    return environment


def _folder() -> Path | None:
    """Return where to start instead when the current folder is gone: torch dies there, which is no fault of torch's."""
    try:
        Path.cwd()
    except OSError:
        return _HOME
    return None


def _died(steps: Mapping[str, Mapping[str, Any]], code: int, stderr: bytes) -> Attempt:
    number = _WINDOWS_CRASHES.get(code, -code)
    if number == signal.SIGILL:
        return Attempt(steps, End.ILLEGAL, "ended by an illegal instruction")
    if sys.platform != "win32" and number == signal.SIGKILL:
        return Attempt(steps, End.KILLED, "killed by the system, probably for want of memory")
    if number in set(signal.Signals):
        return Attempt(steps, End.CRASHED, f"crashed ({signal.Signals(number).name})")
    last = stderr.decode(errors="replace").strip().splitlines()[-1:]
    return Attempt(steps, End.CRASHED, " ".join([f"ended with code {code}", *last]))


def _steps(stdout: bytes) -> dict[str, dict[str, Any]]:
    """Return what the lines of `stdout` tell; libraries may have printed lines of their own between them."""
    steps: dict[str, dict[str, Any]] = {}
    for line in stdout.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict) and "step" in told:
            steps[told.pop("step")] = told
    return steps
