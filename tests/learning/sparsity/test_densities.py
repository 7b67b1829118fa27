import math

import pytest
import torch
from hypothesis import given
from hypothesis.strategies import floats, integers, lists, sampled_from, tuples

from leanseg.learning import networks
from leanseg.learning.layers import FusionTensor
from leanseg.learning.sparsity.densities import NoFinestLevelError, kept_kernels
from leanseg.learning.sparsity.selector import Layer, select_layers
from leanseg.plans import Sparsity

shapes = lists(
    tuples(integers(1, 64), integers(1, 64), sampled_from([1, 3]), sampled_from([1, 2, 3])), min_size=1, max_size=8
)


def layers(shapes):
    return [Layer(str(number), shape, transposed=False) for number, shape in enumerate(shapes)]


@given(shapes, floats(0.001, 1.0))
def test_uniform_density_is_the_same_in_every_layer(shapes, density):
    kept = kept_kernels(layers(shapes), Sparsity(density=density))
    assert kept == [max(1, round(density * (shape[0] * shape[1]))) for shape in shapes]


@given(shapes, floats(0.05, 1.0))
def test_erk_keeps_the_density_of_all_layers_together(shapes, density):
    made = layers(shapes)
    kept = kept_kernels(made, Sparsity(density=density, distribution="erk"))
    assert all(1 <= count <= layer.kernels for count, layer in zip(kept, made, strict=True))
    total = sum(layer.kernels for layer in made)
    assert abs(sum(kept) - density * total) <= 0.5 * len(made) + sum(count == 1 for count in kept)


def test_erk_is_proportional_to_its_formula_until_a_layer_is_full():
    shapes = [(64, 64, 1, 3, 3), (128, 64, 1, 3, 3), (4, 4, 1, 1, 1)]
    kept = kept_kernels(layers(shapes), Sparsity(density=0.3, distribution="erk"))
    raw = [sum(shape) / math.prod(shape) for shape in shapes]
    assert kept[2] == 16  # the small one is dense
    shares = [count / (shape[0] * shape[1]) for count, shape in zip(kept, shapes, strict=True)]
    assert shares[0] / shares[1] == pytest.approx(raw[0] / raw[1], rel=1e-3)
    assert sum(kept) == pytest.approx(0.3 * (64 * 64 + 128 * 64 + 16), abs=2)


def test_the_released_code_keeps_a_fifth_of_the_finest_fusion_whatever_is_asked_for():
    def layer(level, kind):
        return Layer(f"{level}{kind}", (48, 96, 1, 3, 3), kind == "upward", FusionTensor(level, 1, kind, ()))

    made = [layer(0, "fusion"), layer(0, "upward"), layer(1, "fusion")]
    kept = kept_kernels(made, Sparsity(density=0.5, distribution="released"))
    assert kept == [round(0.2 * 48 * 96), 24 * 96, 24 * 96]


@pytest.mark.parametrize(
    ("density", "uniform", "released"), [(0.1, 7.639, 7.661), (0.2, 9.445, 9.445), (0.3, 11.252, 11.229)]
)
def test_e2enet_has_the_parameters_of_the_papers_tables(density, uniform, released):
    """Section 7 of the specification: AMOS at 128^3, in millions."""
    with torch.device("meta"):
        network = networks.create("e2enet", 1, 16)
    made = select_layers(network, (1, 64, 64, 64))
    parameters = sum(parameter.numel() for parameter in network.parameters())
    for distribution, expected in (("uniform", uniform), ("released", released)):
        kept = kept_kernels(made, Sparsity(density=density, distribution=distribution))
        dead = sum((one.kernels - n) * math.prod(one.shape[2:]) for one, n in zip(made, kept, strict=True))
        assert (parameters - dead) / 1e6 == pytest.approx(expected, abs=5e-4)


def test_the_rule_of_the_released_code_needs_a_finest_level():
    with pytest.raises(NoFinestLevelError) as refused:
        kept_kernels(layers([(4, 4, 3)]), Sparsity(distribution="released"))
    assert "uniform" in refused.value.fix
