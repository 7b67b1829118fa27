import json

import pytest
from hypothesis import given, settings
from hypothesis.strategies import binary, floats, integers, sampled_from, tuples

from leanseg.plans import (
    Budget,
    Data,
    Inference,
    Network,
    Normalisation,
    Plan,
    PlanError,
    Preprocessing,
    Training,
    parse_plan,
    read_plan,
    write_plan,
)


def plan(patch=(36, 48, 32), spacing=(1.0, 1.0, 1.0)):
    return Plan(
        data=Data(name="hippocampus", channels=("MRI",), labels={"background": 0, "anterior": 1}),
        budget=Budget(training_ram=8 * 10**9, minutes=15),
        preprocessing=Preprocessing(spacing=spacing, normalisation=(Normalisation(),)),
        network=Network(name="distill_dsm_unet", options={"alpha": 0.5}),
        training=Training(patch=patch),
        inference=Inference(tile=(48, 64, 48)),
    )


def written(tmp_path, change):
    """The path of a sound plan after `change` has edited its JSON."""
    document = json.loads(plan().model_dump_json())
    change(document)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(document))
    return path


def refusal(path):
    with pytest.raises(PlanError) as caught:
        read_plan(path)
    return caught.value.what


@settings(deadline=None, max_examples=30)
@given(patch=tuples(*[integers(1, 512)] * 3), spacing=tuples(*[floats(0.01, 20)] * 3))
def test_a_plan_survives_being_written_and_read(tmp_path_factory, patch, spacing):
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    write_plan(path, plan(patch, spacing))
    assert read_plan(path) == plan(patch, spacing)


def test_a_plan_saved_by_an_editor_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(plan().model_dump_json(), encoding="utf-8-sig")
    assert read_plan(path) == plan()


def test_a_typo_is_refused_with_its_path_and_the_key_that_was_meant(tmp_path):
    what = refusal(written(tmp_path, lambda document: document["training"].update(btach=4)))
    assert "training.btach" in what
    assert "did you mean 'batch'" in what


def test_a_typo_inside_a_list_is_refused_with_its_path(tmp_path):
    what = refusal(written(tmp_path, lambda document: document["preprocessing"]["normalisation"][0].update(shceme=1)))
    assert "preprocessing.normalisation.0.shceme" in what
    assert "did you mean 'scheme'" in what


def test_every_wrong_key_is_named(tmp_path):
    def change(document):
        document["training"]["batch"] = 0
        document["preprocessing"]["spacing"] = [1.0, -1.0, 1.0]
        del document["network"]["name"]

    what = refusal(written(tmp_path, change))
    assert all(path in what for path in ("training.batch", "preprocessing.spacing.1", "network.name"))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("training.batch", True),
        ("training.batch", "2"),
        ("training.batch", 2.5),
        ("training.patch", [36, 48]),
        ("training.learning_rate", float("nan")),
        ("training.precision", "int4"),
        ("network.options", {"width": float("nan")}),
        ("network.options", {"widths": [1, {"deep": float("inf")}]}),
        ("training.augmentation.flip_axes", [3]),
        ("training.augmentation.gamma", [1.4, 0.7]),
        ("inference.overlap", 1.0),
        ("preprocessing.orientation", "SSR"),
        ("preprocessing.orientation", "XYZ"),
        ("preprocessing.normalisation", []),
        ("preprocessing.normalisation", [{"scheme": "clip", "low": 0}]),
        ("preprocessing.normalisation", [{"scheme": "zscore", "low": 0}]),
        ("data.labels", {"background": 0}),
        ("data.labels", {"left": 1, "background": 0}),
        ("data.labels", {"background": 0, "left": 1, "right": 1}),
        ("data.regions", {"all": {"values": [1, 2], "written": 1}}),
        ("data.regions", {"all": {"values": [], "written": 1}}),
        ("data.regions", {"all": {"values": [1]}}),
        ("data.ignore", 1),
        ("data.ignore", "7"),
        ("data.left_right", [["anterior", "posterior"]]),
        ("data.left_right", [["anterior", "background"]]),
        ("data.left_right", [["anterior"]]),
        ("budget.training_ram", "much"),
        ("format", 2),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(tmp_path, path, value):
    def change(document):
        *folders, key = path.split(".")
        for folder in folders:
            document = document[folder]
        document[key] = value

    what = refusal(written(tmp_path, change))
    # What contradicts the labels is a fault of all that the plan says about the data.
    assert path.split(".")[-1] in what or "data: " in what


