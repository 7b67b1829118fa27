"""The table of candidates, as text."""

from typing import Any

from leanseg.plans import show_bytes

COLUMNS = (
    "engine", "precision", "threads", "tile", "s/case", "speedup", "peak", "agreement", "Dice", "loss", "95 % bound",
    "verdict",
)  # fmt: skip


def cores_of(record: dict[str, Any]) -> str:
    """Return on what the figures were measured."""
    return f"{record['cores']} core{'s' * (record['cores'] != 1)} of {record['processor']}"


def rows(record: dict[str, Any]) -> list[list[str]]:
    """Return one row per candidate of the record of a tuning, in the order in which they were measured."""
    chosen = tuple(record[key] for key in ("engine", "precision", "threads", "tile"))
    return [_row(one, chosen) for one in record["table"]]


def _row(one: dict[str, Any], chosen: tuple[Any, ...]) -> list[str]:
    named = tuple(one[key] for key in ("engine", "precision", "threads", "tile"))
    verdict = "chosen" if named == chosen else "passes" if one["passed"] else one["reason"]
    return [
        *map(str, named[:3]),
        " x ".join(map(str, one["tile"])),
        _number(one["seconds_per_case"], "{:.3f}"),
        _number(one["speedup"], "{:.2f}x"),
        show_bytes(one["peak_rss_bytes"]) if one["peak_rss_bytes"] else "-",
        _number(one["agreement"], "{:.4f}"),
        _number(one["dice"], "{:.4f}"),
        _number(one["loss"], "{:+.5f}"),
        _number(one["loss_bound"], "{:+.5f}"),
        verdict,
    ]


def _number(value: float | None, style: str) -> str:
    return "-" if value is None else style.format(value)
