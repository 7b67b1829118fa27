import json
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanseg.datasets import open_dataset
from leanseg.errors import InputError


def refusal(path):
    with pytest.raises(InputError) as caught:
        open_dataset(path)
    return caught.value


def test_decathlon_lists_cases_sorted_by_name_with_their_files(decathlon):
    written = decathlon(3)
    written.describe(training=written.content["training"][::-1])
    dataset = open_dataset(written.root)
    assert [case.name for case in dataset.cases] == written.names
    assert dataset.cases[0].images == (written.image(0),)
    assert dataset.cases[0].label == written.label(0)
    assert (dataset.name, dataset.channels) == ("Thing", ("M0",))
    assert list(dataset.labels.items()) == [("background", 0), ("left", 1), ("right", 2)]


def test_the_description_itself_can_be_named(decathlon):
    root = decathlon(2).root
    assert open_dataset(root / "dataset.json") == open_dataset(root)


def test_decathlon_test_scans_are_the_unlabelled_cases(decathlon):
    root = decathlon(2).describe(test=["./imagesTs/z.nii.gz", "./imagesTs/y.nii.gz"])
    unlabelled = open_dataset(root).unlabelled
    assert [case.name for case in unlabelled] == ["y", "z"]
    assert unlabelled[0].images == (root / "imagesTs" / "y.nii.gz",)
    assert unlabelled[0].label is None


@pytest.mark.parametrize(
    ("files", "names"),
    [(["x_0000", "x_0001", "y_0000"], ["x_0000", "x_0001", "y"]), (["x", "x_0000"], ["x", "x_0000"])],
)
def test_decathlon_names_lose_a_channel_number_only_where_it_counts_no_cases(decathlon, files, names):
    root = decathlon(2).describe(test=[f"./imagesTs/{name}.nii.gz" for name in files])
    assert [case.name for case in open_dataset(root).unlabelled] == names


def test_decathlon_subjects_come_from_the_training_entries(decathlon):
    written = decathlon(2)
    entries = [{**entry, "subject": 7} for entry in written.content["training"]]
    assert {case.subject for case in open_dataset(written.describe(training=entries)).cases} == {"7"}


def test_nnunet_groups_channels_by_case(nnunet):
    written = nnunet(3, channels=2)
    dataset = open_dataset(written.root)
    assert [case.name for case in dataset.cases] == written.names
    assert dataset.cases[1].images == (written.image(1, 0), written.image(1, 1))
    assert dataset.channels == ("M0", "M1")
    assert dataset.name == "Dataset099_Thing"


def test_nnunet_test_scans_are_the_unlabelled_cases(nnunet):
    written = nnunet(2, channels=1)
    shutil.copytree(written.root / "imagesTr", written.root / "imagesTs")
    unlabelled = open_dataset(written.root).unlabelled
    assert [(case.name, len(case.images), case.label) for case in unlabelled] == [(n, 1, None) for n in written.names]


def test_files_without_a_partner_keep_their_case(nnunet):
    written = nnunet(3, channels=2)
    written.label(0).unlink()
    written.image(1, 0).unlink()
    written.image(2, 0).unlink()
    written.image(2, 1).unlink()
    cases = open_dataset(written.root).cases
    assert [case.name for case in cases] == written.names
    assert cases[0].label == written.label(0)
    assert cases[2].images == (written.image(2, 0), written.image(2, 1))


@pytest.mark.parametrize("layout", ["decathlon", "nnunet"])
def test_macos_twins_are_passed_over(layout, request):
    written = request.getfixturevalue(layout)(2)
    for path in list(written.root.glob("*/*.nii.gz")):
        (path.parent / f"._{path.name}").write_bytes(b"\0\5\26\7")
    if layout == "decathlon":
        twin = {"image": "./imagesTr/._case_a.nii.gz", "label": "./labelsTr/._case_a.nii.gz"}
        written.describe(training=[twin, *written.content["training"]])
    assert [case.name for case in open_dataset(written.root).cases] == written.names


