import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.datasets import Region, check_dataset, open_dataset
from leanseg.errors import InputError
from leanseg.kernels import labels_of_scores

TUMOUR = {"whole": [1, 2, 3, 4], "core": [1, 3, 4], "enhancing": [4]}
CLASSES = {"background": 0, "necrosis": 1, "oedema": 2, "solid": 3, "enhancing": 4}
LAYOUTS = ("decathlon", "nnunet")


@pytest.fixture(params=LAYOUTS)
def described(request):
    """Write a data set of classes and open it, with more keys in its dataset.json."""
    written = request.getfixturevalue(request.param)(2)

    def describe(classes, **keys):
        turned = {str(value): name for name, value in classes.items()}
        written.describe(labels=turned if request.param == "decathlon" else classes, **keys)
        return open_dataset(written.root)

    return describe


def refusal(describe, *arguments, **keys):
    with pytest.raises(InputError) as caught:
        describe(*arguments, **keys)
    return caught.value


@pytest.mark.parametrize(
    "order",
    [
        {"regions_order": {"core": 1, "enhancing": 4, "whole": 2}},
        {"regions_order": {"core": 1}},
        {"regions_order": [2, 1, 4]},
        {"regions_class_order": [2, 1, 4]},
    ],
)
def test_regions_and_what_is_written_for_them_can_be_named_in_either_layout(described, order):
    dataset = described(CLASSES, regions=TUMOUR, **order)
    assert list(dataset.regions) == ["whole", "core", "enhancing"]
    assert dataset.regions["whole"] == Region(values=(1, 2, 3, 4), written=2)
    assert dataset.regions["core"] == Region(values=(1, 3, 4), written=1)
    assert dataset.regions["enhancing"] == Region(values=(4,), written=4)
    assert dataset.labels == CLASSES
    assert dataset.targets == {name: tuple(values) for name, values in TUMOUR.items()}


def test_without_an_order_a_region_is_written_as_its_only_value_that_no_later_one_has(described):
    dataset = described({"background": 0, "a": 1, "b": 2, "c": 7}, regions={"all": [1, 2, 7], "some": [7, 1], "c": [7]})
    assert {name: region.written for name, region in dataset.regions.items()} == {"all": 2, "some": 1, "c": 7}


def test_an_order_that_does_not_follow_is_asked_for_with_one_that_would_do(described):
    error = refusal(described, CLASSES, regions=TUMOUR)
    assert "dataset.json: regions_order" in error.what
    assert "values 1, 3" in error.what
    example = json.loads("{" + error.fix.removeprefix("write for example ") + "}")
    dataset = described(CLASSES, regions=TUMOUR, **example)
    assert {name: region.written for name, region in dataset.regions.items()} == example["regions_order"]


@pytest.mark.parametrize(
    ("keys", "key", "told"),
    [
        ({"regions": {}}, "regions", "names no region"),
        ({"regions": {"a": []}}, "regions.a", "holds no value"),
        ({"regions": {"a": [1, 1]}}, "regions.a", "a value twice"),
        ({"regions": {"a": [9]}}, "regions.a", "the value 9"),
        ({"regions": {"a": [0, 1]}}, "regions.a", "the value 0"),
        ({"regions": {" ": [1]}}, "regions.' '", "no name"),
        ({"regions": {"a\x1b": [1]}}, "regions.'a\\x1b'", "no name"),
        ({"regions": {"a": ["1"]}}, "regions.a[0]", "integer"),
        ({"regions": {"a": [True]}}, "regions.a[0]", "integer"),
        ({"regions": {"core": [1, 3], "whole": [1, 2, 3]}}, "regions.whole", "nothing of 'core' is left"),
        ({"regions": {"core": [1, 3], "again": [3, 1]}}, "regions.again", "nothing of 'core' is left"),
        ({"regions": {"a": [1, 2], "b": [1], "c": [2]}}, "regions.a", "alone"),
        ({"regions": {"a": [1, 2], "b": [1], "c": [2]}, "regions_order": [1, 1, 2]}, "regions.a", "alone"),
        ({"regions": {"a": [1, 2], "b": [1, 3], "c": [2, 3]}, "regions_order": [1, 1, 2]}, "regions.a", "alone"),
        ({"regions": TUMOUR, "regions_order": [2, 1]}, "regions_order", "2 values for 3 regions"),
        ({"regions": TUMOUR, "regions_class_order": [2, 1]}, "regions_class_order", "2 values for 3 regions"),
        ({"regions": TUMOUR, "regions_order": [2, 2, 4]}, "regions.core", "written as 2"),
        ({"regions": TUMOUR, "regions_order": [4, 1, 4]}, "regions.whole", "counts as a later region"),
        ({"regions": TUMOUR, "regions_order": {"cor": 1}}, "regions_order", "'cor' is no region"),
        ({"regions": TUMOUR, "regions_order": [2, 1, 4], "regions_class_order": [2, 1, 4]}, "regions_order", "beside"),
        ({"regions_order": [2, 1, 4]}, "regions_order", "no regions"),
        ({"left_right_pairs": [["necrosis", "oedem"]]}, "left_right_pairs", "'oedem' is no class"),
        ({"left_right_pairs": [["necrosis", "background"]]}, "left_right_pairs", "'background' is no class"),
        ({"left_right_pairs": [["necrosis", "necrosis"]]}, "left_right_pairs", "'necrosis' occurs twice"),
        ({"left_right_pairs": [["solid", "oedema"], ["necrosis", "solid"]]}, "left_right_pairs", "'solid' occurs"),
        ({"left_right_pairs": [["solid"]]}, "left_right_pairs[0]", "2 items"),
        ({"left_right_pairs": ["solid", "oedema"]}, "left_right_pairs[0]", "valid list"),
    ],
)
def test_regions_and_pairs_that_make_no_sense_are_refused_with_key_and_reason(described, keys, key, told):
    error = refusal(described, CLASSES, **keys)
    assert f"dataset.json: {key}: " in error.what
    assert told in error.what
    assert error.fix


