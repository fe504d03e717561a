"""The page of ``edge-sr camera --serve``: its door, its protocol, and itself in a real browser."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import signal
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

aiohttp = pytest.importorskip("aiohttp")

from support.calling import heard
from support.chromium import BINARY, Chromium

needs_browser = pytest.mark.skipif(BINARY is None, reason="no Chromium here")
# What waits for cameras and clients is one worker's, while others compute.
pytestmark = pytest.mark.xdist_group("live")
VIEW = {"view": [0, 0, 96, 64], "screen": [192, 128]}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute and a half of 96 x 64 in which something moves."""
    path = tmp_path_factory.mktemp("page") / "film.mkv"
    ground = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(1350):
            ground[20:30, 20:30] = number * 7 % 256
            container.mux(stream.encode(av.VideoFrame.from_ndarray(ground, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@contextlib.asynccontextmanager
async def served(film: Path, place: str = "127.0.0.1:0") -> AsyncIterator[str]:
    """The address that a running ``edge-sr camera`` printed; it must end without a traceback."""
    command = [sys.executable, "-m", "edge_sr", "camera", str(film), "--serve", place, "--scale", "2"]
    process = subprocess.Popen(
        [*command, "--model", "diinn-nano"], stdout=-3, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    found = re.search(r"page: (http\S+)", heard(process.stderr))
    assert found is not None
    # A host name of the machine may not lead to it from a sandbox.
    address = re.sub(r"//[^:/]+", "//127.0.0.1", found.group(1))
    try:
        yield address
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "token" not in said
    assert "nothing was" in said and "playable" not in said


async def picture(socket: Any) -> dict[str, Any]:
    """The next picture's header; it is told to have been drawn."""
    while True:
        message = await asyncio.wait_for(socket.receive(), 30)
        assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
        if message.type == aiohttp.WSMsgType.BINARY:
            length = struct.unpack_from(">I", message.data)[0]
            header: dict[str, Any] = json.loads(message.data[4 : 4 + length])
            assert len(message.data) == 4 + length + header["sharp_bytes"] + header["soft_bytes"]
            await socket.send_json({"drawn": header["number"]})
            return header


def run(work: Any) -> None:
    asyncio.run(asyncio.wait_for(work, 150))


def test_views_are_regions_at_the_screens_resolution(film: Path) -> None:
    async def work() -> None:
        async with served(film) as address, aiohttp.ClientSession() as session:
            async with session.ws_connect(address + "live") as socket:
                models = await socket.receive_json()
                assert {model["name"] for model in models["models"]} >= {"diinn-nano", "diinn-edge"}
                await socket.send_json(VIEW)
                header = await picture(socket)
                assert (header["source"], header["region"], header["scale"]) == ([96, 64], [0, 0, 96, 64], 2)
                await socket.send_json({"view": [10.5, 20, 12, 8], "screen": [240, 160]})
                while header["region"] == [0, 0, 96, 64]:
                    header = await picture(socket)
                assert header["region"] == [10, 20, 13, 8]
                assert header["scale"] == 20
                await socket.send_json({"model": "diinn-edge", "precision": "fp32"})
                while header["stats"]["model"] != "diinn-edge":
                    header = await picture(socket)
            async with session.get(address + "snapshot.png") as answer:
                assert answer.status == 200
                assert (await answer.read()).startswith(b"\x89PNG")

    run(work())


def test_other_pages_hosts_and_methods_are_refused(film: Path) -> None:
    async def work() -> None:
        async with served(film) as address, aiohttp.ClientSession() as session:
            for headers, path, status in [
                ({"Origin": "http://evil.example"}, "", 403),
                ({"Origin": "null"}, "live", 403),
                ({"Host": "evil.example"}, "", 403),
                ({"Host": ""}, "", 403),
                ({}, "live", 400),
                ({}, "../../etc/passwd", 404),
                ({}, "", 200),
            ]:
                async with session.get(address + path, headers=headers) as answer:
                    assert answer.status == status, (headers, path)
            async with session.post(address, data=b"x" * 100_000) as answer:
                assert answer.status in (405, 413)

    run(work())


def test_beyond_this_machine_the_token_is_needed(film: Path) -> None:
    async def work() -> None:
        async with served(film, "0.0.0.0:0") as address:
            base, token = address.split("?token=")
            async with aiohttp.ClientSession() as stranger:
                for path in ("", "live", "snapshot.png", "?token=", "?token=wrong", f"?token={token}x"):
                    async with stranger.get(base + path) as answer:
                        assert answer.status == 401, path
                for _ in range(30):
                    async with stranger.get(base + "?token=guess") as answer:
                        status = answer.status
                assert status == 429
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(cookie_jar=jar) as guest:
                async with guest.get(address) as answer:
                    assert answer.status == 200
                    assert "token" not in str(answer.url)
                assert all(token not in str(cookie) for cookie in jar)
                async with guest.ws_connect(base + "live") as socket:
                    await socket.send_json(VIEW)
                    await picture(socket)

    run(work())


def test_two_pages_on_one_host_keep_their_guests(film: Path) -> None:
    async def work() -> None:
        async with served(film, "0.0.0.0:0") as first, served(film, "0.0.0.0:0") as second:
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(cookie_jar=jar) as guest:
                for address in (first, second, first.split("?")[0], second.split("?")[0]):
                    async with guest.get(address) as answer:
                        assert answer.status == 200

    run(work())


def test_ten_thousand_bad_messages_stop_nothing(film: Path) -> None:
    noise = random.Random(0)
    shapes: list[Any] = [
        None, [], {}, 0, "x", {"view": 1}, {"view": [0, 0, 0, 0], "screen": [1, 1]}, {"drawn": -1},
        {"view": [1e308, 0, 1, 1], "screen": [1, 1]}, {"model": "../../x", "precision": "fp32"},
        {"view": [0, 0, 1, 1], "screen": [True, 1]}, {"drawn": 1 << 70}, {"model": "diinn-nano", "precision": ""},
    ]  # fmt: skip

    def bad() -> str | bytes:
        kind = noise.randrange(4)
        if kind == 0:
            return noise.randbytes(noise.randrange(60))
        if kind == 1:
            return "[" * noise.randrange(2000)
        if kind == 2:
            return "".join(chr(noise.randrange(32, 0x2FFF)) for _ in range(40))
        return json.dumps(noise.choice(shapes))

    async def storm(session: Any, address: str, count: int) -> int:
        """Sends until it is thrown out; how many were sent."""
        async with session.ws_connect(address + "live") as socket:
            for number in range(count):
                try:
                    message = bad()
                    await (
                        socket.send_bytes(message) if isinstance(message, bytes) else socket.send_str(message)
                    )
                except (ConnectionError, aiohttp.ClientError):
                    return number + 1
            return count

    async def work() -> None:
        async with served(film) as address, aiohttp.ClientSession() as session:
            sent = 0
            while sent < 10_000:
                sent += await storm(session, address, min(500, 10_000 - sent))
            async with session.ws_connect(address + "live") as socket:
                await socket.send_json(VIEW)
                await picture(socket)
                await socket.send_str("x" * 5000)
                while (message := await socket.receive()).type != aiohttp.WSMsgType.CLOSE:
                    assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT)
                assert message.data == 1009

    run(work())


def test_a_stalled_viewer_holds_nobody_up(film: Path) -> None:
    async def work() -> None:
        async with (
            served(film) as address,
            aiohttp.ClientSession() as session,
            session.ws_connect(address + "live") as stalled,
            session.ws_connect(address + "live") as lively,
        ):
            await stalled.send_json(VIEW)
            await lively.send_json(VIEW)
            seen = [(await picture(lively))["number"] for _ in range(30)]
            assert seen == sorted(set(seen))
            # Nothing was drawn, so no more than two were sent.
            assert await _pictures_waiting(stalled) == 2

    run(work())


async def _pictures_waiting(socket: Any) -> int:
    waiting = 0
    with contextlib.suppress(asyncio.TimeoutError):
        while True:
            message = await asyncio.wait_for(socket.receive(), 0.5)
            waiting += message.type == aiohttp.WSMsgType.BINARY
    return waiting


def test_too_many_viewers_are_turned_away(film: Path) -> None:
    async def work() -> None:
        async with (
            served(film) as address,
            aiohttp.ClientSession() as session,
            contextlib.AsyncExitStack() as stack,
        ):
            for _ in range(16):
                await stack.enter_async_context(session.ws_connect(address + "live"))
            with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
                await session.ws_connect(address + "live")

    run(work())


@needs_browser
def test_the_page_in_a_browser(film: Path, tmp_path: Path) -> None:
    async def work() -> None:
        async with served(film) as address, Chromium(tmp_path / "profile") as browser:
            await browser.resize(1000, 700)
            await browser.open(address)
            await browser.until("window.edgeSR && edgeSR.drawn > 2")
            assert not browser.logged
            await _zooms(browser)
            await _moves_the_split(browser)
            await _switches(browser)
            await _touches(browser)
            assert await browser.evaluate(OVERTAKING) == 100_002
            await _says_what_fails(browser)
            await _finds_back(browser)

    run(work())


# Two pictures, of which the first takes longer to decode.
OVERTAKING = """(async () => {
  const decode = createImageBitmap, image = await new Promise(done => canvas.toBlob(done, "image/jpeg"));
  const jpeg = new Uint8Array(await image.arrayBuffer());
  const message = number => {
    const sizes = { sharp_bytes: jpeg.length, soft_bytes: jpeg.length };
    const head = new TextEncoder().encode(JSON.stringify({ ...state.shown.head, number, ...sizes }));
    const data = new Uint8Array(4 + head.length + 2 * jpeg.length);
    new DataView(data.buffer).setUint32(0, head.length);
    [[head, 4], [jpeg, 4 + head.length], [jpeg, 4 + head.length + jpeg.length]].forEach(part => data.set(...part));
    return data.buffer;
  };
  let decodeFirst, calls = 0;
  const held = new Promise(done => decodeFirst = done);
  window.createImageBitmap = async blob => { if (calls++ < 2) await held; return decode(blob); };
  const first = picture(state.socket, message(100001)), second = picture(state.socket, message(100002));
  await second; decodeFirst(); await first;
  window.createImageBitmap = decode;
  return state.shown.head.number;
})()"""


async def _zooms(browser: Chromium) -> None:
    before = await browser.evaluate("edgeSR.state.zoom")
    await browser.wheel(300, 300, -400)
    await browser.until(f"edgeSR.state.zoom > 1.5 * {before}")
    await browser.until("edgeSR.state.shown.head.region[2] < 80")
    assert await browser.evaluate("edgeSR.state.shown.head.region[2] >= visible()[2]")
    await browser.until("edgeSR.sharpAfter !== null")
    left = await browser.evaluate("edgeSR.state.cx")
    await browser.key("ArrowRight")
    await browser.until(f"edgeSR.state.cx > {left}")
    await browser.key("0", "0")
    await browser.until("edgeSR.state.fitted && edgeSR.state.shown.head.region[2] === 96")


async def _moves_the_split(browser: Chromium) -> None:
    await browser.evaluate("document.getElementById('split').focus()")
    await browser.key("ArrowLeft")
    assert await browser.evaluate("document.getElementById('split').getAttribute('aria-valuenow')") == "45"
    # Left of the bar lies the plain picture, right of it the network's.
    assert await browser.evaluate("edgeSR.state.shown.soft.width") == 96
    assert await browser.evaluate("edgeSR.state.shown.sharp.width") > 150


async def _switches(browser: Chromium) -> None:
    await browser.evaluate(
        "{ const m = document.getElementById('model'); m.value = 'diinn-edge'; m.onchange(); }"
    )
    await browser.until("document.getElementById('facts').textContent.includes('diinn-edge')")


async def _touches(browser: Chromium) -> None:
    await browser.evaluate("fit()")
    await browser.touch("touchStart", (400, 300), (500, 300))
    await browser.touch("touchMove", (300, 300), (600, 300))
    await browser.touch("touchEnd")
    await browser.until("edgeSR.state.zoom > 1.5 * fitZoom()")


async def _says_what_fails(browser: Chromium) -> None:
    """Without a connection, and where the run was started anew with another token."""
    said, ask = '$("message").textContent', "window.asked = window.fetch; window.fetch = async () => "
    await browser.evaluate(ask + '{ throw new TypeError("nobody is there"); }')
    await browser.evaluate("snapshot()")
    assert await browser.evaluate(said) == "No snapshot: nobody is there"
    await browser.evaluate("window.fetch = async () => ({ status: 401 }); edgeSR.state.retry = 2000")
    await browser.evaluate("edgeSR.state.socket.close()")
    await browser.until(f'{said}.includes("earlier run")')
    await browser.evaluate("window.fetch = window.asked")
    await browser.until("edgeSR.state.socket.readyState === 1")


async def _finds_back(browser: Chromium) -> None:
    await browser.evaluate("edgeSR.state.socket.close()")
    drawn = await browser.evaluate("edgeSR.drawn")
    await browser.until(f"edgeSR.state.socket.readyState === 1 && edgeSR.drawn > {drawn} + 3")
    await browser.resize(390, 760, 2, True)
    assert await browser.until("document.documentElement.scrollWidth") == 390
