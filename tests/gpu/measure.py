"""What ``on_gpu.sh`` measures: times of kernels and frames, PyTorch's beside them, a film, and the table of it all.

    python tests/gpu/measure.py times|pytorch|film|surfaces|once [--small] -o FILE.json
    python tests/gpu/measure.py source [--small] -o FILM.mp4
    python tests/gpu/measure.py table FOLDER -o table.md

Milliseconds are medians by CUDA events, one frame after the other. ``once`` runs every kernel of both shipped networks
on a small picture, for ``compute-sanitizer``. ``source`` makes the film that ``film`` and ``surfaces`` take with
``--source``. What was measured is in the file even where a step is stopped; without ``-o`` it is printed.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pytorch_rival import race
from support.films import Making, make_film

from edge_sr.backends.base import RunnerConfig
from edge_sr.backends.cuda import variants
from edge_sr.backends.cuda.encoder_run import Features, Variant
from edge_sr.backends.cuda.open import open_runner
from edge_sr.backends.cuda.runner import CudaRunner
from edge_sr.backends.cuda.session import Session
from edge_sr.bundle import open_bundle
from edge_sr.grid import sampling_grid
from edge_sr.kinds import Precision
from edge_sr.tensors import reference_card

Row = dict[str, Any]
MODELS = ("diinn-edge", "diinn-nano")
PRECISIONS: tuple[Precision, ...] = ("fp16", "int8")


@dataclass(frozen=True)
class Extent:
    """How much is measured: real sizes on a GPU, small ones on the emulated one. ``source``: a film that is there."""

    sizes: tuple[tuple[int, int], ...] = ((1280, 720), (1920, 1080))
    rounds: int = 20
    film: tuple[int, int] = (1280, 720)
    frames: int = 250
    source: Path | None = None


SMALL = Extent(((34, 7),), 1, (34, 16), 3)


def runner_of(model: str, precision: Precision) -> CudaRunner:
    scheme = "int8" if precision == "int8" else None
    runner = open_runner(RunnerConfig(open_bundle(model), precision, scheme=scheme))
    assert isinstance(runner, CudaRunner)
    return runner


class Watch:
    """Events around work on a runner's compute stream."""

    def __init__(self, runner: CudaRunner, rounds: int) -> None:
        self._device, self._rounds = runner._device, rounds
        self._start, self._end = self._device.driver.event(), self._device.driver.event()

    def milliseconds(self, work: Callable[[], None], repeats: int = 1) -> float:
        compute, found = self._device.gpu.compute, []
        for _ in range(1 + self._rounds):
            self._start.record(compute)
            for _ in range(repeats):
                work()
            self._end.record(compute)
            self._end.synchronize()
            found.append(self._end.milliseconds_since(self._start) / repeats)
        return round(statistics.median(found[1:]), 4)

    def free(self) -> None:
        self._start.free()
        self._end.free()


def times(extent: Extent) -> Iterator[Row]:
    """Of every variant, every kernel of the chosen one, and whole frames at x2."""
    for model in MODELS:
        for precision in PRECISIONS:
            with closing(runner_of(model, precision)) as runner, runner._device.driver.entered():
                for size in extent.sizes:
                    yield timed(runner, size, extent, model, precision)


def timed(runner: CudaRunner, size: tuple[int, int], extent: Extent, model: str, precision: str) -> Row:
    width, height = size
    grid, network = sampling_grid(size, (2 * width, 2 * height)), runner._network
    device, resident = runner._device, runner._device.resident
    session = Session(device, network, (1, height, width, 3), grid, runner._dtype, height, True)
    watch = Watch(runner, extent.rounds)
    try:
        assert session._workspace is not None
        slot, features = session.ring._slots[0], session._workspace.features(height)
        device.upload(reference_card(width, height), slot.image.address)

        def launches(variant: Any) -> Any:
            return network.encoder.launches(slot.image.address, "uint8", features, variant, resident)

        each = {}
        for variant in variants.candidates(device, network.encoder_form, int8=network.encoder.int8):
            each[variant.name] = watch.milliseconds(lambda v=variant: device.launch(launches(v)))  # type: ignore[misc]
        kernels, repeats = {}, 3 if extent.rounds > 1 else 1
        for launch in [*launches(network.variant), *session._whole(slot)[1]]:
            name = launch.kernel.name
            if name not in kernels:
                kernels[name] = watch.milliseconds(lambda one=launch: device.launch([one]), repeats)  # type: ignore[misc]
        encoder = watch.milliseconds(lambda: session.encode(slot))
        decoder = watch.milliseconds(lambda: session.decode(slot))
    finally:
        watch.free()
        session.close()
    ours = {"model": model, "precision": precision, "size": [width, height], "variant": network.variant.name}
    whole = {"encoder_ms": encoder, "decoder_ms": decoder, "frame_ms": round(encoder + decoder, 4)}
    return {**ours, **whole, "variants_ms": each, "kernels_ms": kernels}


