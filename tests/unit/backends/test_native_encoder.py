"""The library's encoder against the graphs that it stands for, in every precision that this processor has."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_sr.backends.native import kernels, library
from edge_sr.backends.native.encoder import NativeEncoder
from edge_sr.backends.native.kernels import (
    BF16_KERNELS,
    INT8_KERNELS,
    decoder_kernel,
    encoder_kernel,
    peak_gflops,
)
from edge_sr.backends.native.onnx_file import read_graph
from edge_sr.backends.native.residual import ResidualEncoder, read_encoder
from edge_sr.backends.onnxruntime.runner import open_session
from edge_sr.bundle import Bundle, open_bundle
from edge_sr.errors import BundleError, LifetimeError, ShapeError
from edge_sr.tensors import reference_card
from edge_sr.upscaler import Upscaler

pytestmark = pytest.mark.skipif(not library.available(), reason=f"no native library: {library.why_not()}")
KERNELS = library.encoder_kernels()
EXACT = [name for name in KERNELS if name not in BF16_KERNELS]
# What an INT8 network leaves in floating point they multiply in 16 bits.
WORDS = [name for name in KERNELS if name in {"avx512-vnni", "avx2-vnni"}]
WITH_INT8 = [name for name in KERNELS if name in {*INT8_KERNELS, *BF16_KERNELS, "portable"}]


def residual(bundle: Bundle, precision: str = "fp32", io: str = "uint8") -> ResidualEncoder:
    found = read_encoder(bundle.graph("encoder", precision, io), bundle.network.encoder.blocks)
    assert found is not None
    return found


def contract(bundle: Bundle, image: NDArray[Any], precision: str = "fp32") -> NDArray[Any]:
    io = "float" if image.dtype == np.float32 else "uint8"
    return open_session(bundle.graph("encoder", precision, io), 1).run(None, {"image": image})[0]


@pytest.fixture(params=["diinn-nano", "diinn-edge"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return open_bundle(request.param)


@pytest.mark.parametrize("size", [(37, 29), (64, 8), (1, 1), (5, 70)])
@pytest.mark.parametrize("kernel", EXACT)
def test_fp32_equals_the_graph(bundle: Bundle, kernel: str, size: tuple[int, int]) -> None:
    image = reference_card(*size)[None]
    with NativeEncoder(residual(bundle), np.uint8, 2, kernel) as encoder:
        assert encoder.kernel == kernel
        assert np.abs(encoder.encode(image) - contract(bundle, image)).max() < 3e-5


@pytest.mark.parametrize("kernel", EXACT)
def test_float_pictures_equal_the_graph(bundle: Bundle, kernel: str) -> None:
    image = np.random.default_rng(0).random((1, 21, 43, 3), np.float32)
    with NativeEncoder(residual(bundle, io="float"), np.float32, 2, kernel) as encoder:
        assert np.abs(encoder.encode(image) - contract(bundle, image)).max() < 3e-5


@pytest.mark.parametrize("kernel", [name for name in KERNELS if name in BF16_KERNELS])
def test_bf16_stays_close_and_rounds_its_maps(bundle: Bundle, kernel: str) -> None:
    image = reference_card(61, 33)[None]
    with NativeEncoder(residual(bundle), np.uint8, 2, kernel) as encoder:
        maps = encoder.encode(image)
    with NativeEncoder(residual(bundle), np.uint8, 2, kernel, bf16_maps=True) as encoder:
        rounded = (encoder.encode(image).astype(np.uint32) << 16).view(np.float32)
    expected = contract(bundle, image)
    assert 0 < np.sqrt(((maps - expected) ** 2).mean()) < 2e-2
    assert (np.abs(rounded - maps) <= np.abs(maps) / 256).all()


@pytest.mark.parametrize("kernel", WITH_INT8)
def test_int8_equals_the_graph_but_for_ties(bundle: Bundle, kernel: str) -> None:
    image = reference_card(61, 33)[None]
    expected = contract(bundle, image, "int8-cpu")
    with NativeEncoder(residual(bundle, "int8-cpu"), np.uint8, 2, kernel) as encoder:
        error = encoder.encode(image) - expected
    allowed = 8e-2 if kernel in {*BF16_KERNELS, *WORDS} else 3e-2  # a level more or less spreads
    assert np.sqrt((error**2).mean()) < allowed


@pytest.mark.parametrize("kernel", KERNELS)
def test_threads_do_not_change_a_bit(nano: Bundle, kernel: str) -> None:
    image = reference_card(90, 47)[None]
    found = []
    for threads in (1, 2, 7):
        with NativeEncoder(residual(nano), np.uint8, threads, kernel) as encoder:
            found.append(encoder.encode(image).copy())
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


def test_several_threads_may_encode_at_once(nano: Bundle) -> None:
    images = [reference_card(40 + 8 * i, 30)[None] for i in range(4)]
    with NativeEncoder(residual(nano), np.uint8, 2, "auto") as encoder:
        expected = [encoder.encode(image).copy() for image in images]
        found: dict[int, NDArray[Any]] = {}

        def work(i: int) -> None:
            for _ in range(5):
                found[i] = encoder.encode(images[i]).copy()

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all(np.array_equal(found[i], expected[i]) for i in range(4))


def test_denormal_activations_take_no_longer_way(nano: Bundle) -> None:
    """Numbers below the smallest normal one count as zero, and the caller's own arithmetic stays as it was."""
    encoder = residual(nano)
    tiny = tuple(
        dataclasses.replace(one, weight=one.weight * np.float32(1e-38), bias=one.bias * 0)
        if one.weight is not None and one.bias is not None
        else one
        for one in encoder.convolutions
    )
    with NativeEncoder(ResidualEncoder(encoder.blocks, tiny), np.uint8, 1, "portable") as native:
        assert not native.encode(reference_card(16, 16)[None]).any()
    assert np.float32(1e-38) * np.float32(0.1) > 0


