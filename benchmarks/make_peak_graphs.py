"""Write the two graphs that ``edge-sr bench`` takes the machine's peak with (needs the ``export`` extra).

Weights are a constant that ONNX Runtime expands and lays out for itself when it loads the graph, so each file
stays at about 200 bytes.

    python benchmarks/make_peak_graphs.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from edge_sr.benchmark.peak import CHANNELS, WIDTH

FOLDER = Path(__file__).parent.parent / "edge_sr" / "benchmark" / "graphs"


def graph(operator: str, weight: list[int], shape: list[int | str], **attributes: Any) -> onnx.ModelProto:
    """``y = operator(x, constant)`` for an ``x`` of ``shape``, opset 19."""
    value = helper.make_tensor("value", TensorProto.FLOAT, [1], [0.01])
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["weight"], value=value),
        helper.make_node(operator, ["x", "weight"], ["y"], **attributes),
    ]
    sizes = helper.make_tensor("shape", TensorProto.INT64, [len(weight)], weight)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    body = helper.make_graph(nodes, f"peak-{operator.lower()}", ends[:1], ends[1:], [sizes])
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def main() -> None:
    conv = graph("Conv", [CHANNELS, CHANNELS, 3, 3], [1, CHANNELS, "h", "w"], pads=[1, 1, 1, 1])
    gemm = graph("Gemm", [WIDTH, WIDTH], ["rows", WIDTH])
    for model in (conv, gemm):
        onnx.checker.check_model(model)
        onnx.save(model, FOLDER / f"{model.graph.name}.onnx")


if __name__ == "__main__":
    main()
