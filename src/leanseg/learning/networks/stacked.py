"""Networks in two parts, of which the second learns from what the first says about cases that it has not seen.

Source: Wolpert, Stacked generalization (Neural Networks 5, 1992). A first part that has learned from a case is surer
about it than it will ever be about a new one; a second part that learned from such answers would trust them too much.
"""

from torch import Tensor, nn

HALVES = 2  # of the training cases: each is answered about by a copy of the first part that learned from the other


class StackedNetwork(nn.Module):
    """(B, C, D, H, W) -> logits (B, K, D, H, W), or a list of them, finest first: `second` of the image and `first`.

    first: image -> list of logits (B, K, D, H, W), each of them an answer by itself. second: image and such a list ->
    logits. Whoever trains one lets the parts learn in turn: `first` from all cases; a copy of it from each half of
    them; `second` from the answers of the copy that has not seen the case. The copies are no part of the network.
    shares: of a training, for `first` and for its copies; the rest is for `second`.
    """

    shares = (0.4, 0.4)

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, x: Tensor) -> Tensor | list[Tensor]:
        """x: (B, C, D, H, W). Returns logits (B, K, D, H, W), or a list of them, finest first."""
        found: Tensor | list[Tensor] = self.second(x, self.first(x))
        return found


def stacked_part(network: nn.Module) -> StackedNetwork | None:
    """Return the stacked network that `network` is or wraps, or None."""
    return next((module for module in network.modules() if isinstance(module, StackedNetwork)), None)


def copied_parameters(network: nn.Module) -> int:
    """Return the number of parameters of the copies that exist while `network` is trained, and only then."""
    stacked = stacked_part(network)
    return HALVES * sum(parameter.numel() for parameter in stacked.first.parameters()) if stacked else 0
