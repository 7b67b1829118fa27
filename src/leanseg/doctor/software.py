"""leanseg, Python, the platform and the libraries: which versions are there, and which are needed.

Nothing is imported for it: a library that cannot be imported still has a version.
"""

import importlib.metadata
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from leanseg import __version__
from leanseg.doctor.findings import Finding, good, note, problem
from leanseg.errors import installation

AREA = "software"

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)>=(?P<least>[\d.]+)(?:; extra == '(?P<extra>\w+)')?")


@dataclass(frozen=True)
class Library:
    """A library that leanseg needs. least: the oldest version that does; version: what is installed, None if not."""

    name: str
    least: str
    version: str | None

    @property
    def requirement(self) -> str:
        """As pip takes it."""
        return f"{self.name}>={self.least}"

    @property
    def installing(self) -> str:
        """The command that installs it. In double quotes: cmd.exe takes single ones for a part of the name."""
        return f'pip install "{self.requirement}"'

    @property
    def is_too_old(self) -> bool:
        """Tell whether a version is installed that leanseg does not work with."""
        return self.version is not None and _release(self.version) < _release(self.least)


def software() -> list[Finding]:
    """Return what is installed: leanseg, Python, the platform and the libraries."""
    return [
        good(AREA, "leanseg", __version__, "the version to name when you report something", version=__version__),
        good(
            AREA,
            "Python",
            platform.python_version(),
            f"runs from {sys.executable}",
            version=platform.python_version(),
            executable=sys.executable,
        ),
        good(
            AREA,
            "platform",
            platform.platform(),
            "where leanseg is tested"
            if platform.system() == "Linux" and platform.machine() == "x86_64"
            else "leanseg is tested on Linux for x86-64 only; please report what differs here",
            system=platform.system(),
            machine=platform.machine(),
        ),
        *_library_findings(),
    ]


def libraries(extra: str | None) -> list[Library]:
    """Return what leanseg's core needs, or what its part `extra` needs beside that.

    Raises PackageNotFoundError where leanseg runs without being installed.
    """
    found = []
    for text in importlib.metadata.requires("leanseg") or []:
        match = _REQUIREMENT.fullmatch(text)
        if match is not None and match["extra"] == extra:
            found.append(Library(match["name"], match["least"], _installed(match["name"])))
    return found


def of_core(module: str) -> Library | None:
    """Return the library of leanseg's core that is imported as `module`; None where there is no such one."""
    try:
        needed = libraries(None)
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((library for library in needed if library.name == module), None)


def _library_findings() -> list[Finding]:
    try:
        core, training = libraries(None), libraries("train")
    except importlib.metadata.PackageNotFoundError:
        return [
            note(
                AREA,
                "libraries",
                "unknown",
                "leanseg runs from its source code without being installed, so what it needs cannot be looked up",
                installation(),
            )
        ]
    missing = [library for library in core if library.version is None]
    return [
        _versions("core libraries", core, "predicting and evaluating need no others"),
        *(_missing(library) for library in missing),
        *_training(training),
        *(_too_old(library) for library in (*core, *training) if library.is_too_old),
    ]


def _training(needed: list[Library]) -> Iterator[Finding]:
    missing = [library.name for library in needed if library.version is None]
    if len(missing) < len(needed):
        yield _versions("training libraries", needed, "planning and training need these, too")
    if missing:
        yield note(
            AREA,
            "training part",
            f"not installed: {', '.join(missing)}",
            "predicting and evaluating work; planning, training and --engine torch need it",
            installation("train"),
            missing=missing,
        )


def _versions(name: str, needed: list[Library], meaning: str) -> Finding:
    present = {library.name: library.version for library in needed if library.version is not None}
    shown = ", ".join(f"{name} {version}" for name, version in present.items())
    return good(AREA, name, shown, meaning, versions=present)


def _missing(library: Library) -> Finding:
    return problem(
        AREA,
        library.name,
        "not installed",
        "leanseg's core needs it",
        library.installing,
        version=None,
        least=library.least,
    )


def _too_old(library: Library) -> Finding:
    return problem(
        AREA,
        library.name,
        f"{library.version}, older than {library.least}",
        "leanseg is written for and tested with newer versions",
        library.installing,
        version=library.version,
        least=library.least,
    )


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with, without zeros at their end: 2.0 and 2 are the same."""
    match = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(number) for number in match[0].split(".")] if match else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
