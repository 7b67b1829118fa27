"""How robust is a package: Dice under noise, other contrast, thick slices, motion, deformation, cut fields of view.

Scans are changed in memory and predicted as `leanseg predict` would predict them; no torch.
"""

from leanseg.evaluation.stress.catalogue import STRESSES, Stress
from leanseg.evaluation.stress.study import Question, StressTest, stress_test

__all__ = ["STRESSES", "Question", "Stress", "StressTest", "stress_test"]
