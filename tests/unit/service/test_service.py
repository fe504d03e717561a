"""The service: the same pictures as ``upscale``, turns, limits, and clients that go."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import socket
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("prometheus_client")

from PIL import Image
from support.films import Making, make_film, moving_picture
from support.service import QUICK, expected, run, served, until

from edge_sr.errors import OptionError
from edge_sr.integrations.service.openapi import RESULT_HEADERS
from edge_sr.integrations.service.server import Service
from edge_sr.integrations.service.settings import ServiceLimits, Settings
from edge_sr.integrations.service.work.jobs import Workshop
from edge_sr.web.place import Place

GROUND = moving_picture((48, 32), 7)
PICTURES = {
    "colour.png": GROUND,
    "photo.jpg": GROUND,
    "alpha.png": np.dstack([GROUND, np.full((32, 48), 99, np.uint8)]),
    "deep.png": GROUND[..., 0].astype(np.uint16) * 257,
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_comes_back_as_upscale_writes_it(name: str, tmp_path: Path) -> None:
    source = tmp_path / name
    Image.fromarray(PICTURES[name]).save(source)
    wanted = expected(source, tmp_path / f"wanted{source.suffix}").read_bytes()

    async def work() -> None:
        async with served() as there:
            for body in (source.read_bytes(), {"file": source.read_bytes()}):
                status, headers, found = await there.upscale(body, scale="2.5")
                assert (status, headers["Edge-SR-Size"], found) == (200, "120x80", wanted)
                assert headers["Edge-SR-Model"] == QUICK
                told = {name for name in headers if name.startswith("Edge-SR-") or name == "Server-Timing"}
                assert told <= set(RESULT_HEADERS) and len(told) == 5
            status, headers, found = await there.upscale(source.read_bytes(), size="96x70", format="webp")
            assert (status, headers["Content-Type"]) == (200, "image/webp")
            assert Image.open(io.BytesIO(found)).size == (96, 70)

    run(work)


def blocked(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, list[Any]]:
    """Has every picture wait for the event, or its job's end; the jobs that did."""
    gate, jobs, real = threading.Event(), [], Workshop.picture

    def picture(self: Workshop, job: Any) -> Any:
        jobs.append(job)
        while not (gate.wait(0.01) or job.stop.is_set()):
            pass
        return real(self, job)

    monkeypatch.setattr(Workshop, "picture", picture)
    return gate, jobs


