"""VMAF by libvmaf, of the FFmpeg that ``imageio-ffmpeg`` carries. Where that is absent reports go without."""

from __future__ import annotations

import json
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
# The planes keep their size, so that colour counts at full resolution in neither picture.
GRAPH = "[0]format=yuv444p[a];[1]format=yuv444p[b];[a][b]libvmaf=log_fmt=json:log_path=log.json"


def find_ffmpeg() -> str | None:
    """An FFmpeg with libvmaf, or ``None``."""
    if find_spec("imageio_ffmpeg") is None:
        return None
    import imageio_ffmpeg

    found = str(imageio_ffmpeg.get_ffmpeg_exe())
    filters = subprocess.run([found, "-hide_banner", "-filters"], capture_output=True, text=True, check=False)
    return found if " libvmaf " in filters.stdout else None


def vmaf(ffmpeg: str, picture: Picture, original: Picture) -> float | None:
    """0 to 100, libvmaf's built-in model on one frame, so without motion; ``None`` where it refuses the size."""
    height, width = original.shape[:2]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-i"]
    with tempfile.TemporaryDirectory() as folder:
        for name, pixels in (("picture", picture), ("original", original)):
            (Path(folder) / name).write_bytes(np.ascontiguousarray(pixels).tobytes())
        command = [
            ffmpeg,
            "-v",
            "error",
            *raw,
            "picture",
            *raw,
            "original",
            "-lavfi",
            GRAPH,
            "-f",
            "null",
            "-",
        ]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        log = Path(folder) / "log.json"
        if done.returncode or not log.is_file():
            return None
        mean: float = json.loads(log.read_text(encoding="utf-8"))["pooled_metrics"]["vmaf"]["mean"]
        return mean
