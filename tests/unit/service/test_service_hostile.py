"""What strangers send: bodies that are too large, too slow, packed, cut off, or not what they seem to be."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import json
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("prometheus_client")

from PIL import Image
from support.films import Making, make_film, moving_picture
from support.service import Served, run, served, until

from edge_sr.integrations.service import receiving
from edge_sr.integrations.service.settings import ServiceLimits

TOKEN = "0123456789abcdefghij"


def picture(kind: str = "PNG", size: tuple[int, int] = (48, 32)) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(moving_picture(size, 0)).save(buffer, kind)
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG of 60,000 x 60,000 pixels in a few kilobytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(1 << 20), 9))
        + chunk(b"IEND", b"")
    )


def form(*parts: bytes, boundary: bytes = b"cut") -> tuple[bytes, dict[str, str]]:
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts) + b"--%s--\r\n" % boundary
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary.decode()}"}


def part(name: str, data: bytes, more: str = "") -> bytes:
    return f'Content-Disposition: form-data; name="{name}"; filename="../../x"\r\n{more}\r\n'.encode() + data


NESTED = b"Content-Type: multipart/mixed; boundary=inner\r\n\r\n--inner\r\n\r\nx\r\n--inner--"
OPTION = b'Content-Disposition: form-data; name="scale"\r\n\r\n2'
CASES = {
    "a decompression bomb": (bomb(), {}, 413, "60000x60000"),
    "nothing": (b"", {}, 400, "empty"),
    "text": (b"hello" * 99, {}, 422, "cannot|not a film"),
    "a playlist": (b"#EXTM3U\nhttp://127.0.0.1:9/a.ts\n", {}, 415, "playlist"),
    "a list of files": (b"ffconcat version 1.0\nfile /etc/passwd\n", {}, 415, "playlist"),
    "a session description": (b"v=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n", {}, 415, "playlist"),
    "a packed picture": (gzip.compress(picture()), {"Content-Encoding": "gzip"}, 415, "packed"),
    "an icon, which may hide any picture": (picture("ICO"), {}, 415, "ICO"),
    "one pixel": (picture("PNG", (1, 1)), {}, 422, "pixels or more"),
    "another multipart type": (b"x", {"Content-Type": "multipart/mixed; boundary=a"}, 415, "form-data"),
    "a form without a boundary": (b"x", {"Content-Type": "multipart/form-data"}, 400, "form"),
    "a form without an end": (form(part("file", picture()))[0][:40], form()[1], 400, "form"),
    "an empty form": (*form(), 400, "form"),
    "two files": (*form(part("file", picture()), part("file", picture())), 400, "more than one"),
    "a form in a form": (*form(NESTED), 400, "form"),
    "an option in the form": (*form(OPTION), 400, "field 'scale'"),
    "an option behind a file": (*form(part("file", picture()), OPTION), 400, "field 'scale'"),
    "a thousand headers": (*form(part("file", b"x", "A: b\r\n" * 1000)), 400, "HTTP|form"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_in_words_and_the_service_goes_on(name: str) -> None:
    body, headers, wanted, words = CASES[name]

    async def work() -> None:
        async with served(ServiceLimits(body_bytes=4 << 20)) as there:
            async with there.session.post("/upscale?scale=2", data=body, headers=headers) as answer:
                found = await answer.json()
            assert (answer.status, answer.content_type) == (wanted, "application/problem+json"), found
            assert found["status"] == wanted
            assert any(word in found["detail"] for word in words.split("|")), found
            assert str(there.service._folder) not in found["detail"]
            await goes_on(there)

    run(work)


async def goes_on(there: Served) -> None:
    assert (await there.upscale(picture(), scale=2))[0] == 200
    await until(lambda: not there.left)
    assert not any("Traceback" in line for line in there.said)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "GIF"])
def test_a_cut_off_picture_is_answered(kind: str) -> None:
    """With what decodes of it and a warning, or with 4xx; never with a fault of the service."""
    whole = picture(kind, (96, 64))

    async def work() -> None:
        async with served() as there:
            for length in (9, 40, len(whole) // 3, len(whole) * 9 // 10):
                status, headers, _ = await there.upscale(whole[:length], scale=2)
                assert status in (200, 415, 422), (length, status)
                strict = (await there.upscale(whole[:length], scale=2, strict="true"))[0]
                assert "Edge-SR-Warning" not in headers or strict == 422
            await goes_on(there)

    run(work)


def test_a_body_without_end_is_cut_off() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1 << 30:
            sent += 1 << 16
            yield bytes(1 << 16)

    async def work() -> None:
        async with served(ServiceLimits(body_bytes=1 << 20)) as there:
            try:
                status, _, body = await there.upscale(endless(), scale=2)
                assert (status, "1048576 bytes" in body.decode()) == (413, True)
            except aiohttp.ClientConnectionError:
                pass  # the service left while the client still sent
            assert sent < 64 << 20
            async with there.session.post(
                "/upscale?scale=2",
                data=b"x",
                headers={"Content-Length": str(1 << 40), "Connection": "close"},
            ) as answer:
                assert answer.status == 413
            await goes_on(there)

    run(work)


@pytest.mark.parametrize(("pause", "first"), [(0.2, 10.0), (10.0, 0.2)])
def test_a_body_that_trickles_is_dropped(pause: float, first: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that stops, and one that never quite stops."""
    monkeypatch.setattr(receiving, "PAUSE_SECONDS", pause)
    monkeypatch.setattr(receiving, "FIRST_SECONDS", first)

    async def work() -> None:
        async with served() as there:
            reader, writer = await asyncio.open_connection("127.0.0.1", there.service.port)
            writer.write(b"POST /upscale?scale=2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n")
            answering = asyncio.ensure_future(reader.readline())
            while not answering.done():
                if pause > 1:
                    writer.write(b"x")
                await asyncio.sleep(0.05)
            assert b" 408 " in answering.result()
            writer.close()
            await goes_on(there)

    run(work)


