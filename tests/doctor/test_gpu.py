"""What a driver and torch tell about GPUs, together."""

import os
import stat
from pathlib import Path

import pytest

from leanseg.doctor.attempts import Attempt, End
from leanseg.doctor.gpu import Driver, ask_driver, gpu, gpu_findings, read_driver

MACHINES = Path(__file__).parent / "machines"
MIB = 2**20
H200 = {"model": "NVIDIA H200", "free_bytes": 140 * 10**9, "total_bytes": 150 * 10**9}


def driver(machine, *, failed=False):
    return read_driver((MACHINES / f"{machine}.nvidia_smi").read_text(), failed=failed)


@pytest.fixture
def computing(sound):
    """A function that gives torch with CUDA and these devices; named steps replace its own."""

    def attempt(*devices, end=End.WELL, detail="", **changed):
        steps = {
            "loaded": {"version": "2.9.1+cu126", "precision": "fp32", "cuda_build": "12.6"},
            "cuda": {"devices": list(devices), "reason": ""},
            "cuda_computed": {"difference": 4e-7},
            "cuda_bf16": {"difference": 0.006},
            **changed,
        }
        return sound(end, detail, **steps)

    return attempt


def only(findings):
    (finding,) = findings
    return finding


def test_a_card_is_read_with_driver_and_memory():
    (card,) = driver("h200").cards
    assert (card.name, card.driver) == ("NVIDIA H200", "570.133.20")
    assert (card.total_bytes, card.free_bytes) == (143771 * MIB, 143158 * MIB)


def test_several_cards_are_read():
    assert [card.name for card in driver("two_cards").cards] == ["NVIDIA GeForce RTX 3090", "Tesla T4"]


def test_memory_that_is_not_told_is_unknown():
    (card,) = driver("mig").cards
    assert (card.total_bytes, card.free_bytes) == (81920 * MIB, None)


@pytest.mark.parametrize("machine", ["no_driver", "mismatch", "no_devices"])
@pytest.mark.parametrize("failed", [True, False])
def test_a_complaint_of_nvidia_smi_is_no_card(machine, failed):
    found = driver(machine, failed=failed)
    assert found.cards == ()
    assert found.failure in (MACHINES / f"{machine}.nvidia_smi").read_text().replace("\n", " ")
    assert found.failure


def test_no_gpu_at_all_leaves_nothing_to_do(sound):
    finding = only(gpu_findings(None, sound(), None))
    assert (finding.status, finding.value) == ("good", "none found")


def test_a_driver_that_does_not_answer_is_a_note(sound):
    finding = only(gpu_findings(driver("no_driver", failed=True), sound(), None))
    assert finding.status == "note"
    assert "couldn't communicate" in finding.value


def test_a_gpu_with_a_torch_for_cpus_names_what_to_install(sound):
    finding = only(gpu_findings(driver("h200"), sound(), None))
    assert finding.status == "note"
    assert "NVIDIA H200" in finding.value
    assert "a build for CPUs" in finding.meaning
    assert "https://pytorch.org/get-started/locally" in finding.fix


def test_a_gpu_without_torch_needs_the_training_part():
    missing = Attempt({"failed": {"error": "", "missing": "torch"}}, End.MISSING)
    assert ".[train]" in only(gpu_findings(driver("h200"), missing, None)).fix


def test_a_torch_without_something_that_it_needs_is_not_called_absent():
    missing = Attempt({"failed": {"error": "", "missing": "sympy"}}, End.MISSING)
    finding = only(gpu_findings(driver("h200"), missing, None))
    assert "not installed" not in finding.meaning
    assert "engines" in finding.fix


def test_a_gpu_with_a_broken_torch_refers_to_torch():
    assert "engines" in only(gpu_findings(driver("h200"), Attempt({}, End.CRASHED, "crashed"), None)).fix


def test_a_driver_too_old_for_torch_is_told_in_torchs_words(computing):
    torch = computing(cuda={"devices": [], "reason": "the NVIDIA driver on your system is too old"})
    finding = only(gpu_findings(driver("h200"), torch, None))
    assert "built for CUDA 12.6" in finding.meaning
    assert "too old" in finding.meaning
    assert "update NVIDIA's driver" in finding.fix


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_gpu_that_is_hidden_by_a_variable_is_told_so(computing, hidden):
    torch = computing(cuda={"devices": [], "reason": ""})
    assert only(gpu_findings(driver("h200"), torch, hidden)).fix == "unset CUDA_VISIBLE_DEVICES"


