from leanseg.evaluation.runs.run import read_run
from leanseg.evaluation.runs.tables import csv_row, dice_table, facts_of, run_table, told_options


def test_only_what_tells_runs_of_one_network_apart_is_shown(new_run):
    made = {"4": {"base": 4, "shift_groups": 5}, "8": {"base": 8, "shift_groups": 5}}
    runs = [read_run(new_run(name, network="e2enet", options=options), name) for name, options in made.items()]
    assert [told_options(run, runs) for run in runs] == [{"base": 4}, {"base": 8}]
    assert told_options(runs[0], runs[:1]) == {"base": 4, "shift_groups": 5}
    assert "base=8" in run_table(runs)


def test_what_is_not_known_is_empty(new_run):
    run = read_run(new_run("running", judged=False), "running")
    row = csv_row(facts_of(run))
    assert row["dice"] == row["cases"] == row["seconds_per_case"] == ""
    assert row["steps"] == 90
    assert dice_table([run]) is None
    assert "\u2013" in run_table([run])


def test_minutes_that_were_only_given_are_told_as_such(new_run):
    assert "2 given" in run_table([read_run(new_run("old", seconds=False), "old")])
    assert "given" not in run_table([read_run(new_run("new"), "new")])
