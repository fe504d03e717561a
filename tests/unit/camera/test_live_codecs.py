"""Live video by every encoder: each is given frames in a format that it takes, and says itself why it does not open."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.films import moving_picture

from edge_sr.camera.pictures import FrameMaker, sink_colour
from edge_sr.errors import MissingError
from edge_sr.video.encode.codecs import CODECS
from edge_sr.video.live.address import parse_address
from edge_sr.video.live.outlets import plan_outlet
from edge_sr.video.live.sinks import PictureForm, StreamSink

SIZE = (64, 48)
COLOUR = sink_colour(SIZE)
FORM = PictureForm(SIZE, Fraction(25), COLOUR)
SOFTWARE = [codec.name for codec in CODECS.values() if not codec.is_hardware]


@pytest.mark.parametrize("name", SOFTWARE)
def test_every_codec_takes_live_frames(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """ProRes has no 4:2:0 of 8 bits, which live frames are. An encoder's own log is nobody's wish."""
    monkeypatch.delenv("SVT_LOG", raising=False)
    path = tmp_path / ("live.mov" if name == "prores" else "live.mkv")
    sink = StreamSink(plan_outlet(parse_address(str(path)), name, False), FORM)
    make = FrameMaker(SIZE, COLOUR)
    for index in range(6):
        sink.write(make(moving_picture(SIZE, index), SIZE), index / 25)
    sink.close()
    assert capfd.readouterr() == ("", "")
    with av.open(str(path)) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(frames) == 6
    for index, frame in enumerate(frames):
        assert np.abs(frame.astype(int) - moving_picture(SIZE, index)).mean() < 12


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="there is an NVIDIA GPU here")
@pytest.mark.parametrize("target", ["live.mkv", "udp://127.0.0.1:5999"])
@pytest.mark.parametrize("name", ["h264_nvenc", "hevc_nvenc"])
def test_an_encoder_of_absent_hardware_is_missing_whatever_it_writes_to(
    name: str, target: str, tmp_path: Path
) -> None:
    """Neither the file nor who listens is to blame."""
    address = parse_address(target if "://" in target else str(tmp_path / target))
    with pytest.raises(
        MissingError, match=rf"--codec {name} does not open here \(.+\): it needs an NVIDIA GPU"
    ):
        StreamSink(plan_outlet(address, name, False), FORM)
    assert not list(tmp_path.iterdir())
