"""Films whose frames stay on the GPU, against the same by way of the host. ``test_backend.py`` runs this where there is
an emulated GPU: FFmpeg's own CUDA runs on it too, and stands in for NVDEC and for NVENC."""

from __future__ import annotations

import ctypes
import dataclasses
import itertools
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.cuda.ffmpeg import Copied, copied, nvdec, packets
from support.films import Making, make_film

from edge_sr.backends.cuda.runner import CudaRunner
from edge_sr.backends.cuda.video.surfaces import surface_bytes
from edge_sr.errors import MediaError
from edge_sr.upscale.pipeline import Target, run_film
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.surfaces import keep_on_gpu
from edge_sr.upscale.upscale import upscale
from edge_sr.upscaler import Upscaler
from edge_sr.video.encode.codecs import CODECS
from edge_sr.video.encode.encoding import plan_encoding
from edge_sr.video.encode.segment_encoder import EncodeSettings
from edge_sr.video.encode.segments import SegmentWriter
from edge_sr.video.film.film import Excerpt, Film
from edge_sr.video.frames.codes import read_codes
from edge_sr.video.frames.pixels import FromRgb, PixelLayout
from edge_sr.video.frames.side_data import side_data
from edge_sr.video.surfaces import write
from edge_sr.video.surfaces.read import is_on_gpu, on_host, tells_surfaces
from edge_sr.video.timed import Timed

__all__ = ["nvdec"]
pytestmark = pytest.mark.skipif(not tells_surfaces(), reason="takes PyAV 18")

SIZE = (40, 24)
EIGHT, TEN = PixelLayout(8, "420"), PixelLayout(10, "420")
SMALL = Making(size=SIZE, frames=5)


@pytest.fixture(scope="module")
def up() -> Iterator[Upscaler]:
    with Upscaler("diinn-nano", backend="cuda") as upscaler:
        assert upscaler.takes_yuv and upscaler.takes_surfaces
        yield upscaler


