"""ONNX Runtime on the CPU: the backend that is always there."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.backends.base import CpuRunner, RunnerConfig
from edge_sr.backends.onnxruntime.forks import kept_in_forks
from edge_sr.backends.sampling import TileSampler, require_own
from edge_sr.backends.tiles import TILE_PIXELS, TILE_VALUES, Tile, decoder_strips, row_tiles
from edge_sr.errors import BundleError, MemoryLimitError, first_line
from edge_sr.grid import SamplingGrid
from edge_sr.kinds import Role
from edge_sr.machine.memory import ran_out
from edge_sr.machine.optional import require
from edge_sr.tensors import Image


def open_session(graph: Path, threads: int) -> Any:
    """An ``InferenceSession`` on ``threads`` threads that sleep, not spin, between frames."""
    ort = require("onnxruntime", "the CPU backend")
    # Nobody asked for what is computed here to be told elsewhere.
    ort.disable_telemetry_events()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # What goes wrong is raised; the log would tell it a second time, in other words.
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no public base class
        if ran_out(error):
            raise MemoryLimitError(f"not enough memory to open {graph.name}: close other programs") from error
        raise BundleError(f"ONNX Runtime refuses {graph.name}: {first_line(error)}") from error
    return kept_in_forks(session)


def run_session(session: Any, feeds: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """The session's only output; ``MemoryLimitError`` without room for it, ``BundleError`` for what else fails."""
    try:
        result: NDArray[Any] = session.run(None, feeds)[0]
    except Exception as error:
        if ran_out(error):
            raise MemoryLimitError(
                "not enough memory for this size: use a smaller scale or --region"
            ) from error
        raise BundleError(f"ONNX Runtime cannot run the graph: {first_line(error)}") from error
    return result


class OnnxEncoder:
    """``image`` to the graph's one output on all threads: maps, or for a ``network`` the frame."""

    backend = "onnxruntime"

    def __init__(self, config: RunnerConfig, role: Role = "encoder") -> None:
        self._session = open_session(config.file(role), config.threads)

    def encode(self, image: Image) -> NDArray[Any]:
        return run_session(self._session, {"image": image})


class OnnxRunner(CpuRunner):
    """Encoder on all threads; decoder in tiles, one thread each, that stay in that core's cache."""

    backend = encoder_backend = "onnxruntime"

    def __init__(self, config: RunnerConfig) -> None:
        self.precision = config.precision
        self._encoder = OnnxEncoder(config)
        self._halo = config.bundle.description.halo
        self._sampled = config.find("decoder-sampled") is not None
        role: Role = "decoder-sampled" if self._sampled else "decoder"
        self._graph = config.require(role)
        self._decoder = open_session(config.file(role), 1)
        self._inputs = [value.name for value in self._decoder.get_inputs()]
        self._pool = ThreadPoolExecutor(config.threads, thread_name_prefix="edge-sr-decoder")

    def encode(self, image: Image) -> NDArray[Any]:
        return self._encoder.encode(image)

    def decode(self, maps: NDArray[Any], image: Image, grid: SamplingGrid) -> Image:
        require_own(maps, image, self._graph)
        margin = 2 * self._halo
        frame = np.empty((1, grid.height - margin, grid.width - margin, 3), image.dtype)

        def fill(strip: tuple[Tile, ...]) -> None:
            sampler = TileSampler(maps, image, sampled=self._sampled)
            for tile in strip:
                tile.place(run_session(self._decoder, sampler.feeds(self._inputs, tile.grid)), frame)

        for done in self._pool.map(fill, self._strips(maps, grid)):
            assert done is None
        return frame

    def _strips(self, maps: NDArray[Any], grid: SamplingGrid) -> Iterator[tuple[Tile, ...]]:
        if self._sampled:
            return decoder_strips(grid, max(TILE_PIXELS, TILE_VALUES // maps.shape[1]))
        return ((tile,) for tile in (_with_halo(grid, self._halo) if self._halo else row_tiles(grid)))

    def close(self) -> None:
        self._pool.shutdown()


def _with_halo(grid: SamplingGrid, halo: int) -> Iterator[Tile]:
    """Row tiles whose grids overlap by the halo that the last layer's 3 x 3 eats."""
    inner = grid.part(slice(halo, grid.height - halo), slice(None))
    for tile in row_tiles(inner):
        rows = slice(tile.y.start, tile.y.stop + 2 * halo)
        yield Tile(tile.y, tile.x, grid.part(rows, slice(None)))
