from pathlib import Path

from leanseg.datasets import cache_folder


def test_the_own_variable_comes_before_the_desktops(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    monkeypatch.setenv("LEANSEG_CACHE", "/mine")
    assert cache_folder() == Path("/mine")
    monkeypatch.delenv("LEANSEG_CACHE")
    assert cache_folder() == Path("/somewhere/leanseg")


def test_without_variables_it_is_in_the_home_folder(monkeypatch):
    for name in ("LEANSEG_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert Path.home() in cache_folder().parents
