"""Plan and Budget: what will be trained and how, as data that a person can read and edit."""

from leanseg.plans.budget import Budget, parse_bytes, read_budget, show_bytes
from leanseg.plans.deformations import Elastic, RegistrationMix
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
from leanseg.plans.random_contrast import RandomContrast
from leanseg.plans.reading import PlanError, parse_plan, plan_text, read_plan, write_plan
from leanseg.plans.sparsity import Sparsity, read_sparsity
from leanseg.plans.strict import Strict

__all__ = [
    "Augmentation",
    "Budget",
    "Data",
    "Elastic",
    "Estimates",
    "Inference",
    "Network",
    "Normalisation",
    "Plan",
    "PlanError",
    "Preprocessing",
    "RandomContrast",
    "RegistrationMix",
    "Sparsity",
    "Strict",
    "Training",
    "parse_bytes",
    "parse_plan",
    "plan_text",
    "read_budget",
    "read_plan",
    "read_sparsity",
    "show_bytes",
    "write_plan",
]
