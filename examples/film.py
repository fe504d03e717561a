"""Upscale a film in a loop of your own: python examples/film.py holiday.mp4 larger.mkv --height 1080

``edge-sr upscale`` also keeps sound, timestamps, colour and what was done before a power cut; this shows the bare loop.
"""

from __future__ import annotations

import argparse
import sys

import av

from edge_sr import Upscaler


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--model", default="diinn-edge-video")
    asked = parser.parse_args()

    with Upscaler(asked.model) as up, av.open(asked.source) as source, av.open(asked.target, "w") as target:
        film = source.streams.video[0]
        # 4:2:0 video needs even sizes.
        width = round(film.width * asked.height / film.height / 2) * 2
        stream = target.add_stream("libx264", rate=film.average_rate, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = width, asked.height, "yuv420p"
        for frame in source.decode(film):
            larger = up(frame.to_ndarray(format="rgb24"), size=(width, asked.height))
            target.mux(stream.encode(av.VideoFrame.from_ndarray(larger, format="rgb24")))
        target.mux(stream.encode(None))


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"film.py: {error}")
