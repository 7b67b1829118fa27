"""The frame of the command line: what it imports, what it lists, how it refuses."""

import subprocess
import sys

import pytest

from leanseg.cli import COMMANDS

HEAVY = {"torch", "monai", "pytorch_lightning", "lightning", "openvino", "scipy", "onnxruntime", "numpy", "matplotlib"}


def leanseg(*arguments, **options):
    command = [sys.executable, "-m", "leanseg", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


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


def test_help_lists_every_command():
    done = leanseg("--help")
    assert done.returncode == 0
    listed = {line.split()[0] for line in done.stdout.partition("Commands:")[2].splitlines() if line.strip()}
    assert set(COMMANDS) <= listed


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name):
    done = leanseg(name, "--help")
    assert done.returncode == 0
    assert f"Usage: leanseg {name}" in done.stdout
    assert f"Example: leanseg {name}" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "arguments",
    [["predcit"], ["info"], ["info", "--no-such-option"], ["demo", "--minutes", "soon"], ["check", "a", "b", "c"]],
)
def test_wrong_usage_exits_2_with_one_message_and_no_traceback(arguments):
    done = leanseg(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("Error:") == 1
    assert "Traceback" not in done.stderr


def test_a_mistyped_command_is_answered_with_the_nearest():
    assert "predict" in leanseg("predcit").stderr


def test_the_version_is_the_packages():
    import leanseg as package

    assert leanseg("--version").stdout.split()[-1] == package.__version__


def test_a_reader_that_leaves_early_is_no_fault_of_ours():
    command = [sys.executable, "-m", "leanseg", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        message = process.stderr.read().decode()
    assert "Traceback" not in message
    assert "fault of ours" not in message
