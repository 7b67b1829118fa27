import pytest

from leanseg.kernels.native import compiling


@pytest.mark.parametrize("compiler", ["/bin/false", "/no/such/compiler", "true --"])
def test_without_a_compiler_that_works_nothing_is_made_and_nothing_fails(compiler, monkeypatch, tmp_path):
    monkeypatch.setenv("CC", compiler)
    assert compiling.compile_library(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_no_failure(tmp_path):
    assert compiling.compile_library(tmp_path / "missing") is None


def test_a_compiler_that_needs_the_plain_version_gets_it_and_older_libraries_go(monkeypatch, tmp_path):
    """A compiler by script, which knows no versions per processor and otherwise makes what can be loaded."""
    source = tmp_path / "kernel.c"
    source.write_text("int leanseg_paint(void) { return 0; }\n")
    script = tmp_path / "compiler"
    script.write_text(
        "#!/bin/sh\n"
        'case "$*" in *LEANSEG_ONE_PROCESSOR*) ;; *) exit 1 ;; esac\n'
        'while [ "$1" != -o ]; do shift; done\n'
        f'exec cc -shared -fPIC {source} -o "$2"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))
    out = tmp_path / "out"
    out.mkdir()
    (out / "kernels-older.so").touch()
    made = compiling.compile_library(out)
    if made is None:
        pytest.skip("no C compiler on this machine")
    assert list(out.iterdir()) == [made]
    assert made.name == compiling.library_name()


def test_a_change_of_a_source_changes_the_name(monkeypatch, tmp_path):
    (tmp_path / "a.c").write_text("int a;")
    monkeypatch.setattr(compiling, "FOLDER", tmp_path)
    before = compiling.library_name()
    (tmp_path / "a.c").write_text("int b;")
    assert compiling.library_name() != before