def once(_extent: Extent) -> Iterator[Row]:
    """Every kernel that the two networks have, in every variant, on one small picture."""
    image = reference_card(70, 41)[None]
    for model in MODELS:
        for precision in PRECISIONS:
            # Which is the fastest is measured on a picture that fills the GPU: too long under a checker.
            with patch.object(variants, "fastest", lambda *_: Variant()):
                opened = runner_of(model, precision)
            with closing(opened) as runner, runner._device.driver.entered():
                count = _every_variant(runner, image)
                runner.decode(runner.encode(image), image, sampling_grid((70, 41), (189, 110)))
            yield {"model": model, "precision": precision, "variants": count}


def _every_variant(runner: CudaRunner, image: Any) -> int:
    device, network = runner._device, runner._network
    _, height, width, _ = image.shape
    grid = sampling_grid((width, height), (width, height))
    with closing(Session(device, network, image.shape, grid, runner._dtype, height, True)) as session:
        assert session._workspace is not None
        slot: Any = session.ring._slots[0]
        features: Features = session._workspace.features(height)
        device.upload(image, slot.image.address)
        choices = variants.candidates(device, network.encoder_form, int8=network.encoder.int8)
        for variant in choices:
            device.launch(
                network.encoder.launches(slot.image.address, "uint8", features, variant, device.resident)
            )
            device.gpu.compute.synchronize()
        return len(choices)


def pytorch(extent: Extent) -> Iterator[Row]:
    """The same networks in PyTorch."""
    return race(MODELS, extent.sizes, extent.rounds)


def make_source(extent: Extent, path: Path) -> Path:
    return make_film(path, Making(size=extent.film, frames=extent.frames))


@contextmanager
def filmed(extent: Extent) -> Iterator[tuple[Path, Path]]:
    """The film to upscale, and a folder for what comes of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = extent.source
        if source is None or not source.exists():
            source = make_source(extent, folder / "film.mp4")
        yield source, folder


def film(extent: Extent) -> Iterator[Row]:
    """``upscale`` of the film, twofold, end to end, as the command reports it."""
    from edge_sr.upscale.run.request import Request
    from edge_sr.upscale.upscale import upscale

    with filmed(extent) as (source, folder):
        for model in MODELS:
            target = folder / f"{model}.mp4"
            request = Request(
                str(source), target, scale=Fraction(2), model=model, backend="cuda", preset="ultrafast"
            )
            yield {"film": model, **upscale(request).mapping()}


def surfaces(extent: Extent) -> Iterator[Row]:
    """A film by the GPU's video decoder, its encoder and both, in the GPU's memory and by way of the host: the same?"""
    from edge_sr.errors import EdgeSRError
    from edge_sr.upscale.run.request import Request
    from edge_sr.upscale.upscale import upscale

    common: dict[str, Any] = {"scale": Fraction(2), "model": "diinn-nano", "backend": "cuda"}
    rows = []
    with filmed(extent) as (source, folder):
        for hwaccel, codec in (("cuda", "x264"), ("none", "hevc_nvenc"), ("cuda", "hevc_nvenc")):
            row: dict[str, Any] = {"hwaccel": hwaccel, "codec": codec}
            try:
                for stays in (True, False):
                    CudaRunner.takes_surfaces = stays
                    target = folder / f"{hwaccel}-{codec}-{stays}.mp4"
                    request = Request(str(source), target, hwaccel=hwaccel, codec=codec, **common)
                    row[f"surfaces {stays}"] = upscale(request).mapping()["fps"]
                    row.setdefault("pictures", set()).add(pictures_hash(target))
            except EdgeSRError as error:
                row["left_out"] = str(error)
            row["same"] = len(row.pop("pictures", ())) < 2
            rows.append(row)
            yield row
    assert all(row["same"] for row in rows), rows


def pictures_hash(path: Path) -> str:
    """Of every plane that decodes."""
    import av

    digest = hashlib.sha256()
    with av.open(str(path)) as film:
        for frame in film.decode(video=0):
            for plane in frame.planes:
                digest.update(bytes(plane))
    return digest.hexdigest()


def table(folder: Path) -> str:
    """The README's table, of whatever steps came through."""
    name = next(iter(_lines(folder / "device.log")[1:]), "no device was named").split(",")[0]
    return "".join(
        [
            f"{name}, x2, milliseconds a frame, encoder + decoder\n\n",
            "| network | from | fp16 | int8 | PyTorch compiled | PyTorch eager |\n|---|---|---|---|---|---|\n",
            *_rows(_read(folder / "times.json"), _read(folder / "pytorch.json")),
            *_films(_read(folder / "film.json")),
            *_surfaces(_read(folder / "surfaces.json")),
            "\nSteps: " + "; ".join(_lines(folder / "steps.txt")) + "\n",
        ]
    )