def test_a_region_that_can_be_seen_beside_all_later_ones_is_not_hidden(described):
    dataset = described(CLASSES, regions={"both": [1, 2, 4], "one": [1, 3], "other": [2]}, regions_order=[4, 3, 2])
    assert list(dataset.regions) == ["both", "one", "other"]


def test_a_label_of_that_name_is_ignored_and_no_class(described):
    dataset = described({"background": 0, "left": 1, "ignore": 5})
    assert (dataset.labels, dataset.ignore) == ({"background": 0, "left": 1}, 5)
    assert dataset.targets == {"left": (1,)}


@pytest.mark.parametrize(
    ("classes", "key"),
    [
        ({"background": 0, "left": 2, "ignore": 1}, "labels.ignore"),
        ({"background": 0, "left": 2, "ignore": 70_000}, "labels.ignore"),
        ({"background": 0, "ignore": 1}, "labels"),
        ({"left": 1, "ignore": 0}, "labels"),
    ],
)
def test_a_value_to_ignore_that_is_not_the_highest_is_refused(described, classes, key):
    assert f"dataset.json: {key}: " in refusal(described, classes).what


def test_a_region_of_what_is_ignored_is_refused(described):
    error = refusal(described, {"background": 0, "left": 1, "ignore": 5}, regions={"all": [1, 5]})
    assert "regions.all: holds the value 5" in error.what


@pytest.mark.parametrize(
    ("keys", "pairs"),
    [({}, None), ({"left_right_pairs": []}, ()), ({"left_right_pairs": [["solid", "oedema"]]}, (("solid", "oedema"),))],
)
def test_pairs_may_be_named_or_said_not_to_exist_or_left_open(described, keys, pairs):
    assert described(CLASSES, **keys).left_right == pairs


@pytest.mark.parametrize("alone", [3, [3], "3"])
def test_nnunets_own_regions_are_understood(nnunet, alone):
    labels = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": alone, "ignore": 4}
    root = nnunet(2).describe(labels=labels, regions_class_order=[1, 2, 3], left_right_pairs=[["label_1", "label_2"]])
    dataset = open_dataset(root)
    assert dataset.labels == {"background": 0, "label_1": 1, "label_2": 2, "enhancing": 3}
    assert [(name, region.values, region.written) for name, region in dataset.regions.items()] == [
        ("whole", (1, 2, 3), 1),
        ("core", (2, 3), 2),
        ("enhancing", (3,), 3),
    ]
    assert (dataset.ignore, dataset.left_right) == (4, (("label_1", "label_2"),))


