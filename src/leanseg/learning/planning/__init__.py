"""What a data set and a budget ask for: fingerprint + budget -> Plan, or recipe + data set -> Plan."""

from leanseg.learning.planning.contrast import few_labels
from leanseg.learning.planning.planner import DEFAULT_NETWORK, make_plan
from leanseg.learning.planning.recipes import make_recipe_plan

__all__ = ["DEFAULT_NETWORK", "few_labels", "make_plan", "make_recipe_plan"]
