"""What a container has players leave out of the picture is left out."""

from __future__ import annotations

import contextlib
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.films import Making, make_film
from support.live_sources import items_of

from edge_sr.upscale.run.request import Request
from edge_sr.upscale.upscale import upscale
from edge_sr.video.film.film import Film
from edge_sr.video.live.arrival import Arrival

SIZE = (64, 48)


def with_crop_top(path: Path, pixels: int) -> Path:
    data = make_film(path.with_stem("plain"), Making(frames=3)).read_bytes()
    unit = b"\x54\xb2\x81\x04"
    assert data.count(unit) == 1
    # PixelCropTop in place of DisplayUnit, which is as long.
    path.write_bytes(data.replace(unit, b"\x54\xbb\x81" + bytes([pixels])))
    return path


def with_aperture(path: Path, numbers: tuple[int, ...]) -> Path:
    """An MP4, its header at the end, whose picture's description ends in ``clap`` in place of ``pasp`` and ``btrt``."""
    return with_aperture_of_last(
        path, make_film(path.with_stem("plain"), Making(frames=3)).read_bytes(), numbers
    )


def with_aperture_of_last(path: Path, data: bytes, numbers: tuple[int, ...]) -> Path:
    """The film ``data`` with the aperture in its last track."""
    entry = data.rfind(b"avc1") - 4
    end = entry + int.from_bytes(data[entry : entry + 4], "big")
    box = struct.pack(">I4s8i", 40, b"clap", *numbers)
    sizes = [entry]
    for name in (b"stsd", b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        sizes.append(data.rfind(name, 0, entry) - 4)
    whole = bytearray(data[:end] + box + data[end:])
    for place in sizes:
        whole[place : place + 4] = (int.from_bytes(whole[place : place + 4], "big") + 40).to_bytes(4, "big")
    path.write_bytes(whole)
    return path


def pictures_together(path: Path, *films: Path) -> Path:
    """A film with the picture of each."""
    with contextlib.ExitStack() as opened, av.open(str(path), "w") as target:
        sources = [opened.enter_context(av.open(str(film))) for film in films]
        twins = [target.add_stream_from_template(source.streams.video[0]) for source in sources]
        for source, twin in zip(sources, twins, strict=True):
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = twin
                    target.mux(packet)
    return path


def pixels(film: Path) -> list[np.ndarray]:
    with Film(str(film)) as opened:
        return [timed.frame.to_ndarray(format="rgb24") for timed in opened.frames()]


def plain_pixels(film: Path) -> list[np.ndarray]:
    with av.open(str(film)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


@pytest.mark.parametrize(("top", "rows"), [(0, 48), (8, 40), (7, 40), (47, 48)])
def test_matroskas_edges_are_left_out(tmp_path: Path, top: int, rows: int) -> None:
    film = with_crop_top(tmp_path / "film.mkv", top)
    found, whole = pixels(film), plain_pixels(tmp_path / "plain.mkv")
    assert len(found) == 3
    for one, other in zip(found, whole, strict=True):
        assert one.shape == (rows, 64, 3)
        assert np.abs(one[4:].astype(int) - other[48 - rows :][4:]).max() <= 2


@pytest.mark.parametrize(
    ("numbers", "box"),
    [
        ((56, 1, 40, 1, 0, 1, 0, 1), (4, 4, 60, 44)),
        ((48, 1, 96, 2, -8, 1, 0, 1), (0, 0, 48, 48)),
        ((64, 1, 48, 1, 0, 1, 0, 1), (0, 0, 64, 48)),
        ((56, 1, 40, 0, 0, 1, 0, 1), (0, 0, 64, 48)),
        ((90, 1, 40, 1, 0, 1, 0, 1), (0, 0, 64, 48)),
    ],
)
def test_mp4s_aperture_is_shown(tmp_path: Path, numbers: tuple[int, ...], box: tuple[int, ...]) -> None:
    film = with_aperture(tmp_path / "film.mp4", numbers)
    x0, y0, x1, y1 = box
    for one, other in zip(pixels(film), plain_pixels(tmp_path / "plain.mp4"), strict=True):
        assert one.shape == (y1 - y0, x1 - x0, 3)
        inner = (slice(4, -4), slice(4, -4))
        assert np.abs(one[inner].astype(int) - other[y0:y1, x0:x1][inner]).max() <= 2


def test_a_film_is_upscaled_without_them(tmp_path: Path) -> None:
    film = with_aperture(tmp_path / "film.mp4", (56, 1, 40, 1, 0, 1, 0, 1))
    plain: dict[str, Any] = {"model": "diinn-nano", "backend": "onnxruntime", "precision": "fp32"}
    report = upscale(Request(str(film), tmp_path / "out.mkv", scale=Fraction(2), **plain))
    assert (report.input_size, report.output_size, report.dropped) == ((56, 40), (112, 80), ())
    assert report.frames == 3


def test_a_live_run_shows_the_film_without_them(tmp_path: Path) -> None:
    film = with_crop_top(tmp_path / "film.mkv", 8)
    shown = [item for item in items_of(film) if isinstance(item, Arrival)]
    assert [(one.frame.width, one.frame.height) for one in shown] == [(64, 40)] * 3
    assert [one.seconds for one in shown] == pytest.approx([0.0, 0.04, 0.08], abs=1e-3)


def test_what_another_track_asks_for_is_not_done_to_the_picture(tmp_path: Path) -> None:
    """As of a preview or a map of depths, which are smaller."""
    large, small = (
        make_film(tmp_path / name, Making(size=size, frames=3))
        for name, size in (("large.mp4", (96, 64)), ("small.mp4", SIZE))
    )
    data = pictures_together(tmp_path / "plain.mp4", large, small).read_bytes()
    with_aperture_of_last(tmp_path / "film.mp4", data, (32, 1, 32, 1, 0, 1, 0, 1))
    assert pixels(tmp_path / "film.mp4")[0].shape == (64, 96, 3)
