"""Live sources, read to their end."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from edge_sr.video.live.address import parse_address
from edge_sr.video.live.sources import SourcePlan


def items_of(address: Path | str) -> list[Any]:
    """All that a source gives: pictures as they arrive, and sound."""
    with closing(SourcePlan(parse_address(str(address))).open(threading.Event())) as source:
        return list(source)
