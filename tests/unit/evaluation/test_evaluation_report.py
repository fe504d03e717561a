"""Charts and the page: well-formed, self-contained, and true to the figures."""

from __future__ import annotations

import dataclasses
import re
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from edge_sr.chart import BOTTOM, HEIGHT, LINE, Bar, Level, Point, bars, pareto, scatter, standalone
from edge_sr.errors import OptionError
from edge_sr.evaluation.report import page
from edge_sr.evaluation.results import PROTOCOL, Evaluation, LayerLoss, Row, RowSpeed, Worst
from edge_sr.evaluation.vmaf import find_ffmpeg, vmaf
from edge_sr.resample import resize
from edge_sr.tensors import reference_card

DOT = "data:image/png;base64,iVBORw0KGgo="


def evaluation(cpu: str = "one <cpu>", protocol: str = PROTOCOL, name: str = "Set & more") -> Evaluation:
    crops = dict.fromkeys(("original", "network", "bicubic", "difference"), DOT)
    return Evaluation(
        set=name,
        protocol=protocol,
        machine={"cpu": cpu, "cores": 2},
        results=(
            Row("edge", "fp32", 2, 37.364, 0.95851, 35.1, 5),
            Row("edge", "fp32", 3, None, 1.0, None, 5),
        ),
        rivals=(Row("bicubic", "fp32", 2, 33.67, 0.93, 31.8, 5),),
        speed=(
            RowSpeed("edge", "fp32", 2, "native", 100.0, 50.0),
            RowSpeed("edge", "fp32", 3, "native", 60.0, 50.0),
        ),
        worst=(Worst("edge", "fp32", 2, "<baby>.png", 30.5, (1, 2, 80, 80), crops),),
    )


