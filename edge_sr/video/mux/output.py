"""The file that a film is muxed into, opened with FFmpeg's muxer or, for what PyAV refuses, its tee muxer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from edge_sr.video.encode.containers import Container
from edge_sr.video.opening import ffmpeg_name

# What has a meaning in the tee muxer's own language.
_SPECIAL = re.compile(r"([\\'\[\]|:\s])")


def open_output(path: Path, container: Container, options: dict[str, str], *, tee: bool) -> Any:
    """The output container. ``tee``: the muxer itself decides what it can hold; chapters are then lost."""
    import av

    if not tee:
        return av.open(ffmpeg_name(str(path)), "w", format=container.muxer, container_options=options)
    words = [f"f={container.muxer}", *(f"{key}={value}" for key, value in options.items())]
    name = _SPECIAL.sub(r"\\\1", ffmpeg_name(str(path)))
    return av.open(f"[{':'.join(words)}]{name}", "w", format="tee")
