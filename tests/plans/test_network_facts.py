import pytest

from leanseg.errors import InputError
from leanseg.plans.network_facts import NetworkFacts, Option, allowed, complete_options, own_network, own_networks


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (Option(0.5, "a share", choices=(0.25, 0.5)), "one of 0.25, 0.5"),
        (Option(3, "groups", choices=(3, 5, None)), "one of 3, 5, null"),
        (Option("xy", "axes", choices=("xy", "xz")), "one of xy, xz"),
        (Option(True, "whether"), "true or false"),
        (Option(8, "a width", least=4), "a whole number of at least 4"),
        (Option(0.0, "a rate", least=0, most=0.9), "a number of at least 0 and at most 0.9"),
        (Option("x", "a word"), "text"),
        (
            Option(((2, 2, 2),), "poolings", least=1, most=2, lengths=(2, 6)),
            "a list of 2 to 6, like [[2, 2, 2]], its numbers of at least 1 and at most 2",
        ),
        (Option((2, 2), "depths", least=1, lengths=(2, 2)), "a list of 2, like [2, 2], its numbers of at least 1"),
    ],
)
def test_what_an_option_allows_is_said_as_a_person_types_it(option, words):
    assert allowed(option) == words


@pytest.mark.parametrize("value", [[[2, 2]], [[2, 2, 2, 2]], [2, 2, 2], [[2, 2, 3]], [[0, 2, 2]], [], [[2, 2, 2]] * 7])
def test_poolings_of_another_form_are_refused(value):
    option = Option(((2, 2, 2),), "poolings", least=1, most=2, lengths=(1, 6))
    facts = NetworkFacts("toy", "nowhere", (1, 1, 1), {"pools": option})
    with pytest.raises(InputError, match="option pools of network toy"):
        complete_options(facts, {"pools": value})


def test_our_networks_are_known_by_name_in_order():
    assert list(own_networks()) == sorted(own_networks())
    assert {"distill_dsm_unet", "dynunet", "segresnet", "unet2d"} <= set(own_networks())


def test_an_unknown_network_is_refused_with_a_guess():
    with pytest.raises(InputError, match="did you mean 'segresnet'"):
        own_network("segrsnet")