def test_an_image_of_another_layout_is_refused(nano: Bundle) -> None:
    with NativeEncoder(residual(nano), np.uint8, 1, "auto") as encoder:
        for image in (np.zeros((1, 3, 8, 8), np.uint8), np.zeros((1, 8, 8, 3), np.float32)):
            with pytest.raises(ShapeError, match="1 x h x w x 3"):
                encoder.encode(image)
        encoder.close()
        with pytest.raises(LifetimeError, match="encoder was closed"):
            encoder.encode(np.zeros((1, 8, 8, 3), np.uint8))


def test_weights_that_do_not_fit_are_refused(nano: Bundle) -> None:
    encoder = residual(nano)
    head = dataclasses.replace(encoder.convolutions[0], bias=np.zeros(3, np.float32))
    with pytest.raises(BundleError, match="shape"):
        NativeEncoder(ResidualEncoder(encoder.blocks, (head, *encoder.convolutions[1:])), np.uint8, 1, "auto")
    with pytest.raises(BundleError, match="--backend onnxruntime"):
        NativeEncoder(ResidualEncoder(encoder.blocks, encoder.convolutions[1:]), np.uint8, 1, "auto")


def test_an_encoder_of_another_form_is_left_to_others(nano: Bundle) -> None:
    path = nano.graph("encoder", "fp32", "uint8")
    blocks = nano.network.encoder.blocks
    assert read_encoder(path, blocks) is not None
    assert read_encoder(path, blocks + 1) is None
    assert read_encoder(path, blocks - 1) is None
    assert read_encoder(nano.graph("decoder", "fp32", "uint8"), blocks) is None


def test_graphs_are_read_as_onnx_reads_them(bundle: Bundle) -> None:
    onnx = pytest.importorskip("onnx")
    for precision in ("fp32", "int8-cpu"):
        path = bundle.graph("encoder", precision, "uint8")
        expected, found = onnx.load(str(path)).graph, read_graph(path)
        assert [(n.op_type, tuple(n.input), tuple(n.output)) for n in expected.node] == [
            (n.operator, n.inputs, n.outputs) for n in found.nodes
        ]
        for tensor in expected.initializer:
            assert np.array_equal(onnx.numpy_helper.to_array(tensor), found.arrays[tensor.name])


