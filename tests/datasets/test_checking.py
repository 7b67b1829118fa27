import json
import shutil

import numpy as np
import pytest

from leanseg.datasets import check_dataset, open_dataset


def problems_of(written):
    report = check_dataset(open_dataset(written.root))
    return {(problem.case, problem.kind, problem.severity) for problem in report.problems}


def test_a_sound_data_set_has_no_problems(decathlon):
    report = check_dataset(open_dataset(decathlon(6).root))
    assert report.problems == ()
    assert report.passed
    assert report.cases_per_class == {"background": 6, "left": 6, "right": 6}


def test_a_sound_data_set_of_several_channels_has_no_problems(nnunet, decathlon):
    assert problems_of(nnunet(6, channels=3)) == set()
    assert problems_of(decathlon(6, channels=3)) == set()


def test_missing_files_are_named(nnunet):
    written = nnunet(6)
    written.image(0, 1).unlink()
    written.label(1).unlink()
    assert problems_of(written) == {("case_a", "missing file", "error"), ("case_b", "missing file", "error")}


def test_unreadable_files_are_named(decathlon):
    written = decathlon(6)
    written.image(0).write_bytes(written.image(0).read_bytes()[:-40])
    written.image(1).write_text("no image")
    written.label(2).write_bytes(b"")
    assert problems_of(written) == {(f"case_{name}", "unreadable file", "error") for name in "abc"}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_voxels_that_are_no_numbers_are_named(decathlon, write_volume, new_image, value):
    written = decathlon(6)
    array = new_image(0)
    array[1, 2, 3] = value
    write_volume(written.image(0), array)
    assert problems_of(written) == {("case_a", "not finite", "error")}


def test_a_label_of_another_shape_is_named(decathlon, write_volume, new_label):
    written = decathlon(6)
    write_volume(written.label(0), new_label(0, (6, 7, 4)))
    assert problems_of(written) == {("case_a", "geometry", "error")}


def test_a_label_at_another_place_is_named(decathlon, write_volume, new_label):
    written = decathlon(6)
    affine = np.eye(4)
    affine[0, 3] = 0.5
    write_volume(written.label(0), new_label(0), affine=affine)
    assert problems_of(written) == {("case_a", "geometry", "error")}


def test_channels_of_different_spacing_are_named(nnunet, write_volume, new_image):
    written = nnunet(6)
    write_volume(written.image(0, 1), new_image(1), spacing=(1, 1, 2))
    assert problems_of(written) == {("case_a", "geometry", "error")}


def test_a_wrong_number_of_channels_is_named(decathlon, write_volume, new_image):
    written = decathlon(6, channels=2)
    write_volume(written.image(0), new_image(0, (6, 7, 5, 3)))
    assert problems_of(written) == {("case_a", "channels", "error")}


def test_unknown_label_values_are_named_with_their_number(decathlon, write_volume, new_label):
    written = decathlon(6)
    array = new_label(0)
    array[array == 1] = 7
    write_volume(written.label(0), array)
    (problem,) = check_dataset(open_dataset(written.root)).problems
    assert (problem.case, problem.kind, problem.severity) == ("case_a", "unknown label", "error")
    assert f"{(array == 7).sum()} voxels" in problem.what
    assert problem.what.endswith(": 7")


def test_labels_that_are_no_whole_numbers_are_named(decathlon, write_volume, new_image):
    written = decathlon(6)
    write_volume(written.label(0), new_image(0))
    assert problems_of(written) == {("case_a", "unreadable file", "error")}


def test_an_empty_label_is_a_warning(decathlon, write_volume):
    written = decathlon(6)
    write_volume(written.label(0), np.zeros((6, 7, 5), np.uint8))
    assert problems_of(written) == {("case_a", "empty label", "warning")}


def test_ignored_voxels_are_known_and_their_cases_counted(nnunet, write_volume, new_label):
    written = nnunet(6)
    array = new_label(0)
    array[array == 1] = 3
    array.flat[0] = 1
    write_volume(written.label(0), array)
    written.describe(labels={**written.content["labels"], "ignore": 3})
    report = check_dataset(open_dataset(written.root))
    assert report.problems == ()
    assert (report.ignore, report.cases_with_ignored) == (3, 1)


@pytest.mark.parametrize(("values", "told"), [((3, 3), "every voxel is ignored"), ((0, 3), "background and ignored")])
def test_a_case_of_ignored_voxels_without_a_class_is_a_warning(nnunet, write_volume, values, told):
    written = nnunet(6)
    array = np.full((6, 7, 5), values[0], np.uint8)
    array[2:] = values[1]
    write_volume(written.label(0), array)
    written.describe(labels={**written.content["labels"], "ignore": 3})
    (problem,) = check_dataset(open_dataset(written.root)).problems
    assert (problem.case, problem.kind, problem.severity) == ("case_a", "empty label", "warning")
    assert told in problem.what


