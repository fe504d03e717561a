"""Which graphs and networks the library's encoder and decoder take; all others are left to ONNX Runtime."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from support.changed_encoders import CHANGES, Change, Changed
from support.decoder_reference import random_case

from edge_sr import Upscaler
from edge_sr.backends.native import decoder as native_decoder
from edge_sr.backends.native import library
from edge_sr.backends.native.decoder import NativeDecoder
from edge_sr.backends.native.encoder import NativeEncoder
from edge_sr.backends.native.kernels import encoder_kernel
from edge_sr.backends.native.residual import Convolution, ResidualEncoder, read_encoder
from edge_sr.backends.onnxruntime.runner import open_session
from edge_sr.backends.registry import choose_backend
from edge_sr.bundle import Bundle
from edge_sr.errors import BundleError
from edge_sr.spec import DecoderSpec
from edge_sr.tensors import reference_card

onnx = pytest.importorskip("onnx")

needs_library = pytest.mark.skipif(not library.available(), reason=f"no native library: {library.why_not()}")


@pytest.mark.parametrize(("scheme", "change"), CHANGES)
def test_a_graph_of_another_form_is_left_to_others(
    nano: Bundle, tmp_path: Path, scheme: str, change: Change
) -> None:
    graph = Changed(nano.graph("encoder", scheme, "uint8"))  # type: ignore[arg-type]
    change(graph)
    onnx.save(graph.model, tmp_path / "encoder.onnx")
    open_session(tmp_path / "encoder.onnx", 1).run(None, {"image": reference_card(20, 12)[None]})
    assert read_encoder(tmp_path / "encoder.onnx", nano.network.encoder.blocks) is None


def test_a_graph_that_runs_in_circles_is_left_to_others(nano: Bundle, tmp_path: Path) -> None:
    graph = Changed(nano.graph("encoder", "fp32", "uint8"))
    centred = graph.maker(graph.convolutions[0].input[0])
    centred.input[0] = centred.output[0]
    onnx.save(graph.model, tmp_path / "encoder.onnx")
    assert read_encoder(tmp_path / "encoder.onnx", nano.network.encoder.blocks) is None


@needs_library
def test_levels_whose_zero_points_are_left_out_run_in_the_library(nano: Bundle, tmp_path: Path) -> None:
    kernel, image = encoder_kernel("int8") or "portable", reference_card(33, 20)[None]
    graph = Changed(nano.graph("encoder", "int8-cpu", "uint8"))
    left_out = 0
    for node in graph.graph.node:
        rounds = node.op_type in ("QuantizeLinear", "DequantizeLinear")
        if rounds and not graph.array(node.input[2]).any():
            del node.input[2:]
            left_out += 1
    onnx.save(graph.model, tmp_path / "encoder.onnx")
    found = []
    for path in (tmp_path / "encoder.onnx", nano.graph("encoder", "int8-cpu", "uint8")):
        encoder = read_encoder(path, nano.network.encoder.blocks)
        assert encoder is not None
        with NativeEncoder(encoder, np.uint8, 1, kernel) as native:
            found.append(native.encode(image).copy())
    assert left_out > 0 and np.array_equal(*found)


def zeros(outputs: int, inputs: int) -> Convolution:
    shape = (outputs, inputs, 3, 3)
    return Convolution(shape, np.zeros(shape, np.float32), np.zeros(outputs, np.float32), None, False)


@needs_library
@pytest.mark.parametrize(
    ("channels", "blocks", "contents"),
    [
        *[(64, 1, [1]), (65, 1, [1]), (1, 64, [1]), (1, 65, [1])],
        *[(1, 1, [1] * 16), (1, 1, [1] * 17), (1, 1, [4096]), (1, 1, [4097])],
    ],
)
def test_an_encoder_fits_where_the_library_takes_it(channels: int, blocks: int, contents: list[int]) -> None:
    body = [zeros(channels, channels) for _ in range(2 * blocks + 1)]
    last = [zeros(maps, channels) for maps in contents]
    encoder = ResidualEncoder(blocks, (zeros(channels, 3), *body, *last))
    try:
        NativeEncoder(encoder, np.uint8, 1, "portable").close()
    except BundleError:
        assert not encoder.fits
    else:
        assert encoder.fits


@needs_library
@pytest.mark.parametrize("widths", [(1,) * 64, (1,) * 65, (4096,), (4097,)])
def test_a_decoder_fits_where_the_library_takes_it(widths: tuple[int, ...], nano: Bundle) -> None:
    case = random_case(1, mode=1, widths=widths)
    network = dataclasses.replace(nano.network, decoder=DecoderSpec(1, False, widths))
    bundle = Bundle(nano.path, dataclasses.replace(nano.description, network=network))
    if native_decoder.fits(widths):
        NativeDecoder(case.weights, widths, 1, False).close()
        assert choose_backend("native", bundle).name == "native"
        return
    with pytest.raises(BundleError, match="--backend onnxruntime"):
        NativeDecoder(case.weights, widths, 1, False)
    with pytest.raises(BundleError, match="does not take bundle"):
        choose_backend("native", bundle)


@needs_library
def test_a_bundle_with_one_scheme_alone_is_encoded_by_another_library(nano: Bundle) -> None:
    """TensorRT's, in float16 around its levels."""
    graphs = tuple(one for one in nano.description.graphs if one.precision != "int8-cpu")
    bundle = Bundle(nano.path, dataclasses.replace(nano.description, graphs=graphs))
    picture, results = reference_card(40, 24), []
    for backend in ("native", "onnxruntime"):
        with Upscaler(bundle, backend=backend, precision="int8") as up:
            assert up.encoder_backend != "native"
            results.append(up(picture, scale=2).astype(float))
    assert np.sqrt(((results[0] - results[1]) ** 2).mean()) < 2.5
