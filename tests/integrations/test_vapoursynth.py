"""``core.edgesr.Upscale`` and ``edge_sr.vapoursynth.upscale`` in VapourSynth itself: picture, properties, errors."""

from __future__ import annotations

import random
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

vs = pytest.importorskip("vapoursynth")

from edge_sr import Upscaler
from edge_sr.backends.native.kernels import encoder_kernel
from edge_sr.bundle.stored import shipped_folder
from edge_sr.errors import OptionError
from edge_sr.tensors import reference_card
from edge_sr.vapoursynth import upscale
from edge_sr.video.frames.colour import Colour
from edge_sr.video.frames.pixels import FromRgb, PixelLayout, ToRgb
from edge_sr.video.frames.planes import read_plane
from edge_sr.video.frames.siting import SITINGS

core = vs.core
native = pytest.mark.skipif(not hasattr(core, "edgesr"), reason="edge-sr-vapoursynth is not installed")

WIDTH, HEIGHT = 48, 36
SIZE = (130, 98)
LIMITED, FULL = 0, 1
LEFT, CENTRE, TOP_LEFT = 0, 1, 2
SUBSAMPLING = {"420": (1, 1), "422": (1, 0), "444": (0, 0)}
CASES = [
    ("420", 8, 1, LIMITED),
    ("420", 8, 6, FULL),
    ("420", 8, 7, LIMITED),
    ("420", 10, 9, LIMITED),
    ("420", 16, 1, LIMITED),
    ("422", 8, 5, LIMITED),
    ("422", 12, 4, FULL),
    ("444", 8, 1, FULL),
    ("444", 9, 6, LIMITED),
]


@pytest.fixture(autouse=True)
def models_of_this_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SR_BUNDLES", str(shipped_folder()))


@pytest.fixture(scope="module")
def network() -> Any:
    with Upscaler("diinn-nano", backend="native", precision="fp32") as upscaler:
        yield upscaler


def planes_of(depth: int, chroma: str, seed: int = 0) -> list[np.ndarray]:
    """Codes of the reference card with some noise, within limited range."""
    card = np.roll(reference_card(WIDTH, HEIGHT), seed, axis=1).transpose(2, 0, 1) / 255
    noise = np.random.default_rng(seed).normal(0, 0.02, card.shape)
    codes = np.rint(np.clip(0.1 + 0.75 * card + noise, 0.07, 0.9) * ((1 << depth) - 1))
    across, down = SUBSAMPLING[chroma]
    planes = [codes[0], *codes[1:, :: 1 << down, :: 1 << across]]
    return [np.ascontiguousarray(plane, np.uint8 if depth == 8 else np.uint16) for plane in planes]


def clip_of(pixels: int, frames: list[list[np.ndarray]], **properties: int) -> Any:
    height, width = frames[0][0].shape
    blank = core.std.BlankClip(format=pixels, width=width, height=height, length=len(frames))

    def filled(n: int, f: Any) -> Any:
        frame = f.copy()
        for index, plane in enumerate(frames[n]):
            np.asarray(frame[index])[...] = plane
        return frame

    return core.std.SetFrameProps(core.std.ModifyFrame(blank, blank, filled), **properties)


def yuv(depth: int, chroma: str) -> int:
    return int(core.query_video_format(vs.YUV, vs.INTEGER, depth, *SUBSAMPLING[chroma]).id)


def pixels_of(frame: Any) -> list[np.ndarray]:
    return [np.array(frame[index]) for index in range(3)]


def as_upscale(
    network: Upscaler, layout: PixelLayout, colour: Colour, planes: list[np.ndarray]
) -> list[np.ndarray]:
    """What the command makes of a decoded frame: its own conversions around its own network."""
    import av

    frame = av.VideoFrame(WIDTH, HEIGHT, layout.name)
    for plane, codes in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size // codes.itemsize), codes.dtype)
        rows[:, : codes.shape[1]] = codes
        plane.update(rows.tobytes())
    result = FromRgb(colour, layout)(network(ToRgb(colour, layout)(frame), size=SIZE))
    dtype = np.uint8 if layout.depth == 8 else np.dtype("<u2")
    return [read_plane(plane, dtype, plane.width) for plane in result.planes]


