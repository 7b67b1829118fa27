"""The scratch folder in which the documentation's commands run, and what they find in it.

Task04_Hippocampus and Dataset013_BraTS2013 are links to the data sets of these names. Everything that is broken is
made here, out of the first of them.
"""

import json
import re
import shutil
import zipfile
from pathlib import Path

HIPPOCAMPUS, BRATS = "Task04_Hippocampus", "Dataset013_BraTS2013"


def set_up(folder: Path, hippocampus: Path, brats: Path) -> None:
    """Link the data sets into `folder`, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, place in ((HIPPOCAMPUS, hippocampus), (BRATS, brats)):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(place.resolve(), target_is_directory=True)


def cut_off_a_scan(folder: Path) -> None:
    """Write cut-off.nii.gz, half of a scan."""
    _cut_off(_first_scans(folder)[0], folder / "cut-off.nii.gz")


def spoil_a_data_set(folder: Path) -> None:
    """Write broken/: six cases, one with half a scan and one without its label map."""
    broken, description = _copy_of_six(folder, "broken")
    halved, lost = description["training"][1], description["training"][3]
    _cut_off(folder / HIPPOCAMPUS / halved["image"], broken / halved["image"])
    (broken / lost["label"]).unlink()


def misspell_a_description(folder: Path) -> None:
    """Write misspelled/: six cases, and a dataset.json that says `label` where it means `labels`."""
    misspelled, description = _copy_of_six(folder, "misspelled")
    description["label"] = description.pop("labels")
    _write_json(misspelled / "dataset.json", description)


def misspell_a_plan(folder: Path) -> None:
    """Write edited.json, plan.json with a wrong key and a wrong value."""
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    plan["training"]["learning_rat"] = plan["training"].pop("learning_rate")
    plan["inference"]["overlap"] = 1.5
    _write_json(folder / "edited.json", plan)


def label_few(folder: Path) -> None:
    """Write few-labels/, a data set of six cases, and others/, the scans of twenty more."""
    _copy_of_six(folder, "few-labels")
    (folder / "others").mkdir(exist_ok=True)
    for scan in _first_scans(folder)[6:26]:
        shutil.copyfile(scan, folder / "others" / scan.name)


def make_an_empty_folder(folder: Path) -> None:
    """Make the folder `no-scans`, which holds none."""
    (folder / "no-scans").mkdir(exist_ok=True)


def cut_off_one_of_three(folder: Path) -> None:
    """Write three-scans/, the first three scans, of which the second is cut off."""
    (folder / "three-scans").mkdir(exist_ok=True)
    for number, scan in enumerate(_first_scans(folder)[:3]):
        (_cut_off if number == 1 else shutil.copyfile)(scan, folder / "three-scans" / scan.name)


def mend_the_second_of_three(folder: Path) -> None:
    """Make the scan in three-scans/ that was cut off whole again."""
    scan = _first_scans(folder)[1]
    shutil.copyfile(scan, folder / "three-scans" / scan.name)


def change_a_package(folder: Path) -> None:
    """Write changed.zip, hippocampus.zip with another overlap in its plan."""
    with zipfile.ZipFile(folder / "hippocampus.zip") as sound, zipfile.ZipFile(folder / "changed.zip", "w") as changed:
        for member in sound.infolist():
            content = sound.read(member)
            if member.filename == "plan.json":
                content = re.sub(rb'"overlap": [0-9.]+', b'"overlap": 0.6', content)
            changed.writestr(member, content)


def copy_the_first_run(folder: Path) -> None:
    """Write runs/tuned, a copy of runs/first, as tuning changes the package."""
    shutil.rmtree(folder / "runs" / "tuned", ignore_errors=True)
    shutil.copytree(folder / "runs" / "first", folder / "runs" / "tuned")


def label_otherwise(folder: Path) -> None:
    """Write elsewhere/: forty cases as other people label them: Tail (1), anterior (2), Amygdala (3, in none)."""
    import nibabel
    import numpy as np

    elsewhere, description = _copy(folder, "elsewhere", 40)
    for entry in description["training"]:
        labels = nibabel.load(elsewhere / entry["label"])
        values = np.array([0, 2, 1], np.uint8)[np.asarray(labels.dataobj).astype(int)]
        nibabel.save(nibabel.Nifti1Image(values, labels.affine), elsewhere / entry["label"])
    description["name"] = "Elsewhere"
    description["labels"] = {"0": "background", "1": "Tail", "2": "anterior", "3": "Amygdala"}
    _write_json(elsewhere / "dataset.json", description)


def _first_scans(folder: Path) -> list[Path]:
    return sorted((folder / HIPPOCAMPUS / "imagesTr").glob("hippocampus_*.nii.gz"))


def _copy_of_six(folder: Path, name: str) -> tuple[Path, dict]:
    return _copy(folder, name, 6)


def _copy(folder: Path, name: str, cases: int) -> tuple[Path, dict]:
    """Copy cases of the data set to the folder `name`, and return it and its description."""
    copy = folder / name
    shutil.rmtree(copy, ignore_errors=True)
    description = json.loads((folder / HIPPOCAMPUS / "dataset.json").read_text(encoding="utf-8"))
    description["training"] = sorted(description["training"], key=lambda entry: entry["image"])[:cases]
    for entry in description["training"]:
        for file in entry.values():
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / HIPPOCAMPUS / file, copy / file)
    _write_json(copy / "dataset.json", description)
    return copy, description


def _cut_off(scan: Path, place: Path) -> None:
    whole = scan.read_bytes()
    place.write_bytes(whole[: len(whole) // 2])


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
