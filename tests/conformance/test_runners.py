"""What every CPU backend must do alike: the contract's graphs, run whole, are the measure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from edge_sr.backends.onnxruntime.runner import open_session
from edge_sr.backends.registry import BACKENDS
from edge_sr.bundle import Bundle
from edge_sr.errors import OptionError, ShapeError
from edge_sr.grid import sampling_grid
from edge_sr.resample import Kernel, resize
from edge_sr.sizes import output_region
from edge_sr.tensors import reference_card
from edge_sr.upscaler import Encoded, Upscaler

CPU = [name for name in BACKENDS if not name.startswith(("tensorrt", "cuda"))]
SIZES = [(37, 29), (74, 58), (111, 87), (101, 77), (122, 96), (148, 116), (296, 232), (60, 200)]


@pytest.fixture(params=CPU)
def up(request: pytest.FixtureRequest, nano: Bundle) -> Iterator[Upscaler]:
    reason = BACKENDS[request.param].unavailable_reason()
    if reason:
        pytest.skip(f"{request.param}: {reason}")
    with Upscaler(nano, backend=request.param, precision="fp32", threads=2) as upscaler:
        yield upscaler


def contract(bundle: Bundle, picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The bundle's graphs run whole, after the graph contract alone."""
    io = "uint8" if picture.dtype == np.uint8 else "float"
    if bundle.kind != "implicit":
        return network_contract(bundle, picture, size, io)
    encoder = open_session(bundle.graph("encoder", "fp32", io), 1)
    decoder = open_session(bundle.graph("decoder", "fp32", io), 1)
    grid = sampling_grid((picture.shape[1], picture.shape[0]), size)
    maps = encoder.run(None, {"image": picture[None]})[0]
    feeds: dict[str, Any] = {"maps": maps, "image": picture[None], **vars(grid)}
    return decoder.run(None, {port.name: feeds[port.name] for port in decoder.get_inputs()})[0][0]


def network_contract(bundle: Bundle, picture: np.ndarray, size: tuple[int, int], io: str) -> np.ndarray:
    """A ``fixed`` network's picture resampled by Lanczos, or a ``refine`` network's of the picture by bicubic."""
    network = open_session(bundle.graph("network", "fp32", io), 1)
    if bundle.kind == "refine":
        return network.run(None, {"image": resized(picture, size, "bicubic")[None]})[0][0]
    own = network.run(None, {"image": picture[None]})[0][0]
    return own if own.shape[1::-1] == size else resized(own, size, "lanczos3")


def resized(picture: np.ndarray, size: tuple[int, int], kernel: Kernel) -> np.ndarray:
    made = resize(picture, size, kernel)
    return made if made.dtype == np.uint8 else made.clip(0, 1)


def assert_alike(found: np.ndarray, expected: np.ndarray) -> None:
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 1e-3


