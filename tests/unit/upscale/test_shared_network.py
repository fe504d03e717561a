"""The network that several runs share: opened once, told of by the first run that uses it."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from fractions import Fraction

import pytest
from support.upscaling import Listener

from edge_sr.backends import autotune
from edge_sr.backends.measurement import Measurement
from edge_sr.backends.native import library
from edge_sr.upscale.run.networks import Networks
from edge_sr.upscale.run.request import Request


@pytest.fixture(autouse=True)
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Measurement({"onnxruntime fp32": 9.0}, True, 6, "2026-01-02T03:04:05+00:00")
    monkeypatch.setattr(autotune, "stored", lambda *_: found)


def test_the_first_run_that_uses_a_network_is_told_of_it_and_no_other() -> None:
    nano = Request("a.png", scale=Fraction(2), model="diinn-nano", backend="onnxruntime", threads=1)
    edge = dataclasses.replace(nano, model="diinn-edge")
    listener = Listener()
    with closing(Networks(keeps=True)) as networks:
        networks.warm_up(edge)
        for request in (nano, nano, edge):
            with networks.opened(request, listener):
                pass
    tail = "in fp32 on onnxruntime: the only one here that fits; more: edge-sr doctor"
    assert listener.said == [f"diinn-nano {tail}", f"diinn-edge {tail}"]


def test_whoever_warms_up_takes_nothing_from_the_first_run() -> None:
    asked = Request("a.png", scale=Fraction(2), model="diinn-nano", backend="onnxruntime", threads=1)
    listener = Listener()
    with closing(Networks(keeps=True)) as networks:
        networks.warm_up(asked)
        with networks.opened(asked, listener) as network:
            assert network.model == "diinn-nano"
    assert len(listener.said) == 1


def test_who_lacks_the_native_library_is_told_of_it_with_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_load", lambda: "not built")
    asked = Request("a.png", scale=Fraction(2), model="diinn-nano", precision="fp32", threads=1)
    listener = Listener()
    with closing(Networks(keeps=True)) as networks, networks.opened(asked, listener) as network:
        assert network.backend == "onnxruntime"
    assert [line.split(":")[0] for line in listener.said] == ["diinn-nano in fp32 on onnxruntime", "note"]
    assert "native library is not built" in listener.said[1]
