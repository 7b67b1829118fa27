"""What a run may take of memory, and what it will take with a given patch, batch and tile."""

import math
from dataclasses import dataclass

from leanseg.learning.costing import Calibration, NetworkCosts, judging_ram, prediction_ram, training_ram, training_vram
from leanseg.learning.planning.grid import Size
from leanseg.plans import Budget

_USABLE_RAM = 0.8  # of the machine's, where the budget names no limit
_CUDA_LIBRARIES = 2_500_000_000  # bytes of RAM that a process with CUDA takes on top


@dataclass(frozen=True)
class Memory:
    """Memory of one data set, network, budget and machine; all results are in bytes.

    voxels: of the largest scan, in its own grid or the plan's, whichever are more. decoded: bytes of all cases
    preprocessed, which training keeps in memory if that is at most a quarter of what it may take. registering: bytes of
    a process that registers scans meanwhile.
    """

    costs: NetworkCosts
    budget: Budget
    calibration: Calibration
    channels: int
    outputs: int
    voxels: int
    decoded: int
    registering: int = 0

    @property
    def ram_limit(self) -> int:
        """RAM for training: the budget's, else a share of the machine's."""
        return self.budget.training_ram or int(_USABLE_RAM * self.calibration.ram)

    @property
    def vram_limit(self) -> int:
        """GPU memory for training; 0 without a GPU."""
        if self.budget.vram:
            return min(self.budget.vram, self.calibration.vram)
        return int(_USABLE_RAM * self.calibration.vram)

    @property
    def cached(self) -> int:
        """What decoded cases take."""
        return self.decoded if 4 * self.decoded <= self.ram_limit else 0

    @property
    def ram_for_network(self) -> int:
        """What is left for all but the decoded cases.

        Just below the limit from which cases are decoded some of it stays unused, so that a little more memory never
        makes a patch smaller.
        """
        return max(self.ram_limit - self.decoded, min(self.ram_limit, 3 * self.decoded))

    def limit_that_leaves(self, ram: int) -> int:
        """Return the smallest limit whose `ram_for_network` is `ram`."""
        return ram if ram <= 3 * self.decoded else ram + self.decoded

    def ram(self, patch: Size, batch: int, tile: Size) -> int:
        """Return the peak RAM of a whole run, beside the decoded cases."""
        on_cpu = self.calibration.device == "cpu"
        training = training_ram(self.costs, patch if on_cpu else (0, 0, 0), batch, self.channels)
        judging = judging_ram(self.costs, tile, self.voxels, self.channels, self.outputs)
        return training + judging + self.registering + (0 if on_cpu else _CUDA_LIBRARIES)

    def vram(self, patch: Size, batch: int, tile: Size) -> int:
        """Return the peak of GPU memory, which training or the validation between its steps takes; 0 without a GPU."""
        if self.calibration.device == "cpu":
            return 0
        validating = training_vram(self.costs, (0, 0, 0), 1) + self.costs.prediction_per_voxel * math.prod(tile)
        return max(training_vram(self.costs, patch, batch), round(validating))

    def fits(self, patch: Size, batch: int, tile: Size) -> bool:
        """Tell whether a run keeps within its limits."""
        return self.ram(patch, batch, tile) <= self.ram_for_network and self.vram(patch, batch, tile) <= self.vram_limit

    def predicting(self, tile: Size) -> int:
        """Return the peak RAM of predicting the largest scan with the finished package."""
        return prediction_ram(self.costs, tile, self.voxels, self.channels, self.outputs)
