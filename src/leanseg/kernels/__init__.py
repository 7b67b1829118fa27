"""Hot loops on numpy arrays."""
