"""A recipe is refused on another data set than its own, in one message."""

from pathlib import Path

import pytest

from leanseg.datasets import Case, Dataset, Region
from leanseg.plans.expectations import OtherDatasetError, refuse_other_dataset
from leanseg.plans.recipe import own_recipes, read_recipe


def dataset(channels=("CT",), classes=2, cases=281, regions=0):
    labels = {"background": 0, **{f"organ {value}": value for value in range(1, classes + 1)}}
    found = tuple(Case(f"case{number:03d}", (Path("a"),) * len(channels), Path("b")) for number in range(cases))
    parts = {f"region {value}": Region(values=(value,), written=value) for value in range(1, regions + 1)}
    return Dataset("organs", Path("organs"), channels, labels, found, regions=parts)


def expected(recipe):
    """A data set of a recipe's own numbers."""
    data = recipe.data
    cases = data.cases.value[0] if data.cases.value else 7
    return dataset(data.channels.value, data.classes.value, cases, len(data.regions.value))


@pytest.mark.parametrize("recipe", own_recipes().values(), ids=own_recipes())
def test_its_own_data_set_is_right(recipe):
    assert refuse_other_dataset(recipe, expected(recipe)) == []


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (dataset(channels=("CT", "CT")), "2 channels (CT, CT) instead of 1 channel (CT)"),
        (dataset(channels=("T1w",)), "channel T1w, which is not CT"),
        (dataset(classes=15), "15 classes beside the background instead of 2"),
        (dataset(regions=2), "2 regions (region 1, region 2) instead of no regions"),
        (dataset(cases=280), "280 labelled cases instead of 281"),
    ],
)
def test_a_difference_is_told(found, told):
    with pytest.raises(OtherDatasetError) as refused:
        refuse_other_dataset(read_recipe("deformuxnet-pancreas"), found)
    assert told in refused.value.what
    assert "deformuxnet-pancreas" in refused.value.what


def test_all_differences_are_told_at_once():
    with pytest.raises(OtherDatasetError) as refused:
        refuse_other_dataset(read_recipe("deformuxnet-pancreas"), dataset(("MR", "MR"), classes=3, cases=5))
    assert all(word in refused.value.what for word in ("2 channels", "3 classes", "5 labelled cases", "not CT"))
    assert "Task07_Pancreas" in refused.value.fix


def test_a_channel_whose_name_says_nothing_is_taken():
    assert refuse_other_dataset(read_recipe("deformuxnet-pancreas"), dataset(("channel_0",))) == []


def test_a_rehearsal_needs_no_complete_data_set_but_the_right_one():
    recipe = read_recipe("deformuxnet-pancreas")
    (note,) = refuse_other_dataset(recipe, dataset(cases=3), rehearsal=True)
    assert "3 labelled cases instead of 281" in note
    with pytest.raises(OtherDatasetError):
        refuse_other_dataset(recipe, dataset(classes=3), rehearsal=True)


def test_too_few_cases_may_be_rehearsed_says_the_message():
    with pytest.raises(OtherDatasetError) as refused:
        refuse_other_dataset(read_recipe("deformuxnet-pancreas"), dataset(cases=3))
    assert "--scale" in refused.value.fix