def test_a_gpu_that_computes_is_told_with_its_free_memory(computing):
    working, memory = gpu_findings(driver("h200"), computing(H200), None)
    assert working.status == memory.status == "good"
    assert working.facts["works"]
    assert (memory.name, memory.value) == ("GPU 0", "NVIDIA H200, 140 GB of 150 GB free")


def test_two_cards_of_one_model_are_told_apart(computing):
    assert [finding.name for finding in gpu_findings(None, computing(H200, H200), None)[1:]] == ["GPU 0", "GPU 1"]


def test_a_gpu_that_others_use_is_a_note(computing):
    _, memory = gpu_findings(None, computing({**H200, "free_bytes": 10 * 10**9}), None)
    assert memory.status == "note"
    assert memory.facts["free_bytes"] == 10 * 10**9


@pytest.mark.parametrize(
    ("free", "visible", "advice"),
    [
        ((10,), None, ["close them"]),
        ((10, 20), None, ["close them", "close them"]),
        ((10, 100, 140), None, ["close them, or choose GPU 2: CUDA_VISIBLE_DEVICES=2", "", ""]),
        ((140, 10), "", ["", "close them, or choose GPU 0: CUDA_VISIBLE_DEVICES=0"]),
        ((10, 140), "5, 3", ["close them, or choose GPU 1: CUDA_VISIBLE_DEVICES=3", ""]),
        ((10, 140), "GPU-1f,GPU-2e", ["close them, or choose GPU 1: CUDA_VISIBLE_DEVICES=GPU-2e", ""]),
    ],
)
def test_another_gpu_is_advised_only_where_one_has_room(computing, free, visible, advice):
    cards = [{**H200, "free_bytes": each * 10**9} for each in free]
    assert [finding.fix for finding in gpu_findings(None, computing(*cards), visible)[1:]] == advice


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"cuda_computed": None, "cuda_bf16": None, "detail": "RuntimeError: no kernel image"}, "no kernel image"),
        ({"cuda_computed": {"difference": 0.5}}, "wrong scores"),
        ({"cuda_bf16": {"difference": float("inf")}}, "wrong scores"),
        ({"cuda_bf16": None, "detail": "crashed (SIGSEGV)"}, "SIGSEGV"),
    ],
)
def test_a_gpu_that_fails_at_the_tile_is_a_problem(computing, changed, words):
    finding = gpu_findings(driver("h200"), computing(H200, end=End.ERROR, **changed), None)[0]
    assert finding.status == "problem"
    assert words in finding.value
    assert "--device cpu" in finding.fix


def test_a_torch_that_dies_when_it_looks_for_a_gpu_is_told(computing):
    changed = {"cuda": None, "cuda_computed": None, "cuda_bf16": None}
    finding = only(gpu_findings(None, computing(end=End.CRASHED, detail="crashed (SIGSEGV)", **changed), None))
    assert (finding.status, finding.value) == ("note", "crashed (SIGSEGV)")


def test_apples_gpu_is_named(sound):
    assert gpu(sound(mps={"available": True}))[-1].name == "Apple GPU (MPS)"
    assert "Apple GPU (MPS)" not in [finding.name for finding in gpu(sound(mps={"available": False}))]


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """A function that makes a program nvidia-smi which is a shell script, the only one there is."""

    def make(script):
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    monkeypatch.setenv("PATH", str(tmp_path))
    return make


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_the_driver_is_asked_for_four_facts_of_each_card(nvidia_smi):
    nvidia_smi(
        'test "$1" = --query-gpu=name,driver_version,memory.total,memory.free || exit 2\n'
        'test "$2" = --format=csv,noheader,nounits || exit 2\n'
        f"exec /bin/cat {MACHINES / 'h200.nvidia_smi'}"
    )
    assert ask_driver() == driver("h200")


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_a_driver_that_fails_or_hangs_is_given_up(nvidia_smi, monkeypatch):
    nvidia_smi("echo 'No devices were found'; exit 6")
    assert ask_driver() == Driver(failure="No devices were found")
    monkeypatch.setattr("leanseg.doctor.gpu._PATIENCE", 0.5)
    nvidia_smi("exec /bin/sleep 30")
    assert "did not answer" in ask_driver().failure


def test_without_nvidia_smi_there_is_no_driver(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ask_driver() is None
