"""What a viewer looks at, and the region decode that fills exactly the screen's pixels of it."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

from edge_sr.sizes import LARGEST_SCALE, LARGEST_SIDE, Region, Size
from edge_sr.upscale.run.networks import NetworkChoice

# The most pixels computed for one view, and the fewest that load may leave of them.
MOST_PIXELS = 1920 * 1080
FEWEST_PIXELS = 640 * 360
LONGEST_NAME = 64


class BadMessage(Exception):
    """A message that the page would never send."""


@dataclasses.dataclass(frozen=True)
class View:
    """A rectangle in LR pixels, fractions of them included, and the screen's pixels that show it."""

    x: float
    y: float
    width: float
    height: float
    screen: Size

    def plan(self, source: Size, most_pixels: int = MOST_PIXELS) -> ViewPlan:
        """The decode for a source of that size, within ``most_pixels``."""
        region = _whole_pixels(self, source)
        scale = max(self.screen[0] / self.width, self.screen[1] / self.height)
        room = math.sqrt(most_pixels / (region[2] * region[3]))
        scale = max(1.0, min(scale, room, LARGEST_SCALE, LARGEST_SIDE / max(source)))
        return ViewPlan(region, (round(source[0] * scale), round(source[1] * scale)))


@dataclasses.dataclass(frozen=True)
class ViewPlan:
    """The ``region`` in LR pixels, and the size of the whole virtual output."""

    region: Region
    size: Size


def _whole_pixels(view: View, source: Size) -> Region:
    """The smallest region of whole LR pixels, inside the source, that covers the view."""
    x0 = min(max(0, math.floor(view.x)), source[0] - 1)
    y0 = min(max(0, math.floor(view.y)), source[1] - 1)
    x1 = min(max(x0 + 1, math.ceil(view.x + view.width)), source[0])
    y1 = min(max(y0 + 1, math.ceil(view.y + view.height)), source[1])
    return x0, y0, x1 - x0, y1 - y0


@dataclasses.dataclass(frozen=True)
class Acknowledged:
    """The page has drawn the message of this number."""

    number: int


Message = View | NetworkChoice | Acknowledged


def parse_message(text: str) -> Message:
    """``{"view": [x, y, w, h], "screen": [w, h]}``, ``{"model", "precision"}`` or ``{"drawn": number}``.

    Raises ``BadMessage`` for anything else.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadMessage("not JSON") from error
    if not isinstance(found, dict):
        raise BadMessage("not an object")
    keys = set(found)
    if keys == {"view", "screen"}:
        return _view(found["view"], found["screen"])
    if keys == {"model", "precision"}:
        return NetworkChoice(_name(found["model"]), "auto", _name(found["precision"]))
    if keys == {"drawn"}:
        return Acknowledged(_integer(found["drawn"], 0, 1 << 53))
    raise BadMessage("unknown keys")


def _view(place: Any, screen: Any) -> View:
    if not isinstance(place, list) or len(place) != 4 or not isinstance(screen, list) or len(screen) != 2:
        raise BadMessage("a view has four numbers and its screen two")
    x, y = (_number(value, 0, LARGEST_SIDE) for value in place[:2])
    width, height = (_number(value, 1e-3, LARGEST_SIDE) for value in place[2:])
    across, down = (_integer(value, 1, 16384) for value in screen)
    return View(x, y, width, height, (across, down))


def _number(value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise BadMessage("a number out of its range")
    return float(value)


def _integer(value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadMessage("a whole number out of its range")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME:
        raise BadMessage("no name")
    return value
