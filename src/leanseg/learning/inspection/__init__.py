"""What a trained network has learned: how far it sees, where it looks, and what its slices tell one another."""

from leanseg.learning.inspection.offsets import Offsets, record_offsets
from leanseg.learning.inspection.receptive_field import ReceptiveField, score_gradient
from leanseg.learning.inspection.slice_exchange import Exchange, ExchangeMeter

__all__ = ["Exchange", "ExchangeMeter", "Offsets", "ReceptiveField", "record_offsets", "score_gradient"]
