"""leanseg.predict says the same as the command, whatever the scan comes as."""

import subprocess
import sys

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

import leanseg
from leanseg.api.choices import ContradictionError, TooFewError
from leanseg.api.model import DeviceNeedsTorchError
from leanseg.api.scans import NotFilesError
from leanseg.cli import _application
from leanseg.inference.mirroring import NoMirrorError
from leanseg.storage import OutputNotEmptyError
from leanseg.volumes import read_volume


def by_command(package, scans, out):
    """Return the label maps (arrays, by file name) that the command writes."""
    words = [str(word) for word in ("predict", package, *scans, "-o", out)]
    done = CliRunner().invoke(_application(words), words)
    assert done.exit_code == 0, done.output
    return {path.name: np.asarray(nibabel.load(path).dataobj) for path in out.glob("*.nii.gz")}


@pytest.fixture
def expected(package, scan, tmp_path):
    found = by_command(package, [scan], tmp_path / "by-command")["a.nii.gz"]
    assert len(np.unique(found)) == 3  # where all voxels are alike, everything agrees
    return found


@pytest.mark.parametrize("kind", ["path", "text", "list", "pair", "channel", "nibabel", "in memory", "volume"])
def test_whatever_a_scan_comes_as_its_labels_are_those_of_the_command(kind, package, scan, image, affine, expected):
    given = {
        "path": lambda: scan,
        "text": lambda: str(scan),
        "list": lambda: [scan],
        "pair": lambda: (image, nibabel.load(scan).affine),
        "channel": lambda: (image[None], nibabel.load(scan).affine),
        "nibabel": lambda: nibabel.load(scan),
        "in memory": lambda: nibabel.Nifti1Image(image, nibabel.load(scan).affine),
        "volume": lambda: read_volume(scan),
    }[kind]()
    found = leanseg.predict(package, given)
    np.testing.assert_array_equal(found.array, expected)
    assert found.array.dtype == expected.dtype
    np.testing.assert_array_equal(found.affine, nibabel.load(scan).affine)
    assert found.labels == {"background": 0, "grey": 2, "white": 5}


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint16, np.int64, np.float16, np.float64, ">f4", ">i2"])
def test_every_real_type_of_voxels_is_taken_as_its_numbers(dtype, make_package, tmp_path, shades):
    package = make_package(tmp_path / "package")
    array = np.random.default_rng(0).integers(0, 3, (5, 6, 7)).astype(dtype)
    before = array.copy()
    found = leanseg.predict(package, (array, np.eye(4)))
    np.testing.assert_array_equal(found.array, shades(array.astype(np.float32)))
    np.testing.assert_array_equal(array, before)


def test_scaled_images_are_the_same_for_nibabel_and_for_the_command(package, tmp_path, affine):
    image = nibabel.Nifti1Image(np.random.default_rng(0).integers(-400, 400, (9, 11, 7), np.int16), affine)
    image.header.set_slope_inter(0.003, 0.1)
    path = tmp_path / "scans" / "scaled.nii.gz"
    path.parent.mkdir()
    nibabel.save(image, path)
    expected = by_command(package, [path], tmp_path / "out")["scaled.nii.gz"]
    np.testing.assert_array_equal(leanseg.predict(package, nibabel.load(path)).array, expected)


@pytest.mark.parametrize("kind", ["one 4D file", "files", "text", "array", "nibabel"])
def test_two_channels_come_in_the_order_of_the_plan(kind, make_package, save_scan, tmp_path, shades):
    package = make_package(tmp_path / "package", channels=2)
    first, second = np.random.default_rng(0).normal(size=(2, 5, 6, 7)).astype(np.float32)
    arrays = {"t1": first, "t2": second, "both": np.stack([first, second], axis=-1)}
    *files, both = (save_scan(tmp_path / f"{name}.nii.gz", array, np.eye(4)) for name, array in arrays.items())
    given = {
        "one 4D file": both,
        "files": files,
        "text": tuple(map(str, files)),
        "array": (np.stack([first, second]), np.eye(4)),
        "nibabel": nibabel.load(both),
    }[kind]
    np.testing.assert_array_equal(leanseg.predict(package, given).array, shades(first))


