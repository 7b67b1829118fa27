"""Which instructions of interest a processor has, read from what each operating system tells.

Sources: arch/x86/include/asm/cpufeatures.h and arch/arm64/kernel/cpuinfo.c of Linux for the names in /proc/cpuinfo,
Arm's list of part numbers (MIDR_EL1) for ARM processors, Apple's "Determining instruction set characteristics" for
sysctl, and the CPU features of numpy elsewhere.
"""

import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_PATIENCE = 5.0  # seconds for sysctl

# Ours -> any of the names under which the flag stands.
_LINUX = {
    "AVX2": {"avx2"},
    "AVX-512": {"avx512f"},
    "AVX512-BF16": {"avx512_bf16"},
    "AMX": {"amx_bf16"},
    "VNNI": {"avx512_vnni", "avx_vnni"},
    "NEON": {"asimd", "neon"},
    "SVE": {"sve"},
    "BF16": {"bf16"},
    "I8MM": {"i8mm"},
}
# Words of machdep.cpu.leaf7_features on Intel, names of switches that are 1 on Apple's own; no Mac has the others.
_SYSCTL: dict[str, set[str]] = {
    "AVX2": {"AVX2"},
    "AVX-512": {"AVX512F"},
    "AVX512-BF16": set(),
    "AMX": set(),
    "VNNI": {"AVX512VNNI"},
    "NEON": {"hw.optional.neon", "hw.optional.AdvSIMD"},
    "SVE": set(),
    "BF16": {"hw.optional.arm.FEAT_BF16"},
    "I8MM": {"hw.optional.arm.FEAT_I8MM"},
}
_NUMPY = {
    "AVX2": "AVX2",
    "AVX-512": "AVX512F",
    "AVX512-BF16": "AVX512BF16",
    "VNNI": "AVX512VNNI",
    "NEON": "NEON",
    "SVE": "SVE",
}
_OF_X86 = ("AVX2", "AVX-512", "AVX512-BF16", "AMX", "VNNI")
_OF_ARM = ("NEON", "SVE", "BF16", "I8MM")
_ARM_PARTS = {
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse N1",
    ("0x41", "0xd40"): "Neoverse V1",
    ("0x41", "0xd49"): "Neoverse N2",
    ("0x41", "0xd4f"): "Neoverse V2",
    ("0xc0", "0xac3"): "Ampere-1",
}


@dataclass(frozen=True)
class Processor:
    """A processor. sets: per instruction set of its family whether it has it, None where that cannot be told.

    translated: this process was built for another processor and is translated (Rosetta).
    """

    name: str
    sets: Mapping[str, bool | None]
    translated: bool = False

    @property
    def is_arm(self) -> bool:
        """Tell whether it is one of ARM's family."""
        return "NEON" in self.sets

    @property
    def present(self) -> list[str]:
        """The instruction sets that are there for sure."""
        return [name for name, there in self.sets.items() if there]


def this_processor() -> Processor:
    """Return the processor of this machine, as well as its operating system tells."""
    if _CPUINFO.exists():
        return from_cpuinfo(_CPUINFO.read_text(encoding="utf-8", errors="replace"))
    if sys.platform == "darwin":
        return from_sysctl(_sysctl())
    return from_numpy(_numpy_features(), platform.processor(), platform.machine())


def has_bf16(found: Processor) -> bool:
    """Tell whether `found` multiplies bf16 numbers by instructions of its own."""
    return not {"AMX", "AVX512-BF16", "BF16"}.isdisjoint(found.present)


def from_cpuinfo(text: str) -> Processor:
    """Return the processor that Linux describes in `text`, the content of /proc/cpuinfo.

    Cores may differ; what one of them lacks the processor does not have, for a program may run on any.
    """
    fields: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), []).append(value.strip())
    flags = [set(line.split()) for line in fields.get("flags", []) + fields.get("Features", [])]
    common = set.intersection(*flags) if flags else set()
    names = _OF_X86 if "flags" in fields else _OF_ARM if "Features" in fields else ()
    return Processor(_linux_name(fields), {name: bool(_LINUX[name] & common) for name in names})


def from_sysctl(text: str) -> Processor:
    """Return the processor that macOS describes in `text`, the answer of `_sysctl`."""
    fields = dict(re.findall(r"^([\w.]+): (.*)$", text, flags=re.MULTILINE))
    if not fields:
        return Processor("unknown", {})
    translated = fields.get("sysctl.proc_translated") == "1"
    name = fields.get("machdep.cpu.brand_string", "unknown")
    names = _OF_ARM if name.startswith("Apple") and not translated else _OF_X86
    yes = {key for key, value in fields.items() if value == "1"}
    yes |= set(fields.get("machdep.cpu.leaf7_features", "").split())
    return Processor(name, {each: bool(_SYSCTL[each] & yes) for each in names}, translated)


def from_numpy(features: Mapping[str, bool], name: str, machine: str) -> Processor:
    """Return the processor that numpy describes: `features` by its own names. It does not know AMX and more."""
    names = _OF_ARM if machine.lower() in {"arm64", "aarch64"} else _OF_X86
    known = {each: features.get(_NUMPY[each]) if each in _NUMPY else None for each in names}
    return Processor(name or machine or "unknown", known)


def _numpy_features() -> Mapping[str, bool]:
    try:
        from numpy._core._multiarray_umath import __cpu_features__  # type: ignore[import-not-found]
    except ImportError:  # it is no part of numpy's interface
        return {}
    features: dict[str, bool] = __cpu_features__
    return features


def _linux_name(fields: Mapping[str, list[str]]) -> str:
    if "model name" in fields:
        return fields["model name"][0]
    pairs = zip(fields.get("CPU implementer", []), fields.get("CPU part", []), strict=False)
    kinds = [_ARM_PARTS.get(pair, f"ARM implementer {pair[0]} part {pair[1]}") for pair in dict.fromkeys(pairs)]
    return " and ".join(kinds) or platform.machine() or "unknown"


def _sysctl() -> str:
    command = ["/usr/sbin/sysctl", "machdep.cpu", "hw.optional", "sysctl.proc_translated"]
    try:
        # Not all names exist on every Mac: those that do are told all the same.
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
