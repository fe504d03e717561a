"""Which library runs the encoder in front of the native decoder: at each precision the fastest.

At fp32 ONNX Runtime and OpenVINO take the same time, and ONNX Runtime is always there. ONNX Runtime does not
compute in bfloat16, and its INT8 convolutions take longer than OpenVINO's (figures in docs/native.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from edge_sr.manifest import Bundle
from edge_sr.runtime.onnx_runner import OnnxEncoder
from edge_sr.runtime.openvino_encoder import OpenVinoEncoder, computes_in, has_bf16
from edge_sr.runtime.runner import PartTimes


class Encoder(Protocol):
    """``encode`` turns ``1 x h x w x 3`` into maps, ``1 x C x h x w``."""

    backend: str

    def encode(self, image: NDArray[Any]) -> NDArray[Any]:
        """The maps, valid for as long as they are referred to."""


@runtime_checkable
class DeviceNetwork(Encoder, Protocol):
    """A network from picture to picture on a device, which cuts pictures for it by itself.

    ``times`` are those of the picture that ``stream`` gave last; ``device_bytes`` the device memory taken now.
    """

    @property
    def times(self) -> PartTimes: ...

    @property
    def device_bytes(self) -> int: ...

    def stream(self, images: Iterable[NDArray[Any]]) -> Iterator[NDArray[Any]]:
        """As ``encode``, in order, with the next ones under way meanwhile; all of one shape, else ``ShapeError``."""

    def close(self) -> None:
        """Free device memory."""


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
