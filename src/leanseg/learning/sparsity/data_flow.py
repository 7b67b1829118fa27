"""Where data enters and leaves a network: the weights that read the image, and those that make the scores."""

import copy
from collections.abc import Collection, Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node


def ends(network: nn.Module, names: Collection[str], shape: tuple[int, int, int, int]) -> tuple[set[str], set[str]]:
    """Return which of the parameters `names` come first, and which last, on the way from image to scores.

    First are those before which there is no other of them on any way, last those from which some output is reached
    without another. shape: (C, D, H, W) of an image that the network takes. One forward pass on tensors without data
    tells; the network itself is left alone.
    """
    twin = _without_data(network)
    chosen = {name: twin.get_parameter(name).requires_grad_() for name in names}
    with torch.device("meta"), torch.enable_grad():
        outputs = twin(torch.empty(2, *shape))
    levels = outputs if isinstance(outputs, list | tuple) else [outputs]
    graph = _Graph({id(tensor): name for name, tensor in chosen.items()}, levels)
    return graph.first(), graph.last()


def _without_data(network: nn.Module) -> nn.Module:
    """Return a copy of `network` whose tensors have no data; what is shared in the one is shared in the other."""
    tensors = {id(parameter): nn.Parameter(parameter.to("meta")) for parameter in network.parameters()}
    return copy.deepcopy(network, tensors | {id(buffer): buffer.to("meta") for buffer in network.buffers()})


class _Graph:
    """What autograd has recorded of a forward pass, from the outputs back to the weights of interest."""

    def __init__(self, names: dict[int, str], outputs: Iterable[Tensor]) -> None:
        self._names = names
        self._roots = [output.grad_fn for output in outputs if output.grad_fn is not None]

    def last(self) -> set[str]:
        """Return the weights that are reached from the outputs before any other."""
        found: set[str] = set()
        seen: set[Node] = set()
        waiting = list(self._roots)
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            own = self._weights(node)
            found |= own
            if not own:
                waiting += _inputs(node)
        return found

    def first(self) -> set[str]:
        """Return the weights behind which no other is reached."""
        behind: dict[Node, bool] = {}  # whether there is a weight at a node or behind it
        found: set[str] = set()
        for node in self._inputs_first():
            own = self._weights(node)
            others = any(behind[each] for each in _inputs(node))
            behind[node] = bool(own) or others
            if not others:
                found |= own
        return found

    def _inputs_first(self) -> Iterator[Node]:
        """Yield every node after all nodes that it got its inputs from."""
        seen: set[Node] = set()
        waiting = [(node, False) for node in self._roots]
        while waiting:
            node, ready = waiting.pop()
            if ready:
                yield node
            elif node not in seen:
                seen.add(node)
                waiting.append((node, True))
                waiting += [(each, False) for each in _inputs(node)]

    def _weights(self, node: Node) -> set[str]:
        tensors = (getattr(each, "variable", None) for each in _inputs(node))
        return {self._names[id(tensor)] for tensor in tensors if id(tensor) in self._names}


def _inputs(node: Node) -> list[Node]:
    return [each for each, _ in node.next_functions if each is not None]