@native
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("place", [LEFT, CENTRE, TOP_LEFT])
def test_yuv_is_what_upscale_gives(case: tuple[str, int, int, int], place: int, network: Upscaler) -> None:
    chroma, depth, matrix, full = case
    planes = planes_of(depth, chroma)
    clip = clip_of(yuv(depth, chroma), [planes], _Matrix=matrix, _Range=full, _ChromaLocation=place)
    found = core.edgesr.Upscale(clip, width=SIZE[0], height=SIZE[1], model="diinn-nano", precision="fp32")
    colour = Colour(matrix, bool(full), 1, 1, SITINGS[place])
    expected = as_upscale(network, PixelLayout(depth, chroma), colour, planes)
    for one, other in zip(pixels_of(found.get_frame(0)), expected, strict=True):
        difference = np.abs(one.astype(int) - other.astype(int))
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.001


@native
@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("full", [LIMITED, FULL])
def test_luma_beyond_black_and_white_is_kept(depth: int, full: int) -> None:
    planes = planes_of(depth, "420")
    planes[0][:12], planes[0][24:] = 250 << (depth - 8), 4 << (depth - 8)
    # Colours would take what is this bright, or dark, out of RGB's range.
    planes[1][:] = planes[2][:] = 128 << (depth - 8)
    clip = clip_of(yuv(depth, "420"), [planes], _Matrix=1, _Range=full)
    options = {"width": SIZE[0], "height": SIZE[1], "model": "diinn-nano", "precision": "fp32"}
    for made in (core.edgesr.Upscale(clip, **options), upscale(clip, **options)):
        luma = np.asarray(made.get_frame(0)[0]).astype(int)
        assert abs(luma[8:24] - (250 << (depth - 8))).mean() < 2 << (depth - 8)
        assert abs(luma[-24:-8] - (4 << (depth - 8))).mean() < 2 << (depth - 8)


@native
@pytest.mark.parametrize("pixels", ["RGB24", "RGB30", "RGB48", "RGBS"])
def test_rgb_is_what_the_library_gives(pixels: str, network: Upscaler) -> None:
    bits = core.get_video_format(getattr(vs, pixels)).bits_per_sample
    planes = planes_of(16 if bits == 32 else bits, "444")
    top = (1 << bits) - 1
    if bits == 32:
        planes = [plane.astype(np.float32) / 65535 for plane in planes]
    frame = np.stack(planes, axis=-1)
    frame = frame.astype(np.float32) / np.float32(top) if frame.dtype == np.uint16 else frame
    expected = network(frame, scale="2.7")
    if planes[0].dtype == np.uint16:
        expected = np.rint(expected * np.float32(top))
    clip = clip_of(getattr(vs, pixels), [planes])
    found = core.edgesr.Upscale(clip, scale=2.7, model="diinn-nano", precision="fp32")
    assert np.array_equal(np.stack(pixels_of(found.get_frame(0)), axis=-1), expected)


@native
@pytest.mark.parametrize("model", ["diinn-nano", "diinn-edge"])
def test_int8_is_the_librarys_too(model: str) -> None:
    if encoder_kernel("int8") is None:
        pytest.skip("this processor has no INT8 products")
    planes = planes_of(8, "444")
    with Upscaler(model, backend="native", precision="int8") as upscaler:
        expected = upscaler(np.stack(planes, axis=-1), scale="2.7")
    found = core.edgesr.Upscale(clip_of(vs.RGB24, [planes]), scale=2.7, model=model, precision="int8")
    assert np.array_equal(np.stack(pixels_of(found.get_frame(0)), axis=-1), expected)


