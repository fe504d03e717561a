"""TensorRT's encoder with the decoder of the ``cuda`` backend's kernels, in the place of a decoder's engine.

Layer by layer an engine moves each pixel's activations through memory; the kernel keeps them in registers. Maps come
from an encoder built with ``edge-sr build --decoder kernels``, channels last.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

from edge_sr.backends.cuda import kernels
from edge_sr.backends.cuda.device import Arena, KernelDevice
from edge_sr.backends.cuda.driver.protocol import KernelDriver, Stream
from edge_sr.backends.cuda.network.form import DecoderForm
from edge_sr.backends.cuda.network.weights import decoder_weights
from edge_sr.backends.cuda.programs import DecoderProgram, DevicePositions
from edge_sr.backends.tensorrt.engine import Engine
from edge_sr.backends.tensorrt.engines import PairEngines
from edge_sr.engines.store.identity import EngineKey, Shape, ShapeRange
from edge_sr.errors import DeviceError, MissingError
from edge_sr.kinds import Role, SampleType

# A kernel takes any frame, and the whole output at once.
LONGEST = 1 << 16


class KernelExecution:
    """The decoder's kernel, bound and enqueued as an engine's context is; it needs no scratch."""

    scratch_bytes = 0

    def __init__(self, device: KernelDevice, program: DecoderProgram, io: SampleType, stream: Stream) -> None:
        self._device, self._program, self._io, self._stream = device, program, io, stream
        self._shapes: dict[str, Shape] = {}
        self._bound: dict[str, int] = {}
        self.generation = 0

    def reshape(self, shapes: Mapping[str, Shape], stream_handle: int) -> None:
        if dict(shapes) != self._shapes:
            self._shapes, self.generation = dict(shapes), self.generation + 1

    def use_scratch(self, address: int, nbytes: int) -> None:
        """None is used."""

    def bind(self, name: str, address: int) -> None:
        self._bound[name] = address

    def enqueue(self, stream_handle: int) -> None:
        if stream_handle != self._stream.handle:
            raise DeviceError("the kernels' decoder was enqueued on a stream that is not the runner's")
        bound = self._bound
        height, width = self._shapes["maps"][2:]
        size = self._shapes["rows"][0], self._shapes["cols"][0]
        names = ("rows", "cols", "offset_y", "offset_x", "ratio")
        rows, cols, offset_y, offset_x, ratio = (bound[name] for name in names)
        positions = DevicePositions(rows, cols, offset_y, offset_x, ratio, *size)
        # Without a bilinear base no picture is read.
        image = bound.get("image", bound["maps"])
        launch = self._program.launch(
            bound["maps"], image, self._io, (height, width), positions, bound["frame"]
        )
        self._device.launch([launch], self._stream)


@dataclasses.dataclass
class KernelDecoder:
    """In the place of a decoder's engine."""

    key: EngineKey
    execution: KernelExecution

    def close(self) -> None:
        """Its memory is the engines'."""


@dataclasses.dataclass
class KernelPairEngines(PairEngines):
    """Encoders that write maps for the kernels, and the kernel. ``driver`` and ``stream`` are the runner's."""

    maps_last: ClassVar[bool] = True

    driver: KernelDriver | None = None
    form: DecoderForm | None = None
    stream: Stream | None = None
    _decoder: KernelDecoder | None = None
    _device: KernelDevice | None = None
    _arena: Arena | None = None

    def has_encoder(self) -> bool:
        """Whether the store has an encoder for this GPU, of any size."""
        return bool(self.candidates("encoder"))

    def find(self, role: Role, shapes: dict[str, Shape]) -> Engine:
        if role != "decoder":
            return super().find(role, shapes)
        if self._decoder is None:
            self._decoder = self._opened()
        return self._decoder

    def advice(self, shapes: dict[str, Shape]) -> MissingError:
        """As for two engines, of which one is built."""
        return MissingError(f"{super().advice(shapes)} --decoder kernels")

    def _opened(self) -> KernelDecoder:
        assert self.driver is not None and self.form is not None and self.stream is not None
        self._device = KernelDevice(self.driver)
        self._arena = Arena(self._device)
        self._device.load(self.form)
        self._device.require_room(kernels.decode(self.form, self.config.sample_type))
        weights = decoder_weights(self.config.bundle.decoder_arrays(), self.form)
        program = DecoderProgram(self.form, weights, self._arena.place)
        execution = KernelExecution(self._device, program, self.config.sample_type, self.stream)
        return KernelDecoder(self._key(), execution)

    def _key(self) -> EngineKey:
        """Of the encoder in use, for all shapes."""
        assert self.form is not None
        channels, longest = self.form.channels, (LONGEST,)
        maps = ShapeRange(
            (1, channels, 1, 1), (1, channels, LONGEST, LONGEST), (1, channels, LONGEST, LONGEST)
        )
        spans = {"maps": maps, **{name: ShapeRange((1,), longest, longest) for name in ("rows", "cols")}}
        return dataclasses.replace(self.used["encoder"].manifest.key, part="decoder", profiles=(spans,))

    def close(self) -> None:
        super().close()
        if self._device is not None and self._arena is not None:
            assert self.driver is not None
            with self.driver.entered():
                self._arena.free()
                self._device.close()
        self._decoder = self._device = self._arena = None
