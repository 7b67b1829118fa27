"""What the model card says of tuning."""

from typing import Any

from leanseg.evaluation.tuning.table import COLUMNS, cores_of, rows

HEADING = "## Tuned"


def with_tuning(card: str, record: dict[str, Any]) -> str:
    """Return the `card` with a section on what was measured, in the place of an older one at its end."""
    kept = card.partition(f"\n{HEADING}\n")[0].rstrip("\n")
    gate = "against the references" if record["labelled"] else "label agreement only, as there were no references"
    lines = [
        "",
        HEADING,
        "",
        f"On {record['date']}, {record['cases']} cases, {cores_of(record)}.",
        f"{record['engine']} {record['precision']} was chosen ({gate}; Dice loss at most {record['max_loss']:g}).",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'---|' * len(COLUMNS)}",
        *(f"| {' | '.join(row)} |" for row in rows(record)),
    ]
    return "\n".join([kept, *lines, ""])
