#!/usr/bin/env python3
"""Pack the crops that a training run would cut: all that another machine needs of the pictures.

    python export/pack_crops.py SPEC.toml FOLDER [FOLDER...] -o NAME.crops [--mb 50]

The most detailed crops are kept, at most the spec's ``data.cache_mb``, or ``--mb``. ``edge-sr train --images
NAME.crops`` takes the file in place of folders.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from edge_sr.errors import EdgeSRError, OutputExistsError  # noqa: E402
from edge_sr.files.config import load_toml  # noqa: E402
from edge_sr.spec import ModelSpec  # noqa: E402
from edge_sr.training.data.crops import Crops, collect  # noqa: E402
from edge_sr.training.spec import training_spec  # noqa: E402


def pack(spec: Path, folders: list[Path], output: Path, megabytes: int | None) -> Crops:
    """Raises ``OutputExistsError`` for an output that is there, and what ``collect`` raises."""
    if output.exists():
        raise OutputExistsError(f"{output} exists: name another file or remove it")
    data = training_spec(load_toml(spec, ModelSpec)).data
    if megabytes is not None:
        data = dataclasses.replace(data, cache_mb=megabytes)
    return collect(folders, data, output, lambda text: print(text, file=sys.stderr))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("spec", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--mb", type=int)
    options = parser.parse_args()
    try:
        crops = pack(options.spec, options.folders, options.output, options.mb)
    except EdgeSRError as error:
        sys.exit(f"pack_crops: {error}")
    megabytes = options.output.stat().st_size / 2**20
    print(f"{options.output}: {len(crops.train)} crops of {crops.side} pixels, {megabytes:.0f} MB")


if __name__ == "__main__":
    main()
