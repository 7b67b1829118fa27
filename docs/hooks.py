"""What mkdocs calls while it builds: the pages of the commands are added, and what pages ask for is put in."""

from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

from leanseg.cli import COMMANDS
from leanseg_docs.commands import UnshownCommandError, command_page, recordings_of
from leanseg_docs.directives import MissingRecordingError, UnknownDirectiveError, filled, recordings_in
from leanseg_docs.keys import UndescribedKeyError
from leanseg_docs.recordings import origins

_FAULTS = (MissingRecordingError, UndescribedKeyError, UnknownDirectiveError, UnshownCommandError, OSError)


def on_files(files: Files, config: Any) -> Files:
    """Add a page per command."""
    for name in COMMANDS:
        try:
            page = f"{command_page(name)}\n{_origin(recordings_of(name))}"
        except _FAULTS as fault:
            raise PluginError(f"commands/{name}.md: {fault}") from fault
        files.append(File.generated(config, f"commands/{name}.md", content=page))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Put in what the page asks for."""
    try:
        return f"{filled(markdown)}\n{_origin(recordings_in(markdown))}"
    except _FAULTS as fault:
        raise PluginError(f"{page.file.src_uri}: {fault}") from fault


def _origin(names: list[str]) -> str:
    """Return the sentence at the end of a page that says where its outputs come from."""
    found = origins(names)
    return f'\n<p class="origin">Outputs on this page: {"; ".join(found)}.</p>\n' if found else ""