class Checker(HTMLParser):
    """Every element that is opened is closed, in order."""

    VOID = frozenset({"meta", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [value for key in ("src", "href") if (value := given.get(key))]
        self.ids += [value for value in [given.get("id")] if value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(html: str) -> Checker:
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    return checker


def test_page_is_whole_and_self_contained() -> None:
    html = page([evaluation()])
    found = checked(html)
    inside = {f"#{name}" for name in found.ids}
    assert all(address.startswith("data:") or address in inside for address in found.addresses)
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "@media print" in html and "prefers-color-scheme: dark" in html
    assert not re.search(r"\$\w", html)


def test_page_shows_the_figures_and_escapes_names() -> None:
    html = page([evaluation()])
    assert 'class="best first">37.36<' in html and "0.9585" in html and ">33.67<" in html
    assert ">equal<" in html
    assert "&lt;baby&gt;.png" in html and "<baby>" not in html and "one &lt;cpu&gt;" in html
    assert escape(PROTOCOL) in html


def test_merged_runs_are_told_apart() -> None:
    html = page([evaluation("first"), evaluation("second"), evaluation(name="Other")])
    checked(html)
    assert "edge fp32 (first)" in html and "edge fp32 (second)" in html
    assert html.count("<h2>") == 3


def test_a_network_that_was_measured_again_has_a_row_for_each_run() -> None:
    before = evaluation()
    better = dataclasses.replace(before.results[0], psnr_y=37.9)
    html = page([before, dataclasses.replace(before, results=(better, before.results[1]))])
    assert "edge fp32 (run 1)" in html and "edge fp32 (run 2)" in html
    assert ">37.36<" in html and ">37.90<" in html
    for number in (1, 2):
        assert f"<h4>edge fp32 (run {number}) x2: " in html
        assert f"edge on Set &amp; more (run {number})" in html


def test_so_have_its_whole_scales_where_they_changed_with_it() -> None:
    whole = Row("edge x2 + lanczos", "fp32", 2.5, 31.25, 0.9, 30.0, 5)
    before = dataclasses.replace(evaluation(), rivals=(*evaluation().rivals, whole))
    assert "run 1" not in page([before])
    changed = dataclasses.replace(whole, psnr_y=31.75)
    results = (dataclasses.replace(evaluation().results[0], scale=2.5),)
    runs = [dataclasses.replace(before, results=results, rivals=(one,)) for one in (whole, changed)]
    html = page(runs)
    assert "edge x2 + lanczos fp32 (run 1)" in html and "edge x2 + lanczos fp32 (run 2)" in html
    assert ">31.25<" in html and ">31.75<" in html
    alike = page([runs[0], dataclasses.replace(runs[0], results=results)])
    assert alike.count("edge x2 + lanczos fp32") == 1


def test_scales_of_several_runs_share_a_row() -> None:
    whole = evaluation()
    parts = [
        dataclasses.replace(whole, results=(row,), speed=(speed,))
        for row, speed in zip(whole.results, whole.speed, strict=True)
    ]
    assert "run 1" not in page(parts)


def test_sets_of_one_name_must_hold_the_same_pictures() -> None:
    one = evaluation()
    other = dataclasses.replace(one, rivals=(dataclasses.replace(one.rivals[0], psnr_y=29.1),))
    with pytest.raises(OptionError, match=r"two sets called Set & more, at x2 .*33\.67 dB .*29\.10 dB"):
        page([one, other])


def test_unlike_protocols_do_not_mix() -> None:
    with pytest.raises(OptionError, match="one protocol"):
        page([evaluation(), evaluation(protocol="another")])


def test_pareto_keeps_what_nothing_beats() -> None:
    points = [Point(x, y, f"{x}", 0) for x, y in ((5, 30.0), (10, 29.0), (20, 31.0), (20, 32.0), (50, 32.0))]
    assert [(p.x, p.y) for p in pareto(points)] == [(5, 30.0), (20, 32.0)]


def test_charts_are_xml_within_their_frame() -> None:
    points = [Point(10.0 * i, 30 + i, f"n<{i}>", i) for i in range(1, 6)]
    svg = standalone(scatter("a & b", points, [Level(29.5, "bicubic")], "ms", "dB"))
    root = ElementTree.fromstring(svg.encode())
    width, height = (float(value) for value in root.attrib["viewBox"].split()[2:])
    for circle in root.iter("{http://www.w3.org/2000/svg}circle"):
        assert 0 < float(circle.attrib["cx"]) < width and 0 < float(circle.attrib["cy"]) < height


def test_labels_of_points_alike_stay_in_the_plot_and_apart() -> None:
    points = [Point(10.0 + i, 30.0, f"int8 {i}", 0) for i in range(12)]
    svg = scatter("t", points, [Level(33.0, "bicubic")], "ms", "dB")
    lines = sorted(float(y) for y in re.findall(r'</circle><text x="[\d.]+" y="([\d.]+)"', svg))
    assert len(lines) == 12 and lines[-1] <= HEIGHT - BOTTOM
    assert all(below - above >= LINE - 0.1 for above, below in pairwise(lines))


def test_a_single_point_still_makes_a_chart() -> None:
    ElementTree.fromstring(scatter("one", [Point(3.0, 33.0, "n", 0)], [], "ms", "dB"))


def test_bars_are_as_long_as_their_times() -> None:
    root = ElementTree.fromstring(bars("t", [Bar("a", (10.0, 30.0)), Bar("b", (5.0, 5.0))], ("e", "d")))
    rects = [r for r in root.iter("{http://www.w3.org/2000/svg}rect") if r.attrib["height"] == "18"]
    widths = [float(r.attrib["width"]) for r in rects]
    assert widths[1] / widths[0] == pytest.approx(3, rel=0.01) and widths[2] == widths[3]


def test_times_layers_and_vmaf_stand_where_they_were_measured() -> None:
    plain = evaluation()
    assert "VMAF</th>" not in page([plain]) and "layer by layer" not in page([plain])
    rows = (dataclasses.replace(plain.results[0], vmaf=91.25), plain.results[1])
    layers = (LayerLoss("edge", "int8-cpu", "encoder.<0>", 0.0042, 0.0871, False),)
    html = page([dataclasses.replace(plain, results=rows, layers=layers)])
    checked(html)
    assert html.count("VMAF</th>") == 2 and ">91.2<" in html
    assert "encoder.&lt;0&gt;" in html and ">+0.0871<" in html
    assert all(f">{figure}<" in html for figure in ("100.0", "150.0", "6.7"))


def test_vmaf_tells_a_blurred_picture_from_a_perfect_one() -> None:
    ffmpeg = find_ffmpeg()
    if ffmpeg is None:
        pytest.skip("no FFmpeg with libvmaf: pip install imageio-ffmpeg")
    card = reference_card(240, 180)
    blurred = resize(resize(card, (60, 45)), (240, 180))
    perfect, worse = vmaf(ffmpeg, card, card), vmaf(ffmpeg, blurred, card)
    assert perfect is not None and worse is not None
    assert worse + 20 < perfect <= 100
