import math
import xml.etree.ElementTree as ET

import pytest

from leanseg.evaluation.page.tables import Cell, Column, table

COLUMNS = [Column("Name", numeric=False), Column("Dice")]


def made(rows, foot=None):
    return ET.fromstring(table("A <caption>", COLUMNS, rows, foot))


def row(name, dice):
    return [Cell(name, name), Cell(f"{dice:.1f}", dice)]


def test_a_table_says_what_it_is_and_can_be_reached_by_keyboard():
    region = made([row("a", 0.5)])
    assert (region.get("role"), region.get("tabindex"), region.get("aria-label")) == ("region", "0", "A <caption>")
    assert region.find("table/caption/span").text == "A <caption>"
    assert [(each.get("scope"), each.get("class")) for each in region.iter("th")] == [
        *(("col", None), ("col", "number"), ("row", None)),
    ]


def test_cells_carry_what_they_are_sorted_by():
    region = made([row("a", 0.123456789012), row("b", math.nan)], foot=row("all", 1.0))
    assert [each.get("data-value") for each in region.find("table/tbody").iter() if each.tag in {"th", "td"}] == [
        *("a", "0.123456789", "b", ""),
    ]
    assert region.find("table/tfoot/tr/th").text == "all"


@pytest.mark.parametrize(("rows", "long"), [(40, False), (41, True)])
def test_a_long_table_scrolls_in_its_region(rows, long):
    assert ("long" in made([row("a", 0.5)] * rows).get("class").split()) == long


def test_rows_that_do_not_fit_the_columns_are_refused():
    with pytest.raises(ValueError, match="zip"):
        table("a", COLUMNS, [[Cell("a", "a")]])
