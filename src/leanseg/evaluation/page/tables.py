"""Tables of a page. The page's script makes their columns sortable, by the value that each cell carries."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leanseg.evaluation.page.markup import Html, element

_LONG = 40  # rows; a longer table scrolls in its region


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell shows, and by what it is sorted: a number (NaN comes last) or a text."""

    shown: str
    value: float | str

    @property
    def key(self) -> str:
        """The value as the page's script reads it; empty where there is none."""
        if isinstance(self.value, str):
            return self.value
        return f"{self.value:.9g}" if math.isfinite(self.value) else ""


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, and whether its cells are numbers."""

    heading: str
    numeric: bool = True


def table(
    caption: str,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Cell]],
    foot: Sequence[Cell] | None = None,
) -> Html:
    """Return a table in a region of its own that scrolls; the first cell of a row is its heading.

    `foot` is a row that stays below whatever the order.
    """
    drawn = [_row(columns, row) for row in rows]
    headings = [
        element("th", column.heading, scope="col", class_="number" if column.numeric else None) for column in columns
    ]
    return element(
        "div",
        element(
            "table",
            element("caption", element("span", caption)),
            element("thead", element("tr", *headings)),
            element("tbody", *drawn),
            None if foot is None else element("tfoot", _row(columns, foot)),
            class_="sortable",
        ),
        class_="scrolls long" if len(drawn) > _LONG else "scrolls",
        role="region",
        aria_label=caption,
        tabindex=0,
    )


def _row(columns: Sequence[Column], cells: Sequence[Cell]) -> Html:
    first, *others = cells
    return element(
        "tr",
        element("th", first.shown, scope="row", data_value=first.key),
        *(
            element("td", cell.shown, data_value=cell.key, class_="number" if column.numeric else None)
            for column, cell in zip(columns[1:], others, strict=True)
        ),
    )