def _rows(ours: list[Row], theirs: list[Row]) -> Iterator[str]:
    for model, size in dict.fromkeys((row["model"], tuple(row["size"])) for row in ours):

        def cell(rows: list[Row], key: str, value: str, at: Any = (model, size)) -> str:
            for row in rows:
                if (row["model"], tuple(row["size"])) == at and row[key] == value and "frame_ms" in row:
                    return f"{row['encoder_ms']:.2f} + {row['decoder_ms']:.2f} = {row['frame_ms']:.2f}"
            return "not measured"

        own = (cell(ours, "precision", precision) for precision in PRECISIONS)
        rivals = (cell(theirs, "way", way) for way in ("compiled", "eager"))
        yield f"| {model} | {size[0]} x {size[1]} | {' | '.join([*own, *rivals])} |\n"


def _films(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        yield f"\n{row['film']}: a film at {row['fps']:.1f} frames a second, end to end.\n"


def _surfaces(rows: list[Row]) -> Iterator[str]:
    for row in rows:
        ways = f"--hwaccel {row['hwaccel']}, {row['codec']}"
        if "left_out" in row:
            yield f"\n{ways}: left out, {row['left_out']}\n"
        else:
            rates = row["surfaces True"], row["surfaces False"]
            yield "\n{}: {:.1f} frames a second on the GPU alone, {:.1f} by way of the host.\n".format(
                ways, *rates
            )


def _read(path: Path) -> list[Row]:
    try:
        rows: list[Row] = json.loads(path.read_text())["rows"]
    except (OSError, ValueError, KeyError):
        return []
    return rows


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    steps = {"times": times, "pytorch": pytorch, "film": film, "surfaces": surfaces, "once": once}
    parser.add_argument("what", choices=[*steps, "source", "table"])
    parser.add_argument("folder", nargs="?", type=Path, default=Path())
    parser.add_argument("--small", action="store_true", help="sizes for the emulated GPU")
    parser.add_argument("--rounds", type=int, help="how often each time is measured")
    parser.add_argument("--source", type=Path, help="a film that is there")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    extent = dataclasses.replace(SMALL if options.small else Extent(), source=options.source)
    if options.rounds:
        extent = dataclasses.replace(extent, rounds=options.rounds)
    if options.what == "source":
        make_source(extent, options.output)
    elif options.what == "table":
        options.output.write_text(table(options.folder), encoding="utf-8")
    else:
        rows: list[Row] = []
        for row in steps[options.what](extent):
            rows.append(row)
            if options.output is None:
                print(json.dumps(row), flush=True)
            else:
                options.output.write_text(json.dumps({"rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
