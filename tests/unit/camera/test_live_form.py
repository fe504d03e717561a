"""What a live sink's pictures say of themselves: the shape of their pixels, and their colours."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.films import Making, make_film

from edge_sr.camera.request import CameraRequest
from edge_sr.camera.run import run
from edge_sr.upscale.run.networks import NetworkChoice
from edge_sr.video.frames.planes import read_plane
from edge_sr.video.live.address import parse_address
from edge_sr.video.live.outlets import plan_outlet


def played(
    film: Path, sink: Path, size: tuple[int, int] | None = None, codec: str | None = None
) -> list[str]:
    """The film through a live run, at twice its size by default; what the run said."""
    said: list[str] = []
    request = CameraRequest(
        source=parse_address(str(film)),
        outlet=plan_outlet(parse_address(str(sink)), codec, True),
        place=None,
        scale=Fraction(2) if size is None else None,
        size=size,
        network=NetworkChoice("diinn-nano"),
    )
    run(request, threading.Event(), said.append)
    return said


def test_the_shape_of_pixels_is_kept(tmp_path: Path) -> None:
    film, sink = make_film(tmp_path / "a.mkv", Making(aspect=Fraction(16, 11))), tmp_path / "out.mkv"
    for size, aspect in ((None, Fraction(16, 11)), ((192, 96), Fraction(32, 33))):
        played(film, sink, size)
        with av.open(str(sink)) as made:
            assert made.streams.video[0].sample_aspect_ratio == aspect


def test_a_sink_that_cannot_say_it_is_told_about(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.mkv", Making(aspect=Fraction(16, 11)))
    assert any("1.45 times as wide" in line for line in played(film, tmp_path / "out.webm"))
    assert not any("times as wide" in line for line in played(film, tmp_path / "out.mkv"))


@pytest.mark.parametrize(("name", "codec", "said"), [("o.mp4", "vp9", True), ("o.mkv", "vp9", False)])
def test_mp4_says_it_for_codecs_that_do_not(tmp_path: Path, name: str, codec: str, said: bool) -> None:
    film = make_film(tmp_path / "a.mkv", Making(aspect=Fraction(16, 11)))
    lines = played(film, tmp_path / name, codec=codec)
    with av.open(str(tmp_path / name)) as made:
        assert (made.streams.video[0].sample_aspect_ratio == Fraction(16, 11)) == said
    assert any("times as wide" in line for line in lines) != said


@pytest.mark.parametrize("rotation", [0, 90])
def test_luma_beyond_black_and_white_is_kept(tmp_path: Path, rotation: int) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as file:
        stream = file.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.color_range = 1
        stream.set_display_rotation(rotation)
        for _ in range(4):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane, code in zip(frame.planes, (120, 128, 128), strict=True):
                read_plane(plane, np.dtype(np.uint8), plane.width)[...] = code
            luma = read_plane(frame.planes[0], np.dtype(np.uint8), 64)
            luma[:16], luma[32:] = 250, 4
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    played(tmp_path / "a.mkv", tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as made:
        frame = next(made.decode(video=0))
    luma = np.rot90(read_plane(frame.planes[0], np.dtype(np.uint8), frame.width), -rotation // 90)
    bright, dark = luma[4:24].mean(), luma[-24:-4].mean()
    assert abs(bright - 250) < 2 and abs(dark - 4) < 2


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_tagged_and_told_about(tmp_path: Path, transfer: int) -> None:
    colours = (9, 1, 9, transfer)
    film = make_film(tmp_path / "hdr.mkv", Making(pixel_format="yuv420p10le", colours=colours))
    said = played(film, tmp_path / "out.mkv")
    assert any("HDR" in line for line in said)
    with av.open(str(tmp_path / "out.mkv")) as made:
        frame = next(made.decode(video=0))
    found = (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc)
    assert tuple(map(int, found)) == colours


def test_untagged_colours_are_tagged_by_their_matrix_alone(tmp_path: Path) -> None:
    film = make_film(tmp_path / "a.mkv", Making(colours=(2, 1, 2, 2)))
    assert not any("HDR" in line for line in played(film, tmp_path / "out.mkv"))
    with av.open(str(tmp_path / "out.mkv")) as made:
        frame = next(made.decode(video=0))
    assert (int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc)) == (6, 2, 2)
