"""The operators that TensorRT 10.3, TensorRT 11 and TensorRT for RTX all take.

No ``GridSample``: TensorRT has compiled it to wrong results silently. No float32 ``MatMul`` or ``Gemm``: TensorRT
for RTX refuses them on compute capability 7.5, where a 1 x 1 ``Conv`` is taken.
"""

from __future__ import annotations

import onnx

from edge_sr.errors import ParityError

PORTABLE = frozenset(
    {
        "Abs", "Add", "Cast", "Clip", "Concat", "Constant", "Conv", "ConvTranspose", "Cos", "DepthToSpace", "Div",
        "Gather", "LeakyRelu", "Max", "Min", "Mul", "Neg", "PRelu", "Pad", "Relu", "Reshape", "Round", "Shape",
        "Sign", "Sin", "Slice", "Split", "Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze", "QuantizeLinear",
        "DequantizeLinear",
    }
)  # fmt: skip


def check_operators(model: onnx.ModelProto) -> None:
    """Raise ``ParityError`` for the first node outside the portable set."""
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in PORTABLE:
            raise ParityError(f"operator {node.op_type} is not one that every TensorRT takes")
