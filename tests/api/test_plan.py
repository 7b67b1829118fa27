"""leanseg.plan asks the planner for what the command asks, and writes what it returns."""

import json
import sys

import pytest
from typer.testing import CliRunner

import leanseg
from leanseg.api.choices import ContradictionError
from leanseg.cli import _application
from leanseg.plans import RandomContrast, Sparsity, read_plan
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
        *("--sparsity", "static", "--density", "0.3", "--elastic", "--unlabelled", balls / "images"),
        "--random-contrast",
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
        sparsity="static",
        density=0.3,
        elastic=True,
        unlabelled=balls / "images",
        random_contrast=True,
        device="cpu",
        out=tmp_path / "by-python.json",
    )
    by_command, by_python = asked
    assert by_python == by_command
    assert by_python[3]["sparsity"] == Sparsity(method="static", density=0.3)
    assert (by_python[3]["elastic"], by_python[3]["unlabelled"]) == (True, 5)
    assert by_python[3]["contrast"] == RandomContrast()
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


@pytest.mark.parametrize("masks", [{"density": 0.2}, {"sparsity": "dynamic", "density": 0.0}, {"sparsity": "most"}])
def test_masks_that_make_no_sense_are_refused_before_anything_is_read(masks, tmp_path):
    with pytest.raises(leanseg.InputError, match=r"--sparsity|--density"):
        leanseg.plan(tmp_path / "nowhere", **masks)


def test_a_wrong_option_of_one_of_our_networks_is_refused_before_anything_is_measured(asked, balls, monkeypatch):
    def measure(*_):
        raise AssertionError

    monkeypatch.setattr("leanseg.datasets.fingerprint", measure)
    with pytest.raises(leanseg.InputError, match="did you mean 'alpha'"):
        leanseg.plan(balls, network="distill_dsm_unet", options={"alpa": 0.5})


@pytest.mark.parametrize(
    ("beside", "word"),
    [
        ({"network": "unet2d"}, "--network"),
        ({"options": {"base": 8}}, "--option"),
        ({"sparsity": "none"}, "--sparsity"),
        ({"density": 0.1}, "--density"),
        ({"elastic": True}, "--elastic"),
        ({"random_contrast": True}, "--random-contrast"),
    ],
)
def test_a_recipe_says_for_itself_what_is_trained(beside, word, tmp_path):
    with pytest.raises(ContradictionError, match=f"--recipe and {word}"):
        leanseg.plan(tmp_path / "nowhere", recipe="e2enet-btcv", **beside)


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


def test_a_recipe_is_followed_by_command_and_python_alike(balls, tmp_path, plan, monkeypatch):
    calls = []
    monkeypatch.setattr("leanseg.api.plan.refuse_other_dataset", lambda *given, **options: ["fewer cases"])
    monkeypatch.setattr(
        "leanseg.learning.planning.make_recipe_plan", lambda *given, **options: calls.append((given, options)) or plan
    )
    words = ["plan", str(balls), "-o", str(tmp_path / "plan.json"), "--recipe", "e2enet-btcv", "--scale", "0.1"]
    done = CliRunner().invoke(_application(["plan"]), [*words, "--ram", "64GB", "--device", "cpu"])
    assert done.exit_code == 0, done.output
    leanseg.plan(balls, recipe="e2enet-btcv", scale=0.1, ram="64GB", device="cpu")
    by_command, by_python = calls
    assert by_command == by_python
    assert by_python[1] == {"scale": 0.1, "device": "cpu"}


@pytest.mark.parametrize(
    "options",
    [
        {"recipe": "e2enet-btcv", "network": "unet2d"},
        {"recipe": "e2enet-btcv", "options": {"base": 8}},
        {"recipe": "e2enet-btvc"},
        {"recipe": "eneuronet-annotation-efficient"},
        {"recipe": "eneuronet-mindboggle-aseg", "unlabelled": "scans"},
        {"recipe": "e2enet-btcv", "scale": -1},
        {"scale": 0.5},
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused_before_anything_is_read(options, tmp_path):
    with pytest.raises(leanseg.InputError) as refused:
        leanseg.plan(tmp_path / "nowhere", **options)
    assert "nowhere" not in refused.value.what
