"""The shared library of the kernels in C, made by the system's compiler when leanseg is installed.

Only the standard library is imported, as leanseg's build hook runs this file before anything is installed. In a clone,
`make native` does so again after a change: `python src/leanseg/kernels/native/compiling.py`.
"""

import contextlib
import hashlib
import os
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
# Results must not depend on the compiler or on the processor, so products and sums stay apart, and NaN stays visible.
_OPTIONS = (
    "-std=gnu99",
    "-O3",
    "-ffp-contract=off",
    "-fno-fast-math",
    "-fPIC",
    "-shared",
    "-fvisibility=default",
    "-w",
)
# Versions for several processors need a C library that can choose among them.
_PROCESSORS = ((), ("-DLEANSEG_ONE_PROCESSOR",))
_LONGEST = 300.0  # seconds


def library_name() -> str:
    """Return the file name of the library, which tells the sources that it is made of: an older one is not loaded."""
    digest = hashlib.sha256(repr((_OPTIONS, _PROCESSORS)).encode())
    for source in sorted(FOLDER.glob("*.[ch]")):
        digest.update(source.read_bytes())
    return f"kernels-{digest.hexdigest()[:12]}.so"


def compile_library(folder: Path) -> Path | None:
    """Compile the kernels into `folder` and return the library, or None where that cannot be done.

    The compiler is that of the environment variable CC, or else the first that works of those this Python knows. The
    library is loaded once by another process before it counts. Libraries of older sources in `folder` are removed.
    """
    if sys.platform == "win32":
        return None
    library = folder / library_name()
    attempt = folder / f".{os.getpid()}-{library.name}"
    try:
        attempt.touch()  # compilers would work for seconds before they find out
        if not any(_works(compiler, attempt, options) for compiler in _compilers() for options in _PROCESSORS):
            return None
        for older in folder.glob("kernels-*.so"):
            older.unlink()
        attempt.replace(library)
    except OSError:  # a folder that cannot be written to
        return None
    finally:
        with contextlib.suppress(OSError):
            attempt.unlink()
    return library


def _compilers() -> list[list[str]]:
    import shlex
    import sysconfig

    told = os.environ.get("CC")
    names = [told] if told else [sysconfig.get_config_var("CC") or "cc", "cc", "gcc", "clang"]
    return [shlex.split(name) for name in dict.fromkeys(names)]


def _works(compiler: list[str], library: Path, options: tuple[str, ...]) -> bool:
    import subprocess

    sources = [str(source) for source in sorted(FOLDER.glob("*.c"))]
    load = [sys.executable, "-c", "import ctypes, sys; ctypes.CDLL(sys.argv[1]).leanseg_paint", str(library)]
    for command in ([*compiler, *_OPTIONS, *options, *sources, "-o", str(library), "-lm"], load):
        try:
            done = subprocess.run(command, capture_output=True, timeout=_LONGEST, check=False)  # noqa: S603
        except (OSError, subprocess.SubprocessError):
            return False
        if done.returncode != 0:
            return False
    return True


if __name__ == "__main__":
    print(compile_library(FOLDER) or "no compiler that works was found: numpy does what the kernels would")  # noqa: T201
