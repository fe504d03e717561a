"""What `edgesr` makes, shown by a browser: `integrations/gstreamer/webrtc_page.py`."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_gstreamer import ENVIRONMENT, FAST, absent, python_with_bindings, rtsp_camera

aiohttp = pytest.importorskip("aiohttp")

from support.chromium import BINARY, Chromium

__all__ = ["rtsp_camera"]  # a fixture

PROGRAM = Path(__file__).parents[2] / "integrations" / "gstreamer" / "webrtc_page.py"
RECEIVED = "peer.getStats().then(all => JSON.stringify([...all.values()].find(one => one.type == 'inbound-rtp') || {}))"
pytestmark = [pytest.mark.skipif(bool(absent()), reason=absent()), pytest.mark.xdist_group("gstreamer")]


@pytest.fixture
def page(rtsp_camera: str) -> Iterator[str]:
    """The address of a page of the camera, twice as large."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
    pipeline = f"rtspsrc location={rtsp_camera} latency=100 ! rtph264depay ! avdec_h264 ! {FAST} scale=2"
    command = [python_with_bindings(), str(PROGRAM), place, pipeline]
    program = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert program.stdout is not None
        assert program.stderr is not None
        address = program.stdout.readline().decode().strip()
        if not address:
            said = program.stderr.read().decode()
            assert "not installed" in said, said
            pytest.skip(said)
        yield address
    finally:
        program.kill()
        program.communicate()


@pytest.mark.skipif(BINARY is None, reason="no Chromium here")
def test_a_browser_shows_an_rtsp_camera_enlarged(page: str, tmp_path: Path) -> None:
    async def work() -> dict[str, Any]:
        async with Chromium(tmp_path / "profile") as browser:
            await browser.open(page)
            await browser.until("document.querySelector('video')?.videoWidth === 192")
            await browser.until(f"{RECEIVED}.then(found => JSON.parse(found).framesDecoded > 15)")
            found: dict[str, Any] = json.loads(await browser.evaluate(RECEIVED))
            return found

    found = asyncio.run(work())
    assert (found["frameWidth"], found["frameHeight"]) == (192, 128)


def test_what_is_no_offer_is_refused_and_so_are_other_places(page: str) -> None:
    async def work() -> None:
        async with aiohttp.ClientSession() as session:
            for offer in (b"", b"v=0", b"\xff\xfe", b"a=rtpmap:96 VP8/90000\r\n", b"m=" * 500, b"x" * 70_000):
                for _ in range(5):
                    async with session.post(page, data=offer) as answer:
                        assert answer.status in (400, 413), await answer.text()
            for name in ("Origin", "Host"):
                async with session.get(page, headers={name: "http://evil.example"}) as answer:
                    assert answer.status == 403

    asyncio.run(work())
