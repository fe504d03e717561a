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
TEXT = {"type": "string"}


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
            "/models": {"get": {**_get("models", "The networks, formats and limits."), "security": secured}},
            "/metrics": {"get": {**_metrics(), "security": secured}},
            "/healthz": {"get": _health()},
            "/openapi.json": {"get": _get("openapi", "This description.")},
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
            f"At most {limits.body_bytes} bytes, and {limits.pixels} pixels a picture or frame, before and after."
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
                    name: {"schema": TEXT} for name in ("Edge-SR-Size", "Edge-SR-Dropped", "Edge-SR-Warning")
                },
                "content": dict.fromkeys(dict.fromkeys(TYPES.values()), BINARY),
            },
            **{str(status): _refusal(status) for status in REFUSALS},
        },
    }


def _parameter(name: str) -> dict[str, Any]:
    one = PARAMETERS[name]
    return {"name": name, "in": "query", "description": one.text, "schema": one.schema}


def _refusal(status: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": TITLES[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status == 429:
        found["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
    return found


def _get(name: str, text: str) -> dict[str, Any]:
    answer = {"description": text, "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"operationId": name, "summary": text, "responses": {"200": answer}}


def _metrics() -> dict[str, Any]:
    answer = {"description": "Figures.", "content": {"text/plain": {"schema": TEXT}}}
    return {"operationId": "metrics", "summary": "Figures for Prometheus.", "responses": {"200": answer}}


def _health() -> dict[str, Any]:
    found = _get("health", "Whether the service takes requests.")
    found["responses"]["503"] = {**found["responses"]["200"], "description": "It is about to stop."}
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
