from pathlib import Path

from leanseg.errors import InputError
from leanseg.inference.outcomes import Done, Failure, Skipped, summary_of


class Engine:
    name, precision = "engine 1", "fp32"


def test_a_summary_keeps_the_order_of_the_cases():
    error = InputError(what="", why="", fix="")
    outcomes = [Done("d", ""), Skipped("c"), Failure("b", error), Done("a", "missing"), Skipped("e")]
    found = summary_of(Path("out"), Engine(), outcomes, 1.5)
    assert (found.done, found.skipped, found.failed) == (("d", "a"), ("c", "e"), (Failure("b", error),))
    assert found.anew == {"a": "missing"}
    assert (found.out, found.engine, found.precision, found.seconds) == (Path("out"), "engine 1", "fp32", 1.5)
