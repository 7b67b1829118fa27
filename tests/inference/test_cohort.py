import contextlib
import json
import threading
import weakref

import nibabel
import numpy as np
import pytest

from leanseg import __version__
from leanseg.datasets import find_cases
from leanseg.errors import BudgetError, InputError
from leanseg.inference import predict_cases, steps
from leanseg.inference.cohort import NotANumberError, OutputIsInputError
from leanseg.inference.parts import Part
from leanseg.storage import OutputNotEmptyError


def oblique_affine():
    angle = 0.3
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-1.0, 1.0, 1.0])
    affine[:3, 3] = (40, -20, 11)
    return affine


def save(path, image, affine=None):
    path.parent.mkdir(exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(image, np.eye(4) if affine is None else affine), path)
    return path


def random_image(seed, shape=(9, 11, 7)):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.fixture
def package(make_package, tmp_path):
    return make_package(tmp_path / "package")


@pytest.mark.parametrize("engine", [None, "openvino", "onnxruntime"])
def test_label_maps_lie_exactly_on_their_scans(package, tmp_path, shades, engine):
    image = random_image(0)
    path = save(tmp_path / "scans" / "a.nii.gz", image, oblique_affine())
    summary = predict_cases(package, find_cases([path]), tmp_path / "out", engine=engine)
    assert summary.done == ("a",)
    assert summary.failed == ()
    scan, written = nibabel.load(path), nibabel.load(tmp_path / "out" / "a.nii.gz")
    assert written.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(written.affine, scan.affine)
    np.testing.assert_array_equal(np.asarray(written.dataobj), shades(image))


def test_the_sidecar_tells_how_the_case_was_made(package, tmp_path):
    path = save(tmp_path / "scans" / "a_0000.nii.gz", random_image(0))
    predict_cases(package, find_cases([tmp_path / "scans"]), tmp_path / "out")
    record = json.loads((tmp_path / "out" / "a.json").read_text())
    assert record["package"] == package.hash
    assert record["images"] == [str(path)]
    assert record["labels"] == {"background": 0, "grey": 2, "white": 5}
    assert record["targets"] == {"grey": [2], "white": [5]}
    assert record["ignore"] is None
    assert record["engine"].startswith("openvino")
    assert record["precision"] == "fp32"
    assert record["leanseg"] == __version__
    assert record["peak_rss_bytes"] > 10_000_000
    phases = record["seconds"]
    assert set(phases) == {"read", "prepare", "network", "labels", "write", "total"}
    assert phases["total"] == pytest.approx(sum(phases.values()) - phases["total"], abs=1e-3)


