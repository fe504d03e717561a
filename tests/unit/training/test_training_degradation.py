"""What training takes cameras and streams to do to a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_sr.training.data import degradation
from edge_sr.training.data.degradation import SCENE, CodecDegradation, Scene


def test_every_frame_of_a_scene_has_noise_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Scene] = []

    def kept(_codec: Any, _quality: int, scenes: list[Scene], _colour: Any) -> Any:
        seen.extend(scenes)
        return np.zeros((len(scenes) * SCENE, 64, 64, 3), np.uint8)

    monkeypatch.setattr(degradation, "through", kept)
    monkeypatch.setattr(degradation, "NOISE_SHARE", 1.0)
    CodecDegradation(3)(np.full((4, 64, 64, 3), 128, np.uint8))
    assert len(seen) == 4
    for scene in seen:
        noise = [frame - 128 for frame in scene.frames]
        assert all(0.4 < one.std() < 3.2 for one in noise)
        assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05
