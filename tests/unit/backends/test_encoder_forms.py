"""Which graphs and networks the library's encoder and decoder take; all others are left to ONNX Runtime."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
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
from onnx import helper, numpy_helper

needs_library = pytest.mark.skipif(not library.available(), reason=f"no native library: {library.why_not()}")


class Changed:
    """A graph that is changed; convolutions in order: head, two a block, tail, contents."""

    def __init__(self, path: Path) -> None:
        self.model = onnx.load(path)
        self.graph = self.model.graph
        self.convolutions = [node for node in self.graph.node if node.op_type == "Conv"]

    def array(self, name: str) -> Any:
        return numpy_helper.to_array(self._initializer(name))

    def put(self, name: str, array: Any) -> str:
        kept = [one for one in self.graph.initializer if one.name != name]
        del self.graph.initializer[:]
        self.graph.initializer.extend([*kept, numpy_helper.from_array(np.asarray(array), name)])
        return name

    def remove(self, name: str) -> Any:
        found = self._initializer(name)
        self.graph.initializer.remove(found)
        return found

    def attribute(self, node: Any, **values: Any) -> None:
        kept = [one for one in node.attribute if one.name not in values]
        del node.attribute[:]
        node.attribute.extend([*kept, *(helper.make_attribute(*one) for one in values.items())])

    def maker(self, value: str) -> Any:
        return next(node for node in self.graph.node if value in node.output)

    def int8(self) -> Any:
        """A convolution that reads levels of both its input and its weights."""
        return next(one for one in self.convolutions if one.input[1].endswith(".rounded"))

    def _initializer(self, name: str) -> Any:
        return next(one for one in self.graph.initializer if one.name == name)


def without_bias(graph: Changed) -> None:
    del graph.convolutions[3].input[2:]


def constant_as_a_node(graph: Changed) -> None:
    name = graph.convolutions[3].input[1]
    node = helper.make_node("Constant", [], [name], value=graph.remove(name))
    graph.graph.node.insert(0, node)


def constant_in_numbers(graph: Changed) -> None:
    name = graph.convolutions[3].input[2]
    array = numpy_helper.to_array(graph.remove(name))
    graph.graph.initializer.append(helper.make_tensor(name, 1, array.shape, array.tolist()))


def constant_of_another_type(graph: Changed) -> None:
    graph.put("truth", np.array(True))
    graph.maker("maps").output[0] = "joined"
    graph.graph.node.append(helper.make_node("Where", ["truth", "joined", "joined"], ["maps"]))


def dilated(graph: Changed) -> None:
    graph.attribute(graph.convolutions[3], dilations=[2, 2], pads=[2, 2, 2, 2])


def of_one_tap(graph: Changed) -> None:
    node = graph.convolutions[3]
    graph.put(node.input[1], graph.array(node.input[1])[:, :, 1:2, 1:2])
    graph.attribute(node, kernel_shape=[1, 1], pads=[0, 0, 0, 0])


def in_groups(graph: Changed) -> None:
    node = graph.convolutions[3]
    graph.put(node.input[1], graph.array(node.input[1])[:, ::2])
    graph.attribute(node, group=2)


def scaled_maps(graph: Changed) -> None:
    graph.maker("maps").output[0] = "whole"
    graph.graph.node.append(helper.make_node("Mul", ["whole", graph.put("half", np.float32(0.5))], ["maps"]))


def turned_maps(graph: Changed) -> None:
    joined = graph.maker("maps")
    joined.input[:] = joined.input[::-1]


def another_middle(graph: Changed) -> None:
    centred = graph.maker(graph.convolutions[0].input[0])
    graph.maker(centred.input[0]).input[1] = graph.put("middle", np.float32(0.25))


def another_order_of_axes(graph: Changed) -> None:
    planes = next(node for node in graph.graph.node if node.op_type == "Transpose")
    graph.attribute(planes, perm=[0, 3, 2, 1])


def no_relu(graph: Changed) -> None:
    graph.convolutions[2].input[0] = graph.convolutions[1].output[0]


def levels_of_weights_off_zero(graph: Changed) -> None:
    weight = graph.maker(graph.int8().input[1])
    graph.put(weight.input[2], graph.array(weight.input[2]) + np.int8(3))


def weights_by_input(graph: Changed) -> None:
    node = graph.int8()
    graph.attribute(graph.maker(node.input[1]), axis=1)


def another_scale_of_the_bias(graph: Changed) -> None:
    bias = graph.maker(graph.int8().input[2])
    graph.put(bias.input[1], graph.array(bias.input[1]) * np.float32(2))


def another_scale_going_in(graph: Changed) -> None:
    levels = graph.maker(graph.int8().input[0])
    scale = graph.array(levels.input[1]) * np.float32(2)
    graph.maker(levels.input[0]).input[1] = graph.put("other.scale", scale)


def float_weights_on_levels(graph: Changed) -> None:
    node = graph.int8()
    shape = graph.array(graph.maker(node.input[1]).input[0]).shape
    node.input[1] = graph.put("float.weight", np.ones(shape, np.float32))
    node.input[2] = graph.put("float.bias", np.ones(shape[0], np.float32))


FLOAT = [
    without_bias,
    constant_as_a_node,
    constant_in_numbers,
    constant_of_another_type,
    dilated,
    of_one_tap,
    in_groups,
    scaled_maps,
    turned_maps,
    another_middle,
    another_order_of_axes,
    no_relu,
]
INT8 = [
    levels_of_weights_off_zero,
    weights_by_input,
    another_scale_of_the_bias,
    another_scale_going_in,
    float_weights_on_levels,
]


@pytest.mark.parametrize(
    ("scheme", "change"), [*(("fp32", one) for one in FLOAT), *(("int8-cpu", one) for one in INT8)]
)
def test_a_graph_of_another_form_is_left_to_others(
    nano: Bundle, tmp_path: Path, scheme: str, change: Callable[[Changed], None]
) -> None:
    graph = Changed(nano.graph("encoder", scheme, "uint8"))  # type: ignore[arg-type]
    change(graph)
    onnx.save(graph.model, tmp_path / "encoder.onnx")
    open_session(tmp_path / "encoder.onnx", 1).run(None, {"image": reference_card(20, 12)[None]})
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
