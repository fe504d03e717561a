"""Upscale the newest frame of a camera or stream: python examples/camera.py /dev/video0 out.mkv --seconds 10

``edge-sr camera`` also follows a deadline, reconnects and skips tiles that did not change; this shows the bare idea: a
reader that never waits, and a network that always takes the newest frame.
"""

from __future__ import annotations

import argparse
import collections
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import av
import numpy as np

from edge_sr import Upscaler


def read(camera: Any, newest: collections.deque[np.ndarray[Any, Any]], ended: threading.Event) -> None:
    """Keeps the newest frame; older ones are dropped, never waited for."""
    try:
        for frame in camera.decode(camera.streams.video[0]):
            newest.append(frame.to_ndarray(format="rgb24"))
            if ended.is_set():
                return
    finally:
        ended.set()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--model", default="diinn-nano")
    asked = parser.parse_args()

    newest: collections.deque[np.ndarray[Any, Any]] = collections.deque(maxlen=1)
    ended = threading.Event()
    with (
        av.open(asked.source) as camera,
        ThreadPoolExecutor(1) as reader,
        Upscaler(asked.model) as up,
        av.open(asked.target, "w") as target,
    ):
        reading = reader.submit(read, camera, newest, ended)
        began, count, stream = time.monotonic(), 0, None
        try:
            while time.monotonic() < began + asked.seconds and (newest or not ended.is_set()):
                if not newest:
                    time.sleep(0.001)
                    continue
                larger = up(newest.popleft(), scale=2)
                if stream is None:
                    stream = target.add_stream("libx264", rate=25)
                    stream.height, stream.width = larger.shape[:2]
                target.mux(stream.encode(av.VideoFrame.from_ndarray(larger, format="rgb24")))
                count += 1
            if stream is not None:
                target.mux(stream.encode(None))
        finally:
            ended.set()
        reading.result()
    print(f"{count} frames")


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"camera.py: {error}")
