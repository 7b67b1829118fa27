"""leanseg doctor: what this machine offers, and whether leanseg works on it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING

import typer

from leanseg.cli.options import JsonOption

if TYPE_CHECKING:
    from leanseg.doctor import Finding


def doctor(as_json: JsonOption = False) -> None:
    """Examine this machine: what works, and what to do.

    Versions, cores, memory, instructions, a small network through each engine, GPU, disks. Good: nothing to do.
    Note: leanseg works but could do better. Problem: a part of leanseg does not work; exit code 4 then, 2 if no
    engine works. Nothing is sent anywhere; 128 MiB are written to the cache folder for a moment.

    Example: leanseg doctor
    """
    from leanseg.cli.console import progress_bars, show_json
    from leanseg.cli.failures import tell
    from leanseg.doctor import examine, verdict

    with progress_bars() as progress:
        findings = examine(progress)
    failed = verdict(findings)
    if as_json:
        show_json(
            {
                "exit_code": failed.exit_code if failed else 0,
                "counts": _counts(findings),
                "findings": [asdict(finding) for finding in findings],
            }
        )
    else:
        _show(findings)
    if failed:
        # Told, not raised: with --json the findings are what was printed, and a second document would break it.
        tell(failed)
        raise SystemExit(failed.exit_code)


def _show(findings: "Sequence[Finding]") -> None:
    from leanseg.cli.console import table

    for area, members in groupby(findings, key=lambda finding: finding.area):
        rows = [(finding.status, finding.name, finding.value, _advice(finding)) for finding in members]
        table(("", area, "found", "what it means"), rows)
    counts = _counts(findings)
    works = "leanseg does not work here as it should" if counts["problem"] else "leanseg works here"
    typer.echo(
        f"{works}: {counts['good']} good, {_count(counts['note'], 'note')}, {_count(counts['problem'], 'problem')}"
    )


def _advice(finding: "Finding") -> str:
    return f"{finding.meaning}\nfix: {finding.fix}" if finding.fix else finding.meaning


def _counts(findings: "Sequence[Finding]") -> dict[str, int]:
    from leanseg.doctor import Status

    found = Counter(finding.status for finding in findings)
    return {status.value: found[status] for status in Status}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
