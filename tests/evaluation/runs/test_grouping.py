from leanseg.evaluation.runs.grouping import groups_of
from leanseg.evaluation.runs.run import read_run


def names(groups):
    return [[run.name for run in group.runs] for group in groups]


def test_runs_belong_together_that_were_judged_on_the_same_cases(new_run):
    made = {
        "one": {},
        "other data": {"volume": 5.0},
        "same": {"dice": 0.5, "dataset": "/elsewhere"},
        "fewer": {"cases": ("case_00",)},
    }
    groups = groups_of([read_run(new_run(name, **options), name) for name, options in made.items()])
    assert names(groups) == [["one", "same"], ["other data"], ["fewer"]]
    assert groups[0].title == "shades, fold 0: 12 cases"
    assert groups[2].title == "shades, fold 0: 1 case"


def test_the_best_of_a_group_comes_first_in_what_is_judged(new_run):
    (group,) = groups_of([read_run(new_run(name, dice), name) for name, dice in (("bad", 0.5), ("good", 0.8))])
    assert list(group.judged) == ["good", "bad"]


def test_a_run_without_a_report_goes_with_its_fold(new_run):
    made = [read_run(new_run(name, fold=fold), name) for name, fold in (("done", 0), ("other", 1))]
    running = [read_run(new_run(f"running{n}", fold=n, judged=False), f"running{n}") for n in (0, 2)]
    groups = groups_of([running[0], made[0], running[1]])
    assert names(groups) == [["running0", "done"], ["running2"]]
    assert groups[1].title == "shades, fold 2: not judged yet"
