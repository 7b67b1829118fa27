"""Processors as their operating systems describe them, in the stored words of several machines."""

import platform
from pathlib import Path

import pytest

from leanseg.inference.engines import instruction_sets
from leanseg.inference.engines.instruction_sets import from_cpuinfo, from_numpy, from_sysctl, this_processor

OF_X86 = {"AVX2", "AVX-512", "AVX512-BF16", "AMX", "VNNI"}
OF_ARM = {"NEON", "SVE", "BF16", "I8MM"}
MACHINES = Path(__file__).parents[1] / "doctor" / "machines"


@pytest.mark.parametrize(
    ("machine", "name", "present"),
    [
        ("sapphire_rapids", "Platinum 8481C", {"AVX2", "AVX-512", "AVX512-BF16", "AMX", "VNNI"}),
        ("skylake_server", "Xeon(R) CPU @ 2.00GHz", {"AVX2", "AVX-512"}),
        ("alder_lake", "i7-1260P", {"AVX2", "VNNI"}),
        ("zen3", "EPYC 7763", {"AVX2"}),
        ("zen4", "EPYC 9R14", {"AVX2", "AVX-512", "AVX512-BF16", "VNNI"}),
        ("zen5", "Ryzen 9 9950X", {"AVX2", "AVX-512", "AVX512-BF16", "VNNI"}),
        ("qemu64", "QEMU Virtual CPU", set()),
        ("graviton2", "Neoverse N1", {"NEON"}),
        ("graviton3", "Neoverse V1", {"NEON", "SVE", "BF16", "I8MM"}),
    ],
)
def test_linux_tells_what_a_processor_has(machine, name, present):
    found = from_cpuinfo((MACHINES / f"{machine}.cpuinfo").read_text())
    assert name in found.name
    assert {each for each, there in found.sets.items() if there} == present
    assert None not in found.sets.values()
    assert set(found.sets) == (OF_ARM if "NEON" in present else OF_X86)


def test_what_one_kind_of_core_lacks_the_processor_lacks():
    found = from_cpuinfo((MACHINES / "big_little.cpuinfo").read_text())
    assert found.name == "Cortex-A76 and Cortex-A72"
    assert found.sets == {"NEON": True, "SVE": False, "BF16": False, "I8MM": False}


def test_an_unknown_arm_processor_is_named_by_its_numbers():
    text = "processor : 0\nFeatures : fp asimd\nCPU implementer : 0x99\nCPU part : 0x123\n"
    assert from_cpuinfo(text).name == "ARM implementer 0x99 part 0x123"


@pytest.mark.parametrize("text", ["", "processor : 0\nhart : 0\nisa : rv64imafdc\n"])
def test_another_family_has_no_sets_that_are_known(text):
    found = from_cpuinfo(text)
    assert found.name == platform.machine()
    assert found.sets == {}


@pytest.mark.parametrize(
    ("machine", "name", "present", "translated"),
    [
        ("apple_m1", "Apple M1", {"NEON"}, False),
        ("apple_m2", "Apple M2", {"NEON", "BF16", "I8MM"}, False),
        ("apple_m1_translated", "Apple M1", set(), True),
        ("intel_mac", "Intel(R) Core(TM) i5-1038NG7 CPU @ 2.00GHz", {"AVX2", "AVX-512", "VNNI"}, False),
    ],
)
def test_macos_tells_what_a_processor_has(machine, name, present, translated):
    found = from_sysctl((MACHINES / f"{machine}.sysctl").read_text())
    assert found.name == name
    assert {each for each, there in found.sets.items() if there} == present
    assert found.translated == translated


def test_a_mac_that_says_nothing_has_no_sets_that_are_known():
    assert from_sysctl("").name == "unknown"
    assert from_sysctl("").sets == {}


def test_what_numpy_does_not_know_stays_unknown():
    found = from_numpy({"AVX2": True, "AVX512F": False}, "Intel64 Family 6 Model 154", "AMD64")
    assert found.sets == {"AVX2": True, "AVX-512": False, "AVX512-BF16": None, "AMX": None, "VNNI": None}
    found = from_numpy({"NEON": True, "SVE": False}, "", "ARM64")
    assert found.name == "ARM64"
    assert found.sets == {"NEON": True, "SVE": False, "BF16": None, "I8MM": None}


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="only Linux has two witnesses")
def test_numpy_and_linux_agree_on_this_processor(monkeypatch):
    told = this_processor()
    monkeypatch.setattr(instruction_sets, "_CPUINFO", Path("/no/such/file"))
    witness = this_processor().sets
    known = {name for name, there in witness.items() if there is not None}
    assert known
    assert {name: told.sets[name] for name in known} == {name: witness[name] for name in known}
