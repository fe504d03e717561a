"""The roofline: intensities counted from the network, and a drawing that places every part below its roof."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from edge_sr import open_bundle
from edge_sr.benchmark.roofline import Part, Roof, drawing, frame_parts, measured_bandwidth, summary
from edge_sr.chart import stacked, standalone

ROOF = Roof(gflops=200.0, bandwidth=20.0)
PARTS = [Part("encoder", 20.0, 0.04, 110.0), Part("decoder", 0.08, 0.05, 40.0)]


def test_parts_count_pictures_and_maps_once() -> None:
    bundle = open_bundle("diinn-nano")
    network = bundle.network
    encoder, decoder = frame_parts(bundle, (10, 20), (20, 40), 1.0, 2.0)
    assert encoder.gigabytes == pytest.approx(1e-9 * 200 * (3 + 4 * network.map_channels))
    assert decoder.gigabytes == pytest.approx(1e-9 * (200 * (3 + 4 * network.map_channels) + 800 * 3))
    assert decoder.gflops == pytest.approx(decoder.gflop * 500)


def test_roof_has_its_ridge_where_both_limits_meet() -> None:
    assert ROOF.at(1.0) == 20.0
    assert ROOF.at(10.0) == 200.0
    assert ROOF.at(1000.0) == 200.0


def test_summary_names_the_limit() -> None:
    text = summary(PARTS, ROOF)
    assert "encoder: 500 operations a byte, 182 GFLOPS, 91% of the roof (arithmetic)" in text
    assert "decoder: 2 operations a byte, 2 GFLOPS, 6% of the roof (memory)" in text


def test_drawing_is_an_svg_with_a_mark_for_each_part() -> None:
    text = drawing("diinn <nano>", PARTS, ROOF)
    ElementTree.fromstring(text.encode())
    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', text)]
    assert len(heights) == 2
    assert heights[0] < heights[1]
    assert "encoder: 182 GFLOPS" in text


def test_bandwidth_is_measured() -> None:
    assert measured_bandwidth(1, seconds=0.01) > 0.1


def test_charts_are_stacked_without_overlap() -> None:
    one = drawing("one", PARTS, ROOF)
    both = ElementTree.fromstring(standalone(stacked(one, one)).encode())
    inner = both.findall("{http://www.w3.org/2000/svg}svg")
    assert [chart.attrib["y"] for chart in inner] == ["0", inner[0].attrib["height"]]
