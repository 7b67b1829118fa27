import torch
from monai.networks.nets.segresnet import SegResNet

from leanseg.learning import networks


def test_logits_are_those_of_the_original_with_the_same_weights():
    torch.manual_seed(0)
    ours = networks.create("segresnet", 2, 3, base=8).eval()
    original = SegResNet(spatial_dims=3, init_filters=8, in_channels=2, out_channels=3).eval()
    original.load_state_dict(ours.network.state_dict())
    x = torch.randn(1, 2, 8, 16, 24)
    with torch.no_grad():
        assert torch.equal(ours(x), original(x))


def test_dropout_loses_whole_channels_of_the_first_convolution_in_training_only():
    torch.manual_seed(0)
    network = networks.create("segresnet", 1, 2, base=8, dropout=0.5)
    seen = []
    network.network.down_layers[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    x = torch.randn(1, 1, 8, 8, 8)
    network.train()(x)
    network.eval()(x)
    trained, evaluated = ((tensor == 0).all(dim=(0, 2, 3, 4)) for tensor in seen)
    assert 0 < trained.sum() < 8
    assert not evaluated.any()
