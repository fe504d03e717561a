"""The page's viewers, served by a real network without a server."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from edge_sr.camera.engine import LiveUpscaler
from edge_sr.camera.page.audience import Audience
from edge_sr.camera.page.viewer import Viewer
from edge_sr.camera.page.views import MOST_PIXELS, View, ViewPlan
from edge_sr.camera.request import LiveReport
from edge_sr.sizes import Size
from edge_sr.upscale.run.networks import NetworkChoice
from edge_sr.upscaler import Upscaler

FRAME = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
WHOLE = View(0, 0, 32, 24, (64, 48))


@pytest.fixture
def engine() -> Iterator[LiveUpscaler]:
    engine = LiveUpscaler(NetworkChoice("diinn-nano", "onnxruntime", "fp32", 1), 0)
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


def attended(engine: LiveUpscaler, audience: Audience, until: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not until():
        assert time.monotonic() < end
        audience.attend(engine)
        time.sleep(0.005)


def test_the_old_model_goes_on_until_the_other_one_is_open(
    engine: LiveUpscaler, audience: Audience, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, release = NetworkChoice.open, threading.Event()

    def slow(choice: NetworkChoice) -> Upscaler:
        assert release.wait(60)
        return opened(choice)

    monkeypatch.setattr(NetworkChoice, "open", slow)
    told: list[dict[str, Any]] = []
    viewer = Viewer(lambda _: None, told.append)
    audience.wish(viewer, NetworkChoice("diinn-edge", "auto", "fp32"))
    audience.attend(engine)
    audience.attend(engine)
    assert [word["note"][:17] for word in told] == ["Opening the model"]
    assert engine.upscale(FRAME, (64, 48)).shape == (48, 64, 3)
    assert engine.network.model == "diinn-nano"
    release.set()
    attended(engine, audience, lambda: engine.network.model == "diinn-edge")
    assert (engine.network.backend, engine.choice.threads) == ("onnxruntime", 1)
    assert told[1:] == [{"note": ""}]
    assert engine.upscale(FRAME, (64, 48)).shape == (48, 64, 3)


def test_of_wishes_the_last_one_counts_and_a_bad_one_is_told(
    engine: LiveUpscaler, audience: Audience
) -> None:
    told: list[dict[str, Any]] = []
    viewer = Viewer(lambda _: None, told.append)
    audience.wish(viewer, NetworkChoice("diinn-edge", "auto", "fp32"))
    audience.attend(engine)
    audience.wish(viewer, NetworkChoice("no-such-model", "auto", "fp32"))
    attended(engine, audience, lambda: told and "error" in told[-1])
    assert "no-such-model" in told[-1]["error"]
    assert engine.network.model == "diinn-nano"
    audience.wish(viewer, NetworkChoice("diinn-edge", "auto", "fp32"))
    audience.attend(engine)
