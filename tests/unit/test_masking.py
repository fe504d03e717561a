"""Secrets of addresses: out of every message, error, file name and list of processes."""

from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path
from typing import NamedTuple

import pytest

from edge_sr.errors import InputNotFoundError, UnreachableError
from edge_sr.masking import disclose, masked, masked_report, remember, starred
from edge_sr.upscale.run.places import beside_input


class Tried(NamedTuple):
    address: str
    times: int


ADDRESSES = [
    "rtsp://user:sesame@192.0.2.1/cam",
    "rtsp://user:p@ss/sesame@192.0.2.1/cam",
    "rtsp://user:my sesame@192.0.2.1/cam",
    "http://192.0.2.1/x.m3u8?token=sesame&expires=1",
    "srt://192.0.2.1:9000?passphrase=sesame",
    "rtmp://live.example/app/sesame",
    "rtmps://user:sesame@live.example/app/sesame?x=sesame",
    "http://192.0.2.1/#sesame",
    "concat:http://a:sesame@h/1|http://b:sesame@h/2",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize(
    "text", ["{}", "{} cannot be reached: no route", "edge-sr upscale '{}' --scale 2", "x: {}; y"]
)
def test_no_message_shows_a_secret(address: str, text: str) -> None:
    message = text.format(address)
    assert "sesame" not in masked(message)
    assert "sesame" not in starred(message)
    assert len(starred(message)) == len(message)
    assert "sesame" not in str(UnreachableError(message))


def test_values_of_an_error_keep_their_types() -> None:
    tried = [Tried("http://h/?token=sesame", 3), ("http://h/?token=sesame",)]
    error = UnreachableError("no answer", {"tried": tried})
    assert error.args[1] == {"tried": [Tried("http://h/", 3), ("http://h/",)]}
    assert type(error.args[1]["tried"][0]) is Tried


@pytest.mark.parametrize(
    "text",
    [
        "film.mp4",
        "udp://239.0.0.1:5000",
        "http://192.0.2.1:8080 failed for a@b.example",
        "see http://192.0.2.1:8080/live, or write to a@b.example",
        "Alien: Covenant.mp4 and @list.txt",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masked(text) == starred(text) == text


def test_an_address_that_was_given_is_found_in_parts_and_odd_forms() -> None:
    remember("rtsp://my user:98 open@192.0.2.1/cam")
    remember("http://u:%6fpen-barley@192.0.2.1/x")
    for text in ("rtsp://my user:98 open@192.0.2.1/cam", "refused '98 open'", "refused open-barley"):
        assert "98 open" not in masked(text)
        assert "barley" not in masked(text)


def test_errors_stay_what_they_are() -> None:
    error = InputNotFoundError("no such file: rtsp://u:sesame@h/x")
    assert isinstance(error, FileNotFoundError)
    assert str(error) == "no such file: rtsp://h/x"


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "edge_sr", *words], capture_output=True, text=True)


@pytest.mark.parametrize("words", [["upscale"], ["camera"], ["evaluate", "diinn-nano", "--hr"]])
@pytest.mark.parametrize("debug", [[], ["--debug"]])
def test_no_command_shows_a_password(words: list[str], debug: list[str]) -> None:
    scale = ["--scales", "2"] if words[0] == "evaluate" else ["--scale", "2"]
    for address in ("http://user:my sesame@127.0.0.1:9/x.mp4?token=sesame", "rtmp://127.0.0.1:9/app/sesame"):
        found = command(*words, address, *scale, *debug)
        assert found.returncode in (2, 4)
        assert "sesame" not in found.stdout + found.stderr


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_the_list_of_processes_shows_no_password() -> None:
    look = (
        "from edge_sr.masking import remember; from edge_sr.machine.process_title import hide_secrets; hide_secrets();"
        "print(open('/proc/self/cmdline').read())"
    )
    words = ["rtsp://user:my sesame@h/cam", "--scale", "2"]
    shown = subprocess.run([sys.executable, "-c", look, *words], capture_output=True, text=True, check=True)
    assert "sesame" not in shown.stdout
    assert "--scale" in shown.stdout


def test_a_chained_traceback_is_masked_as_a_whole() -> None:
    try:
        try:
            raise OSError("rtsp://u:sesame@h/x")
        except OSError as cause:
            raise UnreachableError("rtsp://u:sesame@h/x") from cause
    except UnreachableError:
        assert "sesame" not in masked(traceback.format_exc())


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://u:sesame@h.example/a%20film.mp4?token=sesame", "a film-4x2.mkv"),
        ("https://h.example/?token=sesame", "film-4x2.mkv"),
        ("rtmp://h.example/app/sesame", "app-4x2.mkv"),
        ("rtsp://h.example", "film-4x2.mkv"),
    ],
)
def test_the_name_of_the_output_shows_no_secret(address: str, name: str) -> None:
    assert beside_input(address, (4, 2), ".mkv") == Path(name)


def test_the_pages_own_address_is_shown_whole() -> None:
    page = "http://camera:8080/?token=s3cr3t-of-the-page"
    assert masked(f"page: {page}") == "page: http://camera:8080/"
    disclose(page)
    assert masked(f"page: {page}") == f"page: {page}"
    assert masked("http://camera:8080/?token=another") == "http://camera:8080/"


def test_a_token_given_on_the_command_line_is_starred() -> None:
    from edge_sr.machine.process_title import without_secrets

    line = b"edge-sr\0serve\08090\0--token\0abcdefgh12345678\0--timeout\05\0"
    assert without_secrets(line) == b"edge-sr\0serve\08090\0--token\0****************\0--timeout\05\0"
    joined = b"edge-sr\0serve\0--token=abcdefgh12345678\0"
    assert without_secrets(joined) == joined.replace(b"abcdefgh12345678", b"*" * 16)


def test_files_of_a_report_keep_their_names() -> None:
    facts = {"input": "key=7/photo.png", "output": "pass=2.png", "notes": ("see key=7",)}
    assert masked_report(facts) == {**facts, "notes": ("see key=…",)}
    assert masked_report({"input": "http://h/x?token=sesame"}) == {"input": "http://h/x"}
