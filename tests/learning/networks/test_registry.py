import pytest
from torch import nn

from leanseg.errors import InputError
from leanseg.learning import networks
from leanseg.learning.networks import registry
from leanseg.learning.networks.registry import NetworkFacts, Option


@pytest.fixture
def toy(monkeypatch):
    """A network with an option of every type, registered for one test; returns what its builder was given."""
    monkeypatch.setattr(registry, "_registered", {})
    options = {
        "count": Option(2, "a number of things"),
        "share": Option(0.5, "a share of things"),
        "fast": Option(False, "whether to hurry"),
        "flavour": Option("sour", "a taste", choices=("sour", "sweet")),
        "pools": Option(((1, 2, 2), (2, 2, 2)), "poolings, finest first"),
    }
    given = {}

    @registry.register(NetworkFacts(name="toy", source="nowhere", divisor=(1, 1, 1), options=options))
    def build(in_channels, out_channels, **chosen):
        given.update(chosen, channels=(in_channels, out_channels))
        return nn.Conv3d(in_channels, out_channels, 1)

    return given


def test_the_five_networks_of_the_paper_are_there():
    expected = {"distill_dsm_unet", "dsm_unet", "residual_dsm_unet", "unet2d", "unet3d"}
    assert expected <= set(networks.names())
    assert networks.names() == sorted(networks.names())


def test_an_unknown_network_is_refused_with_the_list_and_a_guess():
    for ask in (lambda: networks.create("distil_dsm_unet", 1, 2), lambda: networks.facts("distil_dsm_unet")):
        with pytest.raises(InputError, match="did you mean 'distill_dsm_unet'") as caught:
            ask()
        assert all(name in caught.value.fix for name in networks.names())


def test_an_unknown_option_is_refused_with_the_list_and_a_guess():
    with pytest.raises(InputError, match="did you mean 'alpha'") as caught:
        networks.create("distill_dsm_unet", 1, 2, alpa=0.5)
    assert "alpha" in caught.value.fix


def test_an_option_of_a_network_without_options_is_refused():
    with pytest.raises(InputError, match="no option 'alpha'") as caught:
        networks.create("unet2d", 1, 2, alpha=0.5)
    assert "no options" in caught.value.fix


@pytest.mark.parametrize("alpha", [0.3, 2.0, 0, "0.5", None, True, [0.5]])
def test_a_wrong_alpha_is_refused(alpha):
    with pytest.raises(InputError, match="option alpha of network distill_dsm_unet"):
        networks.create("distill_dsm_unet", 1, 2, alpha=alpha)


WRONG_OPTIONS = [
    {"count": 2.5},
    {"count": True},
    {"share": "much"},
    {"fast": 1},
    {"flavour": "bitter"},
    {"pools": 2},
    {"pools": [1, 2, 2]},
    {"pools": [[1, 2.5, 2]]},
    {"pools": [[1, 2]]},
    {"pools": [[1, 2, 2], 2]},
]


@pytest.mark.parametrize("wrong", WRONG_OPTIONS)
def test_options_of_the_wrong_type_or_value_are_refused(toy, wrong):
    with pytest.raises(InputError, match=f"option {next(iter(wrong))} of network toy"):
        networks.create("toy", 1, 2, **wrong)


def test_options_left_out_take_their_defaults(toy):
    networks.create("toy", 3, 4, count=7)
    defaults = {name: option.default for name, option in networks.facts("toy").options.items()}
    assert toy == {**defaults, "count": 7, "channels": (3, 4)}


def test_options_may_come_from_json(toy):
    networks.create("toy", 1, 2, share=1, pools=[[1, 2, 2]])
    assert toy["share"] == 1.0
    assert isinstance(toy["share"], float)
    assert toy["pools"] == ((1, 2, 2),)


@pytest.mark.parametrize(("channels", "label"), [((0, 2), "in_channels"), ((1, 0), "out_channels")])
def test_channels_must_be_positive_whole_numbers(channels, label):
    with pytest.raises(InputError, match=label):
        networks.create("unet2d", *channels)
    with pytest.raises(InputError, match="in_channels"):
        networks.create("unet2d", True, 2)


def test_a_name_cannot_be_taken_twice():
    with pytest.raises(ValueError, match="two networks are named unet2d"):
        networks.register(networks.facts("unet2d"))
