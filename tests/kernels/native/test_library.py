import multiprocessing

import numpy as np
import pytest

from leanseg.kernels import labels_of_scores
from leanseg.kernels.native import available, compiling, library


@pytest.fixture
def fresh(monkeypatch):
    """Whether a library is there is asked anew, and forgotten afterwards."""
    library._loaded.cache_clear()
    yield
    monkeypatch.undo()
    library._loaded.cache_clear()


def test_the_environment_leaves_the_library_unused(monkeypatch):
    monkeypatch.setenv("LEANSEG_NATIVE", "0")
    assert not available()


@pytest.mark.usefixtures("fresh")
def test_a_library_of_other_sources_is_not_loaded(monkeypatch):
    monkeypatch.delenv("LEANSEG_NATIVE", raising=False)
    monkeypatch.setattr(library, "library_name", lambda: "kernels-000000000000.so")
    assert not available()
    with pytest.raises(RuntimeError, match="no kernels"):
        library.library()


@pytest.mark.usefixtures("fresh")
def test_what_is_no_library_is_not_loaded(monkeypatch, tmp_path):
    monkeypatch.delenv("LEANSEG_NATIVE", raising=False)
    (tmp_path / compiling.library_name()).write_bytes(b"made for another machine")
    monkeypatch.setattr(library, "FOLDER", tmp_path)
    assert not available()


def paint_in_child(queue):
    queue.put(labels_of_scores(np.eye(3, dtype=np.float32)[..., None, None], (6, 40, 40)).sum())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_started_after_its_use_may_use_it(method):
    expected = labels_of_scores(np.eye(3, dtype=np.float32)[..., None, None], (6, 40, 40)).sum()
    context = multiprocessing.get_context(method)
    queue = context.SimpleQueue()
    child = context.Process(target=paint_in_child, args=(queue,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert queue.get() == expected