def test_a_film_with_frames_beyond_the_limit_is_not_decoded(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", Making(size=(1024, 768), frames=2)).read_bytes()

    async def work() -> None:
        async with served(ServiceLimits(pixels=100_000)) as there:
            status, _, body = await there.upscale(film, scale=1)
            assert status in (413, 422), body
            status, _, body = await there.upscale(
                make_film(tmp_path / "small.mkv", Making(frames=2)).read_bytes(), scale=20
            )
            assert (status, "1280x960" in body.decode()) == (413, True)
            await goes_on(there)

    run(work)


def test_a_damaged_film_is_cut_off_when_it_has_to_be_whole(tmp_path: Path) -> None:
    film = make_film(tmp_path / "film.mkv", Making(frames=80)).read_bytes()
    torn = film[: len(film) * 2 // 3]

    async def work() -> None:
        async with served() as there:
            assert (await there.upscale(torn, scale=2))[0] == 200
            with contextlib.suppress(aiohttp.ClientPayloadError):
                assert (await there.upscale(torn, scale=2, strict="true"))[0] == 422
            await goes_on(there)

    run(work)


def test_beyond_this_machine_a_token_is_needed() -> None:
    async def work() -> None:
        async with served(token=TOKEN, host="0.0.0.0") as there:
            base = f"http://127.0.0.1:{there.service.port}"
            async with aiohttp.ClientSession(base) as stranger:
                for given in ("", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \udcff"):
                    async with stranger.get("/models", headers={"Authorization": given}) as answer:
                        assert answer.status == 401, given
                        assert answer.headers["WWW-Authenticate"] == "Bearer"
                for path in ("/healthz", "/openapi.json"):
                    async with stranger.get(path) as answer:
                        assert answer.status == 200
                for _ in range(30):
                    async with stranger.post("/upscale?scale=2", data=picture()) as answer:
                        status = answer.status
                assert status == 429
            await goes_on(there)
            assert not any(TOKEN in line for line in there.said)
            assert len(there.said) < 20

    run(work)


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("/models", "Authorization: Bearer SECRET\x01"),
        ("/models?SECRET\x01", "A: b"),
        ("/models?SECRET" + "x" * 9000, "A: b"),
        ("/models", "Authorization: Bearer SECRET" + "x" * 9000),
        ("//[SECRET", "A: b"),
    ],
    ids=["a header", "a query", "a long query", "a long header", "an address"],
)
def test_what_is_malformed_is_told_without_its_words(line: str, header: str) -> None:
    async def work() -> None:
        async with served() as there:
            reader, writer = await asyncio.open_connection("127.0.0.1", there.service.port)
            writer.write(f"GET {line} HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode())
            assert b" 40" in await reader.readline()
            writer.close()
            await goes_on(there)
            assert not any("SECRET" in said for said in there.said), there.said

    run(work)


def test_other_hosts_and_pages_are_refused() -> None:
    async def work() -> None:
        async with served() as there:
            for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
                async with there.session.post("/upscale?scale=2", data=picture(), headers=headers) as answer:
                    assert answer.status == 403, headers
            await goes_on(there)

    run(work)


def test_noise_is_answered() -> None:
    noise = np.random.default_rng(5)

    async def work() -> None:
        async with served() as there:
            for number in range(40):
                body = bytearray(picture(("PNG", "JPEG", "WEBP", "TIFF")[number % 4]))
                for place in noise.integers(0, len(body), 12):
                    body[place] = noise.integers(0, 256)
                status, _, found = await there.upscale(bytes(body), scale=2)
                assert status in (200, 413, 415, 422), json.loads(found)
            await goes_on(there)

    run(work)
