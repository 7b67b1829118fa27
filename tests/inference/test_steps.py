import threading

import numpy as np
import pytest

from leanseg.datasets import Case
from leanseg.errors import InputError
from leanseg.inference import open_engine, steps
from leanseg.inference.outcomes import Failure
from leanseg.inference.predictor import Predictor
from leanseg.inference.steps import Limits, Ready, Steps
from leanseg.progress import Progress


@pytest.fixture
def of(make_package, tmp_path):
    """A function that returns the steps of a call."""
    package = make_package(tmp_path / "package")
    predictor = Predictor(package.plan, open_engine(package, "openvino", 1))
    return lambda **how: Steps(
        predictor,
        package,
        tmp_path / "out",
        Limits(None, 10**6),
        progress=Progress(),
        **{"resume": False, "facts": {}, **how},
    )


def _refusing(*_):
    raise InputError(what="a", why="b", fix="c") from ValueError("of what it was made of")


@pytest.fixture
def case(tmp_path, save_scan):
    return Case("a", (save_scan(tmp_path / "a.nii.gz", np.zeros((8, 8, 8), np.float32)),))


def test_a_scan_that_nobody_waits_for_is_not_prepared(of, case, monkeypatch):
    over = threading.Event()
    assert isinstance(of().ready(case, over), Ready)
    monkeypatch.setattr(steps, "prepare", None)
    over.set()
    assert not isinstance(of().ready(case, over), Ready | Failure)


def test_what_failed_is_handed_on(of, case):
    missing = Case("b", (case.images[0].with_name("b.nii.gz"),))
    failure = of().ready(missing, threading.Event())
    assert (failure.case, "b.nii.gz" in failure.error.what) == ("b", True)
    assert of().computed(missing, failure) is failure
    assert of().written(failure) is failure


def test_a_failure_keeps_no_scan_in_memory(of, case, monkeypatch):
    monkeypatch.setattr(steps, "prepare", _refusing)
    failure = of().ready(case, threading.Event())
    assert isinstance(failure, Failure)
    assert failure.error.__traceback__ is None
    assert failure.error.__cause__.__traceback__ is None


@pytest.mark.parametrize(("resume", "stays"), [(False, False), (True, True)])
def test_an_older_result_goes_with_a_failing_case_unless_resuming(of, case, tmp_path, resume, stays):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.json").write_text("older")
    missing = Case("b", (case.images[0].with_name("b.nii.gz"),))
    every = of(resume=resume)
    every.computed(missing, every.ready(missing, threading.Event()))
    assert (tmp_path / "out" / "b.json").exists() is stays
