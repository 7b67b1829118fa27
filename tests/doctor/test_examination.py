"""The whole examination, and what it amounts to."""

import importlib.metadata
import os
import subprocess
import sys

import pytest

from leanseg.doctor import examination, examine, verdict
from leanseg.doctor.attempts import Attempt, End
from leanseg.doctor.findings import Status, good, note, problem

AREAS = ["software", "processor", "memory", "engines", "GPU", "disks"]
BROKEN = Attempt({}, End.CRASHED, "crashed (SIGSEGV)")


@pytest.fixture
def engines(monkeypatch):
    """A function that says how each engine fares, instead of trying them."""

    def pretend(**attempts):
        monkeypatch.setattr(examination, "attempt", lambda engine: attempts[engine])

    return pretend


def test_all_areas_are_looked_at_in_order_and_each_finding_says_what_to_do(engines, sound):
    engines(openvino=sound(), onnxruntime=sound(), torch=sound())
    findings = examine()
    assert list(dict.fromkeys(finding.area for finding in findings)) == AREAS
    for finding in findings:
        assert finding.name
        assert finding.value
        assert finding.meaning
        assert bool(finding.fix) == (finding.status is not Status.GOOD)


def test_names_are_unique_so_that_machines_can_look_them_up(engines, sound):
    engines(openvino=sound(), onnxruntime=sound(), torch=sound())
    names = [(finding.area, finding.name) for finding in examine()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("works", "code"),
    [
        ({"openvino", "onnxruntime", "torch"}, 0),
        ({"onnxruntime", "torch"}, 4),
        ({"openvino", "torch"}, 4),
        ({"openvino", "onnxruntime"}, 4),
        ({"torch"}, 4),
        (set(), 2),
    ],
)
def test_the_exit_code_tells_whether_all_some_or_no_engines_work(engines, sound, works, code):
    engines(**{engine: sound() if engine in works else BROKEN for engine in examination.ENGINES})
    failed = verdict(examine())
    assert (failed.exit_code if failed else 0) == code


def test_notes_and_a_missing_torch_do_not_count(engines, sound):
    missing = Attempt({"failed": {"error": "", "missing": "torch"}}, End.MISSING)
    engines(openvino=sound(), onnxruntime=sound(), torch=missing)
    findings = examine()
    assert "note" in {finding.status for finding in findings}
    assert verdict(findings) is None


def test_the_verdict_names_every_problem():
    works = good("engines", "openvino", "", "", works=True)
    failed = verdict(
        [works, problem("a", "first", "", "", ""), note("a", "n", "", "", ""), problem("b", "next", "", "", "")]
    )
    assert failed.what == "2 problems: first, next"


def test_a_library_that_cannot_be_imported_is_a_finding_and_the_rest_goes_on(engines, sound, monkeypatch):
    def broken():
        raise ImportError("libpsutil.so: cannot open", name="psutil._psutil_linux")

    engines(openvino=sound(), onnxruntime=sound(), torch=sound())
    monkeypatch.setattr(examination, "memory", broken)
    findings = examine()
    (finding,) = [finding for finding in findings if finding.area == "memory"]
    assert (finding.name, finding.status) == ("psutil", Status.PROBLEM)
    assert finding.fix == f"pip install --force-reinstall --no-deps psutil=={importlib.metadata.version('psutil')}"
    assert findings[-1].area == "disks"


@pytest.mark.parametrize("name", [None, "leanseg.machine"])
def test_a_library_without_a_name_is_looked_for_in_leanseg(engines, sound, monkeypatch, name):
    def broken():
        raise ImportError("cannot import", name=name)

    engines(openvino=sound(), onnxruntime=sound(), torch=sound())
    monkeypatch.setattr(examination, "memory", broken)
    (finding,) = [finding for finding in examine() if finding.area == "memory"]
    assert finding.fix == "in the folder of leanseg's source code: pip install ."


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied", "/proc/meminfo"), RuntimeError("no mtab"), NotImplementedError()]
)
def test_an_area_that_cannot_be_looked_at_is_a_note_and_the_rest_goes_on(engines, sound, monkeypatch, error):
    def refused():
        raise error

    engines(openvino=sound(), onnxruntime=sound(), torch=sound())
    monkeypatch.setattr(examination, "memory", refused)
    findings = examine()
    (finding,) = [finding for finding in findings if finding.area == "memory"]
    assert (finding.name, finding.status) == ("not examined", Status.NOTE)
    assert finding.value == (str(error) or "NotImplementedError")
    assert findings[-1].area == "disks"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a folder that somebody is in")
def test_a_folder_that_is_gone_costs_only_the_disks(engines, sound, monkeypatch, tmp_path):
    engines(openvino=sound(), onnxruntime=sound(), torch=sound())
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    findings = examine()
    assert [finding.name for finding in findings if finding.area == "disks"] == ["not examined"]
    assert "not examined" not in [finding.name for finding in findings if finding.area != "disks"]
    assert verdict(findings) is None


@pytest.mark.parametrize(("devices", "seen"), [([], False), ([{"model": "T4"}], True)])
def test_disks_are_told_whether_training_uses_a_gpu(engines, sound, monkeypatch, devices, seen):
    told = []
    engines(openvino=sound(), onnxruntime=sound(), torch=sound(cuda={"devices": devices, "reason": ""}))
    monkeypatch.setattr(examination, "gpu", lambda torch: [])
    monkeypatch.setattr(examination, "folders", lambda progress, *, cuda: told.append(cuda) or [])
    examine()
    assert told == [seen]


@pytest.mark.slow
def test_what_is_examined_stays_out_of_this_process():
    code = (
        "import sys; from leanseg.doctor import examine; examine()\n"
        "print(sorted({'torch', 'openvino', 'onnxruntime', 'onnx', 'monai', 'blosc2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
