import pytest
import torch

from leanseg.learning.augmentation.mirror import Mirror

MIRRORED = [0, 2, 1, 3]  # 1 is left, 2 is right


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_half_of_all_patches_are_mirrored_and_named_anew(axis):
    torch.manual_seed(0)
    image, labels = torch.randn(2, 3, 4, 5), torch.randint(0, 4, (1, 3, 4, 5)).float()
    mirror = Mirror(axis, MIRRORED)
    expected = labels.flip(axis + 1).clone()
    expected[labels.flip(axis + 1) == 1] = 2
    expected[labels.flip(axis + 1) == 2] = 1
    found = 0
    for seed in range(60):
        mirror.set_random_state(seed)
        pair = mirror({"image": image, "labels": labels})
        is_mirrored = torch.equal(pair["image"], image.flip(axis + 1))
        found += is_mirrored
        assert is_mirrored or torch.equal(pair["image"], image)
        assert torch.equal(pair["labels"], expected if is_mirrored else labels)
    assert 18 < found < 42
