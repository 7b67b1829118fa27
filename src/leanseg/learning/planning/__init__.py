"""What a data set and a budget ask for: fingerprint + budget -> Plan."""

from leanseg.learning.planning.planner import make_plan

__all__ = ["make_plan"]