def test_regions_ignored_voxels_and_pairs_survive_being_written_and_read(tmp_path):
    def change(document):
        labels = {"background": 0, "left": 1, "right": 2}
        regions = {"both": {"values": [1, 2], "written": 1}, "right": {"values": [2], "written": 2}}
        document["data"] |= {"labels": labels, "regions": regions, "ignore": 3, "left_right": [["left", "right"]]}

    found = read_plan(written(tmp_path, change))
    assert found.data.targets == {"both": (1, 2), "right": (2,)}
    assert (found.data.outputs, found.data.ignore, found.data.left_right) == (2, 3, (("left", "right"),))
    write_plan(tmp_path / "again.json", found)
    assert read_plan(tmp_path / "again.json") == found


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("regions", {"all": {"values": [1, 2], "written": 1}}, "'all' holds the value 2, which is that of no class"),
        ("regions", {"all": {"values": [1], "written": 2}}, "'all' is written as 2"),
        ("ignore", 1, "a class of the value 1"),
        ("left_right", [["anterior", "posterior"]], "'posterior' is no class"),
    ],
)
def test_what_contradicts_the_labels_of_a_plan_is_said(tmp_path, key, value, told):
    assert told in refusal(written(tmp_path, lambda document: document["data"].update({key: value})))


def test_a_wrong_option_of_one_of_our_networks_is_refused_with_its_path_and_a_guess(tmp_path):
    what = refusal(written(tmp_path, lambda document: document["network"].update(options={"alpa": 0.5})))
    assert "network.options.alpa: " in what
    assert "did you mean 'alpha'" in what


def test_every_wrong_value_of_an_option_is_refused_with_what_is_allowed(tmp_path):
    def change(document):
        document["network"] = {"name": "dynunet", "options": {"base": "wide", "pools": [[2, 2, 3]] * 3}}

    what = refusal(written(tmp_path, change))
    assert "network.options.base: " in what
    assert "a whole number of at least 4" in what
    assert "network.options.pools: " in what
    assert "a list of 2 to 6" in what


def test_options_of_a_network_that_the_registry_alone_may_know_are_left_to_it(tmp_path):
    def change(document):
        document["network"] = {"name": "of_another_package", "options": {"anything": [1, "x"]}}

    assert read_plan(written(tmp_path, change)).network.options == {"anything": [1, "x"]}


def test_a_plan_that_lies_in_a_package_is_read_whatever_its_network_was_called_with(tmp_path):
    path = written(tmp_path, lambda document: document["network"].update(options={"of_old": 1}))
    assert parse_plan(path.read_text(), path).network.options == {"of_old": 1}


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(plan().model_dump_json().replace('"batch":2', '"batch":2,"batch":4'))
    assert "batch" in refusal(path)


def test_a_plan_of_very_many_keys_is_refused_at_once_and_in_few_words(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({f"{key:x}": 0 for key in range(80_000)}))
    assert path.stat().st_size < 1_000_000
    assert len(refusal(path)) < 5_000


@pytest.mark.parametrize("text", ["", "no plan", "[]", "null", "{", "[" * 5_000, "1" * 5_000, '{"format": NaN}'])
def test_what_is_no_plan_is_refused(tmp_path, text):
    path = tmp_path / "plan.json"
    path.write_text(text)
    assert "plan.json" in refusal(path)


@settings(deadline=None, max_examples=50)
@given(content=binary(max_size=200) | sampled_from([b"\xff\xfe{}", b"{\x00}"]))
def test_no_bytes_do_worse_than_a_refusal(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    path.write_bytes(content)
    refusal(path)


def test_missing_files_folders_and_huge_files_are_refused(tmp_path):
    assert "missing.json" in refusal(tmp_path / "missing.json")
    refusal(tmp_path)
    (tmp_path / "huge.json").write_bytes(b" " * 1_000_001)
    assert "more than 1,000,000 bytes" in refusal(tmp_path / "huge.json")
