import pytest
import torch

from leanseg.learning.layers import pad_to_multiples


@pytest.mark.parametrize(
    ("size", "divisor", "padded"),
    [
        ((5, 6, 7), (4, 4, 4), (8, 8, 8)),
        ((5, 6, 7), (1, 2, 8), (5, 6, 8)),
        ((1, 1, 17), (2, 16, 16), (2, 16, 32)),
    ],
)
def test_zeros_come_at_the_far_end_up_to_the_next_multiple(size, divisor, padded):
    x = torch.rand(2, 3, *size)
    expected = torch.zeros(2, 3, *padded)
    expected[:, :, : size[0], : size[1], : size[2]] = x
    assert torch.equal(pad_to_multiples(x, divisor), expected)


def test_a_volume_that_fits_is_not_copied():
    x = torch.rand(1, 1, 4, 8, 16)
    assert pad_to_multiples(x, (4, 8, 16)) is x
    assert pad_to_multiples(x, (1, 1, 1)) is x
