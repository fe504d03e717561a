"""A source sent from one WebRTC peer to another of this process; run by whichever Python has GStreamer's bindings.

FRAMES SOURCE: sends a source of so many frames; prints how many came out at the other end, and their size.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import gi

gi.require_version("Gst", "1.0")
try:
    gi.require_version("GstWebRTC", "1.0")
    gi.require_version("GstSdp", "1.0")
    from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: F401
except (ValueError, ImportError):
    sys.exit("not installed: gir1.2-gst-plugins-bad-1.0")

SECONDS = 30
Gst.init(None)
if any(Gst.ElementFactory.find(name) is None for name in ("webrtcbin", "nicesrc", "vp8enc", "srtpenc")):
    sys.exit("not installed: gstreamer1.0-plugins-bad, gstreamer1.0-nice")
frames, source = int(sys.argv[1]), sys.argv[2]
sender = Gst.parse_launch(
    f"{source} ! videoconvert ! vp8enc deadline=1 ! rtpvp8pay "
    "! application/x-rtp,media=video,encoding-name=VP8,payload=96 ! webrtcbin name=here"
)
receiver, there = Gst.Pipeline.new(), Gst.ElementFactory.make("webrtcbin")
receiver.add(there)
here = sender.get_by_name("here")
loop, received, replies = GLib.MainLoop(), [], []


def told(name: str, then: Callable[[Any], None]) -> Any:
    """A promise of a description, which lives as long as the reply that it came in."""

    def done(promise: Any, _: Any) -> None:
        promise.wait()
        replies.append(promise.get_reply())
        then(replies[-1].get_value(name))

    return Gst.Promise.new_with_change_func(done, None)


def offered(offer: Any) -> None:
    here.emit("set-local-description", offer, Gst.Promise.new())
    there.emit("set-remote-description", offer, told_of_offer)


def answered(answer: Any) -> None:
    there.emit("set-local-description", answer, Gst.Promise.new())
    here.emit("set-remote-description", answer, Gst.Promise.new())


def seen(pad: Any, _: Any) -> Any:
    shape = pad.get_current_caps().get_structure(0)
    received.append((shape.get_value("width"), shape.get_value("height")))
    if len(received) == frames:
        loop.quit()
    return Gst.PadProbeReturn.OK


def added(element: Any, pad: Any) -> None:
    """From the peer to a decoder, and from that to where frames are counted."""
    following = Gst.ElementFactory.make("decodebin" if element is there else "fakesink")
    receiver.add(following)
    following.sync_state_with_parent()
    pad.link(following.get_static_pad("sink"))
    if element is there:
        following.connect("pad-added", added)
    else:
        following.set_property("sync", False)
        pad.add_probe(Gst.PadProbeType.BUFFER, seen)


told_of_offer = Gst.Promise.new_with_change_func(
    lambda *_: there.emit("create-answer", None, told("answer", answered)), None
)
there.connect("pad-added", added)
for one, other in ((here, there), (there, here)):
    one.connect(
        "on-ice-candidate", lambda _, line, words, to: to.emit("add-ice-candidate", line, words), other
    )
here.connect("on-negotiation-needed", lambda _: here.emit("create-offer", None, told("offer", offered)))
receiver.set_state(Gst.State.PLAYING)
sender.set_state(Gst.State.PLAYING)
GLib.timeout_add_seconds(SECONDS, loop.quit)
loop.run()
print(len(received), *set(received))
sender.set_state(Gst.State.NULL)
receiver.set_state(Gst.State.NULL)
