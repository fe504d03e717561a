"""Which frames of a run stay in the GPU's memory, between its video decoder, the network and its video encoder."""

from __future__ import annotations

import warnings
from typing import Protocol

from edge_sr.video.film.film import Film
from edge_sr.video.film.upright import yuv_colours
from edge_sr.video.frames.orientation import UPRIGHT
from edge_sr.video.frames.pixels import FromRgb
from edge_sr.video.surfaces.read import tells_surfaces
from edge_sr.video.surfaces.write import why_not


class SurfaceNetwork(Protocol):
    """What is asked of an ``Upscaler``."""

    @property
    def takes_surfaces(self) -> bool: ...


def keep_on_gpu(film: Film, network: SurfaceNetwork, to_yuv: object) -> None:
    """Leaves what the GPU decodes where it is, if the network takes it there; before a frame is read."""
    stays_yuv = yuv_colours(film.info, to_yuv) is not None and film.info.orientation == UPRIGHT
    if not network.takes_surfaces or not film.decoded_by_gpu or not stays_yuv:
        return
    if not tells_surfaces():
        warnings.warn(
            "decoded frames go by way of the host: leaving them on the GPU takes PyAV 18", stacklevel=2
        )
    elif not film.keep_on_gpu():
        warnings.warn("decoded frames go by way of the host: FFmpeg keeps none on the GPU", stacklevel=2)


def stays_on_gpu(network: SurfaceNetwork, to_yuv: object) -> bool:
    """Whether results go to the encoder where they are."""
    if not network.takes_surfaces or not isinstance(to_yuv, FromRgb) or not to_yuv.takes_surfaces:
        return False
    if reason := why_not():
        warnings.warn(f"frames go to the encoder by way of the host: {reason}", stacklevel=2)
    return not reason
