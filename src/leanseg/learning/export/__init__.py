"""From a trained network to a package: ONNX that engines like, weights, card, parity."""
