"""What the README shows must be so."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("snippet", re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
def test_python_in_the_readme_runs(snippet):
    exec(compile(snippet, "README.md", "exec"), {})


def test_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    assert not [link for link in links if not (ROOT / link).exists()]


def test_commands_of_the_readme_exist():
    from leanseg.cli import COMMANDS

    named = set(re.findall(r"^(?:\$ )?leanseg ([a-z]+)", README, flags=re.MULTILINE))
    assert {"check", "plan", "train", "predict", "evaluate"} <= named <= set(COMMANDS)
