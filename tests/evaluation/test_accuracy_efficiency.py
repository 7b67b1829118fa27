import pytest
from hypothesis import given
from hypothesis.strategies import dictionaries, floats, sampled_from, tuples

from leanseg.errors import InputError
from leanseg.evaluation.accuracy_efficiency import Method, accuracy_efficiency

# AMOS-CT as E2ENet's paper has it: mean Dice (%), parameters (M), FLOPs (G).
AMOS = {
    "nnU-Net": Method(90.5, 30.76, 1067.89),
    "dense": Method(90.2, 23.90, 3069.55),
    "0.8": Method(90.3, 9.44, 778.74),
}
positive = floats(1e-3, 1e6)
some = dictionaries(
    sampled_from("abcdef"), tuples(positive, positive, positive).map(lambda of: Method(*of)), min_size=1
)


def test_scores_follow_the_papers_formula():
    scores = accuracy_efficiency(AMOS, 1.0, 0.5)
    assert scores["0.8"] == pytest.approx(90.3 / 90.5 + 0.5 * (1 + 1))
    assert scores["nnU-Net"] == pytest.approx(1 + 0.5 * (9.44 / 30.76 + 778.74 / 1067.89))
    assert scores["dense"] == pytest.approx(90.2 / 90.5 + 0.5 * (9.44 / 23.90 + 778.74 / 3069.55))


def test_weights_decide_what_counts():
    by_accuracy, by_size = accuracy_efficiency(AMOS, 1, 0), accuracy_efficiency(AMOS, 0, 1)
    assert max(by_accuracy, key=by_accuracy.get) == "nnU-Net"
    assert max(by_size, key=by_size.get) == "0.8"
    assert by_size["0.8"] == 2


@given(methods=some, accuracy=floats(0.1, 10), efficiency=floats(0.1, 10))
def test_no_score_is_above_that_of_a_method_that_is_best_in_everything(methods, accuracy, efficiency):
    scores = accuracy_efficiency(methods, accuracy, efficiency)
    highest = accuracy + 2 * efficiency
    assert all(0 < score <= highest * (1 + 1e-12) for score in scores.values())
    best = Method(
        max(method.accuracy for method in methods.values()),
        min(method.parameters for method in methods.values()),
        min(method.operations for method in methods.values()),
    )
    assert accuracy_efficiency({**methods, "best": best}, accuracy, efficiency)["best"] == pytest.approx(highest)


@given(methods=some, unit=positive)
def test_units_do_not_matter(methods, unit):
    scaled = {name: Method(of.accuracy * unit, of.parameters * unit, of.operations) for name, of in methods.items()}
    expected = accuracy_efficiency(methods, 1, 1)
    assert accuracy_efficiency(scaled, 1, 1) == pytest.approx(expected)


@pytest.mark.parametrize("weights", [(0, 0), (-1, 1), (1, -1), (float("nan"), 1), (1, float("inf"))])
def test_weights_that_mean_nothing_are_refused(weights):
    with pytest.raises(InputError, match="weights"):
        accuracy_efficiency(AMOS, *weights)


@pytest.mark.parametrize("wrong", [Method(0, 1, 1), Method(1, 0, 1), Method(1, 1, -1), Method(float("nan"), 1, 1)])
def test_numbers_that_cannot_be_compared_are_refused_with_the_method(wrong):
    with pytest.raises(InputError, match="odd one"):
        accuracy_efficiency({**AMOS, "odd one": wrong}, 1, 1)


def test_nothing_to_compare_is_refused():
    with pytest.raises(InputError, match="no methods"):
        accuracy_efficiency({}, 1, 1)
