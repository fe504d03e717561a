"""The service in OpenAPI's words, made of the tables that it works by."""

from __future__ import annotations

from typing import Any

from edge_sr.integrations.service.asked import PARAMETERS
from edge_sr.integrations.service.problems import MEDIA_TYPE, TITLES
from edge_sr.integrations.service.receiving import FIELD
from edge_sr.integrations.service.settings import ServiceLimits
from edge_sr.integrations.service.work.jobs import TYPES
from edge_sr.version import __version__

BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
REFUSALS = (400, 401, 403, 408, 413, 415, 422, 429, 500, 501, 503, 504, 507)
# Of the routes that a token opens and that take nothing, and of those that are open to all.
GUARDED_REFUSALS, OPEN_REFUSALS = (401, 403, 429, 503), (403,)
TEXT = {"type": "string"}
PLAIN: dict[str, Any] = {"text/plain": {"schema": TEXT}}
MODELS, METRICS = "The networks, formats and limits.", "Figures for Prometheus."
JSON: dict[str, Any] = {"application/json": {"schema": {"type": "object"}}}
RESULT_HEADERS = {
    "Edge-SR-Model": "The network.",
    "Edge-SR-Backend": "What ran it.",
    "Edge-SR-Precision": "In which number format.",
    "Edge-SR-Size": "WIDTHxHEIGHT of the result.",
    "Edge-SR-Dropped": "What the format could not hold.",
    "Edge-SR-Warning": "Pictures: what did not decode.",
    "Server-Timing": "Pictures: milliseconds in encoder and decoder.",
}


def description(limits: ServiceLimits, *, needs_token: bool) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a service with these limits."""
    secured: list[dict[str, list[str]]] = [{"token": []}] if needs_token else []
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Edge SR",
            "version": __version__,
            "summary": "Arbitrary-scale super-resolution for pictures and films.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/upscale": {"post": {**_upscale(limits), "security": secured}},
            "/models": {"get": {**_get("models", MODELS, GUARDED_REFUSALS), "security": secured}},
            "/metrics": {"get": {**_get("metrics", METRICS, GUARDED_REFUSALS, PLAIN), "security": secured}},
            "/healthz": {"get": _health()},
            "/openapi.json": {"get": _get("openapi", "This description.", OPEN_REFUSALS)},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": _problem()},
        },
    }


def _upscale(limits: ServiceLimits) -> dict[str, Any]:
    form = {
        "schema": {
            "type": "object",
            "required": [FIELD],
            "properties": {FIELD: {"type": "string", "format": "binary"}},
        }
    }
    return {
        "operationId": "upscale",
        "summary": "A picture or a film, larger.",
        "description": (
            "Exactly one of scale, size and height is given. A film streams back as it is made. "
            f"At most {limits.body_bytes} bytes, and {limits.pixels} pixels of an input or output picture or frame."
        ),
        "parameters": [_parameter(name) for name in PARAMETERS],
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": BINARY, "multipart/form-data": form},
        },
        "responses": {
            "200": {
                "description": "The result.",
                "headers": {
                    name: {"schema": TEXT, "description": text} for name, text in RESULT_HEADERS.items()
                },
                "content": dict.fromkeys(dict.fromkeys(TYPES.values()), BINARY),
            },
            **_refusals(REFUSALS),
        },
    }


def _parameter(name: str) -> dict[str, Any]:
    one = PARAMETERS[name]
    return {"name": name, "in": "query", "description": one.text, "schema": one.schema}


def _refusals(statuses: tuple[int, ...]) -> dict[str, Any]:
    return {str(status): _refusal(status) for status in statuses}


def _refusal(status: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": TITLES[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status == 429:
        found["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
    return found


def _get(name: str, text: str, refusals: tuple[int, ...], content: dict[str, Any] = JSON) -> dict[str, Any]:
    answer = {"description": text, "content": content}
    return {"operationId": name, "summary": text, "responses": {"200": answer, **_refusals(refusals)}}


def _health() -> dict[str, Any]:
    found = _get("health", "Whether the service takes requests.", OPEN_REFUSALS)
    found["responses"]["503"] = {
        **found["responses"]["200"],
        "description": "It is starting, or about to stop.",
    }
    return found


def _problem() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "RFC 9457; error is the class of the Python error, for those that have one.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": TEXT,
            "title": TEXT,
            "status": {"type": "integer"},
            "detail": TEXT,
            "error": TEXT,
        },
    }
