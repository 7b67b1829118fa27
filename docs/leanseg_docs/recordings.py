"""Outputs that were really printed, as text files: who printed them, how it ended, the command line, the output."""

import re
import textwrap
from dataclasses import dataclass
from html import escape

from leanseg_docs.places import RECORDED

_COLUMNS = 84
_SENTENCES = ("  why: ", "  fix: ")
_ENDED = re.compile(r"exit code (\d+), (\d+(?:\.\d+)?) s")


class MissingRecordingError(Exception):
    """A page asks for an output that nobody has recorded."""


@dataclass(frozen=True)
class Recording:
    """One command and what it printed. origin: date, version and machine. command: None for Python."""

    origin: str
    code: int
    seconds: float
    command: str | None
    output: str

    def text(self) -> str:
        """Return what stands in the file."""
        ended = f"exit code {self.code}, {self.seconds:.1f} s"
        command = "" if self.command is None else f"$ {self.command}\n"
        return f"{self.origin}\n{ended}\n{command}{self.output}"

    def markdown(self) -> str:
        """Return what a page shows, as a block and one line below it."""
        command = "" if self.command is None else f"$ {self.command}\n"
        output = "".join(f"{_wrapped(line)}\n" for line in self.output.splitlines())
        block = f"```{'console' if command else 'text'}\n{command}{output}```"
        if self.command is None:
            return block
        ended = f"Exit code {self.code}" if self.code else "Done"
        after = "in less than a second" if self.seconds < 1 else f"after {self.seconds:.0f} s"
        return f'{block}\n\n<p class="recorded" title="{escape(self.origin)}">{ended}, {after}.</p>'


def _wrapped(line: str) -> str:
    """Return a sentence as a narrow terminal shows it; tables, which begin with a blank, keep their lines."""
    if len(line) <= _COLUMNS or (line.startswith(" ") and not line.startswith(_SENTENCES)):
        return line
    return "\n".join(textwrap.wrap(line, _COLUMNS, break_long_words=False, break_on_hyphens=False))


def read_recording(name: str) -> Recording:
    """Return the recording `name`. Raises MissingRecordingError."""
    path = RECORDED / f"{name}.txt"
    if not path.is_file():
        message = f"there is no recording {name}: add a scene of that name, then make docs-record"
        raise MissingRecordingError(message)
    return parse(path.read_text(encoding="utf-8"))


def parse(text: str) -> Recording:
    """Return the recording written in `text`."""
    origin, ended, rest = text.split("\n", 2)
    found = _ENDED.fullmatch(ended)
    if found is None:
        message = f"the second line of a recording says how it ended, not {ended!r}"
        raise ValueError(message)
    command = None
    if rest.startswith("$ "):
        line, _, rest = rest.partition("\n")
        command = line.removeprefix("$ ")
    return Recording(origin, int(found[1]), float(found[2]), command, rest)


def write_recording(name: str, recording: Recording) -> None:
    """Write the recording `name`."""
    RECORDED.mkdir(exist_ok=True)
    (RECORDED / f"{name}.txt").write_text(recording.text(), encoding="utf-8")


def origins(names: list[str]) -> list[str]:
    """Return the different origins of these recordings, in order."""
    return list(dict.fromkeys(read_recording(name).origin for name in names))
