"""What the channels of a scan are called: {"0": "FLAIR", "1": "T1Gd"} in both dataset.json dialects."""

from pathlib import Path

from leanseg.datasets.documents import DocumentError


def channel_names(document: Path, key: str, names: dict[str, str]) -> tuple[str, ...]:
    """Return the names in the order of their numbers. Raises DocumentError unless these are 0, 1, 2, ..."""
    if not names:
        raise DocumentError(document, key, "names no channel", f'write for example {{"{key}": {{"0": "MRI"}}}}')
    ordered = tuple(names.get(str(number), "") for number in range(len(names)))
    if not all(name.strip() and name.isprintable() for name in ordered):
        reason = f"has the channels {', '.join(map(repr, list(names)[:5]))}"
        raise DocumentError(document, key, reason, 'number them "0", "1", "2", ... and give each a name')
    return ordered
