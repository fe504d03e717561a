"""A still picture as arrays, with what its file says beside the pixels."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.video.frames.colour import HDR_TRANSFERS
from edge_sr.video.image.metadata import Metadata


@dataclasses.dataclass(frozen=True)
class Still:
    """A picture as displayed. ``pixels``: RGB, ``H x W x 3``, uint8, or float32 in [0, 1] for deeper sources;
    ``alpha``: ``H x W``, same type, or None. ``grey`` pictures have three equal channels.

    ``notes`` tell how it was read, ``lost`` names what reading left out, ``damage`` what did not decode.
    """

    pixels: NDArray[Any]
    alpha: NDArray[Any] | None = None
    grey: bool = False
    metadata: Metadata = dataclasses.field(default_factory=Metadata)
    notes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    damage: str = ""

    @property
    def hdr_transfer(self) -> int | None:
        """PQ's or HLG's number where the pixels are that signal."""
        transfer = self.metadata.transfer
        return transfer if transfer in HDR_TRANSFERS else None


@dataclasses.dataclass(frozen=True)
class StillInfo:
    """What the header says: displayed ``(width, height)``, whether it has more than 8 bits a channel, and the format's
    name to Pillow, or "" for one that only FFmpeg reads."""

    size: tuple[int, int]
    deep: bool
    content: str


def eight_bits(pixels: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.uint8]:
    """Levels of 8 bits, from float32 in [0, 1] by rounding half up."""
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels, np.uint8)
    levels: NDArray[np.uint8] = np.clip(np.floor(pixels * 255 + 0.5), 0, 255).astype(np.uint8)
    return levels
