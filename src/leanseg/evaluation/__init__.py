"""How good is it: metrics, statistics, figures."""
