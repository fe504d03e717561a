#!/usr/bin/env python3
"""Measure what bfloat16 and float16 lose in the bundles that the package ships, and state it in their ``bundle.json``.

    python calibration/make_losses.py --frames LIST [NAME...] [--install]

LIST is a list of HR references as for ``make_int8.py``, which measures the same when it calibrates; this does it alone.
Without ``--install`` the figures are printed and nothing is written.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from make_int8 import HERE, read_list

from edge_sr.bundle import Bundle, open_bundle, shipped_bundles, write_description
from edge_sr.calibration.calibrate import subject_of
from edge_sr.calibration.frames.selection import choose_frames
from edge_sr.calibration.frames.sources import read_references
from edge_sr.calibration.losses import Losses, measure_losses, with_losses
from edge_sr.calibration.recipe import read_recipe
from edge_sr.calibration.search.trial import Trial


def measure(bundle: Bundle, frames: tuple[Path, ...]) -> Losses:
    """The losses on the held-out frames of the bundle's recipe."""
    recipe = read_recipe(HERE / "recipes" / f"{bundle.name}.toml").settled(bundle.description.scale)
    subject = subject_of(bundle)
    held_out = choose_frames(read_references(frames), recipe).held_out
    trial = Trial(subject, subject.models, held_out, recipe.exact_scales)
    return measure_losses(
        bundle, trial, lambda text: print(f"{bundle.name} {text}", file=sys.stderr, flush=True)
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="shipped bundles; all by default")
    parser.add_argument("--frames", type=Path, required=True, metavar="LIST", help="list of HR references")
    parser.add_argument("--install", action="store_true", help="state them in the shipped bundles")
    options = parser.parse_args()
    frames = read_list(options.frames)
    for name in options.names or [bundle.name for bundle in shipped_bundles()]:
        bundle = open_bundle(name)
        losses = measure(bundle, frames)
        for precision, entry in losses.items():
            print(f"{name} {precision}: {entry['mean_db']:+.4f} dB, worst {entry['worst_db']:+.4f} dB")
        if options.install:
            write_description(bundle.path, with_losses(bundle.description, losses))


if __name__ == "__main__":
    main()