@pytest.mark.parametrize("name", ["cases.tsv", "cases.csv", "participants.tsv"])
def test_a_table_names_the_subjects(decathlon, name):
    written = decathlon(2)
    rows = [("site", "case", "subject"), ("1", "case_a", "anna"), ("2", "case_b", "ben"), ("2", "unknown", "eve")]
    separator = "," if name.endswith("csv") else "\t"
    (written.root / name).write_text("\n".join(separator.join(row) for row in rows))
    assert [case.subject for case in open_dataset(written.root).cases] == ["anna", "ben"]


def test_a_bids_table_without_cases_is_passed_over(decathlon):
    written = decathlon(2)
    (written.root / "participants.tsv").write_text("participant_id\tage\nsub-1\t30\n")
    assert [case.subject for case in open_dataset(written.root).cases] == [None, None]


@pytest.mark.parametrize("text", ["name,patient\na,b\n", "case,subject\ncase_a,x\ncase_a,y\n"])
def test_a_table_that_does_not_say_whose_cases_they_are_is_refused(decathlon, text):
    written = decathlon(2)
    (written.root / "cases.csv").write_text(text)
    assert "cases.csv: line" in refusal(written.root).what


def test_a_table_that_contradicts_the_description_is_refused(decathlon):
    written = decathlon(2)
    (written.root / "cases.csv").write_text("case,subject\ncase_a,anna\n")
    written.describe(training=[{**entry, "subject": "ben"} for entry in written.content["training"]])
    assert "case_a" in refusal(written.root).what


def entries(image="./imagesTr/case_a.nii.gz", label="./labelsTr/case_a.nii.gz"):
    return [{"image": image, "label": label}]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"training": "all"}, "training"),
        ({"training": []}, "training"),
        ({"training": [{"image": "./imagesTr/a.nii.gz"}]}, "training[0].label"),
        ({"training": [{"image": 3, "label": "./a.nii.gz"}]}, "training[0].image"),
        ({"training": entries(image="../other/a.nii.gz")}, "training[0].image"),
        ({"training": entries(image="./imagesTr/../../a.nii.gz")}, "training[0].image"),
        ({"training": entries(image="/etc/passwd.nii.gz")}, "training[0].image"),
        ({"training": entries(label="C:\\data\\a.nii.gz")}, "training[0].label"),
        ({"training": entries(label="..\\a.nii.gz")}, "training[0].label"),
        ({"training": entries(image="a\0b.nii.gz")}, "training[0].image"),
        ({"training": entries(image="a.jpg")}, "training[0].image"),
        ({"training": entries() * 2}, "training"),
        ({"test": ["/etc/a.nii.gz"]}, "test[0]"),
        ({"test": [7]}, "test[0]"),
        ({"labels": {"0": "background", "one": "left"}}, "labels.left"),
        ({"labels": {"0": "background", "-1": "left"}}, "labels.left"),
        ({"labels": {"0": "background", "99999999999999999999999": "left"}}, "labels.left"),
        ({"labels": {"0": "background", "1": "left", "01": "right"}}, "labels.right"),
        ({"labels": {"0": "background", "1": "background"}}, "labels.background"),
        ({"labels": {"1": "left"}}, "labels"),
        ({"labels": {"0": "background"}}, "labels"),
        ({"labels": {"background": 0, "left": 1}}, "labels.background"),
        ({"labels": ["background", "left"]}, "labels"),
        ({"modality": {"1": "MRI"}}, "modality"),
        ({"modality": {}}, "modality"),
        ({"modality": "MRI"}, "modality"),
    ],
)
def test_a_wrong_decathlon_description_is_refused_with_file_key_and_fix(decathlon, changes, key):
    error = refusal(decathlon(2).describe(**changes))
    assert f"dataset.json: {key}" in error.what
    assert error.fix


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"labels": {"background": 0, "left": []}}, "labels.left"),
        ({"labels": {"background": 0, "left": [1, -2]}}, "labels.left"),
        ({"labels": {"background": 0, "left": [1, "2"]}}, "labels.left"),
        ({"labels": {"background": 0, "left": 1.5}}, "labels.left"),
        ({"labels": {"background": 0, "left": True}}, "labels.left"),
        ({"labels": {"background": 0, "left": 70000}}, "labels.left"),
        ({"channel_names": {"0": "M0", "2": "M2"}}, "channel_names"),
        ({"channel_names": ["M0"]}, "channel_names"),
        ({"file_ending": "nii.gz"}, "file_ending"),
        ({"file_ending": ".png"}, "file_ending"),
        ({"file_ending": None}, "file_ending"),
        ({"dataset": {"a": {"images": ["/etc/passwd"]}}}, "dataset"),
    ],
)
def test_a_wrong_nnunet_description_is_refused_with_file_key_and_fix(nnunet, changes, key):
    error = refusal(nnunet(2).describe(**changes))
    assert f"dataset.json: {key}" in error.what
    assert error.fix


