import json
import subprocess
import sys

import pytest

from leanseg.plans.recipe import own_recipes


def test_all_recipes_are_listed_with_network_data_set_and_length(leanseg):
    done = leanseg("recipes")
    assert done.code == 0
    for name, recipe in own_recipes().items():
        (line,) = [line for line in done.out.splitlines() if line.split()[:1] == [name]]
        assert recipe.network.name.value in line
        assert recipe.data.name in line
    assert "1,000 epochs of 250 steps" in done.out
    assert "60,000 steps" in done.out


@pytest.mark.parametrize("name", own_recipes())
def test_a_recipe_is_shown_with_the_origin_of_every_value(leanseg, name):
    recipe = own_recipes()[name]
    done = leanseg("recipes", name)
    assert done.code == 0
    shown = {words[0]: line for line in done.out.splitlines() if (words := line.split())}
    for section in ("training", "augmentation", "sparsity", "inference"):
        for key, stated in getattr(recipe, section).items():
            line = shown[f"{section}.{key}"]
            assert f" {stated.origin} " in line
            assert stated.note in line
    for missing in recipe.not_reproduced:
        assert missing.what in done.out
    for published in recipe.published:
        assert published.metric in done.out
    assert f"leanseg train DATASET --recipe {name}" in done.out


def test_json_is_the_file(leanseg):
    shown = json.loads(leanseg("recipes", "e2enet-btcv", "--json").out)
    assert shown["training"]["learning_rate"] == {"value": 0.01, "from": "code", "note": ""}
    assert set(json.loads(leanseg("recipes", "--json").out)) == set(own_recipes())


def test_an_unknown_recipe_is_refused_with_the_nearest(leanseg):
    done = leanseg("recipes", "e2enet-btvc")
    assert (done.code, done.out) == (2, "")
    assert "e2enet-btcv" in done.err


def test_it_needs_no_torch():
    code = (
        "import sys; sys.argv = ['leanseg', 'recipes', 'e2enet-btcv']\n"
        "from leanseg.cli import main\n"
        "try: main()\n"
        "except SystemExit as stopped: assert not stopped.code\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