def test_regions_are_counted_by_the_cases_that_have_one_of_their_values(decathlon, write_volume):
    written = decathlon(6)
    for index, value in enumerate((0, 1, 2)):
        array = np.zeros((6, 7, 5), np.uint8)
        array[2:] = value
        write_volume(written.label(index), array)
    written.describe(regions={"both": [1, 2], "right": [2]})
    report = check_dataset(open_dataset(written.root))
    assert report.regions == {"both": (1, 2), "right": (2,)}
    assert report.cases_per_region == {"both": 5, "right": 4}
    assert report.cases_per_class == {"background": 6, "left": 4, "right": 4}


def test_an_absent_class_is_a_warning_where_regions_are_learned_and_an_absent_region_an_error(decathlon):
    written = decathlon(6)
    labels = {**written.content["labels"], "3": "tumour"}
    written.describe(labels=labels, regions={"all": [1, 2, 3], "side": [2, 3]}, regions_order=[1, 2])
    assert problems_of(written) == {(None, "absent class", "warning")}
    written.describe(regions={"all": [1, 2, 3], "tumour": [3]}, regions_order=[1, 3])
    assert problems_of(written) == {(None, "absent class", "warning"), (None, "absent class", "error")}


def test_a_class_that_no_case_has_is_an_error(decathlon):
    written = decathlon(6)
    written.describe(labels={**written.content["labels"], "3": "tumour"})
    assert problems_of(written) == {(None, "absent class", "error")}


def test_a_constant_image_is_named(decathlon, write_volume):
    written = decathlon(6)
    write_volume(written.image(0), np.full((6, 7, 5), 3, np.int16))
    assert problems_of(written) == {("case_a", "constant image", "error")}


def test_a_constant_channel_of_a_4d_file_is_named(decathlon, write_volume, new_image):
    written = decathlon(6, channels=2)
    array = new_image(0, (6, 7, 5, 2))
    array[..., 1] = 3
    write_volume(written.image(0), array)
    (problem,) = check_dataset(open_dataset(written.root)).problems
    assert (problem.kind, "channel 1" in problem.what) == ("constant image", True)


@pytest.mark.parametrize(
    ("spacing", "severity"),
    [((0.001, 1, 1), "error"), ((60, 60, 60), "error"), ((0.5, 0.5, 30), "warning")],
)
def test_absurd_spacings_are_named(decathlon, write_volume, new_image, new_label, spacing, severity):
    written = decathlon(6)
    write_volume(written.image(0), new_image(0), spacing)
    write_volume(written.label(0), new_label(0), spacing)
    assert problems_of(written) == {("case_a", "spacing", severity)}


def test_the_same_scan_twice_is_an_error_whatever_its_file_looks_like(decathlon, write_volume, new_image):
    written = decathlon(6)
    write_volume(written.image(2), new_image(0).astype(np.float64))
    assert problems_of(written) == {("case_c", "duplicate image", "error")}


def test_the_same_scan_twice_in_one_subject_is_a_warning(decathlon, write_volume, new_image):
    written = decathlon(7)
    write_volume(written.image(6), new_image(0))
    rows = "".join(f"{name},{name if name != 'case_g' else 'case_a'}\n" for name in written.names)
    (written.root / "cases.csv").write_text("case,subject\n" + rows)
    assert problems_of(written) == {("case_g", "duplicate image", "warning")}


def test_one_channel_twice_in_a_case_is_a_warning(nnunet, write_volume, new_image):
    written = nnunet(6)
    write_volume(written.image(0, 1), new_image(0))
    assert problems_of(written) == {("case_a", "duplicate image", "warning")}


def test_a_case_without_subject_among_others_is_an_error(decathlon):
    written = decathlon(6)
    (written.root / "cases.csv").write_text("case,subject\ncase_a,anna\n")
    assert problems_of(written) == {(None, "subject", "error")}


@pytest.mark.parametrize(("cases", "severity"), [(1, "error"), (2, "warning"), (4, "warning")])
def test_too_few_cases_are_named(decathlon, cases, severity):
    assert problems_of(decathlon(cases)) == {(None, "too few cases", severity)}


