"""Frames of a film on the device: what goes up and down, and the RGB pictures between them."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_sr.backends.cuda.device import KernelDevice
from edge_sr.backends.cuda.driver.protocol import aligned
from edge_sr.backends.cuda.kernels import Launch
from edge_sr.backends.cuda.network.form import SurfaceForm
from edge_sr.backends.cuda.video.surfaces import from_picture, packed_surface, to_picture
from edge_sr.backends.gpu.ring import Slot, SlotForm
from edge_sr.sizes import Box, Size
from edge_sr.yuv import YuvColours


def rgb_slots(image: tuple[int, ...], size: Size, dtype: np.dtype[Any]) -> SlotForm:
    """Pictures of ``image`` = ``1 x h x w x 3`` to ``size``, computed in one piece of memory, whatever its strips."""
    width, height = size
    return SlotForm(image[1:], (height, width, 3), dtype, (height, width), (Box(0, 0, width, height),))


class YuvPictures:
    """YUV in the slots, ``source`` to ``target``, both ``(width, height)``, and RGB of ``dtype`` once for all of them.

    One stream computes, so each frame's RGB is done with before the next one's begins. ``MemoryLimitError`` without
    room for it.
    """

    def __init__(
        self, device: KernelDevice, colours: YuvColours, source: Size, target: Size, dtype: np.dtype[Any]
    ) -> None:
        device.load(SurfaceForm())
        self._pool, self._colours = device.gpu.pool, colours
        self._source, self._target = source, target
        self._depth = 8 if dtype == np.uint8 else 10
        picture, enlarged = (
            aligned(3 * width * height * dtype.itemsize) for width, height in (source, target)
        )
        self._buffer = self._pool.device(picture + enlarged)
        self.addresses = self._buffer.address, self._buffer.address + picture

    @property
    def slots(self) -> SlotForm:
        """A frame's codes on the way up and down."""
        codes, enlarged = ((3 * height // 2, width) for width, height in (self._source, self._target))
        dtype = np.dtype(np.uint8 if self._depth == 8 else np.uint16)
        return SlotForm(codes, enlarged, dtype, enlarged, (Box(0, 0, *reversed(enlarged)),))

    def read(self, slot: Slot) -> Launch:
        """The slot's codes to the picture."""
        surface = slot.source or packed_surface(slot.image.address, self._source, self._depth)
        return to_picture(surface, self._colours.source, self.addresses[0])

    def written(self, slot: Slot) -> Launch:
        """The enlarged picture to the slot's codes."""
        surface = slot.target or packed_surface(slot.tile_address(0), self._target, self._depth)
        return from_picture(self.addresses[1], self._colours.target, surface)

    def free(self) -> None:
        """Give the memory back; nothing uses it any more."""
        self._pool.give_back_device(self._buffer)
