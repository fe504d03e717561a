#!/usr/bin/env python3
"""Make the INT8 graphs of the bundles that the package ships, each by the recipe of its name.

    python calibration/make_int8.py --frames LIST [NAME...] [--install]

LIST is a text file of references, one path a line relative to the file, ``#`` before remarks. The bundles go to
``calibration/out/NAME``; with ``--install`` they take the place of the shipped ones, whole or not at all.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from edge_sr.bundle import open_bundle, shipped_bundles
from edge_sr.calibration.calibrate import Calibrated, CalibrationRequest, calibrate
from edge_sr.calibration.recipe import read_recipe
from edge_sr.errors import EdgeSRError

HERE = Path(__file__).resolve().parent


def read_list(path: Path) -> tuple[Path, ...]:
    """The paths in a list of references."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(path.parent / line for line in lines if line and not line.startswith("#"))


def make(name: str, frames: tuple[Path, ...], install: bool) -> Calibrated:
    """Calibrate one shipped bundle by its recipe."""
    bundle = open_bundle(name)
    out = bundle.path if install else HERE / "out" / name
    out.parent.mkdir(exist_ok=True)
    cache = HERE / "out" / f"{name}.calibration.json"
    cache.parent.mkdir(exist_ok=True)
    recipe = read_recipe(HERE / "recipes" / f"{name}.toml")
    request = CalibrationRequest(bundle, frames, recipe, out, cache, overwrite=True)
    return calibrate(request, lambda message: print(f"{name}: {message}", file=sys.stderr, flush=True))


def report(name: str, done: Calibrated, seconds: float) -> None:
    for scheme, entry in done.table.placements.items():
        kept = ", ".join(entry.high_precision) or "nothing"
        print(
            f"{name} {scheme}: {entry.mean_db:+.4f} dB, worst {entry.worst_db:+.4f} dB; "
            f"in high precision: {kept}; {seconds:.0f} s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="shipped bundles; all by default")
    parser.add_argument("--frames", type=Path, required=True, metavar="LIST", help="list of references")
    parser.add_argument("--install", action="store_true", help="replace the shipped bundles")
    options = parser.parse_args()
    frames = read_list(options.frames)
    for name in options.names or [bundle.name for bundle in shipped_bundles()]:
        start = time.perf_counter()
        try:
            done = make(name, frames, options.install)
        except EdgeSRError as error:
            sys.exit(f"{name}: {error}")
        report(name, done, time.perf_counter() - start)


if __name__ == "__main__":
    main()
