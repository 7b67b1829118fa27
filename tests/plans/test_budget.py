import math

import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers

from leanseg.errors import InputError
from leanseg.plans import Budget, read_budget
from leanseg.plans.budget import parse_bytes, show_bytes


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("8GB", 8 * 10**9),
        ("8gb", 8 * 10**9),
        ("8 GiB", 8 * 2**30),
        ("1.001GB", 1_001_000_000),
        ("0.5M", 500_000),
        ("123", 123),
        ("2TB", 2 * 10**12),
    ],
)
def test_amounts_of_memory_are_read_exactly(text, count):
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "8 apples", "8IB", "0GB", "1e9", "nan", "9" * 400 + "GB", "٣GB"])
def test_anything_else_is_refused(text):
    with pytest.raises(InputError) as refusal:
        parse_bytes(text)
    assert "8GB" in refusal.value.fix


@given(count=integers(1, 2**62))
def test_a_budget_survives_being_written_and_read(count):
    budget = Budget(training_ram=count, minutes=15)
    assert Budget.model_validate_json(budget.model_dump_json()) == budget


@given(count=floats(1, 9e14))
def test_shown_bytes_are_right_to_three_digits_and_free_of_exponents(count):
    shown = show_bytes(count)
    assert "e" not in shown
    assert math.isclose(parse_bytes(shown), count, rel_tol=0.006, abs_tol=1)


def test_a_typed_budget_names_every_limit_that_makes_no_sense():
    with pytest.raises(InputError) as refusal:
        read_budget(training_ram="much", minutes=float("nan"), seconds_per_case=-1)
    assert all(name in refusal.value.what for name in ("training_ram", "minutes", "seconds_per_case"))


def test_limits_left_out_are_not_limits():
    assert read_budget(training_ram="8GB", minutes=None) == Budget(training_ram=8 * 10**9)
