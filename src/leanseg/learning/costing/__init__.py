"""What networks cost: parameters, MACs, memory (counted) and time (measured on this machine)."""

from leanseg.learning.costing.calibration import Calibration, calibrate
from leanseg.learning.costing.memory import (
    decoded_bytes,
    judging_ram,
    prediction_ram,
    training_ram,
    training_vram,
)
from leanseg.learning.costing.network_costs import NetworkCosts, network_costs
from leanseg.learning.costing.precision import Precision, autocast, fastest_precision

__all__ = [
    "Calibration",
    "NetworkCosts",
    "Precision",
    "autocast",
    "calibrate",
    "decoded_bytes",
    "fastest_precision",
    "judging_ram",
    "network_costs",
    "prediction_ram",
    "training_ram",
    "training_vram",
]
