"""The page's video over WebRTC, in a real browser; offers that are none."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

aiohttp = pytest.importorskip("aiohttp")
aiortc = pytest.importorskip("aiortc")

from support.chromium import Chromium
from test_camera_page import film, needs_browser, run, served

from edge_sr.camera.page import webrtc
from edge_sr.camera.page.audience import Audience

__all__ = ["film"]  # a fixture
# What waits for cameras and clients is one worker's, while others compute.
pytestmark = pytest.mark.xdist_group("live")


@needs_browser
def test_video_plays_and_the_views_come_back(film: Path, tmp_path: Path) -> None:
    async def work() -> None:
        async with served(film) as address, Chromium(tmp_path / "profile") as browser:
            await browser.open(address)
            await browser.until("window.edgeSR && edgeSR.drawn > 2")
            await browser.key("v")
            await browser.until("document.getElementById('video').videoWidth === 192")
            await browser.until("document.getElementById('video').currentTime > 1")
            assert not await browser.evaluate("document.getElementById('video').hidden")
            # The pictures of views wait meanwhile.
            drawn = await browser.evaluate("edgeSR.drawn")
            await asyncio.sleep(0.5)
            assert await browser.evaluate("edgeSR.drawn") <= drawn + 2
            await browser.key("v")
            await browser.until(f"edgeSR.drawn > {drawn} + 5")
            assert await browser.evaluate("document.getElementById('video').hidden")

    run(work())


def test_offers_that_are_none_are_refused(film: Path) -> None:
    async def work() -> None:
        async with served(film) as address, aiohttp.ClientSession() as session:
            for offer in (b"", b"v=0", b"\xff\xfe", b"v=0\r\nm=audio 9 RTP/AVP 0\r\n", b"m=" * 500):
                for _ in range(3):
                    async with session.post(address + "offer", data=offer) as answer:
                        assert answer.status == 400, offer
            unknown = {"Content-Type": "application/sdp; charset=none"}
            async with session.post(address + "offer", data=b"v=0", headers=unknown) as answer:
                assert answer.status == 400
            async with session.post(address + "offer", data=b"x" * 40_000) as answer:
                assert answer.status == 413
            foreign = {"Origin": "http://evil.example"}
            async with session.post(address + "offer", data=b"v=0", headers=foreign) as answer:
                assert answer.status == 403

    run(work())


def test_a_browser_that_never_connects_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webrtc, "CONNECT_SECONDS", 0.05)

    async def offer() -> str:
        asking = aiortc.RTCPeerConnection()
        asking.addTransceiver("video", direction="recvonly")
        await asking.setLocalDescription(await asking.createOffer())
        lines = asking.localDescription.sdp.splitlines(keepends=True)
        await asking.close()
        return "".join(line for line in lines if "candidate" not in line)

    async def admitted(broadcast: webrtc.Broadcast, text: str) -> str:
        while True:
            try:
                return await broadcast.answer(text)
            except webrtc.BadOffer:
                await asyncio.sleep(0.02)

    async def work() -> None:
        broadcast = webrtc.Broadcast(Audience(0.04, lambda: (64, 48)))
        text = await offer()
        for _ in range(webrtc.MOST_PEERS + 1):
            await asyncio.wait_for(admitted(broadcast, text), 20)
        await broadcast.close()

    run(work())
