import pytest

from leanseg.evaluation.runs import compare


@pytest.fixture
def told(new_run):
    """A function that returns the findings of each group of runs made of the given options."""

    def tell(**made):
        comparison = compare([new_run(name, **options) for name, options in made.items()])
        return [" ".join(part.findings) for part in comparison.parts]

    return tell


def test_the_best_run_is_named_with_its_interval(told):
    (text,) = told(bad={"dice": 0.6}, good={"dice": 0.8})
    assert "The mean Dice of good is 0.7" in text
    assert "the highest of 2 runs judged on the same 12 cases." in text
    assert "good is better than bad by 0.2000 Dice on the same cases" in text


def test_a_difference_that_chance_explains_is_no_finding(told):
    (text,) = told(one={"dice": 0.8}, same={"dice": 0.8})
    assert "is better than" not in text
    assert "one against same" in text


def test_of_few_cases_no_difference_is_claimed(told):
    cases = tuple(f"case_{number}" for number in range(5))
    (text,) = told(bad={"dice": 0.6, "cases": cases}, good={"dice": 0.8, "cases": cases})
    assert "better than" not in text
    assert "may be chance" not in text


def test_who_leads_by_which_weights_is_said(told):
    (text,) = told(good={"dice": 0.8, "parameters": 9000}, small={"dice": 0.7})
    assert "small to" in text
    assert "good from" in text
    (text,) = told(best={"dice": 0.8}, other={"dice": 0.7, "parameters": 9000})
    assert "best leads whatever its weights are" in text


def test_one_run_alone_is_compared_with_nothing(told):
    (text,) = told(one={})
    assert "the only run judged on 12 cases" in text
    assert "score" not in text


def test_runs_that_found_nothing_are_told_without_a_score(told):
    (text,) = told(nothing={"dice": 0.02, "spread": 0.0}, also={"dice": 0.02, "spread": 0.0})
    assert "The mean Dice of" in text
    (text,) = told(zero={"dice": 0.01, "spread": 0.0}, one={"dice": 0.5})
    assert "score" not in text
