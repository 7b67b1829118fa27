"""One tile through one engine, in a process of its own, which may die of it: `python -m leanseg.doctor.smoke ENGINE`.

After each step that worked a line of JSON appears on stdout, {"step": "loaded", ...}, so that whoever started the
process knows how far it came. An error that Python can tell is the step "failed".
"""

import json
import sys
from collections.abc import Callable
from typing import Any

from leanseg.errors import first_line
from leanseg.machine import process_seconds


def main() -> None:
    """Try the engine that the first argument names. Exit code 1 when it fails."""
    _write_no_core_file()
    try:
        _TRIES[sys.argv[1]]()
    except Exception as error:  # noqa: BLE001  whatever an engine raises is what this process is there to find out
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        _tell("failed", error=f"{type(error).__name__}: {first_line(error)}", missing=missing)
        raise SystemExit(1) from None


def _openvino() -> None:
    from leanseg.inference.engines.openvino_engine import OpenVinoEngine, runtime

    _try_engine(OpenVinoEngine)
    _tell("telemetry", loaded="openvino_telemetry" in sys.modules)
    core = runtime().Core()  # asked last: a broken GPU driver may end the process here
    _tell("devices", names={device: core.get_property(device, "FULL_DEVICE_NAME") for device in core.available_devices})


def _onnxruntime() -> None:
    from leanseg.inference.engines.onnxruntime_engine import OnnxRuntimeEngine

    _try_engine(OnnxRuntimeEngine)


def _torch() -> None:
    from leanseg.doctor.tile import read_tile
    from leanseg.doctor.torch_tile import try_torch

    try_torch(read_tile(), _tell)


def _try_engine(opened: Callable[[bytes], Any]) -> None:
    from leanseg.doctor.tile import difference, read_tile

    tile = read_tile()
    engine = opened(tile.onnx)
    _tell("loaded", version=engine.name.partition(" ")[2], precision=engine.precision)
    scores = engine(tile.image)
    _tell("computed", difference=difference(scores, tile.scores), seconds=process_seconds())


def _tell(step: str, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"step": step, **facts}) + "\n")
    sys.stdout.flush()


def _write_no_core_file() -> None:
    """Keep the system from writing this process's memory into the user's folder, should it die."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


_TRIES: dict[str, Callable[[], None]] = {"openvino": _openvino, "onnxruntime": _onnxruntime, "torch": _torch}

if __name__ == "__main__":
    main()