def assert_alike_in_kind(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.dtype == expected.dtype
    if found.dtype == np.float32:
        assert np.abs(found - expected).max() <= 1e-5
    else:
        assert_alike(found, expected)


@pytest.mark.parametrize("size", SIZES)
def test_uint8_equals_the_contract(up: Upscaler, picture: np.ndarray, size: tuple[int, int]) -> None:
    result = up(picture, size=size)
    assert result.dtype == np.uint8
    assert_alike(result, contract(up.bundle, picture, size))


@pytest.mark.parametrize("size", SIZES)
def test_float_equals_the_contract(up: Upscaler, picture: np.ndarray, size: tuple[int, int]) -> None:
    unit = picture.astype(np.float32) / 255
    result = up(unit, size=size)
    assert result.dtype == np.float32
    assert np.abs(result - contract(up.bundle, unit, size)).max() <= 1e-5


@pytest.mark.parametrize("scale", ["1", "1.5", "2", "2.7", "3", "5"])
def test_a_region_is_that_crop_of_the_whole(up: Upscaler, picture: np.ndarray, scale: str) -> None:
    whole = up(picture, scale=scale)
    for region in ((0, 0, 37, 29), (11, 5, 7, 20), (36, 28, 1, 1)):
        box = output_region(region, (37, 29), (whole.shape[1], whole.shape[0]))
        assert_alike(up(picture, scale=scale, region=region), whole[box.y0 : box.y1, box.x0 : box.x1])


def test_the_same_cut_twice_is_bit_equal(up: Upscaler, picture: np.ndarray) -> None:
    assert np.array_equal(up(picture, scale="2.7"), up(picture, scale="2.7"))


def test_encoding_once_decodes_many_sizes(up: Upscaler, picture: np.ndarray) -> None:
    encoded = up.encode(picture)
    for size in SIZES:
        assert_alike(up.decode(encoded, size=size), up(picture, size=size))


@pytest.mark.parametrize("region", [None, (11, 5, 7, 20)])
def test_a_stream_gives_what_calls_give(
    up: Upscaler, picture: np.ndarray, region: tuple[int, int, int, int] | None
) -> None:
    """Whatever comes, in order; no more is taken ahead than a GPU has under way."""
    turned = np.ascontiguousarray(picture.transpose(1, 0, 2))[:29]
    unit = picture.astype(np.float32) / 255
    pictures = [np.roll(picture, step, axis=1) for step in range(7)] + [turned, unit, unit, picture]
    taken = 0

    def source() -> Iterator[np.ndarray]:
        nonlocal taken
        for frame in pictures:
            taken += 1
            yield frame

    results = []
    for result in up.stream(source(), size=(101, 77), region=region):
        results.append(result.frame)
        assert taken - len(results) <= 3
        assert result.times.encoder_ms > 0 and result.times.decoder_ms > 0
    for result, frame in zip(results, pictures, strict=True):
        assert_alike_in_kind(result, up(frame, size=(101, 77), region=region))


def test_a_stream_that_is_given_up_leaves_the_upscaler_in_order(up: Upscaler, picture: np.ndarray) -> None:
    expected = up(picture, size=(101, 77))
    stream = up.stream([picture[::-1]] * 5, size=(101, 77))
    next(stream)
    stream.close()
    assert_alike(up(picture, size=(101, 77)), expected)
    assert_alike(next(up.stream([picture], size=(101, 77))).frame, expected)


def test_an_error_of_the_source_comes_through_a_stream(up: Upscaler, picture: np.ndarray) -> None:
    def source() -> Iterator[np.ndarray]:
        yield picture
        yield picture[..., :2]

    with pytest.raises(ShapeError, match=r"height x width x 3"):
        list(up.stream(source(), size=(101, 77)))
    with pytest.raises(OptionError, match="smaller"):
        list(up.stream([picture], size=(20, 77)))


@pytest.mark.parametrize("megabytes", [2.5, 1.0])
def test_blocks_have_no_seams(up: Upscaler, megabytes: float) -> None:
    picture = reference_card(90, 70)
    options: dict[str, Any] = {"backend": up.backend, "precision": "fp32", "threads": 2}
    with Upscaler(up.bundle, block_bytes=int(megabytes * 2**20), **options) as in_blocks:
        assert in_blocks.encode(picture).maps is None, "its maps would not fit"
        assert_alike(in_blocks(picture, scale="2.3"), up(picture, scale="2.3"))
        (result,) = in_blocks.stream([picture], size=(207, 161), region=(3, 5, 80, 60))
    assert_alike(result.frame, up(picture, size=(207, 161), region=(3, 5, 80, 60)))


@pytest.mark.parametrize("side", range(4, 71, 3))
def test_every_small_size(up: Upscaler, side: int) -> None:
    picture = reference_card(side, 74 - side)
    size = (side * 2 + 1, (74 - side) * 2 - 1)
    assert_alike(up(picture, size=size), contract(up.bundle, picture, size))


def test_times_and_names_are_reported(up: Upscaler, picture: np.ndarray) -> None:
    times = up.run(picture, scale=2).times
    assert times.encoder_ms > 0 and times.decoder_ms > 0
    encoded = up.encode(picture)
    assert encoded.times.encoder_ms > 0
    assert up.run(encoded, scale=2).times.decoder_ms > 0
    assert up.backend in BACKENDS
    assert up.model == "diinn-nano"


def test_wrong_frames_and_sizes_are_refused(up: Upscaler, picture: np.ndarray) -> None:
    for frame in (picture[..., :2], picture.astype(np.float64), picture[:3], picture[None]):
        with pytest.raises(ShapeError):
            up(frame, scale=2)
    for options in ({}, {"scale": 0.5}, {"size": (10, 10)}, {"scale": 2, "size": (74, 58)}):
        with pytest.raises(OptionError):
            up(picture, **options)
    with pytest.raises(OptionError):
        up(picture, scale=2, region=(30, 0, 10, 10))


@pytest.mark.parametrize("maps", [("uint16", 64), ("float32", 96)], ids=str)
def test_maps_of_another_network_or_precision_are_refused(
    up: Upscaler, picture: np.ndarray, maps: tuple[str, int]
) -> None:
    """OpenVINO took bfloat16's bits for numbers and gave another picture."""
    kind, channels = maps
    foreign = Encoded(picture, np.zeros((1, channels, *picture.shape[:2]), kind))
    with pytest.raises(ShapeError, match="decode by the Upscaler that encoded"):
        up.decode(foreign, scale=2)
