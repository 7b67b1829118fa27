"""A trained network as an ONNX graph for one fixed tile."""

import io
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from leanseg.learning.export.exact_norms import ExactNorms

OPSET = 17  # the newest that both OpenVINO and ONNX Runtime of the last two years read completely


def export_onnx(network: nn.Module, channels: int, tile: tuple[int, int, int]) -> bytes:
    """Return the graph image (1, channels, *tile) -> logits (1, K, *tile), float32, batch norms folded.

    A module that needs a newer operator set than OPSET says so by its attribute `onnx_opset`. Instance and group norms
    are written out (see `ExactNorms`), as engines compute ONNX's own imprecisely.
    The network is traced (shapes are fixed and the networks have no data-dependent branches). The tracing
    exporter is used on purpose: it takes a second and needs no further package, where torch.export takes ten.
    """
    network = network.cpu().float().eval()
    graph = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode(), ExactNorms():
        warnings.simplefilter("ignore")  # the exporter's advice to use the slower one; shapes becoming constants
        torch.onnx.export(
            network,
            (torch.zeros(1, channels, *tile),),
            graph,  # type: ignore[arg-type]  # annotated as a path; the tracing exporter takes any binary file
            dynamo=False,
            input_names=["image"],
            output_names=["logits"],
            opset_version=max(getattr(module, "onnx_opset", OPSET) for module in network.modules()),
        )
    return graph.getvalue()


def weight_bytes(weights: Mapping[str, Tensor]) -> bytes:
    """Return `weights` in the safetensors format."""
    from safetensors.torch import save

    return save({name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()})
