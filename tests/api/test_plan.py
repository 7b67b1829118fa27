"""leanseg.plan asks the planner for what the command asks, and writes what it returns."""

import json
import sys

import pytest
from typer.testing import CliRunner

import leanseg
from leanseg.cli import _application
from leanseg.plans import read_plan
from leanseg.plans.budget import UnusableBudgetError
from leanseg.storage import OutputNotEmptyError


@pytest.fixture
def asked(monkeypatch, plan):
    """What the planner is asked for; it answers with `plan`, without measuring this machine."""
    calls = []

    def make_plan(dataset, fingerprint, budget, **options):
        calls.append((dataset, fingerprint, budget, options))
        return plan

    monkeypatch.setattr("leanseg.learning.planning.make_plan", make_plan)
    return calls


def test_it_asks_for_what_the_command_asks_for(asked, balls, tmp_path, plan):
    out = tmp_path / "by-command.json"
    words = [
        *("plan", balls, "-o", out, "--ram", "4GB", "--predict-ram", "2GB", "--vram", "8GB", "--minutes", "5"),
        *("--seconds-per-case", "3", "--network", "unet4d", "--option", "deep=true", "--device", "cpu"),
    ]
    done = CliRunner().invoke(_application(["plan"]), [str(word) for word in words])
    assert done.exit_code == 0, done.output
    made = leanseg.plan(
        str(balls),
        ram="4GB",
        predict_ram=2 * 10**9,
        vram="8GB",
        minutes=5,
        seconds_per_case=3,
        network="unet4d",
        options={"deep": True},
        device="cpu",
        out=tmp_path / "by-python.json",
    )
    by_command, by_python = asked
    assert by_python == by_command
    assert made == plan == read_plan(out) == read_plan(tmp_path / "by-python.json")


def test_left_out_options_are_the_commands_defaults(asked, balls, tmp_path):
    words = ["plan", str(balls), "-o", str(tmp_path / "plan.json")]
    assert CliRunner().invoke(_application(words), words).exit_code == 0
    leanseg.plan(balls)
    by_command, by_python = asked
    assert by_python == by_command


def test_nothing_is_overwritten_unasked_and_nothing_is_read_before(tmp_path):
    out = tmp_path / "plan.json"
    out.write_text("mine")
    with pytest.raises(OutputNotEmptyError):
        leanseg.plan(tmp_path / "nowhere", out=out)
    assert out.read_text() == "mine"


@pytest.mark.parametrize("limit", [{"ram": "much"}, {"minutes": float("nan")}, {"predict_ram": 0}, {"vram": "-1GB"}])
def test_a_budget_that_makes_no_sense_is_refused_before_anything_is_read(limit, tmp_path):
    with pytest.raises(UnusableBudgetError):
        leanseg.plan(tmp_path / "nowhere", **limit)


def test_a_wrong_option_of_one_of_our_networks_is_refused_before_anything_is_measured(asked, balls, monkeypatch):
    def measure(*_):
        raise AssertionError

    monkeypatch.setattr("leanseg.datasets.fingerprint", measure)
    with pytest.raises(leanseg.InputError, match="did you mean 'alpha'"):
        leanseg.plan(balls, network="distill_dsm_unet", options={"alpa": 0.5})


def test_without_torch_it_says_what_to_install(balls, monkeypatch):
    monkeypatch.delitem(sys.modules, "leanseg.learning.export.torch_engine", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(leanseg.InputError) as refused:
        leanseg.plan(balls)
    assert ".[train]" in refused.value.fix


@pytest.mark.slow
def test_a_real_plan_explains_itself(balls, tmp_path):
    made = leanseg.plan(balls, ram="4GB", minutes=5, out=tmp_path / "plan.json")
    assert made.explanation
    assert made.budget.minutes == 5
    assert json.loads((tmp_path / "plan.json").read_text())["budget"]["training_ram"] == "4GB"
