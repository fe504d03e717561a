"""The picture that nodes are tried with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from edge_sr.errors import MissingError
from edge_sr.farm.nodes import trial
from edge_sr.farm.nodes.trial import TrialCard, make_trial
from edge_sr.upscale.run.networks import NetworkChoice
from edge_sr.upscaler import Upscaler

BUILT_FOR = (96, 64)


class BuiltForOneSize(Upscaler):
    """As with engines of a fixed size: frames of another, or of another depth, are refused."""

    deep = False

    def __call__(self, frame: Any, **options: Any) -> Any:
        if (frame.shape[1::-1], frame.dtype == np.float32) != (BUILT_FOR, self.deep):
            raise MissingError(f"no engine for {frame.shape} {frame.dtype} was built")
        return super().__call__(frame, **options)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[BuiltForOneSize]:
    with BuiltForOneSize("diinn-nano", backend="onnxruntime", precision="fp32", threads=1) as opened:
        monkeypatch.setattr(trial.worker_network, "opened", lambda choice: opened)
        yield opened


@pytest.mark.parametrize("deep", [False, True])
def test_engines_are_tried_with_a_picture_like_the_film(network: BuiltForOneSize, deep: bool) -> None:
    choice = NetworkChoice("diinn-nano", "tensorrt", "fp32", 1)
    network.deep = deep
    found = make_trial(choice, TrialCard(BUILT_FOR, (144, 96), deep))
    assert found.picture is not None
    assert (found.refused, found.picture.shape, found.picture.dtype) == ("", (60, 108, 3), np.uint8)
    assert found.picture.std() > 30
    assert "no engine" in make_trial(choice, TrialCard((80, 64), (120, 96), deep)).refused
    assert (make_trial(choice).refused, make_trial(choice).picture) == ("", None)


def test_others_are_tried_with_a_small_one(network: BuiltForOneSize) -> None:
    del network
    found = make_trial(NetworkChoice("diinn-nano", "onnxruntime", "fp32", 1), TrialCard(BUILT_FOR, (144, 96)))
    assert "no engine for (40, 72, 3)" in found.refused
