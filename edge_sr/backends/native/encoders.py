"""Which encoder stands in front of the native decoder: the library's own where it runs the network, else another's.

The library has small residual encoders, in every precision that the processor has products for. Other networks go to
ONNX Runtime, or where that does not compute in a precision to OpenVINO: ONNX Runtime has no bfloat16, and its INT8
convolutions take longer (figures in docs/reports/native.md).
"""

from __future__ import annotations

from importlib.util import find_spec

from edge_sr.backends.base import Encoder, RunnerConfig
from edge_sr.backends.native.encoder import NativeEncoder
from edge_sr.backends.native.kernels import BF16_KERNELS, encoder_kernel
from edge_sr.backends.native.residual import read_encoder
from edge_sr.backends.onnxruntime.runner import OnnxEncoder
from edge_sr.backends.openvino.encoder import OpenVinoEncoder, computes_in, has_bf16
from edge_sr.kinds import Precision


def open_encoder(config: RunnerConfig, *, bf16_maps: bool = False) -> Encoder:
    """The fastest encoder here; raises ``BundleError`` when the bundle has no such graph.

    ``bf16`` is computed from the fp32 graph. ``bf16_maps``: the decoder takes maps in bfloat16, and is given them by
    an encoder that computes in it.
    """
    own = _native(config, bf16_maps)
    if own is not None:
        return own
    precision = config.precision
    if not _suits_openvino(precision):
        return OnnxEncoder(config)
    bf16_maps = bf16_maps and computes_in(precision) == "bf16"
    return OpenVinoEncoder(config.file("encoder"), precision, config.threads, bf16_maps=bf16_maps)


def _native(config: RunnerConfig, bf16_maps: bool) -> NativeEncoder | None:
    """The library's encoder; ``None`` where it does not run the network, or this processor not the precision."""
    spec, kernel = config.bundle.network.encoder, encoder_kernel(config.precision)
    if spec.kind != "residual" or kernel is None:
        return None
    residual = read_encoder(config.file("encoder"), spec.blocks)
    if residual is None:
        return None
    bf16_maps = bf16_maps and kernel in BF16_KERNELS
    return NativeEncoder(residual, config.dtype, config.threads, kernel, bf16_maps=bf16_maps)


def _suits_openvino(precision: Precision) -> bool:
    if precision == "bf16":
        return has_bf16()
    return precision == "int8" and find_spec("openvino") is not None
