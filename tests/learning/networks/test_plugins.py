"""Networks of other packages, as pip would install them: a module and a dist-info folder on the path."""

import re
import sys
import tomllib
import warnings
from pathlib import Path

import pytest
import torch

from leanseg.errors import InputError
from leanseg.learning import networks
from leanseg.learning.networks import registry
from leanseg.plans.network_plugins import GROUP, network_plugins

SOUND = """
from torch import nn

from leanseg.learning.networks.registry import NetworkFacts, register


@register(NetworkFacts(name="{name}", source="nowhere", divisor=(1, 1, 1)))
def build(in_channels, out_channels):
    return nn.Conv3d(in_channels, out_channels, 1)
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that installs a distribution with one module and one entry point, for one test."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    monkeypatch.setattr(registry, "_tried", {})
    modules = []

    def install_one(name, code, target=""):
        module = name.replace("-", "_")
        modules.append(module)
        (tmp_path / f"{module}.py").write_text(code)
        information = tmp_path / f"{module}-1.5.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
        (information / "entry_points.txt").write_text(f"[leanseg.networks]\n{module}_point = {module}{target}\n")

    yield install_one
    for module in modules:
        sys.modules.pop(module, None)


def test_a_network_of_another_package_is_found_by_its_name(install):
    install("many-nets", SOUND.format(name="pointwise"))
    assert "pointwise" not in registry._registered
    assert networks.create("pointwise", 2, 3).weight.shape == (3, 2, 1, 1, 1)
    assert networks.facts("pointwise").source == "nowhere"


def test_it_is_among_all_names(install):
    install("many-nets", SOUND.format(name="pointwise"))
    assert {"pointwise", "unet2d"} <= set(networks.names())


def test_an_entry_point_may_be_a_function_that_registers(install):
    inside = "\n    ".join(SOUND.format(name="pointwise").splitlines())
    install("lazy-nets", f"def register_all():{inside}\n", target=":register_all")
    assert "pointwise" in networks.names()


def test_nothing_is_imported_for_a_network_that_is_built_in(install):
    install("many-nets", SOUND.format(name="pointwise"))
    networks.create("unet2d", 1, 2)
    assert "many_nets" not in sys.modules


def test_plugins_are_listed_without_importing_them(install):
    install("many-nets", SOUND.format(name="pointwise"))
    (plugin,) = network_plugins()
    assert (plugin.name, plugin.distribution) == ("many_nets_point", "many-nets 1.5")
    assert "many_nets" not in sys.modules


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise RuntimeError('broken')", "RuntimeError: broken"),
        (SOUND.format(name="unet2d"), "ValueError: two networks are named unet2d"),
        (SOUND.format(name="half") + "\n1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_plugin_that_fails_is_named_with_the_reason_and_hides_nothing(install, code, reason):
    before = networks.facts("unet2d"), networks.names()
    install("broken-nets", code)
    with pytest.warns(registry.BrokenPluginWarning, match="broken_nets_point of broken-nets 1.5") as caught:
        assert networks.names() == before[1]
    assert reason in str(caught[0].message)
    assert networks.facts("unet2d") is before[0]
    with pytest.raises(InputError, match="there is no network 'half'") as refused:
        networks.create("half", 1, 2)
    assert "broken-nets 1.5" in refused.value.why
    assert reason in refused.value.why


def test_it_is_tried_and_warned_of_once(install):
    install("broken-nets", "raise RuntimeError('broken')")
    with pytest.warns(registry.BrokenPluginWarning):
        networks.names()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        networks.names()


def test_a_broken_one_does_not_keep_others_away(install):
    install("a-broken-net", "raise RuntimeError('broken')")
    install("many-nets", SOUND.format(name="pointwise"))
    with pytest.warns(registry.BrokenPluginWarning):
        assert networks.create("pointwise", 1, 2) is not None


def test_of_two_packages_with_networks_of_one_name_the_second_is_refused(install):
    install("one-net", SOUND.format(name="pointwise"))
    install("two-net", SOUND.format(name="pointwise"))
    with pytest.warns(registry.BrokenPluginWarning, match=r"two-net 1\.5 .*two networks are named pointwise"):
        assert "pointwise" in networks.names()


def test_the_file_of_the_documentation_is_such_a_package(install):
    page = (Path(__file__).parents[3] / "docs" / "adding-a-network.md").read_text(encoding="utf-8")
    code = re.search(r"^```python\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)[1]
    named = tomllib.loads(re.search(r"^```toml\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)[1])
    assert list(named["project"]["entry-points"]) == [GROUP]
    install("documented-nets", code)
    assert networks.create("residual_stack", 1, 3, width=8)(torch.zeros(1, 1, 4, 8, 8)).shape == (1, 3, 4, 8, 8)
