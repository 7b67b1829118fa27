"""leanseg predict, as a person runs it."""

import json
import platform
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

# Runs one prediction in a process that dies, natively, when anything in it opens an internet socket: the kernel's own
# filter (seccomp), which sees C++ libraries too. Python's audit hook forbids starting helpers that could do it instead.
SEALED = """
import ctypes, platform, struct, sys

SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
KILL, ALLOW = 0x80000000, 0x7FFF0000
program = b"".join(
    struct.pack("HBBI", *line)
    for line in (
        (LOAD, 0, 0, 0),  # number of the system call
        (IF_EQUAL, 0, 4, SOCKET),
        (LOAD, 0, 0, 16),  # its first argument: the family
        (IF_EQUAL, 1, 0, 2),  # IPv4
        (IF_EQUAL, 0, 1, 10),  # IPv6
        (RETURN, 0, 0, KILL),
        (RETURN, 0, 0, ALLOW),
    )
)
lines = ctypes.create_string_buffer(program)
filter = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 7, ctypes.addressof(lines)))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]
if libc.prctl(38, 1, None, 0, 0) or libc.prctl(22, 2, ctypes.addressof(filter), 0, 0):
    sys.exit(77)

FORBIDDEN = ("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn",
             "os.fork", "os.forkpty", "webbrowser.open", "urllib.Request")

def audit(event, arguments):
    if event in FORBIDDEN:
        import os
        os.write(2, f"forbidden: {event}".encode())
        os._exit(78)

sys.addaudithook(audit)
"""

RUN = """
from leanseg.cli import main
try:
    main()
except SystemExit as stopped:
    assert not stopped.code, stopped.code
unwanted = {"torch", "monai", "pytorch_lightning", "onnx", "scipy", "pandas", "matplotlib", "openvino_telemetry"}
print("unwanted:", sorted(unwanted & set(sys.modules)))
"""


@pytest.fixture
def run(tmp_path, make_package):
    make_package(tmp_path / "run" / "package", tile=(8, 8, 8))
    return tmp_path / "run"


@pytest.fixture
def scans(tmp_path, save_scan):
    folder = tmp_path / "scans"
    for seed, name in enumerate(("a", "b")):
        image = np.random.default_rng(seed).normal(size=(9, 10, 11)).astype(np.float32)
        save_scan(folder / f"{name}.nii.gz", image, np.diag([-1, -1, 1, 1]))
    return folder


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_scans_become_label_maps(run, scans, tmp_path, leanseg, engine):
    done = leanseg("predict", run, scans, "-o", tmp_path / "out", "--engine", engine)
    assert done.code == 0
    assert f"written: {tmp_path / 'out'} (2 label maps, {engine} " in done.out
    assert ", fp32, " in done.out
    assert sorted(path.name for path in (tmp_path / "out").glob("*.nii.gz")) == ["a.nii.gz", "b.nii.gz"]


def test_one_broken_scan_of_several_gives_exit_code_4(run, scans, tmp_path, leanseg):
    (scans / "b.nii.gz").write_bytes(b"")
    done = leanseg("predict", run, scans, "-o", tmp_path / "out")
    assert done.code == 4
    assert "(1 label map, " in done.out
    assert done.err.count("error: ") == 2  # the case's, and the command's
    assert "b.nii.gz: empty file" in done.err
    assert "1 of 2 cases failed: b" in done.err
    assert (tmp_path / "out" / "a.nii.gz").exists()


def test_when_no_case_is_left_the_input_is_refused(run, scans, tmp_path, leanseg):
    for path in scans.iterdir():
        path.write_bytes(b"not a scan")
    done = leanseg("predict", run, scans, "-o", tmp_path / "out")
    assert done.code == 2
    assert "all 2 cases failed: a, b" in done.err


def test_a_single_broken_scan_speaks_for_itself(run, scans, tmp_path, leanseg):
    (scans / "b.nii.gz").write_bytes(b"")
    done = leanseg("predict", run, scans / "b.nii.gz", "-o", tmp_path / "out")
    assert done.code == 2
    assert done.err.count("b.nii.gz: empty file") == 1
    assert done.err.count("fix: ") == 1
    assert not (tmp_path / "out").exists()


def test_json_tells_what_became_of_the_cases(run, scans, tmp_path, leanseg):
    (scans / "b.nii.gz").write_bytes(b"")
    done = leanseg("predict", run, scans, "-o", tmp_path / "out", "--json")
    summary = json.loads(done.out)
    assert done.code == 4
    assert summary["done"] == ["a"]
    assert summary["failed"][0]["case"] == "b"
    assert set(summary["failed"][0]) == {"case", "what", "why", "fix"}
    assert "error: 1 of 2 cases failed: b" in done.err


