from dataclasses import replace

import numpy as np

from leanseg.evaluation.seen_cases import SeenCases, seen_cases


def test_a_package_alone_names_no_cases(package, new_dataset):
    assert seen_cases(package.path, new_dataset()) == SeenCases(known=False)


def test_in_the_folder_of_the_training_the_splits_tell(package, new_dataset, trained_on, tmp_path):
    dataset = new_dataset()
    trained_on(dataset, ["case0", "case2"], ["case1"])
    seen = seen_cases(package.path, dataset)
    assert seen == SeenCases(known=True, training=frozenset({"case0", "case2"}), validation=frozenset({"case1"}))
    assert seen_cases(tmp_path / "run", dataset) == seen


def test_a_copy_elsewhere_is_known_by_its_images_whatever_its_names_and_labels(
    package, new_dataset, trained_on, save_scan
):
    original, copy = new_dataset("original"), new_dataset("copy")
    trained_on(original, ["case0", "case1"], ["case2"])
    images = copy.root / "images"
    save_scan(copy.root / "labels" / "case0.nii.gz", np.zeros((8, 8, 8), np.uint8))
    save_scan(images / "case1.nii.gz", np.zeros((8, 8, 8), np.float32))
    (images / "case3.nii.gz").write_bytes((original.root / "images" / "case1.nii.gz").read_bytes())
    seen = seen_cases(package.path, copy)
    assert seen.training == {"case0", "case3"}
    assert seen.validation == {"case2"}


def test_where_the_training_data_is_gone_the_name_of_the_data_set_decides(package, new_dataset, trained_on):
    gone, same_name, another = new_dataset("gone"), new_dataset("shades"), new_dataset("another")
    trained_on(replace(gone, root=gone.root / "nowhere"), ["case0"], ["case1"])
    assert seen_cases(package.path, same_name).training == {"case0"}
    assert not seen_cases(package.path, another).training


def test_other_cases_of_a_training_patient_are_left_out(package, new_dataset, trained_on):
    dataset = new_dataset()
    trained_on(dataset, ["case0"], ["case1"])
    cases = tuple(replace(case, subject="anna" if case.name in {"case0", "case3"} else None) for case in dataset.cases)
    assert seen_cases(package.path, replace(dataset, cases=cases)).training == {"case0", "case3"}


def test_scans_that_lent_their_shapes_are_known_by_their_images(package, new_dataset, trained_on, tmp_path):
    dataset = new_dataset()
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "other.nii.gz").write_bytes((dataset.root / "images" / "case3.nii.gz").read_bytes())
    trained_on(dataset, ["case0"], ["case1"], unlabelled=scans)
    assert seen_cases(package.path, dataset).unlabelled == {"case3"}
    trained_on(dataset, ["case0"], ["case1"], unlabelled=tmp_path / "gone")
    assert seen_cases(package.path, dataset).unlabelled is None
