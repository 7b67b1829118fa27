import json

import numpy as np
import pytest

from leanseg.cli.network_options import parse_options
from leanseg.errors import InputError
from leanseg.plans import read_plan


@pytest.fixture
def folders(tmp_path, save_scan):
    rng = np.random.default_rng(0)
    for kind, dtype in (("images", np.float32), ("labels", np.uint8)):
        for number in range(3):
            save_scan(tmp_path / kind / f"case{number}.nii.gz", rng.integers(0, 3, (20, 24, 16)).astype(dtype))
    return tmp_path


@pytest.fixture
def plan(folders, leanseg):
    pair = ("--images", folders / "images", "--labels", folders / "labels")
    return lambda *options: leanseg("plan", *pair, "-o", folders / "plan.json", *options)


@pytest.mark.slow
def test_a_plan_is_written_shown_and_never_overwritten_unasked(plan, folders):
    scans = folders / "images"
    done = plan("--ram", "4GB", "--minutes", "5", "--network", "unet2d", "--unlabelled", scans)
    assert (done.code, done.err) == (0, "")
    assert "33% elastic, 33% by registration" in done.out
    assert f"--unlabelled {scans}" in done.out
    made = read_plan(folders / "plan.json")
    assert (made.network.name, made.budget.training_ram, made.budget.minutes) == ("unet2d", 4 * 10**9, 5)
    assert all(sentence in done.out for sentence in made.explanation)

    again = plan("--minutes", "7")
    assert again.code == 2
    assert "--overwrite" in again.err
    assert read_plan(folders / "plan.json") == made

    replaced = plan("--overwrite", "--json", "--option", "alpha=0.25")
    assert replaced.code == 0
    assert json.loads(replaced.out) == json.loads((folders / "plan.json").read_text())
    assert read_plan(folders / "plan.json").network.options == {"alpha": 0.25}


@pytest.mark.slow
def test_a_budget_that_cannot_be_met_exits_with_3_and_writes_nothing(plan, folders):
    done = plan("--ram", "100MB")
    assert done.code == 3
    assert "--ram" in done.err
    assert not (folders / "plan.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--ram", "much"),
        ("--ram", "0GB"),
        ("--minutes", "nan"),
        ("--minutes", "inf"),
        ("--option", "alpha"),
        ("--density", "0.2"),
        ("--sparsity", "dynamic", "--density", "1.1"),
        ("--sparsity", "some"),
        ("--recipe", "e2enet-btcv", "--sparsity", "static"),
        ("--recipe", "e2enet-btcv", "--density", "0.2"),
        ("--option", "a=1", "--option", "a=2"),
    ],
)
def test_unreadable_arguments_exit_with_2_and_write_nothing(plan, folders, arguments):
    done = plan(*arguments)
    assert done.code == 2
    assert any(word in done.err for word in ("fix:", "Invalid value"))  # typer refuses nan itself
    assert not (folders / "plan.json").exists()


@pytest.mark.parametrize(
    ("texts", "options"),
    [
        ([], {}),
        (["alpha=0.25"], {"alpha": 0.25}),
        (["deep=true", "kind=hard", "widths=[16, 32]"], {"deep": True, "kind": "hard", "widths": [16, 32]}),
        (["path=a=b"], {"path": "a=b"}),
        (["alpha=NaN"], {"alpha": "NaN"}),
    ],
)
def test_options_are_read_as_json_where_they_are_json(texts, options):
    assert parse_options(texts) == options


@pytest.mark.parametrize("texts", [["alpha"], ["=1"], ["a=1", "a=1"]])
def test_options_that_are_no_key_and_value_are_refused(texts):
    with pytest.raises(InputError):
        parse_options(texts)