def test_a_corrupt_package_is_one_message(run, scans, tmp_path, leanseg):
    (run / "package" / "model.onnx").write_bytes(b"?")
    done = leanseg("predict", run, scans, "-o", tmp_path / "out")
    assert done.code == 2
    assert "model.onnx has 1 bytes instead of" in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--device", "cuda"], "--engine torch"),
        (["--nan", "inf"], "--nan 0"),
        (["--part", "3/2"], "--part 1/8"),
        (["--part", "3/3"], "at most 2 parts"),
        (["--resume", "--overwrite"], "leave out --resume or --overwrite"),
    ],
)
def test_options_that_make_no_sense_are_refused(run, scans, tmp_path, leanseg, options, said):
    done = leanseg("predict", run, scans, "-o", tmp_path / "out", *options)
    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / "out").exists()


def test_an_output_in_use_is_refused_without_overwrite(run, scans, tmp_path, leanseg):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    done = leanseg("predict", run, scans, "-o", tmp_path / "out")
    assert done.code == 2
    assert "--overwrite" in done.err
    assert leanseg("predict", run, scans, "-o", tmp_path / "out", "--overwrite").code == 0


def test_resuming_says_how_many_were_skipped_and_why_the_others_were_not(run, scans, tmp_path, leanseg):
    assert leanseg("predict", run, scans / "a.nii.gz", "-o", tmp_path / "out").code == 0
    done = leanseg("predict", run, scans, "-o", tmp_path / "out", "--resume")
    assert done.code == 0
    assert "skipped: 1 finished case\n" in done.out
    assert "predicted: 1 missing\n" in done.out
    assert "(1 label map, openvino" in done.out
    again = leanseg("predict", run, scans, "-o", tmp_path / "out", "--resume")
    assert "skipped: 2 finished cases\n" in again.out
    assert "(0 label maps, openvino" in again.out
    found = json.loads(leanseg("predict", run, scans, "-o", tmp_path / "out", "--resume", "--json").out)
    assert (found["skipped"], found["done"], found["anew"]) == (["a", "b"], [], {})


def test_a_case_that_fails_among_finished_ones_gives_exit_code_4(run, scans, tmp_path, leanseg):
    assert leanseg("predict", run, scans / "a.nii.gz", "-o", tmp_path / "out").code == 0
    (scans / "b.nii.gz").write_bytes(b"")
    done = leanseg("predict", run, scans, "-o", tmp_path / "out", "--resume")
    assert done.code == 4
    assert "1 of 2 cases failed: b" in done.err


def test_two_parts_fill_one_folder(run, scans, tmp_path, leanseg):
    for number in (1, 2):
        done = leanseg("predict", run, scans, "-o", tmp_path / "out", "--part", f"{number}/2")
        assert (done.code, "(1 label map, " in done.out) == (0, True)
    assert sorted(path.name for path in (tmp_path / "out").glob("*.nii.gz")) == ["a.nii.gz", "b.nii.gz"]


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to one process")
def test_ctrl_c_ends_at_once_and_the_rest_can_be_done_later(run, scans, tmp_path, save_scan):
    for number in range(150):
        image = np.random.default_rng(number).normal(size=(40, 40, 40)).astype(np.float32)
        save_scan(scans / f"c{number:03}.nii.gz", image, np.eye(4))
    out = tmp_path / "out"
    command = [sys.executable, "-c", "from leanseg.cli import main; main()", "predict", str(run), str(scans)]
    with subprocess.Popen([*command, "-o", str(out)], stderr=subprocess.PIPE, text=True) as process:
        while not (out / "c000.nii.gz").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.endswith("stopped by you\n")
    names = {path.name for path in out.iterdir()}
    maps = {name.removesuffix(".nii.gz") for name in names if name.endswith(".nii.gz")}
    assert {"a", "b", "c000"} <= maps < {path.name.removesuffix(".nii.gz") for path in scans.iterdir()}
    assert names == {f"{name}{suffix}" for name in maps for suffix in (".nii.gz", ".json")}


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"}, reason="needs Linux's seccomp"
)
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_nothing_phones_home_and_torch_is_never_imported(run, scans, tmp_path, engine):
    options = ["predict", str(run), str(scans), "-o", str(tmp_path / "out"), "--engine", engine]
    done = subprocess.run(
        [sys.executable, "-c", SEALED + RUN, *options], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    if done.returncode == 77:
        pytest.skip("this kernel does not let a process seal itself")
    assert done.returncode == 0, done.stderr
    assert "unwanted: []" in done.stdout
    assert len(list((tmp_path / "out").glob("*.nii.gz"))) == 2


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"}, reason="needs Linux's seccomp"
)
def test_the_seal_holds_for_native_code_too():
    script = SEALED + "\nctypes.CDLL(None).socket(2, 1, 0)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    if done.returncode == 77:
        pytest.skip("this kernel does not let a process seal itself")
    assert done.returncode == -31  # SIGSYS
