"""``edge-sr serve`` as a process: its token, its end, and what it prints."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")
pytest.importorskip("prometheus_client")

from PIL import Image
from support.films import Making, make_film, moving_picture

# What waits for cameras and clients is one worker's, while others compute.
pytestmark = pytest.mark.xdist_group("live")
TOKEN = "0123456789abcdefghij"
FIXED = ("--model", "diinn-nano", "--backend", "onnxruntime", "--precision", "fp32", "--threads", "1")


@contextlib.contextmanager
def serving(*words: str, token: str | None = None) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """The process, its address, and what it has said; it is killed if it does not end by itself."""
    environment = {key: value for key, value in os.environ.items() if key != "EDGE_SR_TOKEN"}
    if token is not None:
        environment["EDGE_SR_TOKEN"] = token
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_sr", "serve", *words, *FIXED],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stderr is not None
    said: list[str] = []
    try:
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"service: http://[^:]+:(\d+)", line):
                yield process, f"http://127.0.0.1:{found[1]}", said
                break
        else:
            raise AssertionError("".join(said))
    finally:
        process.kill()
        process.communicate()


def ask(address: str, body: bytes | None = None, token: str = TOKEN) -> tuple[int, bytes]:
    request = urllib.request.Request(address, body, {"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_a_service_with_a_token_from_its_start_to_its_end(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(moving_picture((48, 32), 0)).save(buffer, "PNG")
    film = make_film(tmp_path / "film.mkv", Making(frames=400)).read_bytes()
    with serving("0.0.0.0:0", token=TOKEN) as (process, address, said):
        assert ask(f"{address}/models", token="wrong")[0] == 401
        status, found = ask(f"{address}/upscale?height=64", buffer.getvalue())
        assert (status, Image.open(io.BytesIO(found)).size) == (200, (96, 64))
        assert json.loads(ask(f"{address}/healthz", token="")[1])["status"] == "ready"
        request = urllib.request.Request(
            f"{address}/upscale?scale=2", film, {"Authorization": f"Bearer {TOKEN}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            head = answer.read(100)
            process.send_signal(signal.SIGTERM)
            while (health := ask(f"{address}/healthz", token=""))[0] == 200:
                time.sleep(0.01)
            assert (health[0], json.loads(health[1])["status"]) == (503, "stopping")
            assert ask(f"{address}/upscale?height=64", buffer.getvalue())[0] == 503
            whole = head + answer.read()
        _, rest = process.communicate(timeout=60)
    (tmp_path / "got.mkv").write_bytes(whole)
    import av

    with av.open(str(tmp_path / "got.mkv")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 400
    assert process.returncode == 0, rest
    everything = "".join(said) + rest
    assert "stopping" in everything and "1 under way" in everything
    assert TOKEN not in everything and "Traceback" not in everything


def test_uploads_of_a_killed_service_go_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with serving("127.0.0.1:0") as (process, address, _):
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            head = "POST /upscale?scale=2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n"
            client.sendall(head.encode() + b"private")
            while not any(tmp_path.rglob("upload.body")):
                time.sleep(0.05)
            process.kill()
            process.wait()
    assert any(tmp_path.rglob("upload.body"))
    with serving("127.0.0.1:0") as (process, _, _):
        assert not any(tmp_path.rglob("upload.body"))
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert not list(tmp_path.glob(".edge-sr-*"))


def refused(*words: str, token: str | None = None) -> tuple[int, str]:
    environment = {**os.environ, "EDGE_SR_TOKEN": token or ""}
    command = [sys.executable, "-m", "edge_sr", "serve", *words, *FIXED]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    return done.returncode, done.stderr


def test_what_cannot_be_served_is_refused_in_a_line(tmp_path: Path) -> None:
    for words, code, said in [
        (("0.0.0.0:0",), 2, "put a token"),
        (("http",), 2, "must be PORT or HOST:PORT"),
        (("0", "--at-once", "9"), 2, "raise --networks"),
        (("0", "--token-file", str(tmp_path / "absent")), 4, "no such file"),
        (("0", "--model", "diinn-nanno"), 2, "did you mean diinn-nano"),
    ]:
        found = refused(*words)
        assert found[0] == code and said in found[1], found
        assert found[1].count("\n") == 1


def test_a_place_that_is_taken_is_said() -> None:
    with serving("127.0.0.1:0") as (_, address, _said):
        code, said = refused(address.removeprefix("http://"))
    assert (code, "it is taken" in said) == (2, True)
