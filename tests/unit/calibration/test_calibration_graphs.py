"""Names, equalisation and Q/DQ scheme, on the shipped graphs."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from edge_sr.bundle import Bundle
from edge_sr.calibration.graph.dla_cache import cache_text
from edge_sr.calibration.graph.layers import GraphMap
from edge_sr.calibration.graph.qdq import quantised
from edge_sr.calibration.ranges.equalise import channel_limits, equalised, find_factors, groups
from edge_sr.calibration.ranges.levels import QDQ_SCHEMES, Scale, half_exact, weight_levels, weight_scales
from edge_sr.calibration.ranges.methods import Histogram, Probe, entropy_share, limits, percentile_share
from edge_sr.calibration.search.trial import open_graph
from edge_sr.errors import BundleError


@pytest.fixture
def encoder(nano: Bundle) -> Any:
    return onnx.load(nano.graph("encoder", "fp32"))


@pytest.fixture
def ranges(encoder: Any, picture: np.ndarray) -> dict[str, tuple[float, float]]:
    seen = limits([Probe(encoder, 1).run({"image": picture[None]})[1]])
    return {point: (histogram.low, histogram.high) for point, histogram in seen.items()}


def run(model: Any, picture: np.ndarray) -> np.ndarray:
    return open_graph(model, 1).run(None, {"image": picture[None]})[0]


def layers(model: Any) -> list[str]:
    return [name for name in GraphMap(model).layers if name != "encoder.head"]


def test_names_are_the_networks_in_every_precision(nano: Bundle) -> None:
    found = [
        set(GraphMap(onnx.load(nano.graph("encoder", precision, io))).points.values())
        for precision in ("fp32", "fp16")
        for io in ("uint8", "float")
    ]
    assert all(names == found[0] for names in found)
    assert {"encoder.head", "encoder.body.0.conv2.sum", "encoder.tail.sum", "content.1"} <= found[0]


@pytest.mark.parametrize("scheme", QDQ_SCHEMES)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_quantised_graphs_stay_near(
    nano: Bundle, ranges: dict[str, tuple[float, float]], picture: np.ndarray, scheme: str, precision: str
) -> None:
    model = onnx.load(nano.graph("encoder", precision))
    made = quantised(model, ranges, scheme, layers(model))
    exact, rough = run(model, picture).astype(np.float64), run(made, picture).astype(np.float64)
    assert 20 < 10 * np.log10(np.mean(exact**2) / np.mean((exact - rough) ** 2)) < 80


def test_tensorrts_placement_is_symmetric_int8(encoder: Any, ranges: dict[str, tuple[float, float]]) -> None:
    made = quantised(encoder, ranges, "int8", layers(encoder), "int8")
    zeros = [onnx.numpy_helper.to_array(t) for t in made.graph.initializer if t.name.endswith(".zero")]
    assert all(zero.dtype == np.int8 and not zero.any() for zero in zeros)
    results = {layer.result for layer in GraphMap(encoder).layers.values()} - {"conv2d"}
    read = {n.input[0] for n in made.graph.node if n.op_type == "QuantizeLinear"}
    sums = {entry.result for entry in GraphMap(encoder).sums}
    relus = {n.output[0] for n in encoder.graph.node if n.op_type == "Relu"}
    assert read <= sums | relus | {"conv2d"}
    assert not read & (results - relus)


def test_the_cpus_placement_keeps_8_bits_between_layers(
    encoder: Any, ranges: dict[str, tuple[float, float]]
) -> None:
    made = quantised(encoder, ranges, "int8-cpu", layers(encoder), "int8")
    by_output = {name: node for node in made.graph.node for name in node.output}
    convs = [node for node in made.graph.node if node.op_type == "Conv"][1:]
    assert all(by_output[name].op_type == "DequantizeLinear" for node in convs for name in node.input)
    assert {node.op_type for node in made.graph.node if "maps" in node.output} == {"Concat"}


@pytest.mark.parametrize("scheme", QDQ_SCHEMES)
def test_a_float_residual_stream_is_never_rounded_on_its_way(
    encoder: Any, ranges: dict[str, tuple[float, float]], scheme: str
) -> None:
    made = quantised(encoder, ranges, scheme, layers(encoder))
    by_output = {name: node for node in made.graph.node for name in node.output}
    adds = [node for node in made.graph.node if node.op_type == "Add"]
    assert adds
    assert all(by_output[name].op_type != "DequantizeLinear" for node in adds for name in node.input)


@pytest.mark.parametrize("scheme", QDQ_SCHEMES)
def test_rounding_the_stream_costs_more(
    encoder: Any, ranges: dict[str, tuple[float, float]], picture: np.ndarray, scheme: str
) -> None:
    exact = run(encoder, picture)
    errors = [
        np.mean((run(quantised(encoder, ranges, scheme, layers(encoder), residual), picture) - exact) ** 2)
        for residual in ("float", "int8")
    ]
    assert errors[0] < errors[1]


def test_no_layer_chosen_leaves_the_graph_alone(encoder: Any, ranges: dict[str, tuple[float, float]]) -> None:
    assert quantised(encoder, ranges, "int8", []).SerializeToString() == encoder.SerializeToString()


def test_a_missing_range_and_a_quantised_graph_are_refused(
    encoder: Any, ranges: dict[str, tuple[float, float]]
) -> None:
    with pytest.raises(BundleError, match="no range for"):
        quantised(encoder, {}, "int8", layers(encoder))
    made = quantised(encoder, ranges, "int8", layers(encoder))
    with pytest.raises(BundleError, match="quantised already"):
        GraphMap(made)


def test_equalising_changes_nothing_but_rounding(encoder: Any, picture: np.ndarray, nano: Bundle) -> None:
    seen = [Probe(encoder, 1).run({"image": picture[None]})[1]]
    factors = find_factors(encoder, channel_limits(seen))
    assert any(factor > 1 for found in factors.values() for factor in found)
    exact = run(encoder, picture)
    assert np.abs(run(equalised(encoder, factors), picture) - exact).max() < 1e-5 * np.abs(exact).max()
    half = onnx.load(nano.graph("encoder", "fp16"))
    near = run(equalised(half, factors), picture).astype(np.float32) - run(half, picture).astype(np.float32)
    assert np.abs(near).max() < 2e-2


def test_a_residual_stream_is_one_group(encoder: Any) -> None:
    graph = GraphMap(encoder)
    streams = [{graph.points[name] for name in group} for group in groups(graph) if len(group) > 1]
    assert len(streams) == 1
    assert {"encoder.head", "encoder.body.3.conv2.sum", "encoder.tail.sum"} <= streams[0]
    assert not any("content" in graph.points[name] for group in groups(graph) for name in group)


def test_scales_cover_their_range_and_fit_float16() -> None:
    for low, high in ((-1.3, 2.7), (0.0, 5.1), (-3.0, 0.0), (0.0, 0.0)):
        for scheme in QDQ_SCHEMES.values():
            scale = Scale.of((low, high), scheme)
            assert np.float16(scale.scale) == scale.scale
            least, most = (0, 255) if scheme.unsigned else (-127, 127)
            assert scale.scale * (least - scale.zero) <= low + scale.scale / 2 + 1e-6
            assert scale.scale * (most - scale.zero) >= high - scale.scale / 2 - 1e-6
    assert half_exact(1e-30) == 2.0**-14


def test_a_weights_largest_value_is_a_level() -> None:
    weight = np.random.default_rng(0).normal(size=(8, 3, 3, 3)).astype(np.float32)
    levels = np.abs(weight / weight_scales(weight)[:, None, None, None]).max((1, 2, 3))
    assert np.all((levels > 126.5) & (levels <= 127))


def test_levels_keep_what_a_flat_area_sees() -> None:
    weight = np.random.default_rng(1).normal(size=(8, 6, 3, 3)).astype(np.float32)
    scales = weight_scales(weight).reshape(-1, 1, 1, 1)
    levels = weight_levels(weight, scales.reshape(-1))
    assert levels.dtype == np.int8
    assert np.abs(levels * scales - weight).max() <= scales.max()
    missing = (levels - weight / scales).sum((2, 3))
    nearest = (np.rint(weight / scales) - weight / scales).sum((2, 3))
    assert np.abs(missing).max() <= 0.5 + 1e-4 < np.abs(nearest).max()


def test_single_taps_are_rounded_to_nearest() -> None:
    weight = np.random.default_rng(2).normal(size=(8, 6, 1, 1)).astype(np.float32)
    scales = weight_scales(weight)
    nearest = np.rint(weight / scales.reshape(-1, 1, 1, 1))
    assert np.array_equal(weight_levels(weight, scales), nearest)


def test_a_cache_for_dla_names_tensors_of_the_plain_graph(
    encoder: Any, ranges: dict[str, tuple[float, float]]
) -> None:
    header, *lines = cache_text(encoder, ranges).splitlines()
    assert header == "TRT-100300-EntropyCalibration2"
    found = dict(line.split(": ") for line in lines)
    assert len(found) == len(ranges)
    assert found.keys() <= {name for node in encoder.graph.node for name in (*node.input, *node.output)}
    for tensor, point in GraphMap(encoder).points.items():
        (scale,) = struct.unpack(">f", bytes.fromhex(found[tensor]))
        largest = max(abs(limit) for limit in ranges[point])
        assert largest <= 127 * scale <= 1.01 * largest + 0.01


def test_histograms_clip_what_is_rare() -> None:
    values = np.random.default_rng(0).normal(size=100_000).astype(np.float32)
    values[0] = 40
    histogram = Histogram(float(values.min()), 40.0)
    histogram.add(values)
    assert histogram.counts.sum() == values.size
    for share in (percentile_share(histogram.counts, 99.99), entropy_share(histogram.counts)):
        low, high = histogram.clipped(share)
        assert 2 < high < 20
        assert low >= -high
    assert percentile_share(histogram.counts, 100) == 1.0
    assert entropy_share(np.zeros(2048, np.int64)) == 1.0
