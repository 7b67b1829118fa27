"""The model package: pure data (JSON, safetensors, ONNX) with a hash for every file."""
