"""What each row of the table does. A row runs in a process of its own: `python -m peers.rows JOB.json`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from peers.job import Job, Said

if TYPE_CHECKING:
    from leanseg import Package
    from leanseg.inference import Engine


def leanseg_bf16(job: Job) -> None:
    """Predict with OpenVINO in bf16, which no plan chooses by itself."""
    from leanseg import Package, predict

    engine = _bf16_engine(Package.read(Path(job.package)), job.threads)
    predict(Path(job.package), Path(job.scans), Path(job.out), engine=engine, overwrite=True)


def _bf16_engine(package: "Package", threads: int) -> "Engine":
    """Return leanseg's own engine in bf16 where it offers one, or else the graph compiled here."""
    import inspect

    import openvino

    from leanseg.inference import open_engine

    if "precision" in inspect.signature(open_engine).parameters:
        return open_engine(package, "openvino", threads, precision="bf16")
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
    }
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(package.onnx_bytes(), b""), "CPU", settings)
    request = compiled.create_infer_request()

    class Compiled:
        name = f"openvino {openvino.__version__.split('-')[0]}"
        precision = str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())  # asked, not assumed

        def __call__(self, tile: NDArray[np.float32]) -> NDArray[np.float32]:
            return request.infer([tile], share_inputs=True, share_outputs=True)[0]

    return Compiled()


def torch_eager(job: Job) -> None:
    """Predict with leanseg's tiles and export, and the network in torch as it comes."""
    _torch(job, compiled=False)


def torch_compile(job: Job) -> None:
    """Predict with leanseg's tiles and export, and the network compiled by torch; compiling counts."""
    _torch(job, compiled=True)


def _torch(job: Job, *, compiled: bool) -> None:
    import torch
    from peers.torch_network import network_of

    from leanseg import predict

    torch.set_num_threads(job.threads)
    network = network_of(Path(job.package), job.passes)
    if compiled:
        network.network = torch.compile(network.network)

    class Engine:
        name, precision = f"torch {torch.__version__}", "fp32"

        def __call__(self, tile: NDArray[np.float32]) -> NDArray[np.float32]:
            with torch.inference_mode():
                return network(torch.from_numpy(tile)).numpy()

    found = Said(Engine.name)
    with found.phase("all"):
        predict(Path(job.package), Path(job.scans), Path(job.out), engine=Engine(), overwrite=True)
    network.account(found)
    found.write(Path(job.out))


def monai_window(job: Job) -> None:
    """Predict with MONAI's sliding window on what leanseg prepared, and the usual export."""
    import torch
    from monai.inferers import sliding_window_inference
    from peers.prepared import export, prediction
    from peers.torch_network import network_of

    torch.set_num_threads(job.threads)
    network = network_of(Path(job.package), job.passes)
    with prediction(job) as (package, prepared, said), torch.inference_mode():
        said.engine = f"torch {torch.__version__}"
        inference = package.plan.inference
        with said.phase("network"):
            scores = sliding_window_inference(
                torch.from_numpy(prepared.array)[None],
                inference.tile,
                sw_batch_size=1,
                predictor=network,
                overlap=inference.overlap,
                mode=inference.blending,
            )[0]
        network.account(said)
        export(job, scores, prepared, said)


def naive_export(job: Job) -> None:
    """Predict with leanseg's preparation, OpenVINO in fp32, all scores fused in memory, and the usual export."""
    import torch
    from peers.prepared import export, prediction

    from leanseg.inference import fuse, open_engine

    torch.set_num_threads(job.threads)
    with prediction(job) as (package, prepared, said), torch.inference_mode():
        engine = open_engine(package, "openvino", job.threads)
        said.engine = engine.name
        inference = package.plan.inference
        with said.phase("network"):
            scores = fuse(engine, prepared.array, inference.tile, inference.overlap, blending=inference.blending)
        export(job, torch.from_numpy(scores), prepared, said)


def nnunet_same(job: Job) -> None:
    """Predict with nnU-Net's preparation, predictor and export, and the package's network, tile and overlap."""
    from peers.nnunet import predict_with_our_network

    predict_with_our_network(job)


def nnunet_defaults(job: Job) -> None:
    """Predict as nnUNetv2_predict does: nnU-Net's plan and network, overlap 0.5, mirroring, several processes."""
    from peers.nnunet import predict_with_defaults

    predict_with_defaults(job)


def nnunet_plan(job: Job) -> None:
    """Let nnU-Net make the plan that its rows follow. Not measured: it is made once for a data set."""
    from peers.nnunet import plan

    plan(job)


PLAN = "nnU-Net's plan"
ROWS: dict[str, Callable[[Job], None]] = {
    PLAN: nnunet_plan,
    "leanseg bf16": leanseg_bf16,
    "torch eager": torch_eager,
    "torch.compile": torch_compile,
    "MONAI sliding window": monai_window,
    "nnU-Net, same network": nnunet_same,
    "nnU-Net, its defaults": nnunet_defaults,
    "naive export": naive_export,
}

if __name__ == "__main__":
    job = Job.read(Path(sys.argv[1]))
    ROWS[job.row](job)
