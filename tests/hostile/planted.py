"""Faults planted to see that the suite finds each of them. They are in no run but their own."""

import os
import signal
import time
import warnings
from pathlib import Path
from random import Random

from tests.hostile.trial import MEGABYTE, Family, Trial, WrongError

from leanseg.errors import InputError


def _planted(run):
    def make(random: Random, folder: Path) -> Trial:
        (folder / "input").write_bytes(random.randbytes(8))
        return Trial(run=lambda: run(folder), allowance=64 * MEGABYTE)

    return make


def _crash(_: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang(_: Path) -> None:
    time.sleep(3600)


def _spin(_: Path) -> None:
    while True:
        pass


def _foreign(_: Path) -> None:
    raise KeyError("foreign")


def _exit(_: Path) -> None:
    os._exit(0)


def _memory(_: Path) -> None:
    bytearray(200 * MEGABYTE)


def _address_space(_: Path) -> None:
    bytearray(1 << 40)


def _silence(_: Path) -> None:
    raise InputError(what="something", why="", fix="nothing")


def _leftover(folder: Path) -> None:
    (folder / ".writing-1-x").touch()


def _spoilt(folder: Path) -> None:
    (folder / "input").write_bytes(b"")


def _warning(_: Path) -> None:
    warnings.warn("overflow", RuntimeWarning, stacklevel=1)


def _wrong(_: Random, __: Path) -> Trial:
    def judge(_: object) -> str:
        raise WrongError("wrong voxels", "1 instead of 2")

    return Trial(run=lambda: None, judge=judge)


def _refused(_: Random, __: Path) -> Trial:
    def run() -> None:
        raise InputError(what="what", why="why", fix="fix")

    return Trial(run=run, sound=True)


def _nothing(_: Random, folder: Path) -> Trial:
    (folder / "same").touch()
    return Trial(run=lambda: None)


PLANTED = (
    Family("planted", "crash", _planted(_crash)),
    Family("planted", "exit", _planted(_exit)),
    Family("planted", "hang", _planted(_hang)),
    Family("planted", "spin", _planted(_spin)),
    Family("planted", "foreign exception", _planted(_foreign)),
    Family("planted", "memory", _planted(_memory)),
    Family("planted", "address space", _planted(_address_space)),
    Family("planted", "incomplete message", _planted(_silence)),
    Family("planted", "left behind", _planted(_leftover)),
    Family("planted", "input spoilt", _planted(_spoilt)),
    Family("planted", "warning", _planted(_warning)),
    Family("planted", "wrong", _wrong),
    Family("planted", "sound refused", _refused),
    Family("planted", "nothing wrong", _nothing),
)
