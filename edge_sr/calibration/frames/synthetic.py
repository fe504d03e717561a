"""Pictures that no photograph stands for: text, windows, line drawings, charts, smooth skies, drawn by rule.

Their flat areas come back from the network almost as they were, so that one level of rounding shows in PSNR,
and their edges are as hard as edges get. The same index gives the same picture on every machine.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

# Drawn this much larger and averaged down, which smooths edges that lie between pixels.
OVER = 4
Canvas = NDArray[np.float32]
Colour = NDArray[np.float32]
Random = np.random.RandomState  # its numbers are the same in every numpy


def synthetic_image(index: int, side: int) -> NDArray[np.uint8]:
    """Picture ``index`` of an endless series, uint8 ``side x side x 3``."""
    random = Random(index)
    canvas = np.empty((side * OVER, side * OVER, 3), np.float32)
    KINDS[index % len(KINDS)](canvas, random)
    small = canvas.reshape(side, OVER, side, OVER, 3).mean((1, 3))
    levels: NDArray[np.uint8] = np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)
    return levels


def _page(canvas: Canvas, random: Random) -> None:
    """Dark text of several sizes on paper."""
    canvas[:] = random.uniform(0.9, 1, 3)
    top = 6
    while top < len(canvas) // OVER:
        size = random.randint(7, 18)
        _line_of_text(canvas, random, 8, top, size, _colour(random, 0, 0.3))
        top += int(size * 1.6)


def _desktop(canvas: Canvas, random: Random) -> None:
    """Windows with borders, titles and buttons on a plain ground."""
    canvas[:] = _colour(random, 0.1, 0.6)
    side = len(canvas) // OVER
    for _ in range(3):
        left, top = random.randint(0, side // 2, 2)
        width, height = random.randint(side // 3, side, 2)
        _fill(canvas, left, top, width, height, _colour(random, 0, 0.5))
        _fill(canvas, left + 1, top + 1, width - 2, height - 2, _colour(random, 0.8, 1))
        _fill(canvas, left + 1, top + 1, width - 2, 18, _colour(random, 0.1, 0.8))
        _line_of_text(canvas, random, left + 6, top + 5, 10, _colour(random, 0.9, 1))
        for row in range(top + 28, top + height - 24, 24):
            _fill(canvas, left + 8, row, 40, 16, _colour(random, 0.2, 1))
            _line_of_text(canvas, random, left + 54, row + 3, 9, _colour(random, 0, 0.4))


def _terminal(canvas: Canvas, random: Random) -> None:
    """Small coloured text on black."""
    canvas[:] = random.uniform(0, 0.15)
    for top in range(4, len(canvas) // OVER, 14):
        _line_of_text(canvas, random, 4, top, 10, _colour(random, 0.4, 1))


def _lines(canvas: Canvas, random: Random) -> None:
    """Strokes and rings, some filled, on white."""
    canvas[:] = 1
    y, x = _axes(canvas)
    for _ in range(5):
        centre, radius = random.uniform(0, 1, 2), random.uniform(0.05, 0.3)
        away = np.hypot(y - centre[0], x - centre[1])
        canvas[away < radius] = _colour(random, 0, 1)
        canvas[np.abs(away - radius) < random.uniform(0.003, 0.01)] = _colour(random, 0, 0.3)
    for _ in range(12):
        angle, offset = random.uniform(0, np.pi), random.uniform(-0.5, 0.5)
        away = np.abs((y - 0.5) * np.cos(angle) - (x - 0.5) * np.sin(angle) - offset)
        canvas[away < random.uniform(0.002, 0.008)] = _colour(random, 0, 0.4)


def _sky(canvas: Canvas, random: Random) -> None:
    """A slow gradient with a glow above a dark skyline."""
    y, x = _axes(canvas)
    high, low = _colour(random, 0.2, 0.6), _colour(random, 0.6, 1)
    canvas[:] = high + (low - high) * y[..., None]
    sun = random.uniform(0.2, 0.8, 2)
    canvas += 0.2 * np.exp(-8 * ((y - sun[0]) ** 2 + (x - sun[1]) ** 2))[..., None]
    side = len(canvas) // OVER
    for left in range(0, side, 16):
        height = random.randint(side // 16, side // 4)
        _fill(canvas, left, side - height, 16, height, _colour(random, 0, 0.2))


def _chart(canvas: Canvas, random: Random) -> None:
    """Thin curves and a thinner grid on a plain ground, dark or light, with small captions."""
    dark = random.uniform() < 0.5
    grounds, inks = ((0.05, 0.35), (0.6, 1)) if dark else ((0.85, 1), (0, 0.4))
    ground, ink = _colour(random, *grounds), _colour(random, *inks)
    faint = ((3 * ground + ink) / 4).astype(np.float32)
    canvas[:] = ground
    side = len(canvas) // OVER
    for at in range(16, side, random.randint(24, 56)):
        _fill(canvas, 12, at, side, 1, faint)
        _fill(canvas, at, 12, 1, side - 24, faint)
        _line_of_text(canvas, random, side - 40, at + 3, 9, ink)
    _fill(canvas, 12, side // 2, side, 1, ink)
    for _ in range(3):
        _curve(canvas, random, _colour(random, *inks))


def _curve(canvas: Canvas, random: Random, colour: Colour) -> None:
    """A falling wave about a pixel and a half wide, with square marks on it."""
    side = len(canvas) // OVER
    high, fall, wave, phase = random.uniform((0.1, 0.1, 0.02, 0), (0.5, 0.5, 0.1, 6))
    for step in range(12 * OVER, side * OVER):
        x = step / OVER / side
        y = (high + fall * x + wave * np.sin(8 * x + phase)) * side
        _fill(canvas, step / OVER, y, 1, 1.5, colour)
        if step % (20 * OVER) == 0:
            _fill(canvas, step / OVER - 2, y - 2, 5, 5, colour)


KINDS: tuple[Callable[[Canvas, Random], None], ...] = (_desktop, _sky, _page, _lines, _terminal, _chart)


def _axes(canvas: Canvas) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows and columns from 0 to 1."""
    steps = np.arange(len(canvas)) / len(canvas)
    return steps[:, None], steps[None, :]


def _colour(random: Random, low: float, high: float) -> Colour:
    return random.uniform(low, high, 3).astype(np.float32)


def _fill(canvas: Canvas, left: float, top: float, width: float, height: float, colour: Colour) -> None:
    """A rectangle in pixels of the picture; what lies outside is cut off."""
    rows, columns = (
        slice(max(0, round(a * OVER)), max(0, round((a + b) * OVER)))
        for a, b in ((top, height), (left, width))
    )
    canvas[rows, columns] = colour


def _line_of_text(
    canvas: Canvas, random: Random, left: float, top: float, size: float, colour: Colour
) -> None:
    """Words of made-up letters up to the right edge: stems, bars and halves of them, as letters have."""
    side = len(canvas) // OVER
    while left < side - size:
        if random.uniform() > 0.15:
            _letter(canvas, random, left, top, size, colour)
        left += 0.7 * size


def _letter(canvas: Canvas, random: Random, left: float, top: float, size: float, colour: Colour) -> None:
    width, pen = 0.5 * size, max(1.0, size / 9)
    for x in (left, left + width - pen):
        for y in (top, top + size / 2):
            if random.uniform() < 0.6:
                _fill(canvas, x, y, pen, size / 2, colour)
    for y in (top, top + (size - pen) / 2, top + size - pen):
        if random.uniform() < 0.5:
            _fill(canvas, left, y, width, pen, colour)
