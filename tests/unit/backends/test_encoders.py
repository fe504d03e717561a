"""The encoder in front of the native decoder: which library runs it, and that its maps may be kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_sr import Upscaler, open_bundle
from edge_sr.backends.base import RunnerConfig
from edge_sr.backends.native import library as native
from edge_sr.backends.native.encoders import open_encoder
from edge_sr.backends.native.kernels import BF16_KERNELS, encoder_kernel
from edge_sr.backends.onnxruntime.runner import OnnxEncoder
from edge_sr.backends.openvino.encoder import OpenVinoEncoder, has_bf16
from edge_sr.bundle import Bundle
from edge_sr.errors import OptionError

needs_library = pytest.mark.skipif(not native.available(), reason=f"no native library: {native.why_not()}")
needs_bf16 = pytest.mark.skipif(
    encoder_kernel("bf16") not in BF16_KERNELS, reason="no kernel in bfloat16 that pays here"
)


def picture(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (1, 24, 40, 3)).astype(np.uint8)


def openvino_encoder(precision: str) -> OpenVinoEncoder:
    pytest.importorskip("openvino")
    graph = open_bundle("diinn-nano").graph("encoder", "fp32", "uint8")
    return OpenVinoEncoder(graph, precision, 1, bf16_maps=precision == "bf16")


@pytest.fixture
def other_network(monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A bundle whose encoder is none of the library's."""
    monkeypatch.setattr("edge_sr.backends.native.encoders.read_encoder", lambda path, blocks: None)
    return open_bundle("diinn-nano")


@needs_library
def test_small_residual_networks_run_in_the_library() -> None:
    assert open_encoder(RunnerConfig(open_bundle("diinn-nano"), "fp32")).backend == "native"
    assert open_encoder(RunnerConfig(open_bundle("diinn-nano"), "fp16")).backend == "onnxruntime"


def test_other_networks_run_on_onnxruntime_at_fp32(other_network: Bundle) -> None:
    assert open_encoder(RunnerConfig(other_network, "fp32")).backend == "onnxruntime"


def test_openvino_at_fp32_equals_onnxruntime() -> None:
    expected = OnnxEncoder(RunnerConfig(open_bundle("diinn-nano"), "fp32")).encode(picture())
    assert np.abs(openvino_encoder("fp32").encode(picture()) - expected).max() < 1e-4


def test_maps_last_as_long_as_any_view_of_them() -> None:
    encoder = openvino_encoder("fp32")
    view: NDArray[Any] | None = encoder.encode(picture())[0, 3:]
    assert view is not None
    kept = view.copy()
    other = encoder.encode(picture(1))
    assert np.array_equal(view, kept)
    assert not np.array_equal(other[0, 3:], kept)
    place = view.ctypes.data
    view = None
    assert encoder.encode(picture(2))[0, 3:].ctypes.data == place


def test_bf16_maps_are_the_upper_halves_of_floats() -> None:
    if not has_bf16():
        pytest.skip("no bfloat16 on OpenVINO here")
    expected = openvino_encoder("fp32").encode(picture())
    maps = openvino_encoder("bf16").encode(picture())
    assert maps.dtype == np.uint16
    found = (maps.astype(np.uint32) << 16).view(np.float32)
    assert np.abs(found - expected).max() < 0.03 * np.abs(expected).max()


def test_int8_hands_over_what_the_decoder_computes_in(other_network: Bundle) -> None:
    pytest.importorskip("openvino")
    config = RunnerConfig(other_network, "int8", scheme="int8-cpu")
    whole = open_encoder(config).encode(picture())
    halves = open_encoder(config, bf16_maps=True).encode(picture())
    assert whole.dtype == np.float32
    assert halves.dtype == (np.uint16 if has_bf16() else np.float32)
    if has_bf16():
        # Cut to the upper half, or rounded to it: at most one unit of eight bits apart.
        back = (halves.astype(np.uint32) << 16).view(np.float32)
        assert np.abs(back - whole).max() <= np.abs(whole).max() / 128


@needs_bf16
def test_bf16_stays_close_to_fp32() -> None:
    results = {}
    for precision in ("fp32", "bf16"):
        with Upscaler("diinn-nano", backend="native", precision=precision) as upscaler:
            results[precision] = upscaler(picture()[0], scale="2.5").astype(float)
            assert upscaler.precision == precision
    error = np.sqrt(((results["bf16"] - results["fp32"]) ** 2).mean())
    assert 0 < error < 1.0


@needs_bf16
def test_bf16_of_other_networks_encodes_with_openvino_where_that_has_it(other_network: Bundle) -> None:
    expected = "openvino" if has_bf16() else "onnxruntime"
    with Upscaler(other_network, backend="native", precision="bf16") as upscaler:
        assert upscaler.encoder_backend == expected


def test_other_backends_offer_no_bf16() -> None:
    with pytest.raises(OptionError, match="bf16"):
        Upscaler("diinn-nano", backend="onnxruntime", precision="bf16")


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_part_of_another_size_has_the_maps_of_the_whole(precision: str) -> None:
    if precision == "bf16" and not has_bf16():
        pytest.skip("no bfloat16 on OpenVINO here")
    encoder, image = openvino_encoder(precision), picture()
    whole, radius = encoder.encode(image), open_bundle("diinn-nano").description.radius
    for width in (30, 35):
        part = encoder.encode(image[:, :, :width])
        assert (part.dtype, part.shape[2:]) == (whole.dtype, (24, width))
        unaware = width - radius  # what lies further from the cut does not see it
        assert np.array_equal(part[..., :unaware], whole[..., :unaware])
