"""The code blocks of a page."""

import re


def code_blocks(markdown: str, language: str) -> list[str]:
    """Return the fenced blocks of `language` in order, without their fences."""
    return re.findall(rf"^```{language}(?: [^\n]*)?\n(.*?)^```$", markdown, flags=re.DOTALL | re.MULTILINE)
