"""The first run of an engine on a device, compared with ONNX Runtime."""
