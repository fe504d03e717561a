"""The first run of a TensorRT flavour on a device: what it is, whether it computes right, how fast, as a JSON file.

Run by ``first_run.sh``. Each step goes on from what the last one left, and one that fails says so and ends the run;
what was learnt until then is written all the same.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from support.films import Making, make_film

from edge_sr.backends.base import Runner, RunnerConfig
from edge_sr.backends.onnxruntime.runner import OnnxRunner
from edge_sr.backends.tensorrt import open as tensorrt_open
from edge_sr.backends.tensorrt.verification.verified import difference
from edge_sr.bundle import open_bundle
from edge_sr.doctor import examine
from edge_sr.engines.build.builder import build
from edge_sr.engines.build.request import BuildRequest, find_workplace
from edge_sr.engines.interface.loader import Flavour, installed_version
from edge_sr.engines.store.store import EngineStore
from edge_sr.engines.target import load_target
from edge_sr.errors import EdgeSRError, MissingError
from edge_sr.kinds import Precision
from edge_sr.plan import Footprint, Plan, plan_run
from edge_sr.sizes import Size, size_text
from edge_sr.tensors import Frame, reference_card
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.upscale import upscale
from edge_sr.version import __version__

DEVICE_TESTS = Path(__file__).with_name("test_device.py")


@dataclasses.dataclass(frozen=True)
class Scope:
    """How much is run: real sizes on a device, small ones where ONNX Runtime takes its place."""

    model: str = "diinn-edge"
    precision: Precision = "fp16"
    size: Size = (640, 360)
    output: Size = (1920, 1080)
    frames: int = 120
    film_frames: int = 50


REHEARSAL = Scope("diinn-nano", "fp16", (48, 32), (144, 96), 7, 6)


class FirstRun:
    """The steps, and what each of them found."""

    def __init__(self, flavour: Flavour, scope: Scope, folder: Path) -> None:
        self.flavour, self.scope, self.folder = flavour, scope, folder
        self.bundle = open_bundle(scope.model)
        self.found: dict[str, Any] = {"edge-sr": __version__, "flavour": flavour.value}

    def run(self, *, rehearsal: bool) -> bool:
        """Whether all steps went through."""
        steps: list[tuple[str, Callable[[], Any]]] = [
            ("device", self._device),
            ("doctor", self._doctor),
            *([] if rehearsal else [("device layer", device_layer)]),
            ("build", self._build),
            ("frames", self._frames),
            ("film", self._film),
        ]
        for name, step in steps:
            print(f"{name} ...", flush=True)
            began = time.perf_counter()
            try:
                self.found[name] = step()
            except (EdgeSRError, subprocess.SubprocessError, OSError) as error:
                self.found["failed"] = {"step": name, "error": f"{type(error).__name__}: {error}"}
                print(f"{name}: {error}", file=sys.stderr)
                return False
            print(f"  {json.dumps(self.found[name])[:400]} ({time.perf_counter() - began:.1f} s)", flush=True)
        return True

    def _device(self) -> dict[str, Any]:
        if find_spec("pytest") is None:
            raise MissingError("the device part needs pytest: pip install pytest")
        reason = tensorrt_open.unavailable_reason(self.flavour)
        if reason is not None:
            raise EdgeSRError(reason)
        gpu = tensorrt_open.find_gpu()
        return {
            **dataclasses.asdict(gpu),
            "tensorrt": installed_version(self.flavour),
            "system": platform.platform(),
            "python": platform.python_version(),
            "l4t": _text(Path("/etc/nv_tegra_release")),
            "power mode": _text(Path("/var/lib/nvpmodel/status")),
        }

    def _doctor(self) -> list[dict[str, str]]:
        return [dataclasses.asdict(finding) for finding in examine()]

    def _build(self) -> list[dict[str, Any]]:
        target = load_target("auto", tensorrt_open.find_gpu())
        sizes = (self.scope.size,)
        request = BuildRequest(self.bundle, target, self.scope.precision, sizes, flavour=self.flavour)
        built = build(request, find_workplace(request, ""), EngineStore(), print, force=True)
        manifests = [item.engine.manifest for item in built]
        return [{"name": m.key.name, "bytes": m.bytes, "seconds": m.seconds} for m in manifests]

    def _frames(self) -> list[dict[str, Any]]:
        return [self._under_way(graphs) for graphs in (False, True)]

    def _under_way(self, graphs: bool) -> dict[str, Any]:
        config = RunnerConfig(self.bundle, self.scope.precision, "uint8", 4)
        with ExitStack() as stack:
            said = stack.enter_context(warnings.catch_warnings(record=True))
            warnings.simplefilter("always")
            runner = stack.enter_context(closing(tensorrt_open.open_runner(config, self.flavour, graphs)))
            plan = self._plan()
            first = next(runner.stream(self._pictures(1), plan)).frame
            rates = [self._rate(runner, plan) for _ in range(2)]
            psnr, levels = difference(first, self._on_cpu(plan))
            times = [result.times for result in runner.stream(self._pictures(7), plan)]
            return {
                "graphs": graphs,
                "size": f"{size_text(self.scope.size)} to {size_text(self.scope.output)}",
                "db_from_cpu": round(min(psnr, 200.0), 2),
                "largest_level": levels,
                "frames_per_second": rates,
                "medians_ms": {
                    part: round(float(np.median([getattr(one, part) for one in times])), 3)
                    for part in ("upload_ms", "encoder_ms", "decoder_ms", "download_ms")
                },
                "device_bytes": runner.device_bytes,
                "said": sorted({str(one.message) for one in said}),
            }

    def _plan(self) -> Plan:
        about = self.bundle.description
        footprint = Footprint(about.radius, about.halo, about.working_bytes, None)
        return plan_run(self.scope.size, self.scope.output, None, footprint)

    def _pictures(self, count: int) -> Iterator[Frame]:
        card = reference_card(*self.scope.size)
        return (np.ascontiguousarray(np.roll(card, 5 * number, axis=1)) for number in range(count))

    def _rate(self, runner: Runner, plan: Plan) -> float:
        began = time.perf_counter()
        count = sum(1 for _ in runner.stream(self._pictures(self.scope.frames), plan))
        return round(count / (time.perf_counter() - began), 2)

    def _on_cpu(self, plan: Plan) -> Frame:
        with closing(OnnxRunner(RunnerConfig(self.bundle, "fp32", "uint8", 4))) as runner:
            return next(runner.stream(self._pictures(1), plan)).frame

    def _film(self) -> dict[str, Any]:
        source = make_film(
            self.folder / "film.mp4", Making(size=self.scope.size, frames=self.scope.film_frames)
        )
        scale = Fraction(self.scope.output[0], self.scope.size[0])
        request = Request(
            str(source),
            self.folder / "larger.mp4",
            scale=scale,
            model=self.scope.model,
            backend=self.flavour.value,
            precision=self.scope.precision,
        )
        return upscale(request).mapping()


def device_layer() -> str:
    """What the device's own tests say, of which none may be left out; ``OSError`` when one is, or fails.

    They go by no configuration, whose plugins are not there where only Edge SR is installed.
    """
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "-q", "-s", "-rs", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(DEVICE_TESTS)], capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode or "skipped" in done.stdout:
        raise OSError(f"{DEVICE_TESTS.name}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout[-4000:]


def _text(path: Path) -> str:
    return path.read_text(errors="replace").strip() if path.exists() else ""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("flavour", choices=[*(flavour.value for flavour in Flavour), "rehearsal"])
    parser.add_argument("-o", "--output", type=Path, default=Path("first-run.json"))
    options = parser.parse_args(arguments)
    rehearsal = options.flavour == "rehearsal"
    import tempfile

    with tempfile.TemporaryDirectory(prefix="edge-sr-") as folder, ExitStack() as stack:
        if rehearsal:
            from support.rehearsal import on_checking_device

            stack.enter_context(on_checking_device(Path(folder)))
        flavour = Flavour.RTX if rehearsal else Flavour(options.flavour)
        first = FirstRun(flavour, REHEARSAL if rehearsal else Scope(), Path(folder))
        passed = first.run(rehearsal=rehearsal)
    options.output.write_text(json.dumps({"rehearsal": rehearsal, **first.found}, indent=1) + "\n")
    print(f"{options.output}: {'all steps went through' if passed else 'not all steps went through'}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
