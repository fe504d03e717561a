"""The page's viewers, served by a real network without a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from edge_sr.camera.engine import LiveUpscaler, ModelChoice
from edge_sr.camera.page.audience import Audience
from edge_sr.camera.page.viewer import Viewer
from edge_sr.camera.page.views import MOST_PIXELS, View, ViewPlan
from edge_sr.camera.request import LiveReport
from edge_sr.sizes import Size

FRAME = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
WHOLE = View(0, 0, 32, 24, (64, 48))


@pytest.fixture
def engine() -> Iterator[LiveUpscaler]:
    engine = LiveUpscaler(ModelChoice("diinn-nano", "onnxruntime", "fp32", 1), 0)
    yield engine
    engine.close()


@pytest.fixture
def audience() -> Iterator[Audience]:
    audience = Audience(0.04, lambda: (64, 48))
    yield audience
    audience.close()


@dataclasses.dataclass(frozen=True)
class MovingView(View):
    """Its viewer looks elsewhere while the picture is planned."""

    viewer: Any = None

    def plan(self, source: Size, most_pixels: int = MOST_PIXELS) -> ViewPlan:
        self.viewer.look(WHOLE)
        return super().plan(source, most_pixels)


def test_a_view_that_moves_while_a_picture_is_made_is_not_forgotten(
    engine: LiveUpscaler, audience: Audience
) -> None:
    viewer = Viewer(lambda _: None, lambda _: None)
    viewer.look(MovingView(4, 4, 8, 8, (64, 64), viewer))
    audience.join(viewer)
    audience.serve(engine, FRAME, 0.0, LiveReport())
    assert (viewer.sent, viewer.moved) == (1, True)
    audience.attend(engine)
    assert (viewer.sent, viewer.moved) == (2, False)
