"""What the processor's instructions and cores mean for training and predicting."""

import os

from leanseg.doctor.findings import Finding, good, note
from leanseg.inference.engines.instruction_sets import Processor, this_processor
from leanseg.machine import cores

AREA = "processor"

_NATIVE_PYTHON = "install Python for Apple silicon (arm64), and leanseg anew with it"


def processor() -> list[Finding]:
    """Return what the processor is, how many of its cores may be used, and which number formats it computes fast."""
    found = this_processor()
    return [model(found), core_count(cores(), os.cpu_count() or 1), *arithmetic(found)]


def core_count(usable: int, present: int) -> Finding:
    """Return what it means that this process may use `usable` of the `present` cores of the machine."""
    facts = {"usable": usable, "present": present}
    if usable >= present:
        return good(
            AREA, "cores", f"{usable}", "engines and training use all of them; predict --threads takes fewer", **facts
        )
    return note(
        AREA,
        "cores",
        f"{usable} of the machine's {present}",
        "a container, a batch system or an affinity keeps this process from the others; leanseg uses what it may",
        "if that is not intended: docker run --cpus, --cpus-per-task of SLURM, or taskset",
        **facts,
    )


def arithmetic(found: Processor) -> list[Finding]:
    """Return one finding for each number format that leanseg or its engines know: fp32, bf16 and int8."""
    return [_fp32(found), _bf16(found), _int8(found)]


def model(found: Processor) -> Finding:
    """Return what processor it is, and whether this process is at home on it."""
    facts = {"model": found.name, "translated": found.translated, "instruction_sets": dict(found.sets)}
    if found.translated:
        return note(
            AREA,
            "model",
            f"{found.name}, translated",
            "this Python was built for Intel processors, and every instruction is translated: slow",
            _NATIVE_PYTHON,
            **facts,
        )
    return good(AREA, "model", found.name, "leanseg plan measures its speed; no table of processors is used", **facts)


def _fp32(found: Processor) -> Finding:
    name = "fp32 arithmetic"
    vectors = [each for each in ("AVX-512", "AVX2", "SVE", "NEON") if found.sets.get(each)]
    if vectors:
        return good(AREA, name, ", ".join(vectors), "what predicting computes in, whatever else the processor can do")
    if found.sets.get("AVX2") is None:
        return good(AREA, name, "unknown", "the operating system does not tell; the engines find out for themselves")
    return note(
        AREA,
        name,
        "without AVX2",
        "the engines compute fewer numbers at a time than with it, so that predicting and training take longer",
        _NATIVE_PYTHON
        if found.translated
        else "in a virtual machine let it see the host's processor (QEMU: -cpu host); else use another machine",
    )


def _bf16(found: Processor) -> Finding:
    name = "bf16 arithmetic"
    sets = [each for each in ("AMX", "AVX512-BF16", "BF16") if found.sets.get(each)]
    if sets:
        return good(
            AREA,
            name,
            ", ".join(sets),
            "training may be faster in it, which leanseg measures; predicting too, once leanseg tune found it good",
        )
    return good(
        AREA, name, _absent(found, "AMX", "AVX512-BF16", "BF16"), "training computes in fp32, as predicting does"
    )


def _int8(found: Processor) -> Finding:
    sets = [each for each in ("VNNI", "I8MM") if found.sets.get(each)]
    value = ", ".join(sets) or _absent(found, "VNNI", "I8MM")
    return good(AREA, "int8 arithmetic", value, "used by packages that leanseg tune has quantised")


def _absent(found: Processor, *names: str) -> str:
    """Return "none", or "unknown" where the operating system does not tell about one of `names`."""
    known = [found.sets[name] for name in names if name in found.sets]
    return "none" if known and None not in known else "unknown"
