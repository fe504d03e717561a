"""A picture that moves, as Pillow reads it, to a film that FFmpeg reads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import InterruptedRun, MediaError
from edge_sr.video.image.recognise import pictures_in

MILLISECOND = Fraction(1, 1000)
# What players take a frame for that says it lasts no time.
LEAST_MILLISECONDS = 10


def write_film(
    image: Any, film: Path, source: Path, stop: threading.Event, check: Callable[[int], None]
) -> None:
    """The frames of Pillow's ``image``, which is ``source``, as a lossless film with their times, alpha included.

    ``check`` is told after each frame how many bytes they take, and raises when these are too many. Raises
    ``MediaError`` for a frame that does not decode, ``InterruptedRun`` once ``stop`` was set.
    """
    import av

    with av.open(str(film), "w", format="matroska", options={"fflags": "bitexact"}) as file:
        stream: Any = file.add_stream("ffv1", rate=1000, options={"flags": "bitexact"})
        stream.width, stream.height, stream.pix_fmt = image.width, image.height, "bgra"
        stream.time_base = stream.codec_context.time_base = MILLISECOND
        time = taken = 0
        for index in range(pictures_in(image)):
            if stop.is_set():
                raise InterruptedRun("stopped while reading the input: nothing was made yet")
            frame = av.VideoFrame.from_ndarray(_decoded(image, index, source), format="rgba").reformat(
                format="bgra"
            )
            lasts = max(LEAST_MILLISECONDS, int(image.info.get("duration", 0)))
            frame.pts, frame.time_base = time, MILLISECOND
            for packet in stream.encode(frame):
                packet.duration = lasts
                taken += packet.size
                file.mux(packet)
            check(taken)
            time += lasts
        file.mux(stream.encode(None))


def _decoded(image: Any, index: int, source: Path) -> NDArray[Any]:
    try:
        image.seek(index)
        return np.asarray(image.convert("RGBA"))
    except Exception as error:  # damaged frames make Pillow's decoder raise nearly anything
        raise MediaError(f"frame {index + 1} of {source} cannot be decoded: {error}") from error