@native
def test_chroma_keeps_the_location_that_it_is_said_to_have() -> None:
    """A ramp of chroma that lies half a luma pixel further left is the same ramp, said of other samples."""
    ramp = np.tile(np.arange(WIDTH // 2, dtype=np.uint8) * 4 + 60, (HEIGHT // 2, 1))
    grey = np.full((HEIGHT, WIDTH), 120, np.uint8)
    for location in range(6):
        clip = clip_of(vs.YUV420P8, [[grey, ramp, ramp]], _Matrix=1, _ChromaLocation=location)
        found = core.edgesr.Upscale(clip, scale=2, precision="fp32").get_frame(0)
        assert found.props["_ChromaLocation"] == location
        inner = np.asarray(found[1])[8:-8, 8:-8].astype(float)
        # Where the samples lie at the left, their first one does before and after: columns meet at 0, else half-way.
        shift = 0.0 if location in (0, 2, 4) else 0.25
        expected = 60 + 4 * (np.arange(WIDTH)[8:-8] / 2 - shift)
        assert np.abs(inner.mean(axis=0) - expected).max() < 1.5


@native
def test_properties_are_set_as_vapoursynth_has_them() -> None:
    clip = clip_of(vs.YUV420P10, [planes_of(10, "420")], _Transfer=16, _Primaries=9, _SARNum=4, _SARDen=3)
    props = core.edgesr.Upscale(clip, width=96, height=108, precision="fp32").get_frame(0).props
    assert (props["_Matrix"], props["_Range"], props["_ChromaLocation"]) == (9, LIMITED, LEFT)
    assert (props["_Transfer"], props["_Primaries"]) == (16, 9)
    # Twice as wide and three times as high: pixels half as wide again.
    assert (props["_SARNum"], props["_SARDen"]) == (2, 1)


@native
def test_sizes_follow_the_rules_of_upscale() -> None:
    even, odd = clip_of(vs.YUV420P8, [planes_of(8, "420")]), clip_of(vs.RGB24, [planes_of(8, "444")])
    for clip, options, size in (
        (even, {"scale": 2.7}, (130, 98)),
        (odd, {"scale": 2.7}, (130, 97)),
        (odd, {"scale": 1.0}, (48, 36)),
        (even, {"height": 97}, (130, 98)),
        (odd, {"height": 97}, (129, 97)),
    ):
        found = core.edgesr.Upscale(clip, **options)
        assert (found.width, found.height) == size
        found = upscale(clip, **options)
        assert (found.width, found.height) == size


REFUSED = [
    ({}, "exactly one"),
    ({"scale": 0.5}, "between 1 and 64"),
    ({"scale": 2, "height": 90}, "exactly one"),
    ({"width": 96}, "width goes with a height"),
    ({"width": 97, "height": 72}, "ask for 98x72"),
    ({"width": 48, "height": 20}, "smaller than the input"),
    ({"scale": 2, "model": "nobody"}, "no model 'nobody'"),
    ({"scale": 2, "backend": "cuda"}, "edge_sr.vapoursynth"),
    ({"scale": 2, "precision": "fp8"}, "precision must be"),
]


@native
@pytest.mark.parametrize(("options", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_does_not_fit_is_an_error_of_vapoursynth(options: dict[str, Any], message: str) -> None:
    clip = clip_of(vs.YUV420P8, [planes_of(8, "420")])
    with pytest.raises(vs.Error, match=message):
        core.edgesr.Upscale(clip, **options)


@native
@pytest.mark.parametrize("pixels", ["GRAY8", "YUV411P8", "YUV440P8", "YUV444PS", "RGBH"])
def test_other_formats_are_refused_with_the_way_out(pixels: str) -> None:
    with pytest.raises(vs.Error, match=r"core\.resize"):
        core.edgesr.Upscale(core.std.BlankClip(format=getattr(vs, pixels)), scale=2)


@native
def test_a_frame_that_cannot_be_converted_fails_alone() -> None:
    clip = clip_of(vs.YUV420P8, [planes_of(8, "420")] * 2)
    interlaced = core.std.SetFrameProps(clip, _FieldBased=2)
    mixed = core.edgesr.Upscale(core.std.Interleave([clip, interlaced]), scale=2)
    with pytest.raises(vs.Error, match="deinterlace"):
        mixed.get_frame(1)
    mixed.get_frame(0)
    with pytest.raises(vs.Error, match="matrix 10"):
        core.edgesr.Upscale(core.std.SetFrameProps(clip, _Matrix=10), scale=2).get_frame(0)


@native
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_frames_asked_for_in_any_order_are_the_same(threads: int) -> None:
    frames = [planes_of(8, "420", seed) for seed in range(8)]
    clip = clip_of(vs.YUV420P8, frames, _Matrix=1)
    core.num_threads = 1
    wanted = [pixels_of(f) for f in core.edgesr.Upscale(clip, scale=1.5, precision="fp32").frames()]
    core.num_threads = threads
    try:
        found = core.edgesr.Upscale(clip, scale=1.5, precision="fp32")
        order = random.Random(threads).sample(range(8), 8) * 2
        waiting: list[tuple[int, Future[Any]]] = [(n, found.get_frame_async(n)) for n in order]
        for n, future in waiting:
            for one, other in zip(pixels_of(future.result(60)), wanted[n], strict=True):
                assert np.array_equal(one, other)
    finally:
        core.num_threads = 2


@native
@pytest.mark.parametrize(("chroma", "depth"), [("420", 8), ("420", 10), ("422", 8), ("444", 16)])
def test_the_python_filter_gives_nearly_the_native_one(chroma: str, depth: int) -> None:
    clip = clip_of(yuv(depth, chroma), [planes_of(depth, chroma)], _Matrix=1, _SARNum=1, _SARDen=1)
    options = {"width": 96, "height": 108, "model": "diinn-nano", "precision": "fp32"}
    one = core.edgesr.Upscale(clip, **options).get_frame(0)
    other = upscale(clip, backend="onnxruntime", **options).get_frame(0)
    for plane in range(3):
        difference = np.asarray(one[plane]).astype(int) - np.asarray(other[plane])
        assert np.abs(difference).mean() < 0.004 * (1 << depth)
    for name in ("_Matrix", "_Range", "_SARNum", "_SARDen"):
        assert one.props[name] == other.props[name]
    assert one.props.get("_ChromaLocation") == other.props.get("_ChromaLocation")


@pytest.mark.parametrize("pixels", ["RGB24", "RGB30", "RGBS"])
def test_the_python_filter_keeps_rgb_as_it_counts_it(pixels: str) -> None:
    clip = core.std.BlankClip(format=getattr(vs, pixels), width=WIDTH, height=HEIGHT, length=1)
    found = upscale(clip, scale=2, model="diinn-nano", backend="onnxruntime", precision="fp32")
    assert found.format.id == clip.format.id
    assert found.get_frame(0).width == 2 * WIDTH


def test_the_python_filter_refuses_in_plain_words() -> None:
    with pytest.raises(OptionError, match=r"core\.resize"):
        upscale(core.std.BlankClip(format=vs.GRAY8), scale=2)
    clip = core.std.BlankClip(format=vs.YUV420P8, width=WIDTH, height=HEIGHT)
    with pytest.raises(OptionError, match="ask for"):
        upscale(clip, width=97, height=72)
    with pytest.raises(OptionError, match="matrix 10"):
        upscale(core.std.SetFrameProps(clip, _Matrix=10), scale=2)
    with pytest.raises(OptionError, match="at least 4 x 4 pixels, found 2 x 2"):
        upscale(core.std.BlankClip(format=vs.YUV444P8, width=2, height=2), scale=2)


@pytest.mark.parametrize("pixels", [vs.YUV420P8, vs.RGB24])
def test_the_python_filter_refuses_interlaced_frames(pixels: int) -> None:
    clip = core.std.BlankClip(format=pixels, width=WIDTH, height=HEIGHT, length=2)
    interlaced = core.std.SetFrameProps(clip, _FieldBased=2)
    with pytest.raises(OptionError, match="deinterlace the clip first"):
        upscale(interlaced, scale=2, model="diinn-nano")
    later = upscale(clip[0] + interlaced[1], scale=2, model="diinn-nano")
    later.get_frame(0)
    with pytest.raises(vs.Error, match="deinterlace the clip first"):
        later.get_frame(1)
