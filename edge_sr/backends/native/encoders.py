"""Which library runs the encoder in front of the native decoder: at each precision the fastest.

At fp32 ONNX Runtime and OpenVINO take the same time, and ONNX Runtime is always there. ONNX Runtime does not
compute in bfloat16, and its INT8 convolutions take longer than OpenVINO's (figures in docs/concepts/native.md).
"""

from __future__ import annotations

from importlib.util import find_spec

from edge_sr.backends.base import Encoder
from edge_sr.backends.onnxruntime.runner import OnnxEncoder
from edge_sr.backends.openvino.encoder import OpenVinoEncoder, computes_in, has_bf16
from edge_sr.bundle import Bundle


def open_encoder(
    bundle: Bundle, precision: str, io: str, threads: int, *, half_maps: bool = False
) -> Encoder:
    """The fastest encoder installed; raises ``BundleError`` when the bundle has no such graph.

    ``bf16`` is computed from the fp32 graph, and without OpenVINO in float32. ``half_maps``: the decoder takes
    maps in bfloat16, and is given them by an encoder that computes in it.
    """
    stored = "fp32" if precision == "bf16" else precision
    if not _suits_openvino(precision):
        return OnnxEncoder(bundle, stored, io, threads)
    graph = bundle.graph("encoder", stored, io)
    return OpenVinoEncoder(
        graph, precision, threads, half_maps=half_maps and computes_in(precision) == "bf16"
    )


def _suits_openvino(precision: str) -> bool:
    if precision == "bf16":
        return has_bf16()
    return precision.startswith("int8") and find_spec("openvino") is not None
