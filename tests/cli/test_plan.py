import json
import subprocess
import sys

import nibabel
import numpy as np
import pytest

from leanseg.cli.options import parse_options
from leanseg.errors import InputError
from leanseg.plans import read_plan


@pytest.fixture
def folders(tmp_path):
    rng = np.random.default_rng(0)
    for kind, dtype in (("images", np.float32), ("labels", np.uint8)):
        (tmp_path / kind).mkdir()
        for number in range(3):
            array = rng.integers(0, 3, (20, 24, 16)).astype(dtype)
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), tmp_path / kind / f"case{number}.nii.gz")
    return tmp_path


def leanseg_plan(folders, *arguments):
    code = "from leanseg.cli import main; main()"
    pair = ("--images", folders / "images", "--labels", folders / "labels")
    command = [sys.executable, "-c", code, "plan", *map(str, (*pair, "-o", folders / "plan.json", *arguments))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_plan_is_written_shown_and_never_overwritten_unasked(folders):
    done = leanseg_plan(folders, "--ram", "4GB", "--minutes", "5", "--network", "unet2d")
    assert (done.returncode, done.stderr) == (0, "")
    made = read_plan(folders / "plan.json")
    assert (made.network.name, made.budget.training_ram, made.budget.minutes) == ("unet2d", 4 * 10**9, 5)
    assert all(sentence in done.stdout for sentence in made.explanation)

    again = leanseg_plan(folders, "--minutes", "7")
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    assert read_plan(folders / "plan.json") == made

    replaced = leanseg_plan(folders, "--overwrite", "--json", "--option", "alpha=0.25")
    assert replaced.returncode == 0
    assert json.loads(replaced.stdout) == json.loads((folders / "plan.json").read_text())
    assert read_plan(folders / "plan.json").network.options == {"alpha": 0.25}


@pytest.mark.slow
def test_a_budget_that_cannot_be_met_exits_with_3_and_writes_nothing(folders):
    done = leanseg_plan(folders, "--ram", "100MB")
    assert done.returncode == 3
    assert "--ram" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folders / "plan.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--ram", "much"),
        ("--ram", "0GB"),
        ("--minutes", "nan"),
        ("--minutes", "inf"),
        ("--option", "alpha"),
        ("--option", "a=1", "--option", "a=2"),
    ],
)
def test_unreadable_arguments_exit_with_2_and_write_nothing(folders, arguments):
    done = leanseg_plan(folders, *arguments)
    assert done.returncode == 2
    assert any(word in done.stderr for word in ("fix:", "Invalid value"))  # typer refuses nan itself
    assert "Traceback" not in done.stderr
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
