"""The picture of ``edge-sr bench --plot``: bars of times, below them a roofline of the fastest in each precision."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_sr.benchmark.bench import Setting, Speed
from edge_sr.benchmark.roofline import Part, Roof, drawing, frame_parts, measured_bandwidth
from edge_sr.chart import Bar, bars, stacked, standalone
from edge_sr.files.atomic import write_whole
from edge_sr.machine.description import available_cores
from edge_sr.machine.optional import require

PARTS = ("encoder", "decoder")


def write_plot(found: Sequence[Speed], setting: Setting, path: Path) -> None:
    """SVG is drawn here, PNG and PDF by matplotlib; memory's bandwidth is measured for the roofline."""
    first = found[0]
    title = f"{first.model}, {first.input_size} to {first.output_size}, ms a frame"
    rows = [
        Bar(f"{speed.backend} {speed.precision}", (speed.encoder_ms, speed.decoder_ms)) for speed in found
    ]
    bandwidth = measured_bandwidth(available_cores())
    rooflines = [_roofline(speed, setting, bandwidth) for speed in _shown(found)]
    if path.suffix.lower() == ".svg":
        charts = stacked(bars(title, rows, PARTS), *(drawing(*roofline) for roofline in rooflines))
        write_whole(path, standalone(charts).encode())
    else:
        write_whole(path, _drawn((title, rows), rooflines, path.suffix[1:].lower()))


Roofline = tuple[str, list[Part], Roof]


def _shown(found: Sequence[Speed]) -> list[Speed]:
    """The fastest of each precision, for each has a peak of its own; none on a GPU: the peak is the processor's."""
    found = [speed for speed in found if speed.peak_gflops is not None]
    precisions = dict.fromkeys(speed.precision for speed in found)
    return [max((s for s in found if s.precision == name), key=lambda s: s.fps) for name in precisions]


def _roofline(speed: Speed, setting: Setting, bandwidth: float) -> Roofline:
    assert speed.peak_gflops is not None
    times = speed.encoder_ms, speed.decoder_ms
    parts = frame_parts(setting.bundle, setting.input_size, setting.output_size, *times)
    return f"roofline of {speed.backend} {speed.precision}", parts, Roof(speed.peak_gflops, bandwidth)


def _drawn(times: tuple[str, list[Bar]], rooflines: list[Roofline], form: str) -> bytes:
    rows, count = times[1], len(rooflines)
    figure = require("matplotlib.figure", "edge-sr bench --plot").Figure((8, 1 + 4 * count + 0.4 * len(rows)))
    upper, *lower = figure.subplots(
        1 + count, squeeze=False, height_ratios=(1 + 0.4 * len(rows), *[4] * count)
    )[:, 0]
    _draw_bars(upper, *times)
    for axes, roofline in zip(lower, rooflines, strict=True):
        _draw_roofline(axes, *roofline)
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form)
    return buffer.getvalue()


def _draw_bars(axes: Any, title: str, rows: list[Bar]) -> None:
    done = [0.0] * len(rows)
    for i, part in enumerate(PARTS):
        axes.barh([row.label for row in rows], [row.parts[i] for row in rows], left=done, label=part)
        done = [start + row.parts[i] for start, row in zip(done, rows, strict=True)]
    axes.invert_yaxis()
    axes.set_title(title)
    axes.legend()


def _draw_roofline(axes: Any, title: str, parts: list[Part], roof: Roof) -> None:
    corners = (0.1, roof.gflops / roof.bandwidth, 10000.0)
    axes.loglog(corners, [roof.at(x) for x in corners], color="gray")
    for part in parts:
        axes.plot(part.intensity, part.gflops, "o", label=part.label)
    axes.set(title=title, xlabel="operations a byte", ylabel="GFLOPS")
    axes.legend()