def small_picture(size: tuple[int, int] = (48, 32)) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(moving_picture(size, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def test_who_finds_the_house_full_is_told_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, jobs = blocked(monkeypatch)

    async def work() -> None:
        async with served(ServiceLimits(at_once=1, queue=2)) as there:
            waiting = [asyncio.ensure_future(there.upscale(small_picture(), scale=2)) for _ in range(3)]
            await until(lambda: there.inside == 3 and len(jobs) == 1)
            status, headers, body = await there.upscale(small_picture(), scale=2)
            assert (status, json.loads(body)["title"]) == (429, "Too many requests")
            assert 1 <= int(headers["Retry-After"]) <= 120
            gate.set()
            assert {answer[0] for answer in await asyncio.gather(*waiting)} == {200}
            assert (await there.upscale(small_picture(), scale=2))[0] == 200

    run(work)


def test_work_ends_when_its_client_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    _, jobs = blocked(monkeypatch)

    async def work() -> None:
        async with served(ServiceLimits(at_once=1)) as there:
            asking = asyncio.ensure_future(there.upscale(small_picture(), scale=2))
            await until(lambda: jobs)
            queued = asyncio.ensure_future(there.upscale(small_picture(), scale=2))
            await until(lambda: there.inside == 2)
            for request in (queued, asking):
                request.cancel()
            await until(lambda: there.inside == 0)
            assert jobs[0].stop.is_set() and len(jobs) == 1
            assert there.left == []
            assert sum("client went" in line for line in there.said) == 2

    run(work)


def test_work_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked(monkeypatch)
    film = make_film(tmp_path / "film.mkv", Making(frames=750)).read_bytes()

    async def work() -> None:
        async with served(ServiceLimits(picture=0.2, film=0.8)) as there:
            status, _, body = await there.upscale(small_picture(), scale=2)
            assert (status, json.loads(body)["title"]) == (504, "Out of time")
            # Either nothing has gone out yet, or what has is seen to be unfinished.
            with contextlib.suppress(aiohttp.ClientPayloadError):
                assert (await there.upscale(film, scale=3))[0] == 504
            assert there.inside == 0

    run(work)


def test_who_is_inside_may_end_when_the_service_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, jobs = blocked(monkeypatch)

    async def work() -> None:
        async with served() as there:
            asking = asyncio.ensure_future(there.upscale(small_picture(), scale=2))
            await until(lambda: jobs)
            asyncio.get_running_loop().call_later(0.3, gate.set)
            there.service._state = "stopping"
            status, _, body = await there.upscale(small_picture(), scale=2)
            assert (status, json.loads(body)["status"]) == (503, 503)
        assert (await asking)[0] == 200

    run(work)


def test_networks_are_shared_and_models_and_figures_told() -> None:
    async def work() -> None:
        async with served() as there:
            await asyncio.gather(*(there.upscale(small_picture(), scale=2) for _ in range(6)))
            told = await there.get("/models")
            assert [model["name"] for model in told["models"]] == [QUICK]
            (nano,) = told["models"]
            assert nano["precisions"] == ["fp32", "fp16", "int8"]
            assert nano["placements"] == ["int8", "int8-cpu"]
            assert "path" not in json.dumps(told)
            async with there.session.get("/metrics") as answer:
                text = await answer.text()
            for precision in nano["precisions"]:
                status, *_ = await there.upscale(small_picture(), scale=2, precision=precision)
                assert status == 200, precision
        assert 'edge_sr_requests_total{route="/upscale",status="200"} 6.0' in text
        assert 'edge_sr_frames_total{kind="picture"} 6.0' in text
        assert float(text.split("\nedge_sr_networks ")[1].split()[0]) <= 2

    run(work)


def test_it_listens_while_its_network_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    opens, let_go, warm = threading.Event(), threading.Event(), Workshop.warm

    def slow(workshop: Workshop, say: Any) -> None:
        opens.set()
        assert let_go.wait(60)
        warm(workshop, say)

    monkeypatch.setattr(Workshop, "warm", slow)

    async def work() -> None:
        stop, service = threading.Event(), service_of()
        running = asyncio.ensure_future(service.run(stop))
        try:
            await until(opens.is_set)
            async with aiohttp.ClientSession(f"http://127.0.0.1:{service.port}") as session:
                async with session.get("/healthz") as answer:
                    assert (answer.status, (await answer.json())["status"]) == (503, "starting")
                async with session.get("/models") as answer:
                    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
        finally:
            let_go.set()
            stop.set()
        await running

    run(work)


def test_a_place_that_is_taken_is_told_before_a_network_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network opens first")

    monkeypatch.setattr(Workshop, "warm", refuse)

    async def work() -> None:
        with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OptionError, match="it is taken"):
            await service_of(other.getsockname()[1]).run(threading.Event())

    run(work)


def service_of(port: int = 0) -> Service:
    place = Place("127.0.0.1", port)
    return Service(Settings(place, None, (QUICK,), "onnxruntime", "fp32", 1, ServiceLimits()), print)


def test_its_address_is_said_as_clients_take_it() -> None:
    async def work() -> None:
        async with served(host="::1") as there:
            assert there.said[-1] == f"service: http://[::1]:{there.service.port}"
            async with aiohttp.request("GET", there.said[-1].split()[1] + "/healthz") as answer:
                assert answer.status == 200

    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    run(work)
