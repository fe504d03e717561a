"""Prints the latency in ms that a live pipeline asks for once it played; run by whichever Python has the bindings."""

from __future__ import annotations

import sys

import gi

gi.require_version("Gst", "1.0")
from gi.repository import Gst

Gst.init(None)
pipeline = Gst.parse_launch(sys.argv[1])
pipeline.set_state(Gst.State.PLAYING)
pipeline.get_bus().timed_pop_filtered(30 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
query = Gst.Query.new_latency()
assert pipeline.query(query)
live, least, _ = query.parse_latency()
print(live, least / Gst.MSECOND)
pipeline.set_state(Gst.State.NULL)
