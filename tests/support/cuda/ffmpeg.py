"""FFmpeg's own CUDA on the emulated GPU: surfaces in NVDEC's place, and how many bytes crossed to and from the host."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import av.filter
import pytest

from edge_sr.video.film import film as films
from edge_sr.video.film.decoding import FrameDecoder
from edge_sr.video.film.film import Film
from edge_sr.video.surfaces.read import is_on_gpu


class Copied(NamedTuple):
    """Bytes that the driver copied: up to the GPU and down, from and into page-locked and pageable memory.

    The runner's memory is page-locked, FFmpeg's is not.
    """

    up: int
    up_pageable: int
    down: int
    down_pageable: int


def copied() -> Copied:
    """Since the last call."""
    counts = (ctypes.c_uint64 * 4)()
    assert ctypes.CDLL("libcuda.so.1").emulated_gpu_copied(counts) == 0
    return Copied(*counts)


class Uploader:
    """FFmpeg's ``hwupload_cuda``: frames of the host become such as NVDEC gives, in FFmpeg's own pools."""

    def __init__(self) -> None:
        self._graphs: dict[Any, Any] = {}

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        graph = self._graph(frame)
        graph.vpush(frame)
        uploaded: av.VideoFrame = graph.vpull()
        assert is_on_gpu(uploaded)
        return uploaded

    def _graph(self, frame: av.VideoFrame) -> Any:
        unit = Fraction(frame.time_base or Fraction(1, 25))
        key = frame.width, frame.height, frame.format.name, unit
        if key not in self._graphs:
            graph = self._graphs[key] = av.filter.Graph()
            graph.threads = 1
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=unit
            )
            graph.link_nodes(source, graph.add("hwupload_cuda"), graph.add("buffersink")).configure()
        return self._graphs[key]


def as_nvdec_stores(frame: av.VideoFrame) -> av.VideoFrame:
    """NV12 or P010 of the same codes."""
    return frame.reformat(format="p010le" if frame.format.components[0].bits > 8 else "nv12", threads=1)


def packets(path: Path) -> list[Any]:
    """Of all tracks, with their times."""
    with av.open(str(path)) as film:
        return [
            (packet.stream_index, packet.pts, packet.dts, packet.duration, bytes(packet))
            for packet in film.demux()
        ]


@pytest.fixture
def nvdec(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Films that a GPU seems to decode: FFmpeg decodes on the CPU, and uploads where frames are to stay on the GPU."""
    opened, decoded, stays = films.open_input, FrameDecoder._decoded, []
    upload = Uploader()

    def open_input(*arguments: Any, on_gpu: bool = False) -> Any:
        stays[:] = [on_gpu]
        return opened(*arguments)

    def frames(self: FrameDecoder, packet: Any) -> list[av.VideoFrame]:
        found = map(as_nvdec_stores, decoded(self, packet))
        return [upload(frame) if stays == [True] else frame for frame in found]

    monkeypatch.setattr(films, "open_input", open_input)
    monkeypatch.setattr(FrameDecoder, "_decoded", frames)
    monkeypatch.setattr(Film, "decoded_by_gpu", property(lambda self: True))
    yield
