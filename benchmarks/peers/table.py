"""A contest as a table in the terminal."""

from typing import Any

_WIDTHS = (26, 10, 11, 14, 14, 14)


def table(found: dict[str, Any]) -> str:
    """Return the rows of a contest, its fastest turns, with a note for each that was not run in full."""
    from peers.contest import REFERENCE

    machine = found["machine"]
    rows = found["rows"]
    reference = rows[REFERENCE].get("seconds")
    what = f"{found['case']}: {found['network']['name']}, {found['outputs']} classes, tile {_by(found['tile'])}"
    lines = [
        "",
        f"{what}, {found['settings']['threads']} threads; {found['date']}, {machine['processor']}",
        _line(("", "seconds", "times", "processor s", "peak memory", "same labels")),
    ]
    notes = []
    for row, figures in rows.items():
        if "problem" in figures:
            lines.append(_line((row, figures["problem"])))
            continue
        if not figures:
            continue
        mark = "*" if figures["extrapolated"] else ""
        ratio = f"{figures['seconds'] / reference:.2f} x" if reference else ""
        agreement = figures.get("label_agreement")
        lines.append(
            _line(
                (
                    row,
                    f"{mark}{figures['seconds']:.1f}",
                    ratio,
                    f"{figures['cpu_seconds']:.1f}",
                    f"{figures['peak_rss_bytes'] / 1e9:.2f} GB",
                    "" if agreement is None else f"{agreement:.4%}",
                )
            )
        )
        if mark:
            notes.append(f"* {row}: {'; '.join(figures['basis'])}; {figures['measured_seconds']:.1f} s were run")
    return "\n".join([*lines, *notes])


def _line(cells: tuple[str, ...]) -> str:
    first, *others = cells
    rest = zip(others, _WIDTHS[1:], strict=False)
    return f"{first:<{_WIDTHS[0]}}" + "".join(f"{cell:>{width}}" for cell, width in rest)


def _by(sizes: list[int]) -> str:
    return " x ".join(map(str, sizes))