def test_label_values_may_be_written_as_text(nnunet):
    root = nnunet(2).describe(labels={"right": "2", "background": "0", "left": "1"})
    assert list(open_dataset(root).labels.items()) == [("background", 0), ("left", 1), ("right", 2)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"training": ' + "[" * 100_000,
        '{"a": NaN}',
        '{"a": 1, "a": 2}',
        '{"modality": {"0": "MRI"}, "labels": ' + "9" * 5000 + "}",
    ],
)
def test_what_is_no_description_is_refused(tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    assert "dataset.json" in refusal(tmp_path).what


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "dataset.json").write_bytes(b"\x1f\x8b\x08\xff")
    assert "UTF-8" in refusal(tmp_path).what


def test_a_huge_description_is_refused(tmp_path):
    with (tmp_path / "dataset.json").open("wb") as file:
        file.truncate(10**9)
    assert "larger than" in refusal(tmp_path).what


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        *("training", "modality", "labels", "test", "name", "channel_names", "file_ending", "dataset"),
        *("regions", "regions_order", "regions_class_order", "left_right_pairs"),
    ]
)


@settings(deadline=None, max_examples=80)
@given(content=st.dictionaries(KEYS, JSON, max_size=12))
def test_any_description_opens_or_is_explained(tmp_path_factory, content):
    root = tmp_path_factory.mktemp("any")
    (root / "dataset.json").write_text(json.dumps(content))
    assert "dataset.json" in refusal(root).what


def test_a_misspelt_key_gets_a_suggestion(nnunet):
    written = nnunet(2)
    written.content["chanel_names"] = written.content.pop("channel_names")
    written.content["file_endings"] = written.content.pop("file_ending")
    assert "did you mean 'channel_names'" in refusal(written.describe()).fix


def test_a_missing_key_names_its_misspelling(decathlon):
    written = decathlon(2)
    written.content["modalty"] = written.content.pop("modality")
    assert "modalty" in refusal(written.describe()).fix


def test_the_folder_above_a_data_set_suggests_it(decathlon):
    root = decathlon(2).root
    assert str(root) in refusal(root.parent).fix


def test_a_misspelt_folder_suggests_its_neighbour(decathlon):
    root = decathlon(2).root
    assert root.name in refusal(root.parent / "Task99_Thingy").fix


def test_a_plain_folder_of_scans_suggests_the_options_for_it(decathlon):
    root = decathlon(2).root
    (root / "dataset.json").unlink()
    assert "--images" in refusal(root).fix


def test_a_scan_is_no_data_set(decathlon):
    assert "is a file" in refusal(decathlon(2).image(0)).what


def test_the_hippocampus_set_opens(real_data):
    dataset = open_dataset(real_data("Task04_Hippocampus"))
    assert len(dataset.cases) == 208
    assert dataset.channels == ("MRI",)
    assert dataset.labels == {"background": 0, "Anterior": 1, "Posterior": 2}
    assert all(case.images[0].is_file() and case.label.is_file() for case in dataset.cases)


def test_the_brats_set_opens(real_data):
    dataset = open_dataset(real_data("Dataset013_BraTS2013"))
    assert len(dataset.cases) == 4
    assert dataset.channels == ("FLAIR", "T1Gd")
    assert all(len(case.images) == 2 and all(path.is_file() for path in case.images) for case in dataset.cases)
