import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydantic import ValidationError

from leanseg.datasets import label_list, label_list_names, open_dataset
from leanseg.datasets.label_lists import LabelList, UnknownLabelListError

OASIS = Path(__file__).parents[3] / "../shared/data/oasis_t1/oasis_t1_labels.nii.gz"

# FreeSurfer's ids of the 30 structures, as the specification of E-NeuroNet lists them.
LEFT = (2, 3, 4, 7, 8, 10, 11, 12, 13, 17, 18, 28, 31)
RIGHT = (41, 42, 43, 46, 47, 49, 50, 51, 52, 53, 54, 60, 63)
MIDDLE = (14, 15, 16, 24)

every_list = pytest.mark.parametrize("name", label_list_names())


def test_there_are_two_lists():
    assert label_list_names() == ["aseg-30", "dkt-aseg"]


def test_aseg_30_has_the_structures_of_the_specification():
    structures = label_list("aseg-30").structures
    assert [structure.id for structure in structures] == sorted(LEFT + RIGHT + MIDDLE)
    mirrors = {structure.id: structure.mirror for structure in structures}
    assert mirrors == {
        **dict(zip(LEFT, RIGHT, strict=True)),
        **dict(zip(RIGHT, LEFT, strict=True)),
        **dict.fromkeys(MIDDLE),
    }


def test_dkt_has_62_cortical_regions_and_no_region_of_the_older_protocol_only():
    structures = label_list("dkt-aseg").structures
    left, right = ([one for one in structures if one.id // 1000 == side] for side in (1, 2))
    assert len(left) == len(right) == 31
    assert [one.mirror for one in left] == [one.id for one in right] == [one.id + 1000 for one in left]
    assert [one.name.replace("-lh-", "-rh-") for one in left] == [one.name for one in right]
    assert {one.id % 1000 for one in left}.isdisjoint({0, 1, 4, 32, 33})  # unknown, bankssts, callosum, two poles
    assert len(structures) == 95
    assert {3, 42}.isdisjoint(one.id for one in structures)  # the cortex is its regions


@every_list
def test_names_say_the_side_and_pairs_have_the_left_one_first(name):
    chosen = label_list(name)
    for left, right in chosen.left_right_pairs:
        assert left.replace("Left-", "Right-").replace("-lh-", "-rh-") == right != left
    paired = {name for pair in chosen.left_right_pairs for name in pair}
    sided = {one.name for one in chosen.structures if one.name.startswith(("Left-", "Right-", "ctx-"))}
    assert paired == sided


@every_list
def test_every_colour_is_known_and_both_sides_look_alike(name):
    colours = {one.id: one.colour for one in label_list(name).structures}
    for one in label_list(name).structures:
        assert one.colour is not None
        if one.mirror is not None:
            # FreeSurfer's own table differs by a shade between the sides of pallidum and choroid plexus.
            assert max(abs(a - b) for a, b in zip(one.colour, colours[one.mirror], strict=True)) <= 21


@every_list
def test_a_data_set_takes_labels_and_pairs_as_they_are(name, tmp_path):
    chosen = label_list(name)
    content = {"channel_names": {"0": "MR"}, "file_ending": ".nii.gz", "numTraining": 1, **chosen.dataset_keys()}
    (tmp_path / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    for folder, file in (("imagesTr", "a_0000.nii.gz"), ("labelsTr", "a.nii.gz")):
        (tmp_path / folder).mkdir()
        nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4)), tmp_path / folder / file)
    dataset = open_dataset(tmp_path)
    assert dataset.labels == chosen.labels
    assert list(dataset.labels.values()) == list(range(len(chosen.structures) + 1))
    assert list(dataset.left_right) == chosen.left_right_pairs


def test_ids_become_indices_and_what_is_not_in_the_list_is_counted():
    ids = np.array([[[0, 2, 3], [1001, 63, 63]], [[5, 5, -1], [70_000, 24, 0]]])
    indices, left_out = label_list("aseg-30").indices_of(ids)
    known = sorted(LEFT + RIGHT + MIDDLE)
    expected = [[[known.index(one) + 1 if one in known else 0 for one in row] for row in plane] for plane in ids]
    assert indices.dtype == np.uint8
    np.testing.assert_array_equal(indices, expected)
    assert left_out == {-1: 1, 5: 2, 1001: 1, 70_000: 1}


@pytest.mark.skipif(not OASIS.exists(), reason="../shared/data/oasis_t1 is not there")
def test_a_real_segmentation_holds_all_30_structures_and_15_that_are_left_out():
    ids = np.asarray(nibabel.load(OASIS).dataobj)
    indices, left_out = label_list("aseg-30").indices_of(ids)
    assert set(np.unique(indices)) == set(range(31))
    assert set(left_out) == {5, 26, 30, 44, 58, 62, 72, 77, 80, 85, 251, 252, 253, 254, 255}
    table = np.zeros(256, np.uint8)
    table[sorted(LEFT + RIGHT + MIDDLE)] = range(1, 31)
    assert np.array_equal(indices, table[ids])
    assert sum(left_out.values()) == np.count_nonzero(ids) - np.count_nonzero(indices)


def test_an_unknown_list_is_refused_with_a_guess():
    with pytest.raises(UnknownLabelListError, match="did you mean 'aseg-30'") as caught:
        label_list("aseg30")
    assert "dkt-aseg" in caught.value.fix


@pytest.mark.parametrize(
    "structures",
    [
        [(1, "a", None), (1, "b", None)],
        [(1, "a", None), (2, "a", None)],
        [(1, "a", 2)],
        [(1, "a", 1)],
        [(1, "a", 2), (2, "b", None)],
        [(1, "a", 2), (2, "b", 3), (3, "c", 2)],
    ],
)
def test_a_list_that_contradicts_itself_is_refused(structures):
    entries = [{"id": number, "name": name, "colour": None, "mirror": mirror} for number, name, mirror in structures]
    with pytest.raises(ValidationError):
        LabelList(name="x", source="x", colours="x", notes="", structures=entries)
