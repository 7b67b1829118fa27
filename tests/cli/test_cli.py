"""The frame of the command line: what it imports, what it lists, how it refuses."""

import shlex
import subprocess
import sys

import pytest
import typer

from leanseg.cli import COMMANDS, _application

HEAVY = {"torch", "monai", "pytorch_lightning", "lightning", "openvino", "scipy", "onnxruntime", "numpy", "matplotlib"}


def modules_after(*arguments):
    """Return the top-level modules that are loaded after the command line ran with `arguments`."""
    code = (
        "import sys; sys.argv = ['leanseg', *sys.argv[1:]]\n"
        "from leanseg.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('loaded:', *{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(arguments):
    assert not modules_after(*arguments) & HEAVY


@pytest.fixture
def narrow(monkeypatch):
    """A terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")


def test_help_lists_every_command_with_its_whole_summary(leanseg, narrow):
    lines = [line.split(maxsplit=1) for line in leanseg("--help").out.partition("Commands:")[2].splitlines()]
    summaries = dict(line for line in lines if len(line) == 2)
    assert tuple(summaries) == COMMANDS
    for summary in summaries.values():
        assert summary.endswith(".")
        assert not summary.endswith("...")
        assert len(summary) <= 60


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example_that_can_be_pasted(name, leanseg, narrow):
    done = leanseg(name, "--help")
    assert done.code == 0
    assert f"Usage: leanseg {name}" in done.out
    (example,) = [line.strip() for line in done.out.splitlines() if line.strip().startswith("Example: ")]
    words = shlex.split(example.removeprefix("Example: "))
    assert words[:2] == ["leanseg", name]
    command = typer.main.get_command(_application([])).commands[name]
    command.make_context(name, words[2:])  # refuses unknown options and missing arguments


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_options_and_arguments_is_no_sentence(name):
    command = typer.main.get_command(_application([])).commands[name]
    for parameter in command.params:
        assert parameter.help
        assert not parameter.help.endswith(".")


def test_the_same_option_is_explained_in_the_same_words_everywhere():
    wordings = {}
    for name, command in typer.main.get_command(_application([])).commands.items():
        for parameter in command.params:
            if (name, parameter.opts[-1]) == ("register", "--labels"):
                continue  # of one scan, not of a data set
            wordings.setdefault(parameter.opts[-1], set()).add(parameter.help)
    for option in ("--json", "--overwrite", "--device", "--labels", "--network", "--option", "--ram", "--max-voxels"):
        assert len(wordings[option]) == 1, option


@pytest.mark.parametrize(
    "arguments",
    [["predcit"], ["info"], ["info", "--no-such-option"], ["demo", "--minutes", "soon"], ["check", "a", "b", "c"]],
)
def test_wrong_usage_exits_2_with_one_message_and_no_traceback(arguments, leanseg):
    done = leanseg(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.count("Error:") == 1


def test_a_mistyped_command_is_answered_with_the_nearest(leanseg):
    assert "predict" in leanseg("predcit").err


def test_the_version_is_the_packages(leanseg):
    import leanseg as package

    assert leanseg("--version").out.split()[-1] == package.__version__


def test_a_reader_that_leaves_early_is_no_fault_of_ours():
    command = [sys.executable, "-m", "leanseg", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        message = process.stderr.read().decode()
    assert "Traceback" not in message
    assert "fault of ours" not in message
