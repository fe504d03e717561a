"""The small parts of a live run: queue, histogram, clock, thinning, sizes."""

from __future__ import annotations

import threading
from fractions import Fraction

import av
import numpy as np
import pytest

from edge_sr.camera.pacing.clock import LiveTimeline
from edge_sr.camera.pacing.drop_oldest import Newest
from edge_sr.camera.pacing.latency import Latencies
from edge_sr.camera.pictures import FrameMaker, RgbReader, sink_colour
from edge_sr.camera.reader import Thinner
from edge_sr.camera.request import CameraRequest, Fit, fit
from edge_sr.errors import MediaError, OptionError
from edge_sr.video.live.address import parse_address
from edge_sr.video.live.outlets import plan_outlet
from edge_sr.video.shape import fitted


def test_the_newest_frame_wins_and_drops_are_counted() -> None:
    queue: Newest[int] = Newest()
    for number in range(5):
        queue.put(number)
    assert queue.take(0) == 4
    assert (queue.accepted, queue.dropped) == (5, 4)
    assert queue.take(0) is None


def test_a_closed_queue_gives_what_waits_and_then_the_error() -> None:
    queue: Newest[int] = Newest(2)
    queue.put(1)
    queue.close(MediaError("broken"))
    assert not queue.ended
    assert queue.take(1) == 1
    assert queue.ended
    with pytest.raises(MediaError):
        queue.take(1)


def test_closing_wakes_who_waits() -> None:
    queue: Newest[int] = Newest()
    threading.Timer(0.05, queue.close).start()
    assert queue.take(30) is None


def test_percentiles_are_exact_to_a_hundredth() -> None:
    latencies = Latencies()
    values = np.random.default_rng(0).lognormal(3, 0.7, 5000)
    for value in values:
        latencies.add(float(value))
    for percent in (50, 95, 99):
        exact = np.percentile(values, percent, method="inverted_cdf")
        assert latencies.percentile(percent) == pytest.approx(exact, rel=0.011)
    assert set(latencies.mapping()) == {"p50", "p95", "p99"}
    assert Latencies().percentile(50) == 0


def test_drift_is_followed_and_spacing_kept() -> None:
    timeline = LiveTimeline(began=1000.0)
    shown = []
    for number in range(3000):
        # The source's clock runs 200 parts in a million fast, its frames arrive with jitter.
        captured = 1000 + number * 0.04 + (number % 5) * 0.004
        shown.append(timeline.picture(77 + number * 0.04 * 1.0002, captured))
    steps = np.diff(shown)
    assert abs(shown[-1] - 2999 * 0.04) < 0.05
    assert steps.min() > 0.037
    assert steps.max() < 0.043


def test_a_jump_of_the_source_starts_anew_and_sound_goes_with_the_picture() -> None:
    timeline = LiveTimeline(began=0.0)
    assert timeline.sound(5.0) is None
    assert timeline.picture(5.0, 1.0) == pytest.approx(1.0)
    assert timeline.sound(5.5) == pytest.approx(1.5)
    assert timeline.picture(9000.0, 1.04) == pytest.approx(1.04)
    assert timeline.picture(None, 2.0) == 2.0


@pytest.mark.parametrize(("source", "wanted"), [(25, 15), (30, 25), (60, 25), (25, 25)])
def test_thinning_keeps_the_rate_that_is_asked_for(source: int, wanted: int) -> None:
    thinner = Thinner(Fraction(wanted))
    random = np.random.default_rng(0)
    times = np.arange(10 * source) / source + random.uniform(0, 0.2 / source, 10 * source)
    kept = sum(thinner.admits(float(time)) for time in times)
    assert kept == pytest.approx(10 * wanted, abs=2)


def test_no_rate_lets_everything_through() -> None:
    thinner = Thinner(None)
    assert all(thinner.admits(time) for time in (0.0, 0.0, 0.001, 5.0, 4.0))


