import re

from leanseg.evaluation.runs.looks import looks_of
from leanseg.evaluation.runs.run import read_run
from leanseg.evaluation.runs.scaling import ladders_of, scaling


def test_each_run_is_drawn_against_each_of_its_costs(new_run):
    made = {"small": {"parameters": 2000}, "large": {"parameters": 4_000_000, "dice": 0.9, "random": True}}
    runs = [read_run(new_run(name, **options), name) for name, options in made.items()]
    svg = scaling(runs, looks_of(list(made)), "key")
    told = re.findall(r"<title>large: Dice (\S+), (\S+) ([^<]*)</title>", svg)
    dice = f"{runs[1].judged.foreground.mean:.3f}"
    macs = f"{27 * (8 + 64 + 24) / 1e3:.3g}"  # three convolutions of 3x3x3: 1 to 8 to 8 to 3 channels
    assert told == [
        (dice, "4", "parameters, millions"),
        (dice, macs, "kMAC per voxel"),
        (dice, "0.5", "seconds per case"),
    ]


def test_one_run_alone_does_not_scale(new_run):
    run = read_run(new_run("one"), "one")
    assert scaling([run, read_run(new_run("running", judged=False), "running")], looks_of(["one"]), "key") is None


def test_runs_that_differ_in_one_number_are_a_ladder(new_run):
    options = {
        "16": {"network": "e2enet", "options": {"base": 16}},
        "4": {"network": "e2enet", "options": {"base": 4}},
        "other shift": {"network": "e2enet", "options": {"base": 8, "shift_groups": 5}},
        "other network": {"network": "dynunet"},
        "again": {"network": "e2enet", "options": {"base": 4}},
    }
    runs = [read_run(new_run(name, **made), name) for name, made in options.items()]
    (ladder,) = ladders_of(runs)
    assert ladder.option == "base"
    assert [run.name for run in ladder.runs] == ["4", "16"]
