"""OpenVINO: what it computes in is what was asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import NoReturn

import numpy as np
import pytest

from edge_sr.backends.openvino import encoder
from edge_sr.backends.openvino import runner as openvino_runner
from edge_sr.backends.registry import choose_backend
from edge_sr.bundle import Bundle
from edge_sr.errors import LifetimeError, MissingError, OptionError
from edge_sr.tensors import reference_card
from edge_sr.upscaler import Upscaler

needs_openvino = pytest.mark.skipif(
    openvino_runner.unavailable_reason() is not None, reason="OpenVINO is not installed"
)


def test_a_plugin_that_does_not_load_keeps_no_other_backend_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_plugin() -> NoReturn:
        raise RuntimeError("Failed to create plugin libopenvino_intel_cpu_plugin.so for device CPU")

    monkeypatch.setattr(encoder, "process_core", no_plugin)
    assert not encoder.has_bf16.__wrapped__()


@needs_openvino
def test_fp32_is_float32_and_bf16_is_not(nano: Bundle) -> None:
    picture = reference_card(61, 47).astype(np.float32) / 255
    results = {}
    for backend, precision in (("onnxruntime", "fp32"), ("openvino", "fp32"), ("openvino", "bf16")):
        if precision in ("fp32", *openvino_runner.lowers()):
            with Upscaler(nano, backend=backend, precision=precision, threads=2) as up:
                results[backend, precision] = up(picture, scale="1.7")
    exact = results["onnxruntime", "fp32"]
    assert np.abs(results["openvino", "fp32"] - exact).max() < 1e-5
    rough = results.get(("openvino", "bf16"))
    if rough is not None:
        assert 1e-4 < np.abs(rough - exact).max() < 0.05


@needs_openvino
def test_float16_is_refused(nano: Bundle) -> None:
    with pytest.raises(OptionError, match="on openvino, not 'fp16'"):
        Upscaler(nano, backend="openvino", precision="fp16", threads=1)


@needs_openvino
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_of_a_process_that_opened_it_is_told_so(nano: Bundle) -> None:
    """It would wait for ever for threads that the fork left behind."""
    with Upscaler(nano, backend="openvino", precision="fp32", threads=1):
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            try:
                Upscaler(nano, backend="openvino", precision="fp32", threads=1)
            except LifetimeError as error:
                os._exit(0 if "forked" in str(error) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Opened and closed in the order in which `auto` measures, then a signal.
SIGNALLED = """
import os, signal, sys
import numpy as np
from edge_sr.backends.openvino.encoder import has_bf16
from edge_sr.upscaler import Upscaler

has_bf16()
frame = np.zeros((8, 8, 3), np.uint8)
opened = [Upscaler(sys.argv[1], backend="openvino", precision="fp32", threads=1) for _ in range(3)]
for upscaler in opened:
    upscaler(frame, scale=2)
while opened:
    opened.pop(0).close()
signal.signal(signal.SIGINT, lambda number, frame: print("heard"))
os.kill(os.getpid(), signal.SIGINT)
"""


@needs_openvino
@pytest.mark.skipif(sys.platform == "win32", reason="no such signals here")
def test_a_signal_is_heard_when_networks_have_come_and_gone(nano: Bundle) -> None:
    command = [sys.executable, "-c", SIGNALLED, str(nano.path)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "heard\n"), ended.stderr


def test_absence_names_the_extra(nano: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_runner, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"edge-sr\[openvino\]"):
        choose_backend("openvino", nano)
