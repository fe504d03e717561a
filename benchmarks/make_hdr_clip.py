"""Makes a PQ film of an SDR one, to measure HDR with where no graded film is at hand.

    python benchmarks/make_hdr_clip.py CLIP OUTPUT.mkv [--start 0] [--frames 16] [--peak 1000]

The picture is what an SDR display of ``--peak`` nits would show (ITU-R BT.1886), in BT.2020's primaries
(ITU-R BT.2087-0) and SMPTE ST 2084's curve, written as 10-bit 4:4:4 FFV1. Its grain and edges are those of the clip,
its highlights are no colourist's.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from edge_sr.video.film.film import Excerpt, Film
from edge_sr.video.film.upright import UprightReader
from edge_sr.video.frames.colour import BT2020, PQ, Colour
from edge_sr.video.frames.pixels import FromRgb, PixelLayout
from edge_sr.video.frames.tonemap import nits_to_pq

SDR_GAMMA, RATE = 2.4, Fraction(25)
# ITU-R BT.2087-0: linear BT.709 to linear BT.2020.
TO_BT2020 = np.array(
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]], np.float32
)
COLOUR = Colour(matrix=BT2020, full_range=False, primaries=BT2020, transfer=PQ)
LAYOUT = PixelLayout(10, "444")


def as_pq(pixels: NDArray[Any], peak: float) -> NDArray[np.float32]:
    """SDR RGB, uint8 or float32 in [0, 1], as PQ's signal."""
    signal = pixels.astype(np.float32) / (255 if pixels.dtype == np.uint8 else 1)
    return nits_to_pq(np.power(signal, np.float32(SDR_GAMMA)) @ TO_BT2020.T * np.float32(peak))


def make(clip: Path, output: Path, start: Fraction, frames: int, peak: float) -> None:
    """Writes ``frames`` frames from second ``start`` on, 25 a second."""
    with Film(str(clip), Excerpt(start)) as film, av.open(str(output), "w") as container:
        read, to_frame = UprightReader(film.info, None), FromRgb(COLOUR, LAYOUT)
        stream: Any = container.add_stream("ffv1", rate=RATE)
        stream.width, stream.height = film.info.size
        stream.pix_fmt = LAYOUT.name
        context = stream.codec_context
        context.colorspace, context.color_range = COLOUR.matrix, COLOUR.range_code
        context.color_primaries, context.color_trc = COLOUR.primaries, COLOUR.transfer
        for number, timed in zip(range(frames), film.frames(), strict=False):
            frame = to_frame(as_pq(read(timed.frame), peak))
            frame.pts, frame.time_base = number, 1 / RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--start", type=Fraction, default=Fraction(0))
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--peak", type=float, default=1000.0)
    asked = parser.parse_args()
    make(asked.clip, asked.output, asked.start, asked.frames, asked.peak)


if __name__ == "__main__":
    main()
