"""The service's parts: its description, its errors, its token, its open networks."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")

from edge_sr import errors
from edge_sr.errors import MediaError, OptionError, ResourceError
from edge_sr.integrations.service.asked import PARAMETERS, Asked, parse_query
from edge_sr.integrations.service.openapi import description
from edge_sr.integrations.service.problems import STATUSES, TITLES, Refusal, said_to_clients, status_of
from edge_sr.integrations.service.settings import ServiceLimits, find_token
from edge_sr.integrations.service.work import pool
from edge_sr.integrations.service.work.pool import NetworkPool
from edge_sr.upscale.run.request import Request
from edge_sr.upscale.run.watcher import Silent
from edge_sr.web.place import Place

HERE, EVERYWHERE = Place("127.0.0.1", 1), Place("0.0.0.0", 1)
TOKEN = "0123456789abcdefghij"


@pytest.mark.parametrize("needs_token", [True, False])
def test_the_description_is_sound(needs_token: bool) -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    found = description(ServiceLimits(), needs_token=needs_token)
    validator.validate(found)
    operation = found["paths"]["/upscale"]["post"]
    assert [one["name"] for one in operation["parameters"]] == list(PARAMETERS)
    assert set(PARAMETERS) == set(vars(Asked()))
    assert operation["security"] == ([{"token": []}] if needs_token else [])
    assert {"400", "401", "403", "429", "503", "504"} <= set(operation["responses"])
    for route in ("/models", "/metrics"):
        assert {"200", "401", "403", "429", "503"} == set(found["paths"][route]["get"]["responses"])
    schemas = {one["name"]: one["schema"] for one in operation["parameters"]}
    assert schemas["scale"] == {"type": "number", "minimum": 1, "maximum": 64}
    assert schemas["model"] == schemas["preset"] == {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,100}$"}


def test_every_error_has_a_status_and_every_status_a_title() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    for kind in (one for one in classes if issubclass(one, errors.EdgeSRError)):
        assert status_of(kind("x")) in TITLES
    assert {*STATUSES.values()} <= set(TITLES)
    assert status_of(RuntimeError()) == 500


def test_errors_keep_their_words_but_no_places_of_this_machine(tmp_path: Path) -> None:
    upload = tmp_path / "ab12" / "upload.body"
    said = said_to_clients(MediaError(f"expected more, found {upload} of 1x1: use --scale"), tmp_path)
    assert said == "expected more, found the upload of 1x1: use scale"
    assert said_to_clients(MediaError("upload.body has no picture"), tmp_path) == "the upload has no picture"
    assert said_to_clients(OptionError("result.webp would be large"), tmp_path) == "the result would be large"
    assert "secret" not in said_to_clients(KeyError("secret"), tmp_path)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"scale": "2", "size": "8x8"}, "exactly one"),
        ({"scale": "2", "crf": "-1"}, "crf"),
        ({"scale": "2", "crf": "٣"}, "crf"),
        ({"scale": "2", "tta": "yes"}, "true or false"),
        ({"scale": "2", "model": "../x"}, "word"),
        ({"scale": "2", "preset": "a;b"}, "word"),
        ({"scale": "2", "start": "soon"}, "seconds"),
        ({"scale": "2", "duration": "0"}, "longer than 0"),
        ({"scale": "9" * 300}, "characters"),
        ({"region": "0,0,1", "scale": "2"}, "region"),
        ({"height": "0"}, "height"),
    ],
)
def test_bad_queries_are_refused_by_name(query: dict[str, str], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        parse_query(query.items())


def test_an_option_stands_once() -> None:
    with pytest.raises(OptionError, match="twice"):
        parse_query([("scale", "2"), ("scale", "3")])


def test_a_token_is_needed_where_others_see_the_service(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("EDGE_SR_TOKEN", raising=False)
    assert find_token(HERE, None, without=False) is None
    assert find_token(EVERYWHERE, None, without=True) is None
    with pytest.raises(OptionError, match="EDGE_SR_TOKEN"):
        find_token(EVERYWHERE, None, without=False)
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    assert find_token(EVERYWHERE, file, without=False) == TOKEN
    with pytest.raises(OptionError, match="choose one"):
        find_token(EVERYWHERE, file, without=True)
    assert find_token(EVERYWHERE, None, given=TOKEN, without=False) == TOKEN
    with pytest.raises(OptionError, match="choose one"):
        find_token(EVERYWHERE, file, given=TOKEN, without=False)
    with pytest.raises(OptionError, match="choose one"):
        find_token(EVERYWHERE, None, given=TOKEN, without=True)
    for bad in ("short", "with a space in the middle", "x" * 15):
        monkeypatch.setenv("EDGE_SR_TOKEN", bad)
        with pytest.raises(OptionError, match="openssl"):
            find_token(HERE, None, without=False)
    with pytest.raises(errors.InputNotFoundError):
        find_token(HERE, tmp_path / "absent", without=False)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"at_once": 0}, "--at-once must be at least 1, found 0"),
        ({"queue": -1}, "--queue must be at least 0, found -1"),
        ({"networks": 0}, "--networks must be at least 1, found 0"),
        ({"pixels": 0}, "--max-pixels must be at least 1, found 0"),
        ({"body_bytes": 0}, "--max-megabytes must be at least 1, found 0"),
        ({"body_bytes": -3 << 20}, "--max-megabytes must be at least 1, found -3"),
        ({"picture": 0.0}, "--timeout must be over 0 and at most 1000000 seconds, found 0"),
        ({"film": float("nan")}, "--film-timeout must be over 0 .* found nan"),
        ({"grace": 2e6}, r"--grace must be .* at most 1000000 seconds, found 2e\+06"),
        ({"at_once": 5}, "raise --networks"),
    ],
)
def test_limits_are_checked_and_told_by_their_options(limits: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        ServiceLimits(**limits)


class FakeUpscaler:
    """In place of an open model, of which these tests need nothing but its life."""

    def __init__(self, model: str | None) -> None:
        self.model, self.closed = model, False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[FakeUpscaler]:
    """All upscalers that were opened."""
    found: list[FakeUpscaler] = []

    def open_network(request: Request, _: Any) -> FakeUpscaler:
        found.append(FakeUpscaler(request.model))
        return found[-1]

    monkeypatch.setattr(pool, "open_network", open_network)
    return found


MODELS = {name: f"/bundles/{name}" for name in "abc"}


def asking(model: str | None) -> Request:
    return Request("x", scale=Fraction(2), model=model)


def test_a_network_is_opened_once_and_the_longest_idle_goes_first(opened: list[FakeUpscaler]) -> None:
    networks = NetworkPool(2, MODELS)
    for model in ("a", "b", "a", "c", "a", None, "/etc"):
        with networks.opened(asking(model), Silent()) as network:
            assert network.model == MODELS[model if model in MODELS else "a"]
    assert [(one.model, one.closed) for one in opened] == [
        ("/bundles/a", False),
        ("/bundles/b", True),
        ("/bundles/c", False),
    ]
    assert len(networks) == 2
    networks.close()
    assert all(one.closed for one in opened)


def test_two_at_once_get_one_each(opened: list[FakeUpscaler]) -> None:
    networks, both = NetworkPool(2, MODELS), threading.Barrier(2)

    def use() -> None:
        for _ in range(20):
            with networks.opened(asking("a"), Silent()):
                both.wait(10)

    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == len(networks) == 2


@pytest.mark.parametrize(
    ("error", "kept"), [(ResourceError("x"), False), (RuntimeError(), False), (MediaError("x"), True)]
)
def test_a_network_that_failed_is_not_lent_again(
    error: Exception, kept: bool, opened: list[FakeUpscaler]
) -> None:
    networks = NetworkPool(1, MODELS)
    with pytest.raises(type(error)), networks.opened(asking("a"), Silent()):
        raise error
    assert opened[0].closed is not kept
    with networks.opened(asking("a"), Silent()):
        assert len(opened) == (1 if kept else 2)


def test_a_refusal_says_its_own_status() -> None:
    assert status_of(Refusal(429, "x")) == 429
