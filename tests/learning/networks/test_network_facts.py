"""What the lean wing says about networks is true of the real ones, built without data: size costs nothing."""

import math

import pytest
import torch
from torch import nn

from leanseg.learning import networks
from leanseg.learning.costing.network_costs import count_macs, count_parameters
from leanseg.plans.network_facts import own_networks

OWN = own_networks()

every_network = pytest.mark.parametrize("name", OWN)


def built(name, **options):
    with torch.device("meta"):
        return networks.create(name, 1, 2, **options)


def extremes(option):
    """Every value that the facts name as allowed: choices, the ends of ranges, the shortest and the longest list."""
    yield from option.choices
    lists = option.lengths is not None
    if lists:
        yield from (option.default[:1] * length for length in option.lengths)
    for end in (option.least, option.most):
        if end is not None and not lists:
            yield type(option.default)(end)


@every_network
def test_facts_are_of_a_network_that_can_be_made(name):
    assert networks.facts(name) is OWN[name]


def test_every_network_that_can_be_made_has_facts():
    assert set(networks.names()) == set(OWN)


@every_network
def test_facts_are_complete(name):
    facts = OWN[name]
    assert facts.source
    assert facts.good_at.endswith(".")
    assert facts.licence
    assert facts.counted
    assert all(option.meaning for option in facts.options.values())


@every_network
def test_parameters_and_macs_are_those_of_the_network(name):
    counted = OWN[name].counted

    def make():
        return networks.create(name, counted.in_channels, counted.out_channels)

    assert count_parameters(make) == counted.parameters
    assert count_macs(make, (1, counted.in_channels, *counted.shape)) == counted.macs


@every_network
@pytest.mark.parametrize("axis", range(3))
def test_sizes_are_padded_to_multiples_of_the_divisor_and_no_further(name, axis):
    network, divisor = built(name), OWN[name].divisor
    assert networks.divisor(name) == divisor
    multiples = [3 * part for part in divisor]
    shorter = [size - divisor[axis] // 2 * (place == axis) for place, size in enumerate(multiples)]
    assert voxels_at_the_first_convolution(network, multiples) == math.prod(multiples)
    assert voxels_at_the_first_convolution(network, shorter) == math.prod(multiples)


def voxels_at_the_first_convolution(network, size):
    seen = []
    hooks = [
        module.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.Conv3d)
    ]
    with torch.no_grad():
        network.eval()(torch.empty(1, 1, *size, device="meta"))
    for hook in hooks:
        hook.remove()
    return seen[0].numel() // seen[0].shape[1]


@every_network
def test_defaults_and_everything_else_that_is_allowed_is_accepted(name):
    built(name, **{key: option.default for key, option in OWN[name].options.items()})
    for key, option in OWN[name].options.items():
        for value in extremes(option):
            built(name, **{key: value})
