"""Starts and stops a pipeline again and again, or runs one long; run by whichever Python has GStreamer's bindings.

TIMES PIPELINE: plays a frame of it each time; prints resident kB after a tenth and at the end.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst


def resident() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


Gst.init(None)
times, text = int(sys.argv[1]), sys.argv[2]
pipeline = Gst.parse_launch(text)
for turn in range(times):
    pipeline.set_state(Gst.State.PLAYING)
    found = pipeline.get_bus().timed_pop_filtered(
        30 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR
    )
    if found is None or found.type != Gst.MessageType.EOS:
        sys.exit(f"turn {turn}: {found.parse_error() if found else 'nothing within 30 seconds'}")
    pipeline.set_state(Gst.State.NULL)
    if turn in (times // 10, times - 1):
        print(resident())
