"""Everything in the pages and in the README that can be run, is; every command and option they name exists."""

import contextlib
import io
import json
import re
import shlex

import pytest
import typer

import leanseg
from leanseg.cli import COMMANDS, _application
from leanseg.datasets import Splits, open_dataset
from leanseg_docs.places import DOCS, RECORDED, ROOT
from leanseg_docs.recordings import read_recording
from leanseg_docs.snippets import code_blocks

README = ROOT / "README.md"
PAGES = [README, *sorted(path for path in DOCS.rglob("*.md"))]
WITH_PYTHON = [page for page in PAGES if code_blocks(page.read_text(encoding="utf-8"), "python")]


def name_of(page):
    return str(page.relative_to(ROOT))


@pytest.fixture
def short_training(monkeypatch):
    """Training for three steps, whatever a page says: what it shows takes minutes."""
    train = leanseg.train

    def for_three_steps(dataset, **options):
        return train(dataset, **{**options, "minutes": None, "steps": 3})

    monkeypatch.setattr(leanseg, "train", for_three_steps)


@pytest.fixture
def same_networks():
    """The registry of networks, as it was before."""
    from leanseg.learning.networks import registry

    before = dict(registry._registered)
    yield
    registry._registered.clear()
    registry._registered.update(before)


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_PYTHON, ids=name_of)
def test_the_python_of_a_page_runs(page, request, short_training, same_networks):
    request.getfixturevalue("scratch" if page.stem == "getting-started" else "new_scans")
    known = {}
    for number, block in enumerate(code_blocks(page.read_text(encoding="utf-8"), "python"), start=1):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block, f"{page.name}, block {number}", "exec"), known)
        recording = RECORDED / f"{page.stem}-{number}.txt"
        assert bool(printed.getvalue()) == recording.is_file(), f"block {number}: make docs-record"
        if recording.is_file():
            shown = read_recording(recording.stem).output
            assert len(printed.getvalue().strip().splitlines()) == len(shown.splitlines()), printed.getvalue()


@pytest.mark.parametrize("stem", ["adding-a-network-2", "contributing-1"])
def test_python_without_data_prints_exactly_what_the_page_shows(stem, same_networks):
    page, _, number = stem.rpartition("-")
    known, printed = {}, io.StringIO()
    for block in code_blocks((DOCS / f"{page}.md").read_text(encoding="utf-8"), "python")[: int(number)]:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block, page, "exec"), known)
    assert printed.getvalue() == read_recording(stem).output


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_options_that_a_page_names_exist(page):
    group = typer.main.get_command(_application([]))
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(block for kind in ("text", "console", "") for block in code_blocks(text, kind))
    for line in (*blocks.splitlines(), *re.findall(r"`([^`\n]+)`", text)):
        line = line.removeprefix("$ ")
        if not re.match(r"leanseg [a-z]", line):
            continue
        _, name, *words = shlex.split(line, comments=True)
        assert name in COMMANDS, line
        known = {option for parameter in group.commands[name].params for option in parameter.opts} | {"--help"}
        assert not {word for word in words if re.match(r"--?[a-z]", word)} - known, line


def descriptions():
    return [json.loads(block) for block in code_blocks((DOCS / "your-data.md").read_text(encoding="utf-8"), "json")]


@pytest.mark.parametrize(
    "content", [each for each in descriptions() if "labels" in each], ids=lambda each: each["name"]
)
def test_every_dataset_json_of_the_pages_is_read(content, tmp_path):
    (tmp_path / "dataset.json").write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "imagesTr").mkdir()
    (tmp_path / "imagesTr" / "a_0000.nii.gz").touch()
    dataset = open_dataset(tmp_path)
    said = content["labels"]
    assert len(dataset.labels) == len(said) - ("ignore" in {*said, *map(str, said.values())})
    assert list(dataset.regions) == list(content.get("regions", {}))
    assert (dataset.ignore is not None) == ("ignore" in said.values())
    assert [list(pair) for pair in dataset.left_right or ()] == content.get("left_right_pairs", [])


def test_the_splits_of_the_pages_are_read():
    (content,) = [each for each in descriptions() if "folds" in each]
    assert Splits.model_validate(content).test == ("e",)


def test_links_of_the_readme_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert links
    assert not [link for link in links if "://" not in link and not (ROOT / link).exists()]


def test_the_readme_shows_the_main_commands():
    named = set(re.findall(r"^(?:\$ )?leanseg ([a-z]+)", README.read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert {"check", "train", "predict", "evaluate"} <= named
