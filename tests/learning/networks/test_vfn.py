import pytest
import torch

from leanseg.learning import networks
from leanseg.learning.networks.stacked import HALVES, copied_parameters, stacked_part


def made(in_channels=1, out_channels=3, **options):
    torch.manual_seed(0)
    return networks.create("vfn", in_channels, out_channels, **options).eval()


def counted(module):
    return sum(parameter.numel() for parameter in module.parameters())


def convolution(before, after, size):
    return before * after * size**3 + after


def fusion_by_hand(in_channels, outputs):
    """Every layer of the light network: convolutions with bias, and batch norms with two numbers per channel."""
    first = in_channels + 3 * outputs
    normed = [(first, 16), (16, 16), (16, 32), (32, 32), (32, 64), (64, 64), (32, 32), (16, 16)]
    enlarging = convolution(64, 32, 2) + convolution(32, 16, 2)
    return (
        sum(convolution(before, after, 3) + 2 * after for before, after in normed)
        + enlarging
        + convolution(16, outputs, 1)
    )


# Tables 1 and 2 of the paper and the specification's recount, for the 2D U-Net; the fusion is ours.
@pytest.mark.parametrize(("in_channels", "outputs", "unet"), [(4, 3, 1_082_211), (1, 2, 1_081_762), (2, 2, 1_081_906)])
def test_the_parts_have_the_parameters_of_three_2d_unets_and_of_the_fusion_counted_by_hand(in_channels, outputs, unet):
    parts = stacked_part(made(in_channels, outputs))
    assert [counted(view) for view in parts.first.views] == [unet] * 3
    assert counted(parts.second) == fusion_by_hand(in_channels, outputs)
    assert counted(parts) == 3 * unet + fusion_by_hand(in_channels, outputs)
    assert copied_parameters(made(in_channels, outputs)) == HALVES * 3 * unet


@pytest.mark.parametrize("axis", range(3))
def test_each_2d_network_sees_only_the_slices_across_its_axis(axis):
    views = stacked_part(made()).first
    x = torch.randn(1, 1, 16, 16, 16)
    other = x.clone()
    other[:, :, 3, 5, 7] += 1
    with torch.no_grad():
        changed = (views(other)[axis] - views(x)[axis]).abs().amax(dim=(0, 1)) > 0
    slices = changed.movedim(axis, 0).flatten(1).any(dim=1)
    assert slices.nonzero().flatten().tolist() == [(3, 5, 7)[axis]]
    assert changed.sum() > 1


@pytest.mark.parametrize("axis", range(3))
def test_what_a_2d_network_says_of_a_slice_is_where_the_slice_is(axis):
    """The definition: the U-Net on every slice by itself."""
    views = stacked_part(made()).first
    x = torch.randn(2, 1, 16, 32, 48)
    with torch.no_grad():
        found = views(x)[axis]
        for place in (0, 9):
            part = x.select(axis + 2, place)[:, :, None]
            assert torch.allclose(found.select(axis + 2, place), views.views[axis](part)[:, :, 0], atol=1e-5)


def test_before_the_fusion_has_learned_it_is_the_mean_of_the_three():
    network = made()
    x = torch.randn(1, 1, 32, 16, 16)
    with torch.no_grad():
        mean = torch.stack(stacked_part(network).first(x)).mean(dim=0)
        assert torch.allclose(network(x), mean, atol=0.005)
        assert mean.std() > 0.02


def corrected(parts, x, answers):
    """What the fusion adds to the mean of the answers, once it says something."""
    torch.manual_seed(1)
    torch.nn.init.normal_(parts.second.network.network.head.weight)
    with torch.no_grad():
        return parts.second(x, answers) - torch.stack(answers).mean(dim=0)


@pytest.mark.parametrize(
    ("outputs", "overlapping", "reads_sums"), [(3, False, False), (3, True, True), (1, False, True)]
)
def test_the_fusion_reads_the_image_and_shares_of_classes_or_of_regions(outputs, overlapping, reads_sums):
    """A softmax does not know the same number added to all scores; sigmoids do, and a single output needs one."""
    parts = stacked_part(made(1, outputs, overlapping=overlapping))
    x, answers = torch.randn(1, 1, 8, 8, 8), [torch.randn(1, outputs, 8, 8, 8) for _ in range(3)]
    before = corrected(parts, x, answers)
    added = corrected(parts, x, [answers[0] + 1, *answers[1:]])
    assert torch.allclose(before, added, atol=1e-4) != reads_sums
    assert not torch.allclose(before, corrected(parts, x + 1, answers), atol=1e-2)
    for changed in range(3):
        others = [answer * (1 + (place == changed)) for place, answer in enumerate(answers)]
        assert not torch.allclose(before, corrected(parts, x, others), atol=1e-3)
