"""HDR films: levels, tags and descriptions kept, never fewer than ten bits; brought to SDR where asked."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.films import Making, make_film
from support.upscaling import run as upscaled

from edge_sr.errors import OptionError
from edge_sr.upscale.run.report import Report
from edge_sr.video.frames.hdr import HdrDescription, read_description
from edge_sr.video.frames.planes import read_plane
from edge_sr.video.frames.tonemap import ToneMap, eetf, hlg_to_nits, into_gamut, nits_to_pq, pq_to_nits

PQ, HLG = 16, 18
NITS = (1, 100, 1000, 4000)
DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
HDR10 = {"x265-params": f"log-level=error:master-display={DISPLAY}:max-cll=1000,400", "crf": "1"}
DESCRIPTION = HdrDescription(
    tuple(Fraction(value, 50000) for value in (34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450)),
    (Fraction(50, 10000), Fraction(1000)),
    (1000, 400),
)


def bars(size: tuple[int, int] = (64, 48), transfer: int = PQ) -> np.ndarray:
    """Grey bars of 1, 100, 1,000 and 4,000 nits as 10-bit luma codes of the limited range."""
    signal = nits_to_pq(np.float32(NITS)) if transfer == PQ else np.float32([0.1, 0.5, 0.75, 0.95])
    codes = np.rint(64 + 876 * signal).astype(np.uint16)
    return np.repeat(codes, size[0] // 4)[None].repeat(size[1], 0)


def make_hdr(path: Path, transfer: int = PQ, codec: str = "libx265", **options: str) -> Path:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        context = stream.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = (
            9,
            9,
            transfer,
            1,
        )
        context.options = options or ({} if codec == "ffv1" else HDR10)
        for _ in range(4):
            frame = av.VideoFrame(64, 48, "yuv420p10le")
            for index, plane in enumerate(frame.planes):
                rows = np.full((plane.height, plane.line_size // 2), 512, np.uint16)
                if index == 0:
                    rows[:, :64] = bars(transfer=transfer)
                plane.update(rows.tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def run(source: Path, output: Path, **changes: Any) -> Report:
    return upscaled(source, output, **{"scale": Fraction(2), **changes})


def first_frame(path: Path) -> Any:
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_levels_and_tags_stay(tmp_path: Path, transfer: int) -> None:
    source, output = make_hdr(tmp_path / "hdr.mkv", transfer, "ffv1"), tmp_path / "out.mkv"
    run(source, output, codec="ffv1")
    frame = first_frame(output)
    assert frame.format.name == "yuv420p10le"
    assert (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range) == (
        9,
        9,
        transfer,
        1,
    )
    luma = read_plane(frame.planes[0], np.uint16, 128).astype(int)
    wanted = bars((128, 96), transfer)
    # Away from the edges of the bars.
    flat = np.zeros(128, bool)
    for index in range(4):
        flat[index * 32 + 10 : index * 32 + 22] = True
    assert np.abs(luma[10:-10, flat] - wanted[10:-10, flat]).max() <= 1
    for plane in frame.planes[1:]:
        assert np.abs(read_plane(plane, np.uint16, 64)[6:-6].astype(int) - 512).max() <= 2


# What a container's own fields begin with: boxes of MP4, elements of Matroska.
FIELDS = {".mp4": (b"mdcv", b"clli"), ".mov": (b"mdcv", b"clli"), ".mkv": (b"\x55\xd0", b"\x55\xbc")}


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("x264", "out.mp4"),
        ("x265", "out.mkv"),
        ("x265", "out.mp4"),
        ("svt-av1", "out.mkv"),
        ("ffv1", "out.mkv"),
        ("prores", "out.mov"),
    ],
)
def test_the_description_of_the_display_stays(tmp_path: Path, codec: str, name: str) -> None:
    source, output = make_hdr(tmp_path / "hdr.mkv"), tmp_path / name
    assert read_description(first_frame(source)) == DESCRIPTION
    assert run(source, output, codec=codec, strict=True).dropped == ()
    found, frame = read_description(first_frame(output)), first_frame(output)
    assert found.light == DESCRIPTION.light
    assert found.primaries is not None
    assert found.luminance is not None
    pairs = zip(
        (*found.primaries, *found.luminance), (*DESCRIPTION.primaries, *DESCRIPTION.luminance), strict=True
    )  # type: ignore[misc]
    assert all(abs(one - other) < Fraction(1, 2000) for one, other in pairs)
    assert frame.format.components[0].bits == 10
    assert frame.color_trc == PQ
    assert all(field in output.read_bytes() for field in FIELDS[output.suffix])


def test_hdr_never_becomes_eight_bits(tmp_path: Path) -> None:
    source = make_hdr(tmp_path / "hdr.mkv", codec="ffv1")
    with pytest.raises(OptionError, match="8 bits here: use --codec x265"):
        run(source, tmp_path / "out.mkv", codec="vp9")
    eight = make_film(tmp_path / "eight.mp4", Making(colours=(9, 1, 9, PQ), frames=2))
    run(eight, tmp_path / "eight-out.mp4")
    assert first_frame(tmp_path / "eight-out.mp4").format.name == "yuv420p10le"


def test_a_webm_of_hdr_is_led_to_a_codec_that_it_holds(tmp_path: Path) -> None:
    source = make_hdr(tmp_path / "hdr.mkv", codec="ffv1")
    with pytest.raises(OptionError, match="8 bits here: use --codec svt-av1"):
        run(source, tmp_path / "out.webm")
    assert run(source, tmp_path / "out.webm", codec="svt-av1").frames == 4


def test_tone_mapping_makes_an_sdr_film(tmp_path: Path) -> None:
    source, output = make_hdr(tmp_path / "hdr.mkv"), tmp_path / "out.mkv"
    report = run(source, output, codec="ffv1", tonemap=True, strict=True)
    assert report.dropped == ()
    frame = first_frame(output)
    assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (1, 1, 1)
    luma = read_plane(frame.planes[0], np.uint16, 128)[48].astype(float)
    levels = [(luma[index * 32 + 16] - 64) / 876 for index in range(4)]
    # 100 nits are just under half of SDR's white of 203; 1,000 nits is the peak, and nothing is brighter.
    assert levels[0] == pytest.approx((1 / 203) ** (1 / 2.4), abs=0.02)
    assert levels[1] == pytest.approx((100 / 203) ** (1 / 2.4), abs=0.06)
    assert levels[2] == pytest.approx(1, abs=0.02)
    assert levels[3] == pytest.approx(1, abs=0.02)
    assert run(output, tmp_path / "again.mkv", codec="ffv1", tonemap=True).frames == 4


# The curves


def test_pq_is_its_own_inverse_and_meets_the_standard() -> None:
    nits = np.float32([0, 0.1, 1, 100, 1000, 10000])
    np.testing.assert_allclose(pq_to_nits(nits_to_pq(nits)), nits, rtol=2e-3, atol=1e-3)
    # ITU-R BT.2408, table 1: 203 nits are 58 % of the PQ signal, 1,000 nits 75 %.
    np.testing.assert_allclose(nits_to_pq(np.float32([203, 1000])), [0.58, 0.75], atol=0.003)


def test_hlg_meets_the_standard() -> None:
    # ITU-R BT.2408: reference white is 75 % of the HLG signal; full signal is the display's peak.
    signal = np.repeat(np.float32([[0.75], [1.0]]), 3, axis=1)
    np.testing.assert_allclose(hlg_to_nits(signal).max(axis=1), [203, 1000], rtol=0.01)


def test_the_eetf_keeps_the_dark_and_ends_at_the_target() -> None:
    nits = np.linspace(0, 1000, 500, dtype=np.float32)
    mapped = eetf(nits, 1000, 203)
    assert np.all(np.diff(mapped) >= -1e-3)
    assert mapped[-1] == pytest.approx(203, rel=0.01)
    np.testing.assert_allclose(mapped[nits < 20], nits[nits < 20], rtol=0.01)
    np.testing.assert_array_equal(eetf(nits, 150, 203), nits)


def test_colours_beyond_the_gamut_keep_hue_and_brightness() -> None:
    inside = into_gamut(np.float32([[1.4, -0.2, 0.1], [0.2, 0.3, 0.4]]))
    assert inside.min() >= 0
    assert inside.max() <= 1
    np.testing.assert_allclose(inside[1], [0.2, 0.3, 0.4], atol=1e-6)
    assert inside[0, 0] > inside[0, 2] >= inside[0, 1]


@pytest.mark.parametrize("peak", [400, 4000])
def test_hlg_is_mapped_from_the_display_it_is_shown_on(peak: float) -> None:
    signal = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], 3, axis=2)
    np.testing.assert_array_equal(ToneMap(HLG, peak)(signal), ToneMap(HLG, None)(signal))


def test_tone_mapping_keeps_grey_grey() -> None:
    grey = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], 3, axis=2)
    for transfer in (PQ, HLG):
        mapped = ToneMap(transfer, None)(grey)
        assert np.abs(mapped - mapped[..., :1]).max() < 2e-3
        assert np.all(np.diff(mapped[0, :, 0]) >= -1e-4)
