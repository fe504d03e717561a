"""The first run of engines on a device, compared with ONNX Runtime."""
