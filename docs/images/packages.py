"""Draws ``packages.svg`` from the import contract in ``pyproject.toml``: python docs/images/packages.py."""

from __future__ import annotations

import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
WIDTH, ROW, BOX, GAP, MARGIN = 900, 62, 38, 14, 16
# What a newcomer looks for in each, beside the name.
SAYS = {
    "cli": "one file a command",
    "training": "train, QAT",
    "camera": "live runs",
    "doctor": "what works here",
    "upscale": "whole runs",
    "export": "torch to graphs",
    "calibration": "INT8 in a budget",
    "evaluation": "quality",
    "benchmark": "speed",
    "upscaler": "the library's door",
    "backends": "a folder a technology",
    "engines": "TensorRT",
    "models": "torch networks",
    "video": "films, streams, images",
    "plan": "sizes, boxes, blocks of a run",
    "bundle": "graphs and bundle.json",
}


def layers() -> list[list[str]]:
    """The layers of the contract, from the top; siblings may not import each other."""
    text = (HERE.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    contract = tomllib.loads(text)["tool"]["importlinter"]["contracts"][0]
    return [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]


def draw(rows: list[list[str]]) -> str:
    """The picture as SVG: a row a layer, imports go down."""
    height = MARGIN * 2 + ROW * len(rows) - (ROW - BOX)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="13" text-anchor="middle">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
    ]
    for index, row in enumerate(rows):
        top = MARGIN + index * ROW
        parts += [_box(name, place, len(row), top) for place, name in enumerate(row)]
        if index:
            parts.append(_arrow(top))
    return "\n".join([*parts, "</svg>", ""])


def _box(name: str, place: int, count: int, top: int) -> str:
    width = (WIDTH - 2 * MARGIN - (count - 1) * GAP) / count
    left = MARGIN + place * (width + GAP)
    middle, said = left + width / 2, SAYS.get(name)
    label = f'<text x="{middle:.0f}" y="{top + (17 if said else 24)}" fill="#123">{name}</text>'
    more = f'<text x="{middle:.0f}" y="{top + 32}" font-size="11" fill="#567">{said}</text>' if said else ""
    box = f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{BOX}" rx="6" fill="#e8f0fb" stroke="#7a9cc6"/>'
    return box + label + more


def _arrow(top: int) -> str:
    x = WIDTH / 2
    line = f"M{x:.0f} {top - ROW + BOX + 4} v{ROW - BOX - 12} m-5 -5 l5 6 l5 -6"
    return f'<path d="{line}" fill="none" stroke="#7a9cc6"/>'


if __name__ == "__main__":
    (HERE / "packages.svg").write_text(draw(layers()), encoding="utf-8")