def test_a_failing_case_is_named_and_the_others_go_on(package, tmp_path, shades):
    scans = tmp_path / "scans"
    images = {name: random_image(seed) for seed, name in enumerate("abc")}
    for name, image in images.items():
        save(scans / f"{name}.nii.gz", image)
    whole = (scans / "b.nii.gz").read_bytes()
    (scans / "b.nii.gz").write_bytes(whole[: len(whole) // 2])
    summary = predict_cases(package, find_cases([scans]), tmp_path / "out")
    assert summary.done == ("a", "c")
    ((case, error),) = [(failure.case, failure.error) for failure in summary.failed]
    assert case == "b"
    assert "b.nii.gz" in error.what
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.json", "a.nii.gz", "c.json", "c.nii.gz"]
    written = np.asarray(nibabel.load(tmp_path / "out" / "c.nii.gz").dataobj)
    np.testing.assert_array_equal(written, shades(images["c"]))


def test_nan_voxels_are_refused_unless_something_takes_their_place(package, tmp_path, shades):
    image = random_image(0)
    image[4, 4, 4] = np.nan
    cases = find_cases([save(tmp_path / "scans" / "a.nii", image)])
    assert "--nan 0" in predict_cases(package, cases, tmp_path / "refused").failed[0].error.fix
    assert predict_cases(package, cases, tmp_path / "out", nan=0.0).done == ("a",)
    written = np.asarray(nibabel.load(tmp_path / "out" / "a.nii.gz").dataobj)
    np.testing.assert_array_equal(written, shades(np.nan_to_num(image)))
    with pytest.raises(NotANumberError):
        predict_cases(package, cases, tmp_path / "never", nan=float("nan"))


def test_a_missing_channel_is_said_in_terms_of_files(make_package, tmp_path):
    package = make_package(tmp_path / "package", channels=2)
    save(tmp_path / "scans" / "a_0000.nii.gz", random_image(0))
    summary = predict_cases(package, find_cases([tmp_path / "scans"]), tmp_path / "out")
    assert "a: the case has 1 channel where the plan has 2" in summary.failed[0].error.what
    assert "_0001" in summary.failed[0].error.fix
    assert not (tmp_path / "out").exists()


def test_the_cap_on_voxels_holds_for_the_scan(package, tmp_path):
    cases = find_cases([save(tmp_path / "scans" / "a.nii.gz", random_image(0))])
    summary = predict_cases(package, cases, tmp_path / "out", max_voxels=9 * 11 * 7 - 1)
    assert "--max-voxels" in summary.failed[0].error.fix


def test_a_folder_in_use_is_refused_and_overwriting_touches_only_these_cases(package, tmp_path):
    cases = find_cases([save(tmp_path / "scans" / "a.nii.gz", random_image(0))])
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    (out / "a.nii.gz").write_text("old")
    with pytest.raises(OutputNotEmptyError):
        predict_cases(package, cases, out)
    assert (out / "a.nii.gz").read_text() == "old"
    predict_cases(package, cases, out, overwrite=True)
    assert nibabel.load(out / "a.nii.gz").shape == (9, 11, 7)
    assert (out / "notes.txt").read_text() == "mine"


def test_a_failing_case_leaves_no_older_result_behind(package, tmp_path):
    cases = find_cases([save(tmp_path / "scans" / "a.nii.gz", random_image(0))])
    predict_cases(package, cases, tmp_path / "out")
    (tmp_path / "scans" / "a.nii.gz").write_bytes(b"")
    assert predict_cases(package, cases, tmp_path / "out", overwrite=True).done == ()
    assert list((tmp_path / "out").iterdir()) == []


def test_scans_are_never_written_over(package, tmp_path):
    path = save(tmp_path / "scans" / "a.nii.gz", random_image(0))
    before = path.read_bytes()
    with pytest.raises(OutputIsInputError, match=r"a\.nii\.gz"):
        predict_cases(package, find_cases([path]), tmp_path / "scans", overwrite=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("failing", ["write_into", "write_json"])
def test_both_files_of_a_case_appear_or_none(package, tmp_path, monkeypatch, failing):
    from leanseg.storage import CannotWriteError

    def fail(path, *args, **options):
        raise CannotWriteError(path, OSError(28, "No space left on device"))

    monkeypatch.setattr(f"leanseg.inference.results.{failing}", fail)
    cases = find_cases([save(tmp_path / "scans" / "a.nii.gz", random_image(0))])
    summary = predict_cases(package, cases, tmp_path / "out")
    assert "No space left" in summary.failed[0].error.what
    assert list((tmp_path / "out").iterdir()) == []


def test_a_sidecar_never_stays_without_its_label_map(package, tmp_path, monkeypatch):
    from leanseg.storage import CannotWriteError

    @contextlib.contextmanager
    def fail_at_the_end(path):
        path.parent.mkdir()
        yield path.with_name("temporary.nii.gz")
        (path.parent / "temporary.nii.gz").unlink()
        assert path.with_name("a.json").exists()
        raise CannotWriteError(path, OSError(28, "No space left on device"))

    monkeypatch.setattr("leanseg.inference.results.whole_file", fail_at_the_end)
    cases = find_cases([save(tmp_path / "scans" / "a.nii.gz", random_image(0))])
    assert predict_cases(package, cases, tmp_path / "out").done == ()
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (MemoryError("Unable to allocate 9 GiB"), BudgetError, "9 GiB"),
        (RuntimeError("CUDA out of memory. Tried to allocate 9 GiB"), BudgetError, "9 GiB"),
        (RuntimeError("kernel lost"), InputError, "kernel lost"),
        (OSError(5, "Input/output error", "weights"), InputError, "weights: Input/output error"),
    ],
)
def test_an_engine_that_gives_up_fails_its_case_only(package, tmp_path, error, kind, said):
    class GivesUp:
        name = "gives up"
        precision = "fp32"

        def __call__(self, tile):
            raise error

    cases = find_cases([save(tmp_path / "scans" / "a.nii.gz", random_image(0))])
    summary = predict_cases(package, cases, tmp_path / "out", engine=GivesUp())
    assert said in summary.failed[0].error.what
    assert isinstance(summary.failed[0].error, kind)


def test_an_older_result_that_cannot_be_removed_fails_its_case_only(package, tmp_path):
    cases = find_cases([save(tmp_path / "scans" / f"{name}.nii.gz", random_image(0)) for name in "ab"])
    (tmp_path / "out" / "a.nii.gz").mkdir(parents=True)
    summary = predict_cases(package, cases, tmp_path / "out", overwrite=True)
    assert summary.done == ("b",)
    assert "a.nii.gz" in summary.failed[0].error.what


def test_two_channels_of_a_case_are_read_in_order(make_package, tmp_path, shades):
    package = make_package(tmp_path / "package", channels=2)
    first, second = random_image(0), random_image(1)
    save(tmp_path / "scans" / "a_0000.nii.gz", first)
    save(tmp_path / "scans" / "a_0001.nii.gz", second)
    predict_cases(package, find_cases([tmp_path / "scans"]), tmp_path / "out")
    np.testing.assert_array_equal(np.asarray(nibabel.load(tmp_path / "out" / "a.nii.gz").dataobj), shades(first))


def several(folder, names="abc"):
    """Scans of these names, different from one another."""
    for seed, name in enumerate(names):
        save(folder / f"{name}.nii.gz", random_image(seed))
    return find_cases([folder])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_reading_ahead_changes_nothing_but_the_time(package, tmp_path):
    cases = several(tmp_path / "scans", "abcd")
    (tmp_path / "scans" / "b.nii.gz").write_bytes(b"broken")
    plain = predict_cases(package, cases, tmp_path / "plain")
    ahead = predict_cases(package, cases, tmp_path / "ahead", read_ahead=True)
    assert (ahead.done, [failure.case for failure in ahead.failed]) == (("a", "c", "d"), ["b"])
    assert (plain.done, str(plain.failed[0].error)) == (ahead.done, str(ahead.failed[0].error))
    maps = [{n: c for n, c in contents(tmp_path / out).items() if n.endswith(".gz")} for out in ("plain", "ahead")]
    assert maps[0] == maps[1]
    assert {path.stem for path in (tmp_path / "ahead").glob("*.json")} == {"a", "c", "d"}


class Interrupted:
    """An engine that is stopped by Ctrl-C in the second case."""

    name, precision = "interrupted", "fp32"

    def __init__(self):
        self.calls = 0

    def __call__(self, tile):
        self.calls += 1
        if self.calls > 6:  # a case of 9 x 11 x 7 has four tiles of 8 x 8 x 8
            raise KeyboardInterrupt
        return np.zeros((1, 3, *tile.shape[2:]), np.float32)


class Zeros(Interrupted):
    """The same engine, left alone."""

    def __call__(self, tile):
        return np.zeros((1, 3, *tile.shape[2:]), np.float32)


@pytest.mark.parametrize("read_ahead", [False, True])
def test_ctrl_c_leaves_whole_cases_and_no_thread(package, tmp_path, read_ahead):
    before = threading.active_count()
    cases = several(tmp_path / "scans")
    with pytest.raises(KeyboardInterrupt) as _kept:
        predict_cases(package, cases, tmp_path / "out", engine=Interrupted(), read_ahead=read_ahead)
    assert threading.active_count() == before
    assert sorted(contents(tmp_path / "out")) == ["a.json", "a.nii.gz"]
    resumed = predict_cases(package, cases, tmp_path / "out", resume=True, engine=Zeros())
    assert (resumed.skipped, resumed.done) == (("a",), ("b", "c"))


@pytest.mark.parametrize("read_ahead", [False, True])
def test_finished_cases_are_left_as_they_are(package, tmp_path, read_ahead):
    cases = several(tmp_path / "scans")
    predict_cases(package, cases[:2], tmp_path / "out")
    before = contents(tmp_path / "out")
    summary = predict_cases(package, cases, tmp_path / "out", resume=True, read_ahead=read_ahead)
    assert (summary.skipped, summary.done, summary.failed) == (("a", "b"), ("c",), ())
    assert summary.anew == {"c": "missing"}
    after = contents(tmp_path / "out")
    assert {name: after[name] for name in before} == before


def test_a_scan_is_known_by_its_contents_wherever_it_lies(package, tmp_path):
    cases = several(tmp_path / "scans", "a")
    predict_cases(package, cases, tmp_path / "out")
    save(tmp_path / "elsewhere" / "a.nii.gz", random_image(0))
    (tmp_path / "elsewhere" / "a.nii.gz").write_bytes((tmp_path / "scans" / "a.nii.gz").read_bytes())
    moved = find_cases([tmp_path / "elsewhere"])
    assert predict_cases(package, moved, tmp_path / "out", resume=True).skipped == ("a",)


def test_what_would_come_out_otherwise_is_predicted_anew_and_why_is_said(package, make_package, tmp_path):
    cases, out = several(tmp_path / "scans"), tmp_path / "out"
    predict_cases(package, cases, out)
    save(tmp_path / "scans" / "b.nii.gz", random_image(7))
    (out / "c.nii.gz").unlink()
    summary = predict_cases(package, cases, out, resume=True)
    assert summary.skipped == ("a",)
    assert summary.anew == {"b": "made of a changed scan", "c": "missing"}
    summary = predict_cases(package, cases, out, resume=True, engine="onnxruntime")
    assert set(summary.anew.values()) == {"made by another engine"}
    summary = predict_cases(package, cases, out, resume=True, engine="onnxruntime", nan=0.0)
    assert set(summary.anew.values()) == {"made with another --nan"}
    other = make_package(tmp_path / "other", overlap=0.25)
    assert set(predict_cases(other, cases, out, resume=True).anew.values()) == {"made by another package"}
    assert predict_cases(other, cases, out, resume=True).skipped == ("a", "b", "c")


def test_what_somebody_drew_or_corrected_is_never_replaced_by_resuming(package, tmp_path):
    cases, out = several(tmp_path / "scans"), tmp_path / "out"
    predict_cases(package, cases[:1], out)
    save(out / "a.nii.gz", np.ones((9, 11, 7), np.uint8))
    save(out / "b.nii.gz", np.ones((9, 11, 7), np.uint8))
    before = contents(out)
    summary = predict_cases(package, cases, out, resume=True)
    assert summary.done == ("c",)
    assert ["changed after" in failure.error.what for failure in summary.failed] == [True, False]
    assert "does not say how" in summary.failed[1].error.what
    assert all("--overwrite" in failure.error.fix for failure in summary.failed)
    assert {name: contents(out)[name] for name in before} == before
    assert predict_cases(package, cases, out, overwrite=True).done == ("a", "b", "c")


def test_an_earlier_result_stays_where_its_scan_cannot_be_read_when_resuming(package, tmp_path):
    cases, out = several(tmp_path / "scans", "a"), tmp_path / "out"
    predict_cases(package, cases, out)
    before = contents(out)
    (tmp_path / "scans" / "a.nii.gz").write_bytes(b"")
    assert predict_cases(package, cases, out, resume=True).failed[0].case == "a"
    assert contents(out) == before


def test_parts_fill_one_folder_together(package, tmp_path):
    cases, out = several(tmp_path / "scans", "abcde"), tmp_path / "out"
    out.mkdir()
    assert predict_cases(package, cases, out, part=Part(2, 2)).done == ("b", "d")
    (out / ".writing-0123456789abcdef-b.nii.gz").write_bytes(b"on its way")
    assert predict_cases(package, cases, out, part=Part(1, 2)).done == ("a", "c", "e")
    assert sorted(path.stem for path in out.glob("*.json")) == list("abcde")


@pytest.mark.parametrize("name", ["b.nii.gz", "notes.txt", "f.nii.gz"])
def test_a_part_does_not_mix_with_what_no_other_part_writes(package, tmp_path, name):
    cases, out = several(tmp_path / "scans", "abcde"), tmp_path / "out"
    out.mkdir()
    (out / name).write_text("mine")
    with pytest.raises(OutputNotEmptyError):
        predict_cases(package, cases, out, part=Part(2, 2))
    assert [path.name for path in out.iterdir()] == [name]


@pytest.mark.parametrize(("read_ahead", "most"), [(False, 1), (True, 2)])
def test_no_more_prepared_scans_are_in_memory_than_are_needed(package, tmp_path, monkeypatch, read_ahead, most):
    alive, found = weakref.WeakSet(), []
    prepare = steps.prepare

    def counted(*given):
        prepared = prepare(*given)
        alive.add(prepared)
        found.append(len(alive))
        return prepared

    monkeypatch.setattr(steps, "prepare", counted)
    predict_cases(package, several(tmp_path / "scans", "abcdefgh"), tmp_path / "out", read_ahead=read_ahead)
    assert len(found) == 8
    assert max(found) <= most
