"""Processes that end in all the ways processes end."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import leanseg
from leanseg.doctor import attempts
from leanseg.doctor.attempts import Attempt, End, attempt, run

TELL = 'print(\'{"step": "loaded", "version": "1"}\', flush=True)\n'


def python(source, patience=20.0):
    return run([sys.executable, "-c", TELL + source], patience)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime", "torch"])
def test_engines_that_are_installed_compute_the_tile(engine):
    found = attempt(engine)
    assert found.end is End.WELL
    assert found.steps["computed"]["difference"] < 1e-5
    assert 0 < found.steps["computed"]["seconds"] < 60


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("number", "end"),
    [("SIGILL", End.ILLEGAL), ("SIGSEGV", End.CRASHED), ("SIGABRT", End.CRASHED), ("SIGKILL", End.KILLED)],
)
def test_a_process_that_is_ended_by_a_signal_is_told_from_one_that_fails(number, end):
    found = python(f"import os, signal; os.kill(os.getpid(), signal.{number})")
    assert found.end is end
    assert found.steps == {"loaded": {"version": "1"}}
    assert not found.computed
    if end is End.CRASHED:
        assert number in found.detail


@pytest.mark.parametrize(("code", "end"), [(0xC000001D, End.ILLEGAL), (0xC0000005, End.CRASHED)])
def test_crashes_of_windows_are_understood(code, end, monkeypatch):
    done = attempts.subprocess.CompletedProcess([], code, b"", b"")
    monkeypatch.setattr(attempts.subprocess, "run", lambda *_, **__: done)
    assert attempts.run([], 1.0).end is end


def test_a_process_that_hangs_is_killed_and_what_it_told_is_kept():
    began = time.monotonic()
    found = python("import time; time.sleep(100)", patience=1.0)
    assert time.monotonic() - began < 10
    assert found == Attempt({"loaded": {"version": "1"}}, End.HUNG, "no answer within 1 s")


def test_a_process_that_ends_by_itself_shows_its_last_words():
    found = python("import sys; sys.stderr.write('first\\nlast words\\n'); sys.exit(7)")
    assert found.end is End.CRASHED
    assert found.detail == "ended with code 7 last words"


def test_what_libraries_print_is_passed_over():
    found = python("print('{\"no\": \"step\"}'); print('[1]'); print('loading'); print('{')")
    assert found == Attempt({"loaded": {"version": "1"}}, End.WELL)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime", "torch"])
def test_an_engine_that_is_not_installed_is_missing(engine, without):
    without(engine)
    found = attempt(engine)
    assert found.end is End.MISSING
    assert found.detail == f"module {engine} is missing"
    assert found.missing == engine


def test_an_engine_that_cannot_be_imported_says_why(instead_of):
    instead_of("onnxruntime", "raise ImportError('libsomething.so.1: cannot open shared object file')")
    found = attempt("onnxruntime")
    assert found.end is End.ERROR
    assert found.detail == "ImportError: libsomething.so.1: cannot open shared object file"


def test_an_engine_that_dies_takes_nobody_along(instead_of):
    instead_of("onnxruntime", "import os, signal\nos.kill(os.getpid(), signal.SIGILL)")
    assert attempt("onnxruntime").end is End.ILLEGAL


def test_an_engine_that_hangs_is_given_up(instead_of):
    instead_of("onnxruntime", "import time\ntime.sleep(100)")
    assert attempt("onnxruntime", patience=2.0).end is End.HUNG


def test_an_engine_with_wrong_numbers_is_found(instead_of):
    instead_of(
        "onnxruntime",
        "import os, sys\n"
        "sys.path.remove(os.path.dirname(__file__))\n"
        "del sys.modules['onnxruntime']\n"
        "import onnxruntime\n"
        "class Wrong(onnxruntime.InferenceSession):\n"
        "    def run(self, *given): return [scores + 1 for scores in super().run(*given)]\n"
        "onnxruntime.InferenceSession = Wrong\n",
    )
    found = attempt("onnxruntime")
    assert found.end is End.WELL
    assert found.steps["computed"]["difference"] == pytest.approx(1 / 5.2293186, rel=1e-4)


def test_a_file_in_the_current_folder_takes_no_librarys_place(tmp_path, monkeypatch):
    (tmp_path / "onnxruntime.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert attempt("onnxruntime").end is End.WELL


UNINSTALLED = """
import importlib.machinery, sys

class Uninstalled:
    def find_spec(name, path=None, target=None):
        if name == "leanseg":
            places = [each for each in sys.path if each in ("", {folder!r})]
            spec = importlib.machinery.PathFinder.find_spec(name, places)
            if spec is None:
                raise ModuleNotFoundError("No module named 'leanseg'", name=name)
            return spec

sys.meta_path.insert(0, Uninstalled)
"""


def test_leanseg_need_not_be_installed(tmp_path, instead_of):
    """Run in a folder with its source code, where no other leanseg can be found."""
    folder = (tmp_path / "src").resolve()
    shutil.copytree(Path(leanseg.__file__).parent, folder / "leanseg")
    instead_of("sitecustomize", UNINSTALLED.format(folder=str(folder)))
    code = (
        "import leanseg; from leanseg.doctor.attempts import attempt; found = attempt('onnxruntime');"
        "print(leanseg.__file__, found.end.name, found.detail)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(folder / "leanseg" / "__init__.py"), "WELL"]


def test_where_leanseg_is_installed_its_neighbours_stay_behind_pythons_own_library(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", "given")
    monkeypatch.setattr(attempts.site, "getsitepackages", lambda: [str(tmp_path)])
    monkeypatch.setattr(attempts, "_HOME", tmp_path)
    assert attempts._environment()["PYTHONPATH"] == "given"
    monkeypatch.setattr(attempts, "_HOME", tmp_path / "src")
    assert attempts._environment()["PYTHONPATH"].split(attempts.os.pathsep) == ["given", str(tmp_path / "src")]
    monkeypatch.delenv("PYTHONPATH")
    assert attempts._environment()["PYTHONPATH"] == str(tmp_path / "src")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a folder that somebody is in")
def test_an_engine_is_not_blamed_for_a_current_folder_that_is_gone(tmp_path, monkeypatch, instead_of):
    instead_of("onnxruntime", "import os\nos.getcwd()\nraise ImportError('reached')")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert attempt("onnxruntime").detail == "ImportError: reached"