def test_with_an_output_it_writes_what_the_command_writes(package, scan, save_scan, tmp_path):
    save_scan(scan.parent / "b.nii.gz", np.random.default_rng(1).normal(size=(8, 8, 8)).astype(np.float32))
    expected = by_command(package, [scan.parent], tmp_path / "by-command")
    for number, scans in enumerate([scan.parent, str(scan.parent), [scan, scan.parent / "b.nii.gz"]]):
        out = tmp_path / f"out{number}"
        summary = leanseg.predict(package, scans, out)
        assert (summary.done, summary.failed) == (("a", "b"), ())
        assert sorted(path.name for path in out.iterdir()) == ["a.json", "a.nii.gz", "b.json", "b.nii.gz"]
        for name, labels in expected.items():
            np.testing.assert_array_equal(np.asarray(nibabel.load(out / name).dataobj), labels)
    with pytest.raises(OutputNotEmptyError):
        leanseg.predict(package, scan, out)
    assert leanseg.predict(package, scan, out, overwrite=True).done == ("a",)


def test_a_case_that_fails_is_in_the_summary_and_the_others_go_on(package, scan, tmp_path):
    (scan.parent / "b.nii.gz").write_bytes(b"")
    summary = leanseg.predict(package, scan.parent, tmp_path / "out")
    assert summary.done == ("a",)
    assert [failure.case for failure in summary.failed] == ["b"]


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_engines_are_chosen_by_name(engine, package, scan):
    found = leanseg.predict(package, scan, engine=engine, threads=1)
    assert found.engine.startswith(engine)
    assert found.precision == "fp32"
    assert 0 < found.seconds < 60


def test_an_open_model_predicts_the_same_alone_and_for_a_folder(package, scan, expected, tmp_path):
    model = leanseg.Model(package, engine="openvino")
    np.testing.assert_array_equal(leanseg.predict(model, scan).array, expected)
    assert leanseg.predict(model, scan.parent, tmp_path / "out").done == ("a",)
    np.testing.assert_array_equal(np.asarray(nibabel.load(tmp_path / "out" / "a.nii.gz").dataobj), expected)


def test_a_package_that_is_open_already_is_not_read_again(package, scan, expected, monkeypatch):
    opened = leanseg.Package.read(package)
    monkeypatch.setattr(leanseg.Package, "read", None)
    np.testing.assert_array_equal(leanseg.predict(opened, scan).array, expected)


@pytest.mark.parametrize("option", [{"engine": "openvino"}, {"device": "cpu"}, {"threads": 1}])
def test_an_open_model_has_its_engine_already(option, package, scan):
    model = leanseg.Model(package)
    with pytest.raises(ContradictionError, match=next(iter(option))):
        leanseg.predict(model, scan, **option)


@pytest.mark.parametrize("given", [(np.zeros((3, 3, 3)), np.eye(4)), nibabel.Nifti1Image(np.zeros((3, 3, 3)), None)])
def test_what_has_no_file_name_is_returned_and_not_written(given, package, tmp_path):
    with pytest.raises(NotFilesError) as refused:
        leanseg.predict(package, given, tmp_path / "out")
    assert ".save(" in refused.value.fix
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("out", [None, "out"])
@pytest.mark.parametrize(
    ("options", "error"), [({"device": "cuda"}, DeviceNeedsTorchError), ({"threads": 0}, TooFewError)]
)
def test_options_that_make_no_sense_are_refused_before_anything_is_read(options, error, out, tmp_path):
    with pytest.raises(error):
        leanseg.predict(tmp_path / "nowhere", tmp_path / "nowhere.nii", out and tmp_path / out, **options)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_torch_is_never_imported_unless_it_is_the_engine(engine, package, scan):
    code = (
        "import leanseg, sys, numpy\n"
        f"found = leanseg.predict({str(package)!r}, {str(scan)!r}, engine={engine!r})\n"
        f"model = leanseg.Model({str(package)!r}, engine={engine!r})\n"
        "model.predict((numpy.zeros((4, 4, 4)), numpy.eye(4))).volumes()\n"
        f"found.save({str(scan.with_name('found.nii.gz'))!r})\n"
        "print({'torch', 'monai', 'onnx', 'nibabel', 'scipy', 'matplotlib', 'typer'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_without_torch_its_engine_is_refused_with_what_to_install(package, scan, monkeypatch):
    monkeypatch.delitem(sys.modules, "leanseg.learning.export.torch_engine", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(leanseg.InputError) as refused:
        leanseg.predict(package, scan, engine="torch")
    assert ".[train]" in refused.value.fix


@pytest.mark.parametrize("out", [None, "out"])
def test_mirroring_is_refused_where_training_did_not_mirror(package, scan, tmp_path, out):
    with pytest.raises(NoMirrorError, match="not trained on mirrored patches"):
        leanseg.predict(package, scan, out and tmp_path / out, mirror=True)
    assert not (tmp_path / "out").exists()
    words = ["predict", str(package), str(scan), "-o", str(tmp_path / "out"), "--mirror"]
    assert CliRunner().invoke(_application(words), words).exit_code != 0
