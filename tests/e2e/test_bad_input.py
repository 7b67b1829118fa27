"""Bad input, whole commands: one message of what, why and fix, exit 2, little memory, nothing half-written."""

import json
import shutil
import struct
import zlib

import nibabel
import numpy as np
import pytest

MODEST = 500e6  # bytes: what a command may take to refuse a small or lying file
TRAINING_MODEST = 1.5e9  # ... where torch is loaded before the input is seen


def truncated(path, save_scan, make_scan):
    whole = save_scan(path, make_scan(0)[0]).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def text_named_nifti(path, save_scan, make_scan):
    path.write_text("patient,age\n1,64\n" * 50, encoding="utf-8")


def empty(path, save_scan, make_scan):
    path.touch()


def missing(path, save_scan, make_scan):
    pass


def header_claiming_32000_cubed(path, save_scan, make_scan):
    save_scan(path, make_scan(0)[0])
    raw = bytearray(zlib.decompress(path.read_bytes(), 31))
    raw[40:56] = struct.pack("<8h", 3, 32000, 32000, 32000, 1, 1, 1, 1)
    path.write_bytes(gzip_of([bytes(raw)]))


def bomb_of_3_gigavoxels(path, save_scan, make_scan):
    side = 1443
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((side, side, side))
    header.set_sform(np.eye(4), 1)
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    block, total = bytes(1 << 26), side**3 * 2
    blocks, rest = divmod(total, len(block))
    path.write_bytes(gzip_of([header.binaryblock + bytes(4), *[block] * blocks, bytes(rest)]))
    assert path.stat().st_size < 8e6


def not_a_number(path, save_scan, make_scan):
    image = make_scan(0)[0].astype(np.float32)
    image[3, 4, 5] = np.nan
    save_scan(path, image)


def sheared(path, save_scan, make_scan):
    affine = np.eye(4)
    affine[0, 1] = 0.3
    save_scan(path, make_scan(0)[0], affine)


def gzip_of(parts):
    """Return one gzip member holding `parts`; a part that comes again costs its packed bytes only."""
    packed, crc, size = {}, 0, 0
    out = [b"\x1f\x8b\x08\0\0\0\0\0\0\xff"]
    for part in parts:
        if id(part) not in packed:
            engine = zlib.compressobj(9, zlib.DEFLATED, -15)
            packed[id(part)] = engine.compress(part) + engine.flush(zlib.Z_FULL_FLUSH)
        out.append(packed[id(part)])
        crc, size = zlib.crc32(part, crc), size + len(part)
    ending = zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    return b"".join([*out, ending, struct.pack("<II", crc, size & 0xFFFFFFFF)])


BAD_SCANS = [
    truncated,
    text_named_nifti,
    empty,
    missing,
    header_claiming_32000_cubed,
    bomb_of_3_gigavoxels,
    not_a_number,
    sheared,
]


@pytest.fixture(scope="session", params=BAD_SCANS, ids=lambda make: make.__name__)
def bad_scan(request, tmp_path_factory, save_scan, make_scan):
    """A broken scan, made once for all commands."""
    path = tmp_path_factory.mktemp(request.param.__name__) / "patient.nii.gz"
    request.param(path, save_scan, make_scan)
    return path


def refused(done, *named, limit=MODEST):
    """Assert that a command was refused as it should be, and named what is wrong."""
    assert done.code == 2, (done.code, done.out, done.err)
    assert "Traceback" not in done.err
    assert done.err.count("error: ") == 1, done.err
    for part in ("\n  why: ", "\n  fix: "):
        assert done.err.count(part) == 1, done.err
    for name in named:
        assert name in done.err
    assert done.peak < limit


def test_info_refuses_a_broken_scan(bad_scan, measured):
    refused(measured("info", bad_scan), bad_scan.name)


def test_predict_refuses_a_broken_scan_and_writes_nothing(bad_scan, trained, measured, tmp_path):
    refused(measured("predict", trained, bad_scan, "-o", tmp_path / "out"), bad_scan.name)
    assert not list(tmp_path.rglob("*.nii.gz"))


