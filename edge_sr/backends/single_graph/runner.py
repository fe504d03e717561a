"""Networks from picture to picture behind the same two steps as DIINN: what is ``fixed``, and what ``refine``.

Neither kind knows a library: the network in the middle is whatever the backend opened for the bundle's one
graph. So tiles, regions and any real-valued size come the same way for them as for DIINN.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from edge_sr.backends.base import CpuRunner, DeviceNetwork, Encoder, Runner, RunnerConfig
from edge_sr.grid import SamplingGrid
from edge_sr.machine.memory import require_bytes
from edge_sr.plan import aligned
from edge_sr.resample import Kernel, resize_part
from edge_sr.sizes import Size
from edge_sr.tensors import Image

Sizes = tuple[Size, Size]
Corners = tuple[int, int, int, int]

# Pixels of the source that one tap of a resampling kernel reads beyond its own, at any scale from 1 up.
RESAMPLING_REACH = 3
# A refining network's activations are as large as the output; so many pixels of it go through at a time.
REFINED_PIXELS = 1 << 18


class AroundNetwork(Runner, Protocol):
    """What each kind is: a runner whose work on whole frames lies before and after that of the network."""

    def given(self, image: Image, grid: SamplingGrid) -> Image:
        """What the network is given for a frame, ``1 x h x w x 3``."""

    def made(self, result: Image, grid: SamplingGrid) -> Image:
        """The frame, ``1 x Ht x Wt x 3``, from the network's result."""


class SingleGraphRunner(CpuRunner):
    """What both kinds hold: the bundle's description and the network that a backend opened."""

    def __init__(self, config: RunnerConfig, network: Encoder) -> None:
        self.backend = self.encoder_backend = network.backend
        self.precision = config.precision
        self._network, self._description = network, config.bundle.description
        # A device's network cuts pictures as its engines need them, so it is given whole ones.
        self._on_device = isinstance(network, DeviceNetwork)
        self.whole_frames = self._description.whole_frames or self._on_device

    def close(self) -> None:
        """The network's session goes with the object."""

    def _padded(self, image: Image) -> Image:
        """The picture with its right and bottom edges mirrored, up to sides that the network takes."""
        multiple = self._description.multiple
        right, bottom = (-image.shape[axis] % multiple for axis in (2, 1))
        return (
            np.pad(image, ((0, 0), (0, bottom), (0, right), (0, 0)), "reflect") if right or bottom else image
        )

    def _run(self, image: Image) -> Image:
        """The network's result for a picture of any sides."""
        height, width = (self._description.scale * side for side in image.shape[1:3])
        return self._network.encode(self._padded(image))[:, :height, :width]

    def _require_memory(self, image: Image) -> None:
        """``MemoryLimitError`` for a network that must run whole and cannot; a device says so itself."""
        if self._description.whole_frames and not self._on_device:
            height, width = image.shape[1:3]
            what = f"{self._description.name} cannot run in parts, and {width}x{height} at once"
            require_bytes(self._description.working_bytes * height * width, what)


class FixedRunner(SingleGraphRunner):
    """The network enlarges by its own whole scale; any other size is resampled from that, antialiased Lanczos."""

    def encode(self, image: Image) -> Image:
        """The picture times the network's scale; ``MemoryLimitError`` for one that must run whole and cannot."""
        self._require_memory(image)
        return self._run(image)

    def decode(self, maps: Image, image: Image, grid: SamplingGrid) -> Image:
        return self.made(maps, grid)

    def given(self, image: Image, grid: SamplingGrid) -> Image:
        return self._padded(image)

    def made(self, result: Image, grid: SamplingGrid) -> Image:
        (row, col), times = grid.origin, self._description.scale
        left, top = times * col, times * row
        result = result[:, : times * grid.input_size[1], : times * grid.input_size[0]]
        own = (times * grid.input_size[0], times * grid.input_size[1])
        x0, y0, x1, y1 = _box(grid)
        if own == grid.output_size:
            return np.ascontiguousarray(result[:, y0 - top : y1 - top, x0 - left : x1 - left])
        return _resampled(result, (own, grid.output_size), (x0, y0, x1, y1), (left, top), "lanczos3")


class RefineRunner(SingleGraphRunner):
    """The picture is enlarged by bicubic interpolation first; the network then works at the output's size."""

    @property
    def _reach(self) -> int:
        """Pixels of the output that the network reads to either side."""
        return self._description.radius - RESAMPLING_REACH

    def encode(self, image: Image) -> Image:
        """Nothing can be done before the size is known."""
        return image

    def decode(self, maps: Image, image: Image, grid: SamplingGrid) -> Image:
        if self.whole_frames:
            base = self.given(image, grid)
            self._require_memory(base)
            return self.made(self._network.encode(base), grid)
        frame = np.empty((1, grid.height, grid.width, 3), image.dtype)
        rows = max(1, REFINED_PIXELS // (grid.width + 2 * self._reach))
        for start in range(0, grid.height, rows):
            part = slice(start, min(start + rows, grid.height))
            frame[:, part] = self._refined(image, grid, part)
        return frame

    def given(self, image: Image, grid: SamplingGrid) -> Image:
        sizes = grid.input_size, grid.output_size
        return self._padded(_resampled(image, sizes, (0, 0, *grid.output_size), (0, 0), "bicubic"))

    def made(self, result: Image, grid: SamplingGrid) -> Image:
        x0, y0, x1, y1 = _box(grid)
        return np.ascontiguousarray(result[:, y0:y1, x0:x1])

    def _refined(self, image: Image, grid: SamplingGrid, part: slice) -> Image:
        x0, y0, x1, y1 = _box(grid.part(part, slice(None)))
        width, height = grid.output_size
        reach, multiple = self._reach, self._description.multiple
        left, right = aligned(x0 - reach, x1 + reach, width, multiple)
        top, bottom = aligned(y0 - reach, y1 + reach, height, multiple)
        box = (left, top, right, bottom)
        row, col = grid.origin
        base = _resampled(image, (grid.input_size, grid.output_size), box, (col, row), "bicubic")
        return self._run(base)[:, y0 - top : y1 - top, x0 - left : x1 - left]


def _box(grid: SamplingGrid) -> Corners:
    """Columns and rows of the output, x0, y0, x1, y1."""
    return int(grid.xs[0]), int(grid.ys[0]), int(grid.xs[-1]) + 1, int(grid.ys[-1]) + 1


def _resampled(image: Image, sizes: Sizes, box: Corners, origin: Size, kernel: Kernel) -> Image:
    """That box of the resized picture, ``1 x H x W x 3``, in the dtype of ``image``, rounded or clipped."""
    whole = image.dtype == np.uint8
    planes = np.ascontiguousarray(image[0].transpose(2, 0, 1), np.float32)
    part = resize_part(planes, sizes, box, origin, kernel, whole=whole)
    part = part.astype(np.uint8) if whole else part.clip(0, 1)
    return np.ascontiguousarray(part.transpose(1, 2, 0))[None]