def test_the_name_of_a_class_that_nnunet_does_not_name_means_nothing_else(nnunet):
    labels = {"label_0": 0, "label_1": [1, 2], "label_2": 3, "label_1_": [4]}
    dataset = open_dataset(nnunet(2).describe(labels=labels, regions_class_order=[1, 3, 4]))
    assert dataset.labels == {"label_0": 0, "label_1__": 1, "label_2_": 2, "label_2": 3, "label_1_": 4}
    assert {name: region.values for name, region in dataset.regions.items()} == {
        "label_1": (1, 2),
        "label_2": (3,),
        "label_1_": (4,),
    }


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"labels": {"background": 0, "a": [1, 2], "b": 1, "c": 2}, "regions_class_order": [1, 1, 2]}, "labels.a"),
        ({"labels": {"background": 0, "core": [2, 3], "whole": [1, 2, 3]}}, "labels.whole"),
        ({"labels": {"background": 0, "whole": [1, 2]}}, "regions_order"),
        ({"labels": {"background": 0, "whole": [1, 2]}, "regions_class_order": [1, 2]}, "regions_class_order"),
        ({"labels": {"background": 0, "whole": [0, 1]}}, "labels.whole"),
        ({"labels": {"whole": [1, 2]}, "regions_class_order": [1]}, "labels"),
        ({"labels": {"background": 0, "whole": [1, 2], "ignore": [3, 4]}, "regions_class_order": [1]}, "labels.ignore"),
        ({"labels": {"background": 0, "whole": [1, 5], "ignore": 4}, "regions_class_order": [1]}, "labels.ignore"),
        ({"labels": {"background": 0, "whole": [1, 2]}, "regions": {"all": [1, 2]}}, "regions"),
    ],
)
def test_wrong_regions_in_nnunets_own_form_are_refused(nnunet, changes, key):
    written = nnunet(2)

    def describe():
        return open_dataset(written.describe(**changes))

    assert f"dataset.json: {key}: " in refusal(describe).what


def test_an_order_that_nnunet_has_no_use_for_is_passed_over(nnunet):
    dataset = open_dataset(nnunet(2).describe(regions_class_order=[1, 2]))
    assert (dataset.labels, dataset.regions) == ({"background": 0, "left": 1, "right": 2}, {})


VALUES = st.lists(st.integers(1, 4), min_size=1, max_size=4, unique=True)


@settings(deadline=None, max_examples=60)
@given(groups=st.lists(VALUES, min_size=1, max_size=4))
def test_regions_that_need_no_order_are_written_as_the_label_map_had_them(tmp_path_factory, groups):
    root = tmp_path_factory.mktemp("regions")
    (root / "labelsTr").mkdir()
    (root / "labelsTr" / "a.nii.gz").touch()
    description = {
        "channel_names": {"0": "MRI"},
        "labels": CLASSES,
        "file_ending": ".nii.gz",
        "regions": {str(number): values for number, values in enumerate(groups)},
    }
    (root / "dataset.json").write_text(json.dumps(description))
    sets = [set(values) for values in groups]
    unique = [values - set().union(*sets[number + 1 :]) for number, values in enumerate(sets)]
    if all(len(values) == 1 for values in unique):
        regions = open_dataset(root).regions
        assert [{region.written} for region in regions.values()] == unique
        labels = np.arange(5).reshape(1, 1, 5)
        scores = np.stack([np.isin(labels, region.values) - 0.5 for region in regions.values()]).astype(np.float32)
        written = labels_of_scores(scores, (1, 1, 5), [region.written for region in regions.values()])
        np.testing.assert_array_equal(written, np.where((scores > 0).any(axis=0), labels, 0))
    else:
        assert "regions" in refusal(open_dataset, root).what


@pytest.fixture
def brats(real_data, tmp_path):
    """The real BraTS cases, with the challenge's own regions."""
    source = real_data("Dataset013_BraTS2013")
    for folder in ("imagesTr", "labelsTr"):
        (tmp_path / folder).symlink_to((source / folder).resolve())
    description = json.loads((source / "dataset.json").read_text())
    description |= {"regions": TUMOUR, "regions_order": {"core": 1}, "left_right_pairs": []}
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    return tmp_path


def test_the_brats_set_is_sound_with_its_regions(brats):
    dataset = open_dataset(brats)
    assert {name: region.written for name, region in dataset.regions.items()} == {"whole": 2, "core": 1, "enhancing": 4}
    report = check_dataset(dataset)
    assert report.passed
    assert report.regions == dataset.targets
    assert report.cases_per_region["whole"] == 4
    assert report.cases_per_region["enhancing"] == report.cases_per_class["enhancing"]
