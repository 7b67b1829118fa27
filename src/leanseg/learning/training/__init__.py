"""Training: cached cases, patches, the Lightning module, clocks and callbacks."""