def test_check_names_a_broken_scan(bad_scan, dataset, measured, tmp_path):
    broken = with_scan(dataset, tmp_path / "data", bad_scan)
    done = measured("check", broken)
    assert done.code == 2
    assert "scan_00" in done.out
    assert "Traceback" not in done.err
    assert done.peak < MODEST


# Training reads with the same reader, but takes seconds to start: three stand for all.
@pytest.mark.parametrize("bad_scan", [truncated, bomb_of_3_gigavoxels, not_a_number], indirect=True)
def test_training_refuses_a_broken_scan_and_leaves_no_run(bad_scan, dataset, plan, measured, tmp_path):
    broken = with_scan(dataset, tmp_path / "data", bad_scan)
    done = measured("train", broken, "--plan", plan, "--steps", "2", "-o", tmp_path / "run")
    refused(done, "scan_00", limit=TRAINING_MODEST)
    assert not (tmp_path / "run").exists()


def with_scan(dataset, folder, scan):
    """Copy `dataset` with `scan` (which may be missing) in the place of its first image."""
    shutil.copytree(dataset, folder)
    place = folder / "imagesTr" / "scan_00.nii.gz"
    place.unlink()
    if scan.exists():
        shutil.copyfile(scan, place)
    return folder


def edited(dataset, folder, change):
    """Copy `dataset` with its description changed by `change`."""
    shutil.copytree(dataset, folder)
    description = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    change(description)
    (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda description: description.pop("labels"), "labels"),
        (lambda description: description.update(labels=["background", "ball"]), "labels"),
        (lambda description: description.update(training=[]), "training"),
        (lambda description: description["training"][0].pop("image"), "training[0].image"),
        (lambda description: description["training"][0].update(image="../../../etc/passwd"), "training[0].image"),
    ],
)
@pytest.mark.parametrize("command", ["check", "plan", "split"])
def test_a_wrong_dataset_json_is_refused_by_its_key(command, change, named, dataset, measured, tmp_path):
    wrong = edited(dataset, tmp_path / "data", change)
    out = [] if command == "check" else ["-o", tmp_path / "out.json"]
    refused(measured(command, wrong, *out), "dataset.json", named)
    assert not (tmp_path / "out.json").exists()


def test_a_dataset_json_that_is_no_json_is_refused(dataset, measured, tmp_path):
    shutil.copytree(dataset, tmp_path / "data")
    (tmp_path / "data" / "dataset.json").write_text('{"labels": ', encoding="utf-8")
    refused(measured("check", tmp_path / "data"), "dataset.json")


@pytest.mark.parametrize(
    ("section", "key", "wrong", "value"),
    [("training", "batch", "bacth", 2), ("training", "batch", "batch", "two"), ("network", "name", "name", "unet9d")],
)
def test_a_plan_with_a_typo_is_refused_by_the_keys_path(section, key, wrong, value, dataset, plan, measured, tmp_path):
    content = json.loads(plan.read_text(encoding="utf-8"))
    content[section].pop(key)
    content[section][wrong] = value
    mistyped = tmp_path / "plan.json"
    mistyped.write_text(json.dumps(content), encoding="utf-8")
    done = measured("train", dataset, "--plan", mistyped, "--steps", "2", "-o", tmp_path / "run")
    refused(done, str(value) if section == "network" else f"{section}.{wrong}", limit=TRAINING_MODEST)
    assert not (tmp_path / "run").exists()


def with_label_7(dataset, folder):
    shutil.copytree(dataset, folder)
    path = folder / "labelsTr" / "scan_03.nii.gz"
    volume = nibabel.load(path)
    labels = np.asarray(volume.dataobj).copy()
    labels[0, 0, 0] = 7
    nibabel.save(nibabel.Nifti1Image(labels, volume.affine), path)
    return folder


def test_check_names_a_label_value_that_is_no_class(dataset, measured, tmp_path):
    done = measured("check", with_label_7(dataset, tmp_path / "data"), "--json")
    assert done.code == 2
    problems = [problem for problem in json.loads(done.out)["problems"] if problem["severity"] == "error"]
    assert [problem["case"] for problem in problems] == ["scan_03"]
    assert "7" in problems[0]["what"]


