"""Predict some cases as one candidate does: `python -m ... REQUEST`, a process whose memory is measured."""

import json
import sys
from pathlib import Path

from leanseg.datasets import Case
from leanseg.errors import LeansegError
from leanseg.inference import open_engine, predict_cases
from leanseg.inference.engines.precision import thread_count
from leanseg.machine import peak_rss_bytes
from leanseg.packages import Package
from leanseg.storage import write_json


def main(request: Path) -> None:
    """Do what the JSON file `request` asks, and write what became of it to its file "result"."""
    asked = json.loads(request.read_text(encoding="utf-8"))
    cases = [Case(name, tuple(map(Path, images))) for name, images in asked["cases"].items()]
    try:
        package = Package.read(Path(asked["package"]))
        engine = open_engine(package, asked["engine"], thread_count(asked["threads"]), precision=asked["precision"])
        summary = predict_cases(package, cases, Path(asked["out"]), engine=engine, overwrite=True)
    except LeansegError as error:
        write_json(Path(asked["result"]), {"failure": error.what})
        return
    found = {
        "engine": summary.engine,
        "failed": {failure.case: failure.error.what for failure in summary.failed},
        "peak_rss_bytes": peak_rss_bytes(),
    }
    write_json(Path(asked["result"]), found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
