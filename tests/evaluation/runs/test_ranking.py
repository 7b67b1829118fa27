import pytest

from leanseg.evaluation.accuracy_efficiency import Method
from leanseg.evaluation.runs.looks import looks_of
from leanseg.evaluation.runs.ranking import leaders_told, ranking, sweep_of
from leanseg.evaluation.runs.run import read_run
from leanseg.evaluation.runs.weights import sweep_weights

METHODS = {"large": Method(0.9, 4000, 400), "small": Method(0.6, 1000, 100), "worse": Method(0.5, 5000, 500)}


def test_the_picture_says_where_the_leader_changes():
    sweep = sweep_weights(METHODS)
    svg = ranking(sweep, looks_of(list(METHODS)), "key")
    assert ">4.5</text>" in svg
    assert "small to 4.5; large from 4.5 on" in svg
    assert leaders_told(sweep) == ["small to 4.5", "large from 4.5 on"]
    assert all(f">{name}</text>" in svg for name in METHODS)


def test_a_border_beyond_the_usual_weights_is_in_the_picture():
    methods = {"large": Method(0.9, 4000, 400), "small": Method(0.8999999, 1000, 100)}
    svg = ranking(sweep_weights(methods), looks_of(list(methods)), "key")
    assert ">10,000,000</text>" in svg


def test_runs_are_ranked_by_what_is_known_of_them(new_run):
    made = {"dense": {"dice": 0.9, "parameters": 4000}, "small": {"dice": 0.7}, "running": {"judged": False}}
    runs = [read_run(new_run(name, **options), name) for name, options in made.items()]
    sweep = sweep_of(runs)
    assert list(sweep.accuracy) == ["dense", "small"]
    assert sweep.efficiency["small"] == pytest.approx(2)
    assert sweep.efficiency["dense"] == pytest.approx(1 / 4 + 1)
    assert sweep_of(runs[1:]) is None
