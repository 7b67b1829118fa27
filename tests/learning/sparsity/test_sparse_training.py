import copy
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import floats, integers, sampled_from, tuples
from torch import nn

from leanseg.learning import networks
from leanseg.learning.layers import FusionTensor
from leanseg.learning.sparsity import OtherMasksError, SparseTraining
from leanseg.plans import Sparsity

SHAPE = (1, 2, 4, 4)  # channels, depth, height, width


class Toy(nn.Module):
    """A stem, a fusing convolution, a transposed one, and a head; what is masked is named by the network."""

    def __init__(self, width=6, sizes=(1, 3, 3)):
        super().__init__()
        self.stem = nn.Conv3d(1, width, 1)
        self.fuse = nn.Conv3d(width, 2 * width, sizes, padding="same", bias=False)
        self.up = nn.ConvTranspose3d(2 * width, width, (1, 2, 2), (1, 2, 2))
        self.head = nn.Conv3d(width, 2, 1)

    def forward(self, x):
        return self.head(self.up(torch.relu(self.fuse(self.stem(x)))))

    def fusion_tensors(self):
        fused, up = self.fuse.weight.shape[1], self.up.weight.shape[0]
        return {
            "fuse.weight": FusionTensor(0, 1, "fusion", (("forward", 0, fused // 2), ("upward", fused // 2, fused))),
            "up.weight": FusionTensor(0, 1, "upward", (("upward", 0, up),)),
        }


def toy(seed=0, **shape):
    torch.manual_seed(seed)
    return Toy(**shape)


def sparse(network, seed=0, **options):
    return SparseTraining(network, Sparsity(**options), SHAPE, seed)


def step(network, masks, optimizer, number, total, seed=0):
    """One training step on random numbers that depend on its number; returns whether masks have changed."""
    random = torch.Generator().manual_seed(1000 * seed + number)
    optimizer.zero_grad()
    network(torch.randn(2, *SHAPE, generator=random)).square().mean().backward()
    masks.before_step(number, number / total)
    optimizer.step()
    masks.apply(optimizer)
    return masks.update(optimizer)


def trained(network, masks, steps=20, optimizer=None, first=1, total=None):
    optimizer = optimizer or torch.optim.AdamW(network.parameters(), 0.01)
    for number in range(first, steps + 1):
        step(network, masks, optimizer, number, total or steps)
    return optimizer


def active(masks):
    return {name: int(alive.sum()) for name, alive in masks.masks.items()}


def is_masked(tensor, alive):
    return not tensor[~alive].any()


@settings(deadline=None, max_examples=30)
@given(
    width=integers(2, 7).map(lambda n: 2 * n),
    sizes=tuples(*[sampled_from([1, 3])] * 3),
    density=floats(0.01, 1.0),
    growth=sampled_from(["random", "gradient"]),
    distribution=sampled_from(["uniform", "erk"]),
    rate=floats(0.01, 1.0),
    seed=integers(0, 2**31),
)
def test_density_stays_exact_at_every_update(width, sizes, density, growth, distribution, rate, seed):
    network = toy(width=width, sizes=sizes)
    options = {"density": density, "growth": growth, "distribution": distribution, "death_rate": rate, "interval": 1}
    masks = sparse(network, seed, **options)
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9)
    before = active(masks)
    if distribution == "uniform":
        assert before == {layer.name: max(1, round(density * layer.kernels)) for layer in masks.layers}
    for number in range(1, 4):
        assert step(network, masks, optimizer, number, 10)
        assert active(masks) == before
        for name, alive in masks.masks.items():
            assert is_masked(network.get_parameter(name).detach(), alive)


@pytest.mark.parametrize("growth", ["random", "gradient"])
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_an_update_is_its_definition(growth, rate):
    network = toy()
    masks = sparse(network, density=0.4, growth=growth, schedule="constant", death_rate=rate, interval=1)
    optimizer = torch.optim.SGD(network.parameters(), 0.05)
    before = masks.masks
    random = torch.Generator().manual_seed(0)
    network(torch.randn(2, *SHAPE, generator=random)).square().mean().backward()
    gradients = {name: network.get_parameter(name).grad.double().clone() for name in before}
    masks.before_step(1, 0.1)
    optimizer.step()
    masks.apply(optimizer)
    weights = {name: network.get_parameter(name).detach().double().clone() for name in before}
    assert masks.update(optimizer)
    for name, alive in masks.masks.items():
        kernels = list(np.ndindex(*alive.shape))
        old = [kernel for kernel in kernels if before[name][kernel]]
        new = [kernel for kernel in kernels if not before[name][kernel]]
        count = min(math.ceil(rate * len(old)), len(new))
        by_weight = sorted(old, key=lambda kernel: weights[name][kernel].abs().sum().item())
        survivors = set(by_weight[count:])
        assert {kernel for kernel in old if alive[kernel]} == survivors
        grown = {kernel for kernel in new if alive[kernel]}
        assert len(grown) == count
        if growth == "gradient":
            by_gradient = sorted(new, key=lambda kernel: -gradients[name][kernel].abs().sum().item())
            assert grown == set(by_gradient[:count])
        now = network.get_parameter(name).detach()
        assert all(torch.equal(now[kernel].double(), weights[name][kernel]) for kernel in survivors)
        assert not any(now[kernel].any() for kernel in kernels if kernel not in survivors)


@pytest.mark.parametrize(
    ("optimiser", "moments"),
    [
        (lambda parameters: torch.optim.SGD(parameters, 0.01, momentum=0.9, nesterov=True), {"momentum_buffer"}),
        (
            lambda parameters: torch.optim.Adam(parameters, 0.01, amsgrad=True),
            {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
        ),
        (lambda parameters: torch.optim.AdamW(parameters, 0.01), {"exp_avg", "exp_avg_sq"}),
    ],
)
def test_moments_of_dead_kernels_are_zero_and_those_of_others_are_not(optimiser, moments):
    network = toy()
    masks = sparse(network, clip_dead=True)
    optimizer = trained(network, masks, 8, optimiser(network.parameters()))
    for name, alive in masks.masks.items():
        state = optimizer.state[network.get_parameter(name)]
        for moment in moments:
            assert is_masked(state[moment], alive)
            assert state[moment][alive].any()
    dense = optimizer.state[network.stem.weight]
    assert all(dense[moment].all() for moment in moments)


def test_gradients_of_dead_kernels_count_in_the_clip_only_when_asked():
    for clip_dead in (False, True):
        network = toy()
        masks = sparse(network, clip_dead=clip_dead)
        network(torch.randn(2, *SHAPE)).square().mean().backward()
        masks.before_step(1, 0.0)
        for name, alive in masks.masks.items():
            gradient = network.get_parameter(name).grad
            assert gradient[alive].any()
            assert is_masked(gradient, alive) != clip_dead


def test_growth_by_gradient_sees_the_dense_gradient_of_its_step():
    """The dead kernel that the loss pulls at is the one that grows."""
    network = nn.Sequential(nn.Conv3d(1, 4, 1), nn.Conv3d(4, 4, (1, 3, 3), padding=(0, 1, 1)), nn.Conv3d(4, 2, 1))
    masks = sparse(network, density=0.25, growth="gradient", death_rate=0.01, interval=1)
    dead = (~masks.masks["1.weight"]).nonzero()[3]
    pulled = tuple(dead.tolist())
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    network[1].weight.grad = torch.zeros_like(network[1].weight)
    network[1].weight.grad[pulled][0, 2, 1] = -3.0
    masks.before_step(1, 0.5)
    optimizer.step()
    masks.apply(optimizer)
    masks.update(optimizer)
    assert masks.masks["1.weight"][pulled]
    assert not network[1].weight[pulled].any()  # it starts at zero


def test_an_update_waits_where_the_gradient_is_not_finite():
    network = toy()
    masks = sparse(network, growth="gradient", interval=1)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    before = masks.masks
    network.fuse.weight.grad = torch.full_like(network.fuse.weight, math.inf)
    masks.before_step(1, 0.1)
    assert not masks.update(optimizer)
    assert all(torch.equal(alive, before[name]) for name, alive in masks.masks.items())
    network.fuse.weight.grad = torch.ones_like(network.fuse.weight)
    masks.before_step(2, 0.2)
    assert masks.update(optimizer)


def test_two_processes_that_see_the_same_weights_have_the_same_masks():
    for growth in ("random", "gradient"):
        first, second = toy(), toy()
        ours, theirs = sparse(first, 7, growth=growth), sparse(second, 7, growth=growth)
        torch.manual_seed(1)
        trained(first, ours)
        torch.manual_seed(2)
        np.random.seed(3)  # noqa: NPY002  (what a careless library would draw from)
        trained(second, theirs)
        assert len(ours.history.rows) == 4
        assert all(torch.equal(alive, theirs.masks[name]) for name, alive in ours.masks.items())


def test_another_seed_gives_other_masks():
    ours, theirs = sparse(toy(), 0), sparse(toy(), 1)
    assert any(not torch.equal(alive, theirs.masks[name]) for name, alive in ours.masks.items())
    layers = sparse(nn.Sequential(*(nn.Conv3d(1 if n == 0 else 8, 8, 1) for n in range(4)))).masks
    assert not torch.equal(*layers.values())  # nor have two layers the same


def test_every_update_draws_anew():
    network = toy()
    masks = sparse(network, schedule="constant", death_rate=0.3, interval=1)
    optimizer = torch.optim.SGD(network.parameters(), 0.01)
    places = []
    for number in range(1, 5):
        before = masks.masks["fuse.weight"]
        step(network, masks, optimizer, number, 10)
        places.append(masks.masks["fuse.weight"][~before])  # which of the dead ones have grown
    assert all(len(each) == len(places[0]) and each.sum() == places[0].sum() for each in places)
    assert not any(torch.equal(*pair) for pair in itertools.combinations(places, 2))


@pytest.mark.parametrize("growth", ["random", "gradient"])
def test_what_goes_on_from_stored_state_is_what_was_never_stopped(growth):
    whole, stopped = toy(), toy()
    options = {"growth": growth, "density": 0.3}
    masks = sparse(whole, **options)
    trained(whole, masks, 20)
    first = sparse(stopped, **options)
    optimizer = trained(stopped, first, 12, total=20)
    stored = copy.deepcopy((stopped.state_dict(), optimizer.state_dict(), first.state()))
    resumed = toy(seed=5)
    resumed.load_state_dict(stored[0])
    second = sparse(resumed, **options)
    second.restore(stored[2])
    resumed.load_state_dict(stored[0])
    again = torch.optim.AdamW(resumed.parameters(), 0.01)
    again.load_state_dict(stored[1])
    trained(resumed, second, 20, again, first=13)
    assert all(torch.equal(tensor, resumed.state_dict()[name]) for name, tensor in whole.state_dict().items())
    assert all(torch.equal(alive, second.masks[name]) for name, alive in masks.masks.items())
    assert masks.history.rows == second.history.rows
    assert [row[0] for row in masks.history.rows] == [0, 5, 10, 15]


@pytest.mark.parametrize("other", [{"density": 0.4}, {"method": "static"}, {"growth": "gradient"}])
def test_masks_of_other_settings_are_refused(other):
    state = sparse(toy()).state()
    with pytest.raises(OtherMasksError, match=next(iter(other))):
        sparse(toy(), **other).restore(state)


def test_masks_of_another_network_are_refused():
    state = sparse(toy(width=6)).state()
    with pytest.raises(OtherMasksError, match=r"fuse\.weight has 16 x 8 kernels"):
        sparse(toy(width=8)).restore(state)
    network = nn.Sequential(*(nn.Conv3d(1 if n == 0 else 8, 8, 1) for n in range(3)))
    with pytest.raises(OtherMasksError, match=r"1\.weight"):
        sparse(network).restore(state)


def test_static_masks_never_change():
    network = toy()
    masks = sparse(network, method="static")
    before = masks.masks
    trained(network, masks, 30)
    assert all(torch.equal(alive, before[name]) for name, alive in masks.masks.items())
    assert all(is_masked(network.get_parameter(name).detach(), alive) for name, alive in before.items())
    assert len(masks.history.rows) == 1


@pytest.mark.parametrize("frozen", [{"up.weight"}, {"up.weight", "fuse.weight"}])
def test_frozen_layers_keep_their_masks(frozen):
    network = toy()
    masks = sparse(network, density=0.5, interval=5)
    before = masks.masks
    for name in frozen:
        network.get_parameter(name).requires_grad_(False)
    trained(network, masks)
    assert {name for name, alive in masks.masks.items() if torch.equal(alive, before[name])} == frozen
    assert len(masks.history.rows) == (1 if len(frozen) == len(before) else 4)


def test_masks_stay_after_the_stop():
    network = toy()
    masks = sparse(network, stop=0.5, interval=1)
    trained(network, masks, 10)
    assert [row[0] for row in masks.history.rows] == [0, 1, 2, 3, 4]


def test_kernels_just_pruned_come_back_with_their_weights_only_when_asked():
    """Where all of the active kernels die, random growth among all of them brings some back."""
    came_back = {}
    for regrow in (False, True):
        network = toy()
        masks = sparse(network, density=0.4, death_rate=1.0, schedule="constant", interval=1, regrow=regrow)
        before, weights = masks.masks["fuse.weight"], network.fuse.weight.detach().clone()
        optimizer = torch.optim.SGD(network.parameters(), 0.0)
        step(network, masks, optimizer, 1, 10)
        both = before & masks.masks["fuse.weight"]
        came_back[regrow] = int(both.sum())
        assert torch.equal(network.fuse.weight[both], weights[both])
        assert active(masks)["fuse.weight"] == before.sum()
    assert came_back[False] == 0
    assert came_back[True] > 0


def test_ties_take_density_down_only_when_asked():
    for drift in (False, True):
        network = toy()
        masks = sparse(network, drift=drift, interval=1)
        before = active(masks)
        with torch.no_grad():
            network.fuse.weight.zero_()  # all kernels are equally weak
        optimizer = torch.optim.SGD(network.parameters(), 0.0)
        step(network, masks, optimizer, 1, 10)
        after = active(masks)
        assert after["up.weight"] == before["up.weight"]
        assert (after["fuse.weight"] < before["fuse.weight"]) == drift


def test_averaged_weights_are_masked_under_every_name_that_they_have():
    network = toy()
    network.alias = network.fuse  # a module that is registered twice has two names in the state_dict
    masks = sparse(network)
    tensors = {name: torch.ones_like(tensor) for name, tensor in network.state_dict().items()}
    masks.mask(tensors)
    alive = masks.masks["fuse.weight"]
    for name in ("fuse.weight", "alias.weight"):
        assert is_masked(tensors[name], alive)
        assert tensors[name][alive].all()
    assert tensors["stem.weight"].all()


def test_a_density_of_one_changes_nothing():
    plain, masked = toy(), toy()
    masks = sparse(masked, density=1.0)
    trained(masked, masks)
    optimizer = torch.optim.AdamW(plain.parameters(), 0.01)
    for number in range(1, 21):
        random = torch.Generator().manual_seed(number)
        optimizer.zero_grad()
        plain(torch.randn(2, *SHAPE, generator=random)).square().mean().backward()
        optimizer.step()
    assert all(torch.equal(tensor, masked.state_dict()[name]) for name, tensor in plain.state_dict().items())


@pytest.mark.parametrize("growth", ["random", "gradient"])
def test_twenty_steps_of_distill_dsm_unet_have_three_updates_at_exact_density(growth):
    torch.manual_seed(0)
    network = networks.create("distill_dsm_unet", 1, 3)
    masks = SparseTraining(network, Sparsity(growth=growth), (1, 4, 16, 16), 0)
    before = active(masks)
    assert before == {layer.name: round(0.2 * layer.kernels) for layer in masks.layers}
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    changed = []
    for number in range(1, 21):
        optimizer.zero_grad()
        network(torch.randn(1, 1, 4, 16, 16)).square().mean().backward()
        masks.before_step(number, number / 20)
        optimizer.step()
        masks.apply(optimizer)
        if masks.update(optimizer):
            changed.append(number)
            assert active(masks) == before
    assert changed == [5, 10, 15]
    assert all(is_masked(network.get_parameter(name).detach(), alive) for name, alive in masks.masks.items())


@pytest.mark.parametrize("growth", ["random", "gradient"])
@pytest.mark.parametrize("poolings", [2, 3])
def test_e2enets_fusion_is_masked_and_nothing_else_at_exact_density_through_updates(poolings, growth):
    torch.manual_seed(0)
    network = networks.create("e2enet", 1, 3, base=8, pools=[(2, 2, 2)] * poolings)
    masks = SparseTraining(network, Sparsity(growth=growth), (1, 8, 16, 16), 0)
    expected = {name for name, tensor in network.named_parameters() if name.startswith("fusion.") and tensor.ndim == 5}
    assert masks.masks.keys() == expected
    assert len(expected) == poolings * (poolings + 1) + poolings  # the paper's five poolings have 35
    before = active(masks)
    assert before == {layer.name: round(0.2 * layer.kernels) for layer in masks.layers}
    optimizer = torch.optim.SGD(network.parameters(), 1e-2, momentum=0.9, nesterov=True)
    first = masks.masks
    for number in range(1, 21):
        optimizer.zero_grad()
        torch.stack([logits.square().mean() for logits in network(torch.randn(1, 1, 8, 16, 16))]).sum().backward()
        masks.before_step(number, number / 20)
        optimizer.step()
        masks.apply(optimizer)
        masks.update(optimizer)
        assert active(masks) == before
    assert [row[0] for row in masks.history.rows] == [0, 5, 10, 15]
    for name, tensor in network.named_parameters():
        if name in expected:
            assert is_masked(tensor.detach(), masks.masks[name])
            assert not torch.equal(masks.masks[name], first[name])
        elif tensor.ndim == 5:
            assert tensor.detach().all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("growth", ["random", "gradient"])
def test_a_gpu_draws_the_same_masks(growth):
    network = toy().cuda()
    masks = sparse(network, growth=growth)
    assert all(torch.equal(alive, sparse(toy(), growth=growth).masks[name]) for name, alive in masks.masks.items())
    scaler = torch.amp.GradScaler("cuda")
    optimizer = torch.optim.AdamW(network.parameters(), 0.01)
    before = active(masks)
    for number in range(1, 21):
        optimizer.zero_grad()
        with torch.autocast("cuda", torch.float16):
            loss = network(torch.randn(2, *SHAPE, device="cuda")).square().mean()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        masks.before_step(number, number / 20)
        scaler.step(optimizer)
        scaler.update()
        masks.apply(optimizer)
        masks.update(optimizer)
    assert len(masks.history.rows) == 4
    assert active(masks) == before
    assert all(is_masked(network.get_parameter(name).detach().cpu(), alive) for name, alive in masks.masks.items())
