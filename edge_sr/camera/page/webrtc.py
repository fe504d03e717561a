"""The whole upscaled picture as video over WebRTC: what a page may show beside its zoomable views."""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from edge_sr.camera.page.audience import Audience
from edge_sr.camera.pictures import Picture
from edge_sr.machine.optional import require

if TYPE_CHECKING:
    import av

MOST_PEERS = 4
ANSWER_SECONDS = 10.0
# Until a browser is connected: one that tells of no way to it never is, and would keep its place.
CONNECT_SECONDS = 30.0
CLOCK = 90_000
GONE = ("failed", "closed", "disconnected")


class BadOffer(Exception):
    """An offer that no browser would make, or one too many."""


def available() -> bool:
    return find_spec("aiortc") is not None


class Broadcast:
    """Answers browsers' offers. All calls come from the server's loop."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._peers: set[Any] = set()
        self._waiting: set[asyncio.Task[None]] = set()

    async def answer(self, offer: str) -> str:
        """The SDP that accepts ``offer``, whose pictures then come until the browser leaves; or ``BadOffer``."""
        aiortc = require("aiortc", "video over WebRTC")
        if len(self._peers) >= MOST_PEERS:
            raise BadOffer(f"{MOST_PEERS} browsers are shown video already")
        # No servers of anybody: the browser is on this network, or it gets the page's pictures alone.
        peer = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        self._peers.add(peer)
        try:
            return await asyncio.wait_for(self._accept(aiortc, peer, offer), ANSWER_SECONDS)
        except Exception as error:  # aiortc has no class of its own for an offer that it cannot read
            await self._leave(peer)
            raise BadOffer("not an offer to receive video") from error

    async def _accept(self, aiortc: Any, peer: Any, offer: str) -> str:
        await peer.setRemoteDescription(aiortc.RTCSessionDescription(offer, "offer"))
        if [each.kind for each in peer.getTransceivers()] != ["video"]:
            raise BadOffer
        feed, track = Feed(), aiortc.VideoStreamTrack()
        track.recv = feed.next
        peer.addTrack(track)
        await peer.setLocalDescription(await peer.createAnswer())
        self._audience.watch(peer, feed.show)

        @peer.on("connectionstatechange")  # type: ignore[untyped-decorator]
        async def changed() -> None:
            if peer.connectionState in GONE:
                await self._leave(peer)

        waiting = asyncio.create_task(self._await(peer))
        self._waiting.add(waiting)
        waiting.add_done_callback(self._waiting.discard)
        return str(peer.localDescription.sdp)

    async def _await(self, peer: Any) -> None:
        await asyncio.sleep(CONNECT_SECONDS)
        if peer.connectionState != "connected":
            await self._leave(peer)

    async def _leave(self, peer: Any) -> None:
        self._audience.unwatch(peer)
        self._peers.discard(peer)
        await peer.close()

    async def close(self) -> None:
        for waiting in self._waiting:
            waiting.cancel()
        for peer in list(self._peers):
            await self._leave(peer)


class Feed:
    """The newest picture for one browser; a slow one skips some."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._newest: asyncio.Queue[Picture] = asyncio.Queue(1)
        self._began = time.monotonic()

    def show(self, picture: Picture) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._put, picture)

    def _put(self, picture: Picture) -> None:
        if self._newest.full():
            self._newest.get_nowait()
        self._newest.put_nowait(picture)

    async def next(self) -> av.VideoFrame:
        import av

        frame = av.VideoFrame.from_ndarray(await self._newest.get(), format="rgb24")
        frame.pts = round((time.monotonic() - self._began) * CLOCK)
        frame.time_base = Fraction(1, CLOCK)
        return frame
