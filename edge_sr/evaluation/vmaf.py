"""VMAF and XPSNR, by the FFmpeg that ``imageio-ffmpeg`` carries. Where that is absent reports go without."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from edge_sr.files.drafts import scratch_folder

Picture = NDArray[np.uint8]
# The planes keep their size, so that colour counts at full resolution in neither picture.
PLANES = "[0]format=yuv444p{a};[1]format=yuv444p{b};"
VMAF = "{a}{b}libvmaf=log_fmt=json:log_path=log.json"
GRAPH = PLANES.format(a="[a]", b="[b]") + VMAF.format(a="[a]", b="[b]")
XPSNR_TOO = PLANES.format(a=",split[a][c]", b=",split[b][d]") + VMAF.format(a="[a]", b="[b]") + ";[c][d]xpsnr"
# What the filter says at the end: XPSNR  y: 34.1234  u: ...
LUMA_XPSNR = re.compile(r"XPSNR.*?\by: *([0-9.]+|inf)")


def find_ffmpeg() -> str | None:
    """An FFmpeg with libvmaf, or ``None``."""
    if find_spec("imageio_ffmpeg") is None:
        return None
    import imageio_ffmpeg

    found = str(imageio_ffmpeg.get_ffmpeg_exe())
    filters = subprocess.run([found, "-hide_banner", "-filters"], capture_output=True, text=True, check=False)
    return found if " libvmaf " in filters.stdout else None


def vmaf(ffmpeg: str, picture: Picture, reference: Picture) -> float | None:
    """0 to 100, libvmaf's built-in model on one frame, so without motion; ``None`` where it refuses the size."""
    return _compared(ffmpeg, GRAPH, [picture], [reference]).get("vmaf")


def video_scores(ffmpeg: str, film: Sequence[Picture], reference: Sequence[Picture]) -> dict[str, float]:
    """``vmaf``, the mean of the frames, and ``xpsnr`` of luma in dB (Helmrich et al., *XPSNR*, ICASSP 2020).

    What FFmpeg cannot measure is left out: both for frames that libvmaf is too large for.
    """
    return _compared(ffmpeg, XPSNR_TOO, film, reference)


def _compared(
    ffmpeg: str, graph: str, film: Sequence[Picture], reference: Sequence[Picture]
) -> dict[str, float]:
    height, width = reference[0].shape[:2]
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "25", "-i"]
    with scratch_folder() as folder:
        for name, frames in (("film", film), ("original", reference)):
            (folder / name).write_bytes(b"".join(np.ascontiguousarray(f).tobytes() for f in frames))
        command = [ffmpeg, "-nostdin", "-v", "info", *raw, "film", *raw, "original"]
        command += ["-lavfi", graph, "-f", "null", "-"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        log = folder / "log.json"
        if done.returncode or not log.is_file():
            return {}
        pooled = json.loads(log.read_text(encoding="utf-8"))["pooled_metrics"]
        xpsnr = LUMA_XPSNR.search(done.stderr)
        return {"vmaf": pooled["vmaf"]["mean"], **({"xpsnr": float(xpsnr[1])} if xpsnr else {})}
