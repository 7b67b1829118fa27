"""Let the parts of a stacked network learn in turn, the second from answers of those that have not seen the case.

See `leanseg.learning.networks.stacked`. Everything happens within one training, patch by patch, so that a run has one
clock, one checkpoint and one package. The first part that is deployed learns from all cases; two copies of it only
answer about the half of the cases that they have not seen, and are gone when training ends.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from leanseg.errors import InputError
from leanseg.learning.networks.stacked import HALVES, StackedNetwork, stacked_part
from leanseg.learning.sparsity import SparseTraining
from leanseg.learning.training.weight_average import WeightAverage

Masker = Callable[[nn.Module], SparseTraining | None]
LossOf = Callable[[Any, Tensor], Tensor]  # of logits, or a list of them, against labels


class OfASubject(Protocol):
    """A case by its name, and whose scan it is."""

    @property
    def name(self) -> str:
        """Unique within the data set."""
        ...

    @property
    def subject(self) -> str | None:
        """None where nobody has said so: then the case is its own."""
        ...


class OneSubjectError(InputError):
    """All cases are of one patient."""

    def __init__(self) -> None:
        super().__init__(
            what="the network learns in two parts, and all training cases are of one subject",
            why="its second part learns from what the first says about patients that it has not seen",
            fix="label another patient's scan, or choose a network in one part, for example --network unet3d",
        )


class OtherCasesError(InputError):
    """A training in two parts would go on with other cases."""

    def __init__(self) -> None:
        super().__init__(
            what="the training cases are not those that this training began with",
            why="each half of them must stay unseen by one part of the network",
            fix="put splits.json in the run's folder back as it was, or start a new run with another -o",
        )


def halves_of(cases: Sequence[OfASubject]) -> list[int]:
    """Return for each case the half (0 or 1) that it belongs to, all cases of a subject to the same one.

    In their order subjects go to the half with fewer cases. Raises OneSubjectError.
    """
    subjects = [case.subject or case.name for case in cases]
    sizes = [0] * HALVES
    half: dict[str, int] = {}
    for subject in subjects:
        if subject not in half:
            half[subject] = sizes.index(min(sizes))
            sizes[half[subject]] += subjects.count(subject)
    if 0 in sizes:
        raise OneSubjectError
    return [half[subject] for subject in subjects]


class Stacking:
    """The stages of a training of `network`, and the copies of its first part.

    Stage 0: `first` learns. Stage 1: the copies learn, number n from all but half n. Stage 2: `second` learns, for a
    case of half n from what copy n says. What does not learn is left alone in every respect. What has learned goes on
    with its averaged weights, which are those that will be deployed.
    masked: masks a copy as the network itself is, or returns None where that is dense; make this before the network is
    masked, so that copies begin with all of its weights. sparse: the masks of the copies, none of a dense network.
    """

    def __init__(self, network: nn.Module, stacked: StackedNetwork, ema: float, masked: Masker) -> None:
        self.stage = 0
        self.copies = nn.ModuleList(copy.deepcopy(stacked.first) for _ in range(HALVES))
        self.sparse = [sparse for each in self.copies if (sparse := masked(each))]
        self.averages = [WeightAverage(each, ema) for each in self.copies]
        self._network = network
        self._stacked = stacked
        self._begins = (0.0, *accumulate(stacked.shares))
        parts = (stacked.first, self.copies, stacked.second)
        self._parts = [(part, [each for each in part.parameters() if each.requires_grad]) for part in parts]
        self._is_set = False
        self._halves: dict[str, int] = {}

    def divide(self, cases: Sequence[OfASubject], before: Mapping[str, int] | None = None) -> list[int]:
        """Return the half of each case. before: the halves, by name, of the training that goes on, which stay.

        Who is whose patient may be told differently when a training goes on, or not at all.
        Raises OneSubjectError and OtherCasesError.
        """
        names = [case.name for case in cases]
        self._halves = dict(zip(names, halves_of(cases), strict=True)) if before is None else dict(before)
        if self._halves.keys() != set(names):
            raise OtherCasesError
        return [self._halves[name] for name in names]

    def enter(self, progress: float, average: WeightAverage) -> bool:
        """Go on to the next stage if `progress` is where it begins, and say so. average: of the whole network.

        Called before every step; at most one stage begins in each, so that none is left out.
        """
        begins = self.stage < len(self._begins) - 1 and progress >= self._begins[self.stage + 1]
        if begins:
            self.stage += 1
            for module, own in ((self._network, average), *zip(self.copies, self.averages, strict=True)):
                module.load_state_dict(own.tensors)
                own.steps = 0  # what learns from now on begins at random
        if begins or not self._is_set:
            self._is_set = True
            for stage, (part, parameters) in enumerate(self._parts):
                part.train(stage == self.stage)
                for parameter in parameters:
                    parameter.requires_grad_(stage == self.stage)
        return begins

    def within(self, progress: float) -> float:
        """Return how much of the present stage is done at `progress`, 0 to 1."""
        begin, end = (*self._begins, 1.0)[self.stage : self.stage + 2]
        return min(max((progress - begin) / (end - begin), 0.0), 1.0)

    def loss(self, image: Tensor, labels: Tensor, halves: Tensor, loss_of: LossOf) -> Tensor:
        """Return the loss of what learns. image: (B, C, D, H, W). labels: (B, D, H, W). halves: (B,)."""
        if self.stage == 0:
            return _mean_loss(self._stacked.first(image), labels, loss_of)
        if self.stage == 1:
            # Every patch counts the same, however many of a batch are for one copy.
            losses = [
                len(seen) * _mean_loss(each(image[seen]), labels[seen], loss_of)
                for each, seen in zip(self.copies, self._places(halves, own=False), strict=True)
                if len(seen)
            ]
            return torch.stack(losses).sum() / len(image) / (HALVES - 1)
        return loss_of(self._stacked.second(image, self.unseen_answers(image, halves)), labels)

    @torch.no_grad()
    def unseen_answers(self, image: Tensor, halves: Tensor) -> list[Tensor]:
        """Return the logits (B, K, D, H, W) of every answer, for each item by the copy that has not seen its half."""
        places = list(self._places(halves, own=True))
        found = [each(image[unseen]) for each, unseen in zip(self.copies, places, strict=True) if len(unseen)]
        order = torch.cat(places).argsort()
        return [torch.cat(answer)[order] for answer in zip(*found, strict=True)]

    def follow(self) -> None:
        """Move the averages of the copies towards their weights."""
        for each, average in zip(self.copies, self.averages, strict=True):
            average.update(each)

    def to(self, device: torch.device) -> None:
        """Move averages and masks to the network's device."""
        for average in self.averages:
            average.to(device)
        for sparse in self.sparse:
            sparse.to(device)

    def state(self) -> dict[str, Any]:
        """Return tensors and plain types for the checkpoint; the weights of the copies are the module's."""
        return {
            "stage": self.stage,
            "halves": self._halves,
            "averages": [average.state() for average in self.averages],
            "sparsity": [sparse.state() for sparse in self.sparse],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.stage = state["stage"]
        for average, stored in zip(self.averages, state["averages"], strict=True):
            average.restore(stored)
        for sparse, stored in zip(self.sparse, state["sparsity"], strict=True):
            sparse.restore(stored)

    def _places(self, halves: Tensor, *, own: bool) -> Iterator[Tensor]:
        """Yield for each copy which items of a batch are of its own half, or are not."""
        for number in range(HALVES):
            yield ((halves == number) == own).nonzero().flatten()


def stacking_of(network: nn.Module, ema: float, masked: Masker) -> Stacking | None:
    """Return how `network` learns in stages, or None where all of it learns at once."""
    stacked = stacked_part(network)
    return Stacking(network, stacked, ema, masked) if stacked else None


def _mean_loss(answers: Sequence[Tensor], labels: Tensor, loss_of: LossOf) -> Tensor:
    return torch.stack([loss_of(answer, labels) for answer in answers]).mean()
