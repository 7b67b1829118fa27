"""What networks cost: parameters, MACs, memory (counted) and time (measured on this machine)."""

from leanseg.learning.costing.calibration import Calibration, calibrate
from leanseg.learning.costing.memory import prediction_ram, training_ram, training_vram, validation_ram
from leanseg.learning.costing.network_costs import NetworkCosts, network_costs
from leanseg.learning.costing.precision import Precision, autocast, fastest_precision

__all__ = [
    "Calibration",
    "NetworkCosts",
    "Precision",
    "autocast",
    "calibrate",
    "fastest_precision",
    "network_costs",
    "prediction_ram",
    "training_ram",
    "training_vram",
    "validation_ram",
]
