"""An excerpt's picture and sound stay in step, however coarsely the film counts time."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.upscaling import run

from edge_sr.video.film.info import Excerpt

RATE, FRAMES = 5, 20
FLASH = Fraction(2)  # seconds


def flash_and_click(path: Path) -> Path:
    """An AVI that is black and silent but for one white frame and the sound that begins with it."""
    with av.open(str(path), "w") as target:
        video: Any = target.add_stream("mpeg4", rate=RATE)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound: Any = target.add_stream("pcm_s16le", rate=8000, layout="mono")
        for index in range(FRAMES):
            is_flash = Fraction(index, RATE) == FLASH
            picture = np.full((48, 64, 3), 255 * is_flash, np.uint8)
            target.mux(video.encode(av.VideoFrame.from_ndarray(picture).reformat(format="yuv420p")))
            samples = np.full((1, 8000 // RATE), 9000 * is_flash, np.int16)
            frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 8000, index * samples.size, Fraction(1, 8000)
            target.mux(sound.encode(frame))
        target.mux(video.encode(None))
    return path


def flash_in(path: Path) -> tuple[Fraction, Fraction]:
    """When the picture turns white and the sound begins, in seconds."""
    with av.open(str(path)) as file:
        pictures = (f.pts * f.time_base for f in file.decode(video=0) if f.to_ndarray()[:48].mean() > 128)
        white = next(pictures)
    with av.open(str(path)) as file:
        for frame in file.decode(audio=0):
            loud = np.flatnonzero(frame.to_ndarray() > 1000)
            if loud.size:
                return white, frame.pts * frame.time_base + Fraction(int(loud[0]), 8000)
    raise AssertionError("no sound")


@pytest.mark.parametrize("start", ["1", "1.1", "1.15", "0.3"])
def test_an_avi_that_begins_within_a_frame_stays_in_step(tmp_path: Path, start: str) -> None:
    source, output = flash_and_click(tmp_path / "in.avi"), tmp_path / "out.mkv"
    run(source, output, excerpt=Excerpt(Fraction(start)))
    white, loud = flash_in(output)
    # The frame that is shown where the excerpt begins is its first.
    frame = Fraction(1, RATE)
    assert white == FLASH - Fraction(start) // frame * frame
    assert abs(white - loud) < Fraction(1, 200)
