"""Compiles the kernels in C while leanseg is installed, where there is a compiler; nothing fails without one.

An editable installation gets the library beside its sources. A wheel that holds it is named for this kind of machine
and any Python 3; one without it is for every machine.
"""

import runpy
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_KERNELS = Path("src/leanseg/kernels/native")


class NativeKernels(BuildHookInterface[Any]):
    """The step that hatchling runs before it makes a wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the kernels for a wheel of the kind `version` and add the library to what it holds."""
        folder = Path(self.root) / _KERNELS
        compile_library = runpy.run_path(str(folder / "compiling.py"))["compile_library"]
        if version == "editable":
            library = compile_library(folder)
        else:
            self._folder = tempfile.TemporaryDirectory(prefix="leanseg-kernels-")
            library = compile_library(Path(self._folder.name))
            if library is not None:
                target = _KERNELS.relative_to("src") / library.name
                build_data["force_include"][str(library)] = target.as_posix()
        if library is None:
            self.app.display_warning("leanseg: no C compiler that works was found, so numpy does what kernels would")
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
