import torch

from leanseg.learning.layers import join_channels


def _parts():
    first = torch.randn(2, 3, 4, 6).to(memory_format=torch.channels_last).requires_grad_()
    second = torch.randn(2, 5, 4, 6).to(memory_format=torch.channels_last).requires_grad_()
    return first, second


def test_joining_and_its_gradients_are_those_of_a_concatenation():
    first, second = _parts()
    weight = torch.randn(2, 8, 4, 6)
    joined, expected = join_channels(first, second), torch.cat([first, second], dim=1)
    assert torch.equal(joined, expected)
    gradients = torch.autograd.grad((joined * weight).sum(), (first, second))
    for got, wanted in zip(gradients, torch.autograd.grad((expected * weight).sum(), (first, second)), strict=True):
        assert torch.equal(got, wanted)


def test_each_part_gets_a_dense_gradient_in_its_memory_format():
    first, second = _parts()
    weight = torch.randn(2, 8, 4, 6).to(memory_format=torch.channels_last)
    for gradient in torch.autograd.grad((join_channels(first, second) * weight).sum(), (first, second)):
        assert gradient.is_contiguous(memory_format=torch.channels_last)
