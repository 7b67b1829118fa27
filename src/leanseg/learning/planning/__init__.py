"""What a data set and a budget ask for: fingerprint + budget -> Plan."""

from leanseg.learning.planning.planner import DEFAULT_NETWORK, make_plan

__all__ = ["DEFAULT_NETWORK", "make_plan"]
