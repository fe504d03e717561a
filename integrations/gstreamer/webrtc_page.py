"""Shows a GStreamer pipeline in browsers by WebRTC: python3 integrations/gstreamer/webrtc_page.py HOST:PORT PIPELINE

    python3 integrations/gstreamer/webrtc_page.py 127.0.0.1:8080 \\
        'rtspsrc location=rtsp://camera/stream ! rtph264depay ! avdec_h264 ! edgesr scale=2'

HOST:PORT is the address that browsers open; by another name the page is refused. PIPELINE ends in raw video, and each
page runs one of its own until it is closed. Debian's packages: python3-gi, gir1.2-gst-plugins-bad-1.0,
gstreamer1.0-nice, gstreamer1.0-plugins-good, gstreamer1.0-plugins-bad.
"""

from __future__ import annotations

import re
import select
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import gi

try:
    for name in ("Gst", "GstSdp", "GstWebRTC"):
        gi.require_version(name, "1.0")
except ValueError:
    sys.exit("not installed: gir1.2-gst-plugins-bad-1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC

ELEMENTS = "webrtcbin", "nicesrc", "srtpenc", "vp8enc", "rtpvp8pay", "videoconvert"
MOST_BYTES, MOST_PAGES = 65536, 4
GATHERING_SECONDS, LOOK_SECONDS = 10, 1
PAGE = b"""<!doctype html><meta charset=utf-8><title>edgesr</title>
<style>
body { margin: 0; background: #111; color: #eee; font: 16px sans-serif }
video { display: block; width: 100%; height: 100vh }
</style>
<video autoplay muted playsinline controls></video>
<script type=module>
const peer = window.peer = new RTCPeerConnection();
const video = document.querySelector("video");
peer.addTransceiver("video", {direction: "recvonly"});
peer.ontrack = ({track}) => { video.srcObject = new MediaStream([track]); };
await peer.setLocalDescription();
const said = await fetch("/", {method: "POST", body: peer.localDescription.sdp});
const reader = said.body.pipeThrough(new TextDecoderStream()).getReader();
let sdp = "", part;
while (!(part = await reader.read()).done) {
  sdp += part.value;
  if (said.ok && sdp.endsWith("\\n\\n")) await peer.setRemoteDescription({type: "answer", sdp: sdp.trim() + "\\r\\n"});
}
document.body.prepend(said.ok ? "The stream has ended." : sdp);
</script>"""


class Refused(Exception):
    """What was sent is no offer, or the pipeline cannot answer it."""


def answer_to(offer: str, source: str) -> tuple[Any, str]:
    """A pipeline that plays to whoever made the offer, and the answer to it."""
    payload = re.search(r"^a=rtpmap:(\d+) VP8/90000\r?$", offer, re.MULTILINE)
    if payload is None:
        raise Refused("expected an offer of video in VP8")
    pipeline = Gst.parse_launch(
        f"{source} ! videoconvert ! vp8enc deadline=1 keyframe-max-dist=60 ! rtpvp8pay ! application/x-rtp,"
        f"media=video,encoding-name=VP8,clock-rate=90000,payload={payload[1]} ! webrtcbin name=peer"
    )
    try:
        pipeline.set_state(Gst.State.PLAYING)
        return pipeline, negotiate(pipeline.get_by_name("peer"), offer)
    except BaseException:
        pipeline.set_state(Gst.State.NULL)
        raise


def negotiate(peer: Any, offer: str) -> str:
    """The answer, with every address at which this machine can be reached."""
    found, words = GstSdp.SDPMessage.new_from_text(offer)
    if found != GstSdp.SDPResult.OK or not words.medias_len():
        raise Refused("expected an offer in SDP")
    gathered = threading.Event()
    peer.connect("notify::ice-gathering-state", lambda peer, _: is_gathered(peer) and gathered.set())
    description = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.OFFER, words)
    ask(peer, "set-remote-description", description)
    # A description lives as long as the reply that it came in.
    reply = ask(peer, "create-answer", None)
    ask(peer, "set-local-description", reply.get_value("answer"))
    if not gathered.wait(GATHERING_SECONDS):
        raise Refused("no address of this machine was found in time")
    return str(peer.get_property("local-description").sdp.as_text())


def is_gathered(peer: Any) -> bool:
    return bool(peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE)


def ask(peer: Any, signal: str, given: Any) -> Any:
    """The reply to a signal; none to those that set something."""
    promise = Gst.Promise.new()
    peer.emit(signal, given, promise)
    promise.wait()
    reply = promise.get_reply()
    if reply is not None and reply.has_field("error"):
        raise Refused(reply.get_value("error").message)
    return reply


def play(pipeline: Any, page: socket.socket) -> None:
    """Until the page hangs up or the pipeline ends."""
    bus, ends = pipeline.get_bus(), Gst.MessageType.EOS | Gst.MessageType.ERROR
    while not select.select([page], [], [], 0)[0]:
        message = bus.timed_pop_filtered(LOOK_SECONDS * Gst.SECOND, ends)
        if message is None:
            continue
        if message.type == Gst.MessageType.ERROR:
            print(message.parse_error()[0].message, file=sys.stderr)
        return


class Page(BaseHTTPRequestHandler):
    """GET gives the page, POST takes its offer and gives the answer; that connection lasts as long as the page."""

    # Seconds without a word of what was announced.
    timeout = 15
    place: str
    source: str
    playing = threading.BoundedSemaphore(MOST_PAGES)

    def do_GET(self) -> None:
        if self.is_ours():
            self.reply(200 if self.path == "/" else 404, PAGE if self.path == "/" else b"", "text/html")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        size = int(length) if length.isdecimal() else 0
        if not self.is_ours():
            return
        if not 0 < size <= MOST_BYTES:
            self.reply(413, b"expected an offer of at most 64 KiB")
        elif not self.playing.acquire(blocking=False):
            self.reply(503, b"too many pages are open")
        else:
            try:
                self.answer(self.rfile.read(size).decode(errors="replace"))
            finally:
                self.playing.release()

    def answer(self, offer: str) -> None:
        """The answer, an empty line, and nothing more until the stream ends."""
        try:
            pipeline, answer = answer_to(offer, self.source)
        except (Refused, GLib.Error) as error:
            self.reply(400, str(error).encode())
            return
        try:
            self.reply(200, answer.encode() + b"\n\n", "application/sdp")
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            play(pipeline, self.connection)
        finally:
            pipeline.set_state(Gst.State.NULL)

    def is_ours(self) -> bool:
        """Pages of other places, and other names for this one, are refused."""
        origin = self.headers.get("Origin") or f"http://{self.place}"
        if (self.headers.get("Host"), origin) == (self.place, f"http://{self.place}"):
            return True
        self.reply(403, f"open http://{self.place}/".encode())
        return False

    def reply(self, status: int, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    Gst.init(None)
    absent = [name for name in ELEMENTS if Gst.ElementFactory.find(name) is None]
    if absent:
        sys.exit(
            f"not installed: {', '.join(absent)} of GStreamer; the first lines of {__file__} name the packages"
        )
    if len(sys.argv) != 3 or not sys.argv[1].rpartition(":")[2].isdigit():
        sys.exit(__doc__)
    Page.place, Page.source = sys.argv[1:]
    host, _, port = Page.place.rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), Page)
    print(f"http://{Page.place}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
