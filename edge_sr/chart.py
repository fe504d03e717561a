"""Charts as SVG text: accuracy against time with its Pareto front, and bars of times.

Colours come from CSS classes, so the page that holds a chart decides on light or dark; ``standalone`` makes a
file that decides for itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 18, 44
SERIES = 6  # colours in the style; more series begin anew
LINE = 15  # smallest distance between two labels' lines, in SVG units

STYLE = """
svg{--ink:#1c2024;--faint:#8b949e;--grid:#d8dee4;--paper:#fff;
--c0:#0b6bcb;--c1:#c2410c;--c2:#15803d;--c3:#9333ea;--c4:#b45309;--c5:#0f766e;background:var(--paper)}
@media (prefers-color-scheme:dark){svg{--ink:#e6edf3;--faint:#8b949e;--grid:#30363d;--paper:#0d1117;
--c0:#58a6ff;--c1:#ff9b62;--c2:#4ade80;--c3:#d2a8ff;--c4:#fbbf24;--c5:#5eead4}}
"""
SHAPES = """
text{font:12px system-ui,sans-serif;fill:var(--ink);paint-order:stroke;stroke:var(--paper);stroke-width:4px}
.axis,.level{fill:var(--faint)}
line{stroke:var(--grid)}.rival{stroke:var(--faint);stroke-dasharray:5 4}.front{fill:none;stroke:var(--ink);
stroke-width:1.2;opacity:.55}.mark{stroke:var(--paper);stroke-width:1.5}
""" + "".join(f".s{i}{{fill:var(--c{i})}}" for i in range(SERIES))


class Point(NamedTuple):
    """A measured point: ``x`` in milliseconds, ``y`` in dB; ``series`` picks the colour."""

    x: float
    y: float
    label: str
    series: int


class Level(NamedTuple):
    """A horizontal line for what takes next to no time: bicubic, Lanczos."""

    y: float
    label: str


class Bar(NamedTuple):
    """A stacked bar: its parts in milliseconds."""

    label: str
    parts: tuple[float, ...]


class Axis(NamedTuple):
    """Values ``low`` to ``high`` onto positions ``start`` to ``stop``; logarithmic where ``log``."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def at(self, value: float) -> float:
        low, high, value = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.stop - self.start)

    def ticks(self) -> list[float]:
        return _decades(self.low, self.high) if self.log else _steps(self.low, self.high)


def scatter(title: str, points: Sequence[Point], levels: Sequence[Level], x_label: str, y_label: str) -> str:
    """An SVG of ``points`` over a logarithmic time axis, the Pareto front drawn through the best of them."""
    heights = [p.y for p in points] + [level.y for level in levels]
    margin = max(0.1, (max(heights) - min(heights)) * 0.12)
    xs = Axis(min(p.x for p in points) / 1.4, max(p.x for p in points) * 1.4, LEFT, WIDTH - RIGHT, log=True)
    ys = Axis(min(heights) - margin, max(heights) + margin, HEIGHT - BOTTOM, TOP)
    body = [
        *_grid(xs, ys, x_label, y_label),
        *(_level(level, ys) for level in levels),
        _front(pareto(points), xs, ys),
        *_marks(points, xs, ys),
    ]
    return _svg(title, HEIGHT, body)


def bars(title: str, rows: Sequence[Bar], parts: Sequence[str]) -> str:
    """An SVG of stacked horizontal bars with a legend of ``parts``."""
    height = 52 + 26 * len(rows)
    longest = max(sum(row.parts) for row in rows)
    left = 8 + 7 * max(len(row.label) for row in rows)
    axis = Axis(0, longest * 1.001, left, WIDTH - 90)
    legend = [
        f'<rect class="s{i}" x="{left + 110 * i}" y="8" width="12" height="12"/>'
        f'<text x="{left + 110 * i + 17}" y="18">{escape(part)}</text>'
        for i, part in enumerate(parts)
    ]
    body = [text for i, row in enumerate(rows) for text in _bar(row, 34 + 26 * i, axis)]
    return _svg(title, height, legend + body)


def stacked(*charts: str) -> str:
    """Charts one below the other, as one SVG without a style of its own."""
    placed, top = [], 0
    for chart in charts:
        height = int(chart.split('viewBox="', 1)[1].split('"', 1)[0].split()[3])
        placed.append(chart.replace("<svg ", f'<svg y="{top}" width="{WIDTH}" height="{height}" ', 1))
        top += height
    return _svg("charts", top, placed)


def standalone(svg: str) -> str:
    """``svg`` with its style inside, to be a file of its own."""
    head, rest = svg.split(">", 1)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}><style>{STYLE}{SHAPES}</style>{rest}\n'


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in both time and quality, quickest first."""
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (p.x, -p.y)):
        if not front or point.y > front[-1].y:
            front.append(point)
    return front


def _svg(title: str, height: int, body: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}"><title>{escape(title)}</title>{"".join(body)}</svg>'
    )


def _grid(xs: Axis, ys: Axis, x_label: str, y_label: str) -> list[str]:
    out = []
    for value in ys.ticks():
        y = ys.at(value)
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        out.append(f'<text class="axis" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    for value in xs.ticks():
        x = xs.at(value)
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        out.append(
            f'<text class="axis" x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{value:g}</text>'
        )
    out.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{escape(x_label)}</text>')
    out.append(f'<text x="4" y="12">{escape(y_label)}</text>')
    return out


def _level(level: Level, ys: Axis) -> str:
    y = ys.at(level.y)
    return (
        f'<line class="rival" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="level" x="{LEFT + 4}" y="{y - 4:.1f}">{escape(level.label)} {level.y:.2f}</text>'
    )


def _front(front: Sequence[Point], xs: Axis, ys: Axis) -> str:
    path = " ".join(f"{xs.at(p.x):.1f},{ys.at(p.y):.1f}" for p in front)
    return f'<polyline class="front" points="{path}"/>'


def _marks(points: Sequence[Point], xs: Axis, ys: Axis) -> list[str]:
    """Dots with labels beside them."""
    out = []
    ordered = sorted(points, key=lambda point: -point.y)
    for p, line in zip(ordered, _lines([ys.at(p.y) + 20 for p in ordered]), strict=True):
        x, y = xs.at(p.x), ys.at(p.y)
        side, anchor = (-4, "start") if x < WIDTH * 0.6 else (4, "end")
        words = escape(f"{p.label}: {p.y:.2f} dB, {p.x:.3g} ms")
        out += [
            f'<circle class="mark s{p.series % SERIES}" cx="{x:.1f}" cy="{y:.1f}" r="6">',
            f'<title>{words}</title></circle><text x="{x + side:.1f}" y="{line:.1f}" ',
            f'text-anchor="{anchor}">{escape(p.label)}</text>',
        ]
    return out


def _lines(wanted: Sequence[float]) -> list[float]:
    """Where labels stand, from the top: one too near the one above moves down, and what would leave the plot up."""
    lines: list[float] = []
    for line in wanted:
        lines.append(max(line, lines[-1] + LINE) if lines else line)
    lowest = HEIGHT - BOTTOM - 4.0
    for i in reversed(range(len(lines))):
        lines[i] = min(lines[i], lowest)
        lowest = lines[i] - LINE
    return lines


def _bar(row: Bar, y: int, axis: Axis) -> list[str]:
    out = [f'<text x="{axis.start - 6:.1f}" y="{y + 13}" text-anchor="end">{escape(row.label)}</text>']
    done = 0.0
    for i, part in enumerate(row.parts):
        start, stop = axis.at(done), axis.at(done + part)
        out.append(
            f'<rect class="s{i}" x="{start:.1f}" y="{y}" width="{max(stop - start, 0.5):.1f}" height="18"/>'
        )
        done += part
    out.append(f'<text x="{axis.at(done) + 6:.1f}" y="{y + 13}">{done:.1f} ms</text>')
    return out


def _steps(low: float, high: float) -> list[float]:
    raw = (high - low) / 5
    power = 10 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    first = math.ceil(low / step)
    return [round(i * step, 10) for i in range(first, math.floor(high / step) + 1)]


def _decades(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = (1, 2, 5) if high / low < 200 else (1,)
    return [m * 10.0**p for p in powers for m in marks if low <= m * 10.0**p <= high]
