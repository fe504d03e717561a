"""The table of codecs in the guide to films is what the encoders' descriptions say."""

from __future__ import annotations

import re
from pathlib import Path

from edge_sr.video.encode.codecs import ALIASES, CODECS, Codec

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "films.md"


def described(codec: Codec) -> list[str]:
    """A row's first cells, and how the cell of the preset begins."""
    also = [f"`{name}`" for name, meant in ALIASES.items() if meant == codec.name]
    return [
        f"`{codec.name}`",
        ", ".join(also),
        ", ".join(sorted(codec.containers)),
        ", ".join(codec.chroma),
        ", ".join(map(str, codec.depths)),
        "" if codec.crf is None else f"{codec.crf}, of 0 to {codec.crf_limit}",
        "" if codec.preset is None else f"`{codec.preset}`",
    ]


def test_the_guide_lists_the_codecs_as_they_are() -> None:
    section = re.search(r"^## Codecs\n(.+?)^## ", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert section is not None
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in section[1].splitlines() if "|" in line
    ]
    told = {row[0].strip("`"): [*row[:-1], row[-1].partition(", of ")[0]] for row in rows[2:]}
    assert told == {codec.name: described(codec) for codec in CODECS.values()}
