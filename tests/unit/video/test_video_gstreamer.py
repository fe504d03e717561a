"""Films encoded by GStreamer: a Jetson's elements are told what to do, a software one does it here."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytest
from support.films import Making, frame_pixels, frame_times, make_film
from support.upscaling import run

from edge_sr.errors import MissingError, OptionError, ResourceError
from edge_sr.video.encode import codecs
from edge_sr.video.encode.codecs import Codec, find_codec
from edge_sr.video.encode.encoding import Encoding, plan_encoding
from edge_sr.video.encode.gst_encoder import GStreamerEncoder, packed, pipeline_text
from edge_sr.video.encode.segment_encoder import EncodeSettings, SegmentEncoder, probe
from edge_sr.video.frames.colour import Colour
from edge_sr.video.frames.pixels import PixelLayout
from edge_sr.video.live.address import parse_address
from edge_sr.video.live.outlets import plan_outlet
from edge_sr.video.timed import Timed

JETSON = ["h264_nvv4l2", "hevc_nvv4l2"]
COLOUR = Colour(6, False, 5, 6)


def encoding_of(codec: Codec, size: tuple[int, int] = (130, 98), **options: object) -> Encoding:
    settings = {"crf": None, "preset": None, "threads": 1, **options}
    return plan_encoding(codec, PixelLayout(8, "420"), size, Fraction(25), **settings)  # type: ignore[arg-type]


def test_a_jetsons_encoder_is_told_all_in_its_own_words() -> None:
    text = pipeline_text(encoding_of(find_codec("hevc_nvv4l2", "mkv"), crf=19, preset="1"))
    assert "format=I420,width=130,height=98,framerate=25/1 ! nvvidconv ! video/x-raw(memory:NVMM)" in text
    assert "nvv4l2h265enc insert-sps-pps=true maxperf-enable=true preset-level=1" in text
    assert "quant-i-frames=19 quant-p-frames=19 ratecontrol-enable=false ! h265parse" in text


@pytest.mark.parametrize("name", JETSON)
def test_elsewhere_it_is_missing(name: str) -> None:
    if Path("/dev/nvhost-msenc").exists() or Path("/dev/v4l2-nvenc").exists():
        pytest.skip("this is a Jetson")
    with pytest.raises(MissingError, match=rf"--codec {name} needs"):
        probe(encoding_of(find_codec(name, "mp4")))


@pytest.mark.parametrize("name", JETSON)
def test_it_is_for_films_alone(name: str) -> None:
    with pytest.raises(OptionError, match="not for live video"):
        plan_outlet(parse_address("udp://127.0.0.1:5000"), name, False)


@pytest.fixture
def software(monkeypatch: pytest.MonkeyPatch) -> Codec:
    """A codec through GStreamer's own x264, under the name of a Jetson's."""
    if find_spec("gi") is None:
        pytest.skip("could not import gi here: pip install 'edge-sr[gst]'")
    codec = dataclasses.replace(
        codecs.CODECS["h264_nvv4l2"],
        element="videoconvert ! x264enc",
        crf_key="quantizer",
        preset_key=None,
        preset=None,
        fixed=(("bframes", "0"), ("pass", "quant"), ("threads", "1")),
    )
    monkeypatch.setitem(codecs.CODECS, codec.name, codec)
    try:
        probe(encoding_of(codec))
    except MissingError as error:
        pytest.skip(str(error))
    return codec


def picture(index: int, size: tuple[int, int] = (130, 98)) -> av.VideoFrame:
    rgb = np.full((size[1], size[0], 3), 10 * index, np.uint8)
    rgb[:, index * 6 : index * 6 + 6] = 255
    return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")


def test_a_piece_keeps_times_colours_and_aspect(software: Codec, tmp_path: Path) -> None:
    recipe = EncodeSettings(encoding_of(software, crf=10), Fraction(1, 1000), Fraction(4, 3), COLOUR)
    frames = [Timed(i, 40 * i + (i % 3), 40, picture(i)) for i in range(12)]
    segment = SegmentEncoder(tmp_path / "segment.mp4", frames[0], recipe)
    for frame in frames:
        segment.encode(frame)
    segment.save()
    with av.open(str(segment.path)) as file:
        stream = file.streams.video[0]
        decoded = list(file.decode(stream))
        context = stream.codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (6, 5, 6)
        assert (context.color_range, stream.sample_aspect_ratio) == (1, Fraction(4, 3))
    assert [frame.pts * frame.time_base * 1000 for frame in decoded] == [frame.pts for frame in frames]
    for found, frame in zip(decoded, frames, strict=True):
        wanted = frame.frame.to_ndarray(format="yuv420p").astype(int)
        assert np.abs(found.to_ndarray(format="yuv420p") - wanted).mean() < 1


def test_a_film_through_gstreamer_is_the_one_through_ffmpeg(software: Codec, tmp_path: Path) -> None:
    source = make_film(tmp_path / "source.mp4", Making(size=(34, 26), frames=22, audio=("eng",)))

    def made(name: str, codec: str) -> Path:
        output = tmp_path / name
        run(source, output, scale=Fraction(2), codec=codec, crf=10, segment_frames=8)
        return output

    mine, other = made("gst.mkv", software.name), made("ffmpeg.mkv", "x264")
    assert frame_times(mine) == frame_times(other)
    pairs = zip(frame_pixels(mine), frame_pixels(other), strict=True)
    assert all(np.abs(one.astype(int) - two).mean() < 3 for one, two in pairs)


def test_an_encoder_that_fails_is_one_error(software: Codec, tmp_path: Path) -> None:
    broken = dataclasses.replace(software, element="videoconvert ! identity error-after=3 ! x264enc")
    recipe = EncodeSettings(encoding_of(broken), Fraction(1, 25), Fraction(1), COLOUR)
    segment = SegmentEncoder(tmp_path / "segment.mp4", Timed(0, 0, 1, picture(0)), recipe)
    with pytest.raises(ResourceError, match="GStreamer's encoder failed"):
        for index in range(200):
            segment.encode(Timed(index, index, 1, picture(index % 12)))
        segment.save()
    assert not segment.salvage() or segment.path.exists()


def test_an_element_nobody_has_is_missing(software: Codec) -> None:
    absent = dataclasses.replace(software, element="no_such_element")
    with pytest.raises(MissingError, match="no_such_element"):
        probe(encoding_of(absent))


@pytest.mark.parametrize("size", [(4, 4), (6, 2), (130, 98)])
def test_planes_are_padded_to_four_bytes(size: tuple[int, int]) -> None:
    width, height = size
    data = packed(picture(1, size))
    luma, chroma = -(-width // 4) * 4, -(-width // 8) * 4
    assert len(data) == luma * height + 2 * chroma * (height // 2)


def test_closing_without_a_frame_is_harmless(software: Codec, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "empty.mp4"), "w") as file:
        stream = file.add_mux_stream("h264", rate=25, width=130, height=98)
        encoder = GStreamerEncoder(encoding_of(software), stream, Fraction(1), COLOUR)
        assert encoder.encode(None) == []