def test_training_refuses_a_label_value_that_is_no_class(dataset, plan, measured, tmp_path):
    wrong = with_label_7(dataset, tmp_path / "data")
    done = measured("train", wrong, "--plan", plan, "--steps", "2", "-o", tmp_path / "run")
    refused(done, "scan_03", "7", limit=TRAINING_MODEST)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["split", "plan", "train", "predict", "evaluate", "demo"])
def test_an_output_that_holds_something_is_left_as_it_is(
    command, dataset, plan, trained, scans, measured, everything_in, tmp_path
):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("precious", encoding="utf-8")
    place = {"split": out / "mine.txt", "plan": out / "mine.txt"}.get(command, out)
    arguments = {
        "split": [dataset],
        "plan": [dataset],
        "train": [dataset, "--plan", plan, "--steps", "2"],
        "predict": [trained, scans],
        "evaluate": [dataset / "labelsTr", dataset / "labelsTr"],
        "demo": [],
    }[command]
    before = everything_in(tmp_path)
    refused(measured(command, *arguments, "-o", place), place.name, "--overwrite", limit=TRAINING_MODEST)
    assert everything_in(tmp_path) == before


def flipped_bit(package):
    path = package / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_short(package):
    path = package / "model.onnx"
    path.write_bytes(path.read_bytes()[:-100])


def without_weights(package):
    (package / "model.onnx").unlink()


def edited_plan(package):
    path = package / "plan.json"
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")


def without_manifest(package):
    (package / "manifest.json").unlink()


def manifest_of_nonsense(package):
    (package / "manifest.json").write_text("{}", encoding="utf-8")


@pytest.mark.parametrize(
    "damage", [flipped_bit, cut_short, without_weights, edited_plan, without_manifest, manifest_of_nonsense]
)
def test_a_corrupt_package_is_refused_before_anything_is_predicted(damage, trained, scans, measured, tmp_path):
    package = tmp_path / "package"
    shutil.copytree(trained / "package", package)
    damage(package)
    refused(measured("predict", package, scans, "-o", tmp_path / "out"), "package")
    assert not (tmp_path / "out").exists()


def test_a_zip_that_is_none_is_refused(scans, measured, tmp_path):
    (tmp_path / "model.zip").write_bytes(b"PK\x03\x04 and then nothing")
    refused(measured("predict", tmp_path / "model.zip", scans, "-o", tmp_path / "out"), "model.zip")


@pytest.mark.parametrize("command", ["predict", "evaluate", "check", "plan", "train"])
def test_a_place_that_does_not_exist_is_refused_by_its_name(command, dataset, trained, measured, tmp_path):
    nowhere = tmp_path / "nowhere"
    arguments = {
        "predict": [trained, nowhere, "-o", tmp_path / "out"],
        "evaluate": [nowhere, dataset / "labelsTr", "-o", tmp_path / "out"],
        "check": [nowhere],
        "plan": [nowhere, "-o", tmp_path / "out"],
        "train": [nowhere, "--steps", "2", "-o", tmp_path / "out"],
    }[command]
    refused(measured(command, *arguments), "nowhere", limit=TRAINING_MODEST)
    assert not (tmp_path / "out").exists()


def test_a_failing_case_is_named_and_the_others_go_on(trained, scans, save_scan, make_scan, measured, tmp_path):
    shutil.copytree(scans, tmp_path / "scans")
    truncated(tmp_path / "scans" / "cut.nii.gz", save_scan, make_scan)
    done = measured("predict", trained, tmp_path / "scans", "-o", tmp_path / "out")
    assert done.code == 4
    assert "cut" in done.err
    assert "Traceback" not in done.err
    assert sorted(path.name for path in (tmp_path / "out").glob("*.nii.gz")) == ["new_0.nii.gz", "new_1.nii.gz"]


def test_predict_takes_broken_voxels_only_when_told_what_they_mean(trained, save_scan, make_scan, measured, tmp_path):
    not_a_number(tmp_path / "scan.nii.gz", save_scan, make_scan)
    done = measured("predict", trained, tmp_path / "scan.nii.gz", "--nan", "0", "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert (tmp_path / "out" / "scan.nii.gz").is_file()
