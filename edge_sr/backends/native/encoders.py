"""Which library runs the encoder in front of the native decoder: at each precision the fastest.

At fp32 ONNX Runtime and OpenVINO take the same time, and ONNX Runtime is always there. ONNX Runtime does not
compute in bfloat16, and its INT8 convolutions take longer than OpenVINO's (figures in docs/concepts/native.md).
"""

from __future__ import annotations

from importlib.util import find_spec

from edge_sr.backends.base import Encoder, RunnerConfig
from edge_sr.backends.onnxruntime.runner import OnnxEncoder
from edge_sr.backends.openvino.encoder import OpenVinoEncoder, computes_in, has_bf16
from edge_sr.kinds import Precision


def open_encoder(config: RunnerConfig, *, half_maps: bool = False) -> Encoder:
    """The fastest encoder installed; raises ``BundleError`` when the bundle has no such graph.

    ``bf16`` is computed from the fp32 graph, and without OpenVINO in float32. ``half_maps``: the decoder takes
    maps in bfloat16, and is given them by an encoder that computes in it.
    """
    precision = config.precision
    if not _suits_openvino(precision):
        return OnnxEncoder(config)
    half_maps = half_maps and computes_in(precision) == "bf16"
    return OpenVinoEncoder(config.file("encoder"), precision, config.threads, half_maps=half_maps)


def _suits_openvino(precision: Precision) -> bool:
    if precision == "bf16":
        return has_bf16()
    return precision == "int8" and find_spec("openvino") is not None
