"""A file may take its time; a host that falls silent is given up."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from support.films import Making, make_film

from edge_sr.errors import UnreachableError
from edge_sr.video import opening
from edge_sr.video.film.film import Film


@pytest.fixture
def film(tmp_path: Path) -> Path:
    # So much that FFmpeg does not read all of it as it opens it.
    return make_film(tmp_path / "film.mkv", Making(size=(160, 120), frames=60, codec="ffv1"))


@pytest.fixture
def silent_host(film: Path) -> Iterator[str]:
    """Its ``/film`` breaks off halfway, the connection open; of anything else it says nothing at all."""
    ended = threading.Event()

    class Host(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = film.read_bytes()
            if self.path == "/film":
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data[: len(data) // 2])
            ended.wait(60)

        def log_message(self, *_: object) -> None:
            return

    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{serving.server_port}"
    ended.set()
    serving.shutdown()
    serving.server_close()


def test_a_host_that_falls_silent_is_given_up_and_said(
    silent_host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "TIMEOUT", (3.0, 1.0))
    with Film(f"{silent_host}/film") as film:
        assert 0 < sum(1 for _ in film.frames()) < 60
        assert any("nothing more has come" in warning for warning in film.warnings)
    with pytest.raises(UnreachableError, match="has not answered"):
        Film(f"{silent_host}/nothing")


def test_a_file_takes_the_time_that_it_takes(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    opened = av.open
    monkeypatch.setattr(av, "open", lambda *args, **kw: given.append(kw["timeout"]) or opened(*args, **kw))
    opening.open_input(str(film)).close()
    opening.open_input(str(film), protocols=("http",)).close()
    assert given == [None, opening.TIMEOUT]
