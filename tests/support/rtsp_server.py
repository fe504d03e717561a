"""A small RTSP server on GStreamer's, run by whichever Python has its bindings: PORT as the only argument.

It serves ``/cam``, and ``/udp`` by UDP alone.
"""

from __future__ import annotations

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
gi.require_version("GstRtsp", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer

CAMERA = (
    "( videotestsrc is-live=true pattern=ball ! video/x-raw,width=96,height=64,framerate=15/1 ! "
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! rtph264pay name=pay0 )"
)

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_service(sys.argv[1])
for path, ways in (("/cam", None), ("/udp", GstRtsp.RTSPLowerTrans.UDP)):
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(CAMERA)
    factory.set_shared(True)
    if ways is not None:
        factory.set_protocols(ways)
    server.get_mount_points().add_factory(path, factory)
server.attach(None)
GLib.MainLoop().run()