def test_what_is_wrong_with_unlabelled_scans_is_a_warning(decathlon):
    written = decathlon(6)
    written.describe(test=["./imagesTs/new.nii.gz", "./imagesTs/twin.nii.gz"])
    (written.root / "imagesTs").mkdir()
    shutil.copy(written.image(0), written.root / "imagesTs" / "twin.nii.gz")
    assert problems_of(written) == {("new", "missing file", "warning"), ("twin", "duplicate image", "warning")}
    assert check_dataset(open_dataset(written.root)).passed


def unused_in(written):
    problems = check_dataset(open_dataset(written.root)).problems
    return [problem.what for problem in problems if problem.kind == "unused file"]


def test_files_that_a_decathlon_description_leaves_out_are_a_warning(decathlon):
    written = decathlon(7)
    written.describe(training=written.content["training"][:6])
    assert problems_of(written) == {(None, "unused file", "warning")}
    images, labels = unused_in(written)
    assert images == "imagesTr holds 1 file of no case: case_g.nii.gz"
    assert labels == "labelsTr holds 1 file of no case: case_g.nii.gz"
    assert check_dataset(open_dataset(written.root)).passed


def test_a_scan_listed_for_testing_is_used(decathlon):
    written = decathlon(7)
    written.label(6).unlink()
    written.describe(training=written.content["training"][:6], test=["imagesTr/case_g.nii.gz"])
    assert problems_of(written) == set()


def test_of_many_unused_files_a_few_are_named_and_all_are_counted(decathlon):
    written = decathlon(6)
    for number in range(5):
        shutil.copy(written.image(0), written.root / "imagesTr" / f"more_{number}.nii.gz")
    (told,) = unused_in(written)
    assert told == "imagesTr holds 5 files of no case: more_0.nii.gz, more_1.nii.gz, more_2.nii.gz and 2 more"


def test_hidden_files_and_notes_are_not_unused_files(decathlon):
    written = decathlon(6)
    for name in ("._case_a.nii.gz", ".hidden.nii.gz", "notes.txt"):
        (written.root / "imagesTr" / name).write_text("something")
    assert problems_of(written) == set()


def test_a_folder_listed_by_two_names_has_no_unused_files(decathlon):
    written = decathlon(6)
    (written.root / "again").symlink_to(written.root / "imagesTr", target_is_directory=True)
    first, *others = written.content["training"]
    written.describe(training=[{**first, "image": "again/case_a.nii.gz"}, *others])
    assert problems_of(written) == set()


@pytest.mark.parametrize("name", ["case_a_0002.nii.gz", "case_a.nii.gz", "case_a_0000.nii", "case_a_0000.mha"])
def test_images_that_are_no_channel_of_an_nnunet_case_are_a_warning(nnunet, name):
    written = nnunet(6, channels=2)
    (written.root / "imagesTr" / name).write_text("something")
    assert problems_of(written) == {(None, "unused file", "warning")}
    assert unused_in(written) == [f"imagesTr holds 1 file of no case: {name}"]


def test_labels_of_another_ending_than_an_nnunet_description_tells_are_a_warning(nnunet):
    written = nnunet(6)
    (written.root / "labelsTr" / "case_x.nrrd").write_text("something")
    assert problems_of(written) == {(None, "unused file", "warning")}
    assert unused_in(written) == ["labelsTr holds 1 file of no case: case_x.nrrd"]


def test_no_problem_hides_another(nnunet, write_volume, new_image, new_label):
    written = nnunet(6)
    written.image(0, 0).unlink()
    write_volume(written.image(0, 1), np.zeros((6, 7, 5), np.float32))
    write_volume(written.label(0), new_label(0, (5, 7, 5), classes=4))
    written.label(1).write_bytes(b"")
    kinds = {("case_a", kind, "error") for kind in ("missing file", "constant image", "geometry", "unknown label")}
    assert problems_of(written) == kinds | {("case_b", "unreadable file", "error")}


def test_the_report_is_json(decathlon):
    written = decathlon(3)
    written.image(0).unlink()
    report = json.loads(check_dataset(open_dataset(written.root)).model_dump_json())
    assert (report["errors"], report["warnings"]) == (1, 1)


def test_the_hippocampus_set_is_sound(real_data):
    report = check_dataset(open_dataset(real_data("Task04_Hippocampus")))
    assert report.problems == ()
    assert report.cases_per_class == {"background": 208, "Anterior": 208, "Posterior": 208}


def test_the_brats_set_is_sound_but_small(real_data):
    report = check_dataset(open_dataset(real_data("Dataset013_BraTS2013")))
    assert [problem.kind for problem in report.problems] == ["too few cases"]
    assert report.passed
