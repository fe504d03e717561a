"""The emulator's instructions against numpy; ``tests/gpu/on_gpu.py`` asks a GPU the same."""

from __future__ import annotations

from support.cuda.emulator import EmulatedGpu
from support.cuda.probes import check


def test_every_instruction() -> None:
    found = list(check(EmulatedGpu()))
    assert len(found) == 7
    assert [name for name, right, _ in found if not right] == []
