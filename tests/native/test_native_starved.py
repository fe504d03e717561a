"""The native library where the machine gives no threads, or its threads no memory: the same bits, nothing left out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sr.backends.registry import BACKENDS

NETWORK = """
import os, sys
import numpy as np
from edge_sr import Upscaler
frame = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
def make():
    with Upscaler("diinn-nano", backend="native", precision=sys.argv[2], threads=4) as up:
        return up(frame, scale=1.7)
whole = make()
os.environ[sys.argv[1]] = "1"
print(np.array_equal(whole, make()))
"""
STEP = """
import os, sys
import torch
torch.set_num_threads(3)
import test_training_native as step
form = step.FORMS[0]
made, spec, batch = step.network(form), step.schedule(form), step.batch_of(form)
measured = step.native_loss(made, spec)
if measured is None:
    sys.exit(print("none here"))
whole = step.gradients(made, measured(batch, absolute=False))
torch.set_num_threads(1)
os.environ[sys.argv[1]] = "1"
print(torch.equal(whole, step.gradients(made, measured(batch, absolute=False))))
"""
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def starving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("c++")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C++ compiler on Linux")
    library = tmp_path_factory.mktemp("starving") / "starving.so"
    source = Path(__file__).with_name("starving.cpp")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", str(source), "-o", str(library), "-ldl"], check=True)
    return library


@pytest.mark.skipif(BACKENDS["native"].unavailable_reason() is not None, reason="no native library here")
@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("want", ["NO_THREADS", "NO_MEMORY"])
def test_a_frame_is_the_same_without_threads_and_without_their_memory(
    starving: Path, want: str, precision: str
) -> None:
    assert starved(starving, NETWORK, want, precision) == "True\n"


@pytest.mark.torch
@pytest.mark.parametrize("want", ["NO_THREADS", "NO_MEMORY"])
def test_a_step_of_training_leaves_no_patch_out(starving: Path, want: str) -> None:
    said = starved(starving, STEP, want)
    if said == "none here\n":
        pytest.skip("no products of bfloat16 on this processor (AMX or AVX512-BF16)")
    assert said == "True\n"


def starved(library: Path, program: str, *words: str) -> str:
    paths = [str(TESTS), str(TESTS / "unit" / "training"), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(paths),
    }
    command = [sys.executable, "-c", program, *words]
    # Not in the checkout, whose own package has no library where another is installed.
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=library.parent, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
