"""The whole examination, and what it amounts to."""

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
    assert finding.fix == "pip install --force-reinstall psutil"
    assert findings[-1].area == "disks"


@pytest.mark.slow
def test_what_is_examined_stays_out_of_this_process():
    code = (
        "import sys; from leanseg.doctor import examine; examine()\n"
        "print(sorted({'torch', 'openvino', 'onnxruntime', 'onnx', 'monai', 'blosc2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
