"""How close a network of unknown habits comes to a picture that it is shown shrunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.resample import resize
from edge_sr.tensors import reference_card

Array = NDArray[Any]
# ``h x w x channels`` in [0, 1] through a network, to values in the network's own range.
Run = Callable[[Array], Array]

# Odd and unequal, so that a network for multiples of something shows itself.
PROBED = (37, 29)
# In a wrong range or layout the result is nothing like the picture; in the right one it is about bicubic's.
LEAST_GAIN_DB = -6.0


def gain_db(run: Run, scale: int, channels: int, white: int = 1) -> float:
    """PSNR on a shrunk test card less bicubic's, ``white`` being the value of white in what the network makes.

    One that refines is shown the card enlarged again. Minus infinity where a value is not finite.
    """
    shrunk_by = max(2, scale)
    width, height = PROBED[0] * shrunk_by, PROBED[1] * shrunk_by
    whole = reference_card(width, height)[..., :channels].astype(np.float32) / np.float32(255)
    low = resize(whole, PROBED).clip(0, 1)
    base = resize(low, (width, height)).reshape(whole.shape).clip(0, 1)
    made = run(low.reshape(*low.shape[:2], channels) if scale > 1 else base) / np.float32(white)
    error = float(np.mean((made - whole) ** 2) / np.mean((base - whole) ** 2))
    return float(-10 * np.log10(max(error, 1e-10))) if np.isfinite(error) else -np.inf


def padded_to(multiple: int, scale: int, run: Run) -> Run:
    """The network for sides of any length: edges mirrored at the right and the bottom, and the result cropped."""

    def padded(picture: Array) -> Array:
        height, width = picture.shape[:2]
        more = ((0, -height % multiple), (0, -width % multiple), (0, 0))
        return run(np.pad(picture, more, "reflect"))[: scale * height, : scale * width]

    return padded