class Written:
    """Keeps what is to be encoded; what is on the GPU it brings to the host as ``hwdownload`` does, at once."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, int, int]] = []
        self.codes: list[Any] = []
        self.tags: list[Any] = []
        self.on_gpu: list[bool] = []

    def write(self, timed: Timed[Any]) -> None:
        frame = timed.frame
        self.frames.append((timed.index, timed.pts, timed.duration))
        self.on_gpu.append(is_on_gpu(frame))
        self.tags.append((frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc))
        self.codes.append(read_codes(on_host(frame)))

    def same_as(self, other: Written) -> bool:
        alike = self.frames == other.frames and self.tags == other.tags
        return alike and all(np.array_equal(*pair) for pair in zip(self.codes, other.codes, strict=True))


def upscaled(
    film: Film, up: Upscaler, layout: PixelLayout, *, stays: tuple[bool, bool]
) -> tuple[Written, Copied]:
    """Half as large again; ``stays``: whether frames stay on the GPU on the way in, and on the way out."""
    name, written = "nv12" if layout.depth == 8 else "p010le", Written()
    to_yuv = FromRgb(film.info.shown_colour, layout, name, takes_surfaces=stays[1])
    if stays[0]:
        keep_on_gpu(film, up, to_yuv)
    copied()
    width, height = film.info.size
    run_film(
        film,
        up,
        written,
        to_yuv,
        Target((width * 3 // 2, height * 3 // 2)),
        first=0,
        stop=threading.Event(),
        after_frame=lambda flow: None,
    )
    return written, copied()


@pytest.mark.usefixtures("nvdec")
@pytest.mark.parametrize(
    ("making", "layout"),
    [
        (SMALL, EIGHT),
        (dataclasses.replace(SMALL, pixel_format="yuv420p10le", colours=(9, 1, 9, 16)), TEN),
    ],
)
def test_each_way_without_the_host(tmp_path: Path, up: Upscaler, making: Making, layout: PixelLayout) -> None:
    """Every bit and tag as by way of the host; the runner copies no picture to the GPU, none from it, or neither."""
    path = str(make_film(tmp_path / "film.mkv", making))
    item = 1 if layout.depth == 8 else 2
    picture = making.frames * 3 * SIZE[0] * SIZE[1] // 2 * item
    results = {}
    # The first of them opens what it needs beside.
    for stays in ((False, False), (False, False), (True, False), (False, True), (True, True)):
        with Film(path) as film:
            results[stays] = written, moved = upscaled(film, up, layout, stays=stays)
        assert written.on_gpu == [stays[1]] * making.frames
    for stays, (_, moved) in results.items():
        assert moved.up == (0 if stays[0] else picture)
        assert moved.down == (0 if stays[1] else picture * 9 // 4)
        assert (moved.down_pageable > 0) is stays[1] and (moved.up_pageable > 0) is stays[0]
    reference = results[False, False][0]
    assert all(written.same_as(reference) for written, _ in results.values())


@pytest.mark.usefixtures("nvdec")
def test_from_any_place_in_the_film(tmp_path: Path, up: Upscaler) -> None:
    path = str(make_film(tmp_path / "film.mkv", dataclasses.replace(SMALL, frames=8)))
    for excerpt in (Excerpt(Fraction(1, 10)), Excerpt(duration=Fraction(1, 5))):
        made = []
        for stays in (False, True):
            with Film(path, excerpt) as film:
                made.append(upscaled(film, up, EIGHT, stays=(stays, stays))[0])
        assert made[1].same_as(made[0]) and all(made[1].on_gpu)


@pytest.mark.usefixtures("nvdec")
def test_gone_on_with_after_three_frames(tmp_path: Path) -> None:
    """As ``--resume`` does; every time and side datum as by way of the host."""
    path, found = str(make_film(tmp_path / "film.mkv", SMALL)), []
    for stays in (False, True):
        with Film(path) as film:
            assert not stays or film.keep_on_gpu()
            film.skip_to(3, 120)
            frames = list(film.frames())
            assert all(is_on_gpu(timed.frame) is stays for timed in frames)
            about = [
                (timed.index, timed.pts, timed.duration, sorted(side_data(timed.frame))) for timed in frames
            ]
            found.append((about, [read_codes(on_host(timed.frame)).tobytes() for timed in frames]))
    assert found[0] == found[1] and [number for number, *_ in found[0][0]] == [3, 4]


@pytest.mark.usefixtures("nvdec")
@pytest.mark.parametrize("more", [{"rotation": 90}, {"interlaced": True}])
def test_what_must_be_touched_goes_by_way_of_the_host(
    tmp_path: Path, up: Upscaler, more: dict[str, Any]
) -> None:
    path, made = str(make_film(tmp_path / "film.mkv", Making(size=SIZE, frames=3, **more))), []
    for stays in (False, True):
        with Film(path) as film:
            if stays:
                film.keep_on_gpu()
            made.append(upscaled(film, up, EIGHT, stays=(False, stays))[0])
    assert made[1].same_as(made[0])


@pytest.mark.usefixtures("nvdec", "up")
def test_the_command_makes_the_same_film(tmp_path: Path) -> None:
    """With sound, and in pieces."""
    source = make_film(tmp_path / "film.mkv", dataclasses.replace(SMALL, frames=7, audio=("eng",)))
    common = {
        "scale": Fraction(3, 2),
        "model": "diinn-nano",
        "backend": "cuda",
        "codec": "ffv1",
        "segment_frames": 3,
    }
    made = []
    for name in ("host", "gpu"):
        with pytest.MonkeyPatch.context() as patch:
            if name == "host":
                patch.setattr(Film, "decoded_by_gpu", False)
            target = tmp_path / f"{name}.mkv"
            copied()
            upscale(Request(str(source), target, **common))
            made.append((packets(target), copied()))
    assert made[0][0] == made[1][0]
    picture = 7 * 3 * SIZE[0] * SIZE[1] // 2
    assert made[0][1].up - made[1][1].up == picture


def test_an_encoder_that_refuses_the_first_surface(tmp_path: Path, up: Upscaler) -> None:
    """x264 takes none, so it stands for an NVENC that does not; the segment is the same, and one line tells."""
    path, segments = str(make_film(tmp_path / "film.mkv", SMALL)), []
    segments.append(segment_of(path, up, tmp_path / "host", surfaces=False))
    with pytest.warns(UserWarning, match="to the encoder by way of the host"):
        segments.append(segment_of(path, up, tmp_path / "gpu", surfaces=True))
    assert segments[0] == segments[1]


def segment_of(path: str, up: Upscaler, folder: Path, *, surfaces: bool) -> bytes:
    folder.mkdir()
    size, options = (60, 36), {"crf": 20, "preset": "ultrafast", "threads": 1}
    encoding = plan_encoding(CODECS["x264"], EIGHT, size, Fraction(25), **options)  # type: ignore[arg-type]
    with Film(path) as film:
        colour = film.info.shown_colour
        recipe = EncodeSettings(encoding, film.info.time_base, Fraction(1), colour)
        writer = SegmentWriter(folder, recipe, 100)
        to_yuv = FromRgb(colour, EIGHT, takes_surfaces=surfaces)
        stop = threading.Event()
        run_film(film, up, writer, to_yuv, Target(size), first=0, stop=stop, after_frame=lambda flow: None)
    segment = writer.finish()
    assert segment is not None
    return segment.path.read_bytes()


def test_a_gpu_without_a_video_decoder(tmp_path: Path) -> None:
    """FFmpeg opens the GPU, whose NVDEC is missing here, as in a container that is given computing alone."""
    path = str(make_film(tmp_path / "film.mkv", SMALL))
    with pytest.raises(MediaError, match="holds no frame that can be decoded by the GPU: use --hwaccel none"):
        Film(path, hwaccel="cuda")
    read = []
    for hwaccel in ("none", "auto"):
        with Film(path, hwaccel=hwaccel) as film:
            assert film.decoded_by_gpu is (hwaccel == "auto")
            assert not film.decoded_by_gpu or not film.keep_on_gpu()
            read.append([(timed.pts, read_codes(timed.frame).tobytes()) for timed in film.frames()])
    assert read[0] == read[1] and len(read[0]) == SMALL.frames


def test_a_context_that_ffmpeg_does_not_take(tmp_path: Path, up: Upscaler) -> None:
    """Another library may have opened the GPU's context first, as FFmpeg refuses it: one line, and the host's way."""
    driver = ctypes.CDLL("libcuda.so.1")
    with pytest.MonkeyPatch.context() as patch:
        write.why_not.cache_clear()
        patch.setattr(write, "_context", write._context.__wrapped__)
        driver.cuDevicePrimaryCtxSetFlags(0, 0)
        try:
            with (
                Film(str(make_film(tmp_path / "film.mkv", SMALL))) as film,
                pytest.warns(UserWarning, match="by way of the host: FFmpeg says"),
            ):
                written, _ = upscaled(film, up, EIGHT, stays=(False, True))
        finally:
            driver.cuDevicePrimaryCtxSetFlags(0, 4)
            write.why_not.cache_clear()
    assert written.on_gpu == [False] * SMALL.frames


@pytest.mark.usefixtures("nvdec")
def test_in_strips(tmp_path: Path, up: Upscaler) -> None:
    """As where a frame's features do not fit."""
    path, made, runner = str(make_film(tmp_path / "film.mkv", SMALL)), [], up._runners["uint8"]
    assert isinstance(runner, CudaRunner)

    def anew(most_pixels: int | None) -> None:
        with runner._device.driver.entered():
            runner._close_sessions()
        runner._most_pixels = most_pixels

    anew(SIZE[0] * 14)
    for stays in (False, True):
        with Film(path) as film:
            made.append(upscaled(film, up, EIGHT, stays=(stays, stays))[0])
    assert all(len(session.strips) > 1 for session in runner._sessions.values())
    anew(None)
    assert made[1].same_as(made[0]) and all(made[1].on_gpu)


def test_without_room_for_a_surface_the_result_goes_to_the_host(
    tmp_path: Path, up: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second one asks for more than there is."""
    path, asked = str(make_film(tmp_path / "film.mkv", SMALL)), itertools.count()
    with Film(path) as film:
        reference, _ = upscaled(film, up, EIGHT, stays=(False, False))
    monkeypatch.setattr(
        "edge_sr.backends.cuda.runner.surface_bytes",
        lambda *about: surface_bytes(*about) << 30 * (next(asked) % 2),
    )
    with Film(path) as film:
        written, _ = upscaled(film, up, EIGHT, stays=(False, True))
    assert written.on_gpu == [True, False, True, False, True] and written.same_as(reference)


def test_memory_of_surfaces_is_given_back(tmp_path: Path, up: Upscaler) -> None:
    path = str(make_film(tmp_path / "film.mkv", SMALL))
    taken = []
    for _ in range(3):
        with Film(path) as film:
            upscaled(film, up, EIGHT, stays=(False, True))
        taken.append(up.device_bytes)
    assert taken[1] == taken[2] and not write._held
