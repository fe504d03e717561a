"""Every environment variable of ours stands in the reference."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [*ROOT.glob("edge_sr/**/*.py"), *ROOT.glob("integrations/*/src/*.cpp")]


def test_the_reference_lists_every_variable() -> None:
    read = {
        name for path in SOURCES for name in re.findall(r"EDGE_SR_[A-Z]+", path.read_text(encoding="utf-8"))
    }
    page = (ROOT / "docs/reference/formats.md").read_text(encoding="utf-8")
    assert len(read) >= 4 and {name for name in read if f"| `{name}` |" not in page} == set()
