#!/usr/bin/env python3
"""Pack the pictures that a training run would read, as AVIF: all of them in a few per cent of their crops' size.

    python export/pack_pictures.py SPEC.toml FOLDER [FOLDER...] -o PACKED [--quality 81]

For a machine that little can be carried to (`on_gpu.sh`). Each picture is shrunk as its listing says first, and those
too small for a crop are left out; those for validation are kept to the last bit. PACKED is then a folder like any
other, with the listing that the spec names.
"""

from __future__ import annotations

import argparse
import functools
import io
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from edge_sr.errors import EdgeSRError, MediaError, MissingError, OutputExistsError  # noqa: E402
from edge_sr.files.config import load_toml  # noqa: E402
from edge_sr.spec import ModelSpec  # noqa: E402
from edge_sr.training.data.pictures import VALIDATION, Picture, find_pictures, read_for_crops  # noqa: E402
from edge_sr.training.data.processes import picture_processes  # noqa: E402
from edge_sr.training.spec import training_spec  # noqa: E402

LISTING = "files.tsv"


def pack(spec: Path, folders: list[Path], output: Path, quality: int) -> int:
    """Bytes written. Raises ``OutputExistsError`` for an output that is there, and what ``find_pictures`` raises."""
    if output.exists():
        raise OutputExistsError(f"{output} exists: name another folder or remove it")
    data = training_spec(load_toml(spec, ModelSpec)).data
    pictures = find_pictures(folders, data.listing)
    output.mkdir(parents=True)
    coded = functools.partial(encoded, least=data.crop, quality=quality)
    rows, total = [], 0
    with picture_processes() as pool:
        for index, (picture, content) in enumerate(zip(pictures, pool.map(coded, pictures), strict=True)):
            if content:
                name = f"{index:05}{'.webp' if picture.validation else '.avif'}"
                (output / name).write_bytes(content)
                rows.append("\t".join([name, "1", *([VALIDATION] if picture.validation else [])]))
                total += len(content)
    (output / (data.listing or LISTING)).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return total


def encoded(picture: Picture, least: int, quality: int) -> bytes:
    """Nothing for a picture that gives no crop, after saying so."""
    from PIL import Image

    try:
        pixels = read_for_crops(picture, least)
    except (MediaError, MissingError) as error:
        print(f"skipped {error}", file=sys.stderr)
        return b""
    buffer = io.BytesIO()
    if picture.validation:
        Image.fromarray(pixels).save(buffer, "WEBP", lossless=True)
    else:
        Image.fromarray(pixels).save(buffer, "AVIF", quality=quality, subsampling="4:4:4", max_threads=1)
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("spec", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--quality", type=int, default=81)
    options = parser.parse_args()
    try:
        total = pack(options.spec, options.folders, options.output, options.quality)
    except EdgeSRError as error:
        sys.exit(f"pack_pictures: {error}")
    print(f"{options.output}: {total / 2**20:.0f} MB")


if __name__ == "__main__":
    main()
