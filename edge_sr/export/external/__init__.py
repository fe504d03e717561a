"""ONNX models that users bring."""
