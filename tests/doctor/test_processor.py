"""What a processor means for training and predicting."""

from pathlib import Path

import pytest

from leanseg.doctor.findings import Status
from leanseg.doctor.processor import arithmetic, core_count, model, processor
from leanseg.inference.engines.instruction_sets import from_cpuinfo, from_numpy, from_sysctl

MACHINES = Path(__file__).parent / "machines"


def found(machine):
    text = (MACHINES / machine).read_text()
    return from_cpuinfo(text) if machine.endswith("cpuinfo") else from_sysctl(text)


@pytest.mark.parametrize(
    ("machine", "fp32", "bf16", "int8"),
    [
        ("sapphire_rapids.cpuinfo", "AVX-512, AVX2", "AMX, AVX512-BF16", "VNNI"),
        ("zen3.cpuinfo", "AVX2", "none", "none"),
        ("zen5.cpuinfo", "AVX-512, AVX2", "AVX512-BF16", "VNNI"),
        ("graviton3.cpuinfo", "SVE, NEON", "BF16", "I8MM"),
        ("apple_m1.sysctl", "NEON", "none", "none"),
    ],
)
def test_each_number_format_names_the_instructions_for_it(machine, fp32, bf16, int8):
    findings = arithmetic(found(machine))
    assert [finding.value for finding in findings] == [fp32, bf16, int8]
    assert {finding.status for finding in findings} == {Status.GOOD}


def test_without_avx2_there_is_something_to_do():
    fp32, *others = arithmetic(found("qemu64.cpuinfo"))
    assert (fp32.value, fp32.status) == ("without AVX2", Status.NOTE)
    assert "-cpu host" in fp32.fix
    assert {finding.status for finding in others} == {Status.GOOD}


def test_a_translated_python_has_one_advice():
    translated = found("apple_m1_translated.sysctl")
    fp32 = arithmetic(translated)[0]
    assert fp32.value == "without AVX2"
    assert fp32.fix == model(translated).fix


def test_what_cannot_be_told_is_neither_there_nor_absent():
    fp32, bf16, int8 = arithmetic(from_numpy({"AVX2": True, "AVX512BF16": False, "AVX512VNNI": False}, "", "AMD64"))
    assert (fp32.value, bf16.value, int8.value) == ("AVX2", "unknown", "none")  # AMX may be there
    assert [finding.value for finding in arithmetic(from_cpuinfo(""))] == ["unknown"] * 3
    assert arithmetic(from_numpy({}, "", "AMD64"))[0].value == "unknown"


def test_a_translated_python_is_slow():
    finding = model(found("apple_m1_translated.sysctl"))
    assert finding.status is Status.NOTE
    assert finding.facts["translated"]


@pytest.mark.parametrize(("usable", "present", "status"), [(2, 2, "good"), (2, 64, "note"), (1, 1, "good")])
def test_fewer_cores_than_the_machine_has_are_worth_a_note(usable, present, status):
    finding = core_count(usable, present)
    assert finding.status == status
    assert finding.facts == {"usable": usable, "present": present}


def test_this_machine_has_a_processor_with_cores():
    findings = {finding.name: finding for finding in processor()}
    assert set(findings) == {"model", "cores", "fp32 arithmetic", "bf16 arithmetic", "int8 arithmetic"}
    assert findings["cores"].facts["usable"] >= 1
