"""Whether a TGA file has an alpha channel, as its header says."""

from __future__ import annotations

from pathlib import Path

TRUE_COLOUR = (2, 10)  # plain and run-length encoded


def states_no_alpha(path: Path) -> bool:
    """Whether it is a TGA of 32 bits a pixel none of which are said to be alpha."""
    with path.open("rb") as file:
        head = file.read(18)
    is_tga = path.suffix.lower() == ".tga" and len(head) == 18
    return is_tga and head[2] in TRUE_COLOUR and head[16] == 32 and head[17] & 15 == 0