def request(scale: Fraction | None, size: tuple[int, int] | None) -> CameraRequest:
    outlet = plan_outlet(parse_address("udp://127.0.0.1:5000"), None, False)
    return CameraRequest(parse_address("-"), outlet, None, scale, size)


def test_computed_odd_sizes_go_up_to_even_and_explicit_ones_are_refused() -> None:
    assert request(Fraction("1.5"), None).target((321, 181)) == (482, 272)
    with pytest.raises(OptionError, match="480x270 or 482x272"):
        request(None, (481, 271)).target((320, 180))
    with pytest.raises(OptionError, match="smaller"):
        request(None, (100, 100)).target((320, 180))


def test_a_source_of_another_shape_is_fitted_with_bars() -> None:
    assert fit((320, 180), (320, 180), (640, 360)) == Fit((320, 180), (640, 360))
    wide = fit((320, 90), (320, 180), (640, 360))
    assert wide.inner == (640, 180)
    assert wide.highest == 2
    frame = FrameMaker((640, 360), sink_colour((640, 360)))(np.full((180, 640, 3), 255, np.uint8), wide.inner)
    luma = frame.to_ndarray()[:360]
    assert luma[:85].max() == 16
    assert luma[95:265].min() == 235


def test_a_shape_is_what_is_displayed() -> None:
    """An anamorphic source that comes back with square pixels, and the other way round."""
    wide = Fraction(4, 3)
    assert fit((240, 180), (320, 180), (640, 360), wide) == Fit((240, 180), (640, 360))
    back = fit((320, 180), (240, 180), (480, 360), Fraction(1), wide)
    assert back == Fit((320, 180), (480, 360))
    # Pixels 4:3 wide in the output as well: a square picture is three quarters as many across.
    assert fit((180, 180), (240, 180), (480, 360), Fraction(1), wide).inner == (270, 360)
    # The output itself was asked for in another shape.
    assert fit((180, 180), (320, 180), (320, 360)).inner == (180, 360)


def test_the_network_never_computes_less_than_the_source() -> None:
    placed = Fit((320, 180), (640, 360))
    assert placed.network_size(2.0) == (640, 360)
    assert placed.network_size(1.5) == (480, 270)
    assert placed.network_size(0.5) == (320, 180)
    assert fitted((400, 300), (320, 180)) == (240, 180)


@pytest.mark.parametrize(("pixel_format", "unit"), [("gray", 1), ("gray10le", 4)])
@pytest.mark.parametrize(
    ("code_range", "black", "white"), [(1, 16, 235), (2, 0, 255)], ids=["limited", "full"]
)
def test_grey_is_read_by_its_range(
    pixel_format: str, unit: int, code_range: int, black: int, white: int
) -> None:
    middle = (black + white) // 2
    codes = np.repeat(np.array([black, middle, white], np.uint16), 16) * unit
    rows = np.tile(codes, (16, 1)).astype(np.uint8 if unit == 1 else np.uint16)
    frame = av.VideoFrame.from_ndarray(rows, format=pixel_format)
    frame.color_range = code_range
    levels = RgbReader()(frame)[8, [8, 24, 40]].astype(int)
    assert np.abs(levels - np.array([[0], [127], [255]])).max() <= 1


@pytest.mark.parametrize(
    ("pixel_format", "top"), [("gray16le", 65535), ("gray10le", 1023), ("rgb48le", 65535)]
)
def test_deep_codes_of_full_range_are_rounded(pixel_format: str, top: int) -> None:
    """As of thermal cameras and of screens: swscale's own way to bytes is more than a level off."""
    shape = (16, 64, 3) if "rgb" in pixel_format else (16, 64)
    codes = np.random.default_rng(0).integers(0, top + 1, shape).astype(np.uint16)
    frame = av.VideoFrame.from_ndarray(codes, format=pixel_format)
    frame.color_range = 2
    wanted = codes.reshape(16, 64, -1) * (255 / top)
    assert np.abs(RgbReader()(frame) - wanted).max() <= 0.51
