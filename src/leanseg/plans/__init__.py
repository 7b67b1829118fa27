"""Plan and Budget: what will be trained and how, as data that a person can read and edit."""

from leanseg.plans.budget import Budget, read_budget
from leanseg.plans.plan import (
    Augmentation,
    Data,
    Estimates,
    Inference,
    Network,
    Normalisation,
    Plan,
    Preprocessing,
    Training,
)
from leanseg.plans.reading import PlanError, read_plan, write_plan

__all__ = [
    "Augmentation",
    "Budget",
    "Data",
    "Estimates",
    "Inference",
    "Network",
    "Normalisation",
    "Plan",
    "PlanError",
    "Preprocessing",
    "Training",
    "read_budget",
    "read_plan",
    "write_plan",
]
