"""Which of the shipped networks suits a film: what a codec has worn goes to the one that learnt to undo that.

The bounds are where both networks came out alike on clips coded at several qualities
(docs/reports/diinn-edge-video.md). A codec that was not measured goes to the default.
"""

from __future__ import annotations

from edge_sr.bundle import DEFAULT_MODEL
from edge_sr.video.film.film import FilmInfo

FOR_WORN_FILMS = "diinn-edge-video"
WORN_QUANTISER = 20.0
WORN_BITS_PER_PIXEL = {"hevc": 0.2, "mjpeg": 3.0}


def suited_model(info: FilmInfo) -> tuple[str, str]:
    """The model's name, and why, in a few words."""
    if info.quantiser is not None:
        worn, found = info.quantiser >= WORN_QUANTISER, f"{info.codec}, quantiser {info.quantiser:.0f}"
    else:
        worn = 0 < info.bits_per_pixel < WORN_BITS_PER_PIXEL.get(info.codec, 0)
        found = f"{info.codec}, {info.bits_per_pixel:.2f} bits a pixel"
    model, other = (FOR_WORN_FILMS, DEFAULT_MODEL) if worn else (DEFAULT_MODEL, FOR_WORN_FILMS)
    return model, f"suits {found}; --model {other} for the other"
