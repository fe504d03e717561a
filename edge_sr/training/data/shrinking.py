"""How a training run makes its LR crops."""

from __future__ import annotations

from edge_sr.training.data.pictures import Pixels
from edge_sr.training.data.scale_set import Shrink, bicubic_stack
from edge_sr.training.spec import TrainingSpec


def shrinker(spec: TrainingSpec, salt: int = 0) -> Shrink:
    """Antialiased bicubic, and with ``degradation = "codec"`` what a codec leaves of it.

    ``salt`` sets apart the chance of two users of one spec.
    """
    if spec.data.degradation == "none":
        return bicubic_stack
    from edge_sr.training.data.degradation import CodecDegradation

    degrade = CodecDegradation(spec.seed + 1000 * salt)

    def shrink(crops: Pixels, size: tuple[int, int]) -> Pixels:
        return degrade(bicubic_stack(crops, size))

    return shrink