def test_a_damaged_graph_is_named(tmp_path: Path, nano: Bundle) -> None:
    path = tmp_path / "graph.onnx"
    whole = nano.graph("encoder", "fp32", "uint8").read_bytes()
    number_for_a_name = b"\x3a\x04\x0a\x02\x08\x01"
    for content in (b"", b"no graph", number_for_a_name, whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(BundleError, match=r"graph\.onnx"):
            read_graph(path)


def part(number: int, content: bytes) -> bytes:
    """A field with content, as protocol buffers write it; ``content`` of less than 2 MB."""
    size = len(content)
    return bytes([number << 3 | 2, size & 127 | 128, size >> 7 & 127 | 128, size >> 14]) + content


@pytest.mark.parametrize(
    "tensor",
    [
        part(8, b"w") + b"\x10\x01" + part(9, bytes(8)) + part(1, b"\xff" * 1_000_000),
        part(8, b"w") + b"\x10\x01" + part(9, bytes(8)) + part(1, b"\xff" * 9 + b"\x01"),
        b"\x40\x01" + b"\x10\x01",
        part(8, b"w") + b"\x10\x01" + b"\x48\x07",
    ],
    ids=["a number without end", "a side beyond all", "a name that is a number", "values that are a number"],
)
def test_tensors_that_are_none_are_refused_at_once(tmp_path: Path, tensor: bytes) -> None:
    path = tmp_path / "graph.onnx"
    path.write_bytes(part(7, part(5, tensor)))
    with pytest.raises(BundleError, match=r"graph\.onnx"):
        read_graph(path)


def test_precisions_have_kernels_and_peaks() -> None:
    assert encoder_kernel("fp32") == "auto" and decoder_kernel("fp32") == "auto"
    assert encoder_kernel("fp16") is None
    for precision in ("fp32", "bf16", "int8-cpu"):
        for kernel, gflops in peak_gflops(precision, 1).items():
            assert kernel in KERNELS
            assert gflops > 0 or kernel == "portable"
    assert library.peak("no such kernel", False, 1, 0.001) == 0


def test_the_choice_of_kernels_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a loaded machine computed one film, or the rest of a resumed one, with other kernels and other bits."""
    chosen = [(decoder_kernel(name), encoder_kernel(name)) for name in ("fp32", "bf16", "int8")]

    def no_clock(*_: object) -> float:
        raise AssertionError("measured")

    monkeypatch.setattr(kernels, "peak", no_clock)
    assert [(decoder_kernel(name), encoder_kernel(name)) for name in ("fp32", "bf16", "int8")] == chosen


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_the_whole_frame_runs_in_the_library(bundle: Bundle, precision: str) -> None:
    if encoder_kernel(precision) is None or (
        precision == "bf16" and encoder_kernel("bf16") not in BF16_KERNELS
    ):
        pytest.skip(f"no native kernel for {precision} here")
    with Upscaler(bundle, backend="native", precision=precision) as up:
        assert (up.backend, up.encoder_backend) == ("native", "native")
        small = up(reference_card(40, 24), scale="2.5").astype(float)
    with Upscaler(bundle, backend="onnxruntime", precision="fp32") as up:
        expected = up(reference_card(40, 24), scale="2.5").astype(float)
    assert np.sqrt(((small - expected) ** 2).mean()) < (2.5 if precision == "int8" else 1.0)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_region_equals_the_crop_of_the_whole(nano: Bundle, precision: str) -> None:
    if precision == "bf16" and encoder_kernel("bf16") not in BF16_KERNELS:
        pytest.skip("no native kernel for bf16 here")
    picture = reference_card(150, 110)
    with Upscaler(nano, backend="native", precision=precision) as up:
        whole, part = up(picture, scale=2), up(picture, scale=2, region=(61, 47, 50, 40))
    assert np.array_equal(part, whole[94:174, 122:222])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("stored", ["fp32", "int8-cpu"])
def test_maps_of_a_part_have_the_bits_of_the_whole(nano: Bundle, kernel: str, stored: str) -> None:
    """Winograd's tiles reach further along a row than the network does."""
    if stored == "int8-cpu" and kernel not in WITH_INT8:
        pytest.skip(f"{kernel} has no INT8 products")
    image, radius = reference_card(190, 60)[None], nano.description.radius
    with NativeEncoder(residual(nano, stored), np.uint8, 2, kernel) as encoder:
        whole, reach = encoder.encode(image), radius + encoder.spare_columns
        assert np.array_equal(
            encoder.encode(image[:, 20:, 60:])[..., radius:, reach:], whole[..., 20 + radius :, 60 + reach :]
        )
        assert np.array_equal(
            encoder.encode(image[:, :, :130])[..., : 130 - reach], whole[..., : 130 - reach]
        )


@pytest.mark.parametrize("kernel", WORDS)
def test_what_int8_leaves_in_floating_point_keeps_its_worth_in_16_bits(bundle: Bundle, kernel: str) -> None:
    """Of the residual stream's readers; others have no range, and stay in float32."""
    image = reference_card(61, 33)[None]
    encoder = residual(bundle, "int8-cpu")
    floats = [index for index, one in enumerate(encoder.convolutions) if one.levels is None]
    assert [index for index in floats if encoder.convolutions[index].input_range > 0] == [
        index for index in floats if index % 2 or index >= 2 + 2 * encoder.blocks
    ]
    plain = tuple(dataclasses.replace(one, input_range=0.0) for one in encoder.convolutions)
    with NativeEncoder(encoder, np.uint8, 2, kernel) as native:
        words = native.encode(image).copy()
    with NativeEncoder(ResidualEncoder(encoder.blocks, plain), np.uint8, 2, kernel) as native:
        error = words - native.encode(image)
    assert 0 < np.sqrt((error**2).mean()) < 8e-2  # a level more or less spreads


@pytest.mark.parametrize("kernel", WORDS)
def test_words_beyond_all_ranges_are_cut_and_never_wrap(nano: Bundle, kernel: str) -> None:
    """Weights a thousand times as large: sums of 32 bits still have room for whatever 16 bits hold."""
    encoder = residual(nano, "int8-cpu")
    first = 1
    assert encoder.convolutions[first].input_range > 0
    loud = tuple(
        dataclasses.replace(one, weight=1000 * one.weight, bias=1000 * one.bias)
        if one.weight is not None and one.bias is not None and index <= first
        else one
        for index, one in enumerate(encoder.convolutions)
    )
    image = reference_card(40, 24)[None]
    found = []
    for one in (kernel, WORDS[0]):
        with NativeEncoder(ResidualEncoder(encoder.blocks, loud), np.uint8, 2, one) as native:
            found.append(native.encode(image).copy())
    assert np.isfinite(found[0]).all()
    assert np.array_equal(found[0], found[1])
