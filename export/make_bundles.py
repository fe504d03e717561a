#!/usr/bin/env python3
"""Make the bundles that the package ships, again, from the model specs and weights of this folder.

    python export/make_bundles.py                    every spec of export/models
    python export/make_bundles.py diinn-nano         only this one
    python export/make_bundles.py --out FOLDER       elsewhere than in the package

A bundle that holds INT8 graphs loses them: they come from frames, by `edge-sr calibrate`.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from edge_sr.errors import EdgeSRError, InputNotFoundError, UnknownNameError  # noqa: E402
from edge_sr.files.config import load_toml  # noqa: E402
from edge_sr.spec import ModelSpec  # noqa: E402

PRECISIONS = ("fp32", "fp16")


def main() -> None:
    arguments = parse_arguments()
    try:
        for path in chosen_specs(arguments.names):
            make(path, arguments.out)
    except EdgeSRError as error:
        sys.exit(f"make_bundles: {error}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="model names; all specs by default")
    parser.add_argument("--out", type=Path, default=HERE.parent / "edge_sr" / "bundles")
    return parser.parse_args()


def chosen_specs(names: list[str]) -> list[Path]:
    specs = {path.stem: path for path in sorted((HERE / "models").glob("*.toml"))}
    unknown = [name for name in names if name not in specs]
    if unknown:
        raise UnknownNameError(f"no spec {unknown[0]!r} in {HERE / 'models'}; known: {', '.join(specs)}")
    return [specs[name] for name in names or specs]


def make(path: Path, out: Path) -> None:
    """Export one spec to a new folder, which takes the old bundle's place when it is complete."""
    from edge_sr.bundle import Source
    from edge_sr.export.bundle import Identity
    from edge_sr.export.checkpoint import export_checkpoint
    from edge_sr.models.checkpoint import load_checkpoint

    spec = load_toml(path, ModelSpec)
    weights = path.parent / spec.weights
    if not weights.is_file():
        raise InputNotFoundError(f"{path.name} names {weights}, which is not there; edge-sr train writes it")
    loaded = load_checkpoint(weights, spec.network())
    identity = Identity(
        spec.name, spec.version, Source(weights.name, loaded.sha256, loaded.notes), spec.default_for
    )
    out.mkdir(parents=True, exist_ok=True)
    draft = out / f".{spec.name}.new"
    shutil.rmtree(draft, ignore_errors=True)
    bundle = export_checkpoint(loaded, identity, draft, PRECISIONS, lambda step: say(f"{spec.name}: {step}"))
    shutil.rmtree(out / spec.name, ignore_errors=True)
    draft.rename(out / spec.name)
    say(f"{out / spec.name}: {bundle.description.parameters:,} parameters, {', '.join(bundle.precisions)}")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
