"""One option varied with one command, and one of its networks looked into."""

import csv
import json

import pytest


@pytest.fixture(scope="module")
def ablated(leanseg, dataset, tmp_path_factory):
    out = tmp_path_factory.mktemp("ablation") / "out"
    options = ("--vary", "alpha=0.5,1.0", "--seeds", "0,1", "--steps", "2", "--ram", "4GB", "--device", "cpu")
    done = leanseg("ablate", dataset, *options, "-o", out)
    assert done.code == 0, done.err
    assert "4 trainings of 2 steps" in done.err
    assert "alpha=0.5" in done.out
    return out


def test_runs_table_and_figure_are_there(ablated):
    with (ablated / "ablation.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["setting"], row["seeds"]) for row in rows] == [("alpha=0.5", "0 1"), ("alpha=1.0", "0 1")]
    assert json.loads((ablated / "ablation.json").read_text(encoding="utf-8"))["state"] == "done"
    assert "alpha=1.0" in (ablated / "ablation.svg").read_text(encoding="utf-8")
    seeds = {
        name: json.loads((ablated / name / "plan.json").read_text(encoding="utf-8"))["training"]["seed"]
        for name in ("alpha=0.5_seed=0", "alpha=0.5_seed=1")
    }
    assert list(seeds.values()) == [0, 1]


def test_a_finished_one_is_not_resumed(ablated, leanseg, dataset):
    done = leanseg("ablate", dataset, "--resume", "-o", ablated)
    assert done.code == 2
    assert "is finished" in done.err


def test_one_of_its_runs_is_looked_into(ablated, leanseg, dataset, tmp_path):
    scan = dataset / "imagesTr" / "scan_00.nii.gz"
    out = tmp_path / "look"
    done = leanseg("look", ablated / "alpha=1.0_seed=0", scan, "-o", out, "--positions", "1", "--device", "cpu")
    assert done.code == 0, done.err
    assert "inferior-superior" in done.out
    assert "no deformable convolution" in done.out
    assert sorted(path.name for path in out.iterdir()) == ["exchange.png", "look.json", "receptive_field.png"]
    again = leanseg("look", ablated / "alpha=1.0_seed=0", scan, "-o", out)
    assert again.code == 2
