"""How library code tells what it is doing without printing.

Library functions take a `Progress`; the default is silent, the command line hands in one that draws.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


class Progress:
    """Silent. Subclass it to show something."""

    def track(self, items: Iterable[Item], doing: str, total: int | None = None) -> Iterator[Item]:  # noqa: ARG002
        """Yield `items` one by one, showing `doing` and how many of `total` are done."""
        yield from items

    def status(self, doing: str, share: float, facts: dict[str, str]) -> None:
        """Show that `doing` has reached `share` (0 to 1) of its way, with a few named facts beside it."""

    def note(self, message: str) -> None:
        """Tell one line that should stay on the screen."""
