"""Nodes that join are looked at without making anybody wait."""

from __future__ import annotations

import threading

import pytest

from edge_sr.farm.nodes import joining
from edge_sr.farm.nodes.joining import JoiningNodes


def test_a_node_that_does_not_answer_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "LOOK_SECONDS", -1.0)
    asked, answered, looks = threading.Event(), threading.Event(), []

    def look() -> None:
        looks.append(len(looks))
        asked.set()
        answered.wait(10)
        raise ConnectionError("the node is gone")

    nodes = JoiningNodes(look)
    for _ in range(3):  # returns at once, and asks no second time meanwhile
        nodes.look()
    assert asked.wait(10)
    assert looks == [0]
    answered.set()
    with pytest.raises(ConnectionError, match="gone"):
        for _ in range(1000):
            nodes.look()
            threading.Event().wait(0.01)
