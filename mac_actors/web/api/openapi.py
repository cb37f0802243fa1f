"""The OpenAPI description, made of the models that check the input, and the page that shows it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import bottle
from pydantic.json_schema import models_json_schema

from mac_actors.core.outcomes import KINDS
from mac_actors.version import VERSION
from mac_actors.web.api.request_models import INPUTS
from mac_actors.web.api.response_models import ANSWERS
from mac_actors.web.pages import assets
from mac_actors.web.pages.html import PAGE_HEADERS

_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "name or alias of a machine, without regard to case",
    "schema": {"type": "string"},
}
_FORCE = {
    "name": "force",
    "in": "query",
    "description": "`1`: reload also where it was refused as unsafe (409)",
    "schema": {"type": "string"},
}
_DETAILS = {
    "name": "details",
    "in": "query",
    "description": "`1`: tell outcomes field by field too",
    "schema": {"type": "string"},
}
_PAGING = [
    _DETAILS,
    {
        "name": "cursor",
        "in": "query",
        "description": "`next` of the page before",
        "schema": {"type": "integer", "minimum": 1},
    },
    {
        "name": "limit",
        "in": "query",
        "description": "lines a page; more than 1000 counts as 1000",
        "schema": {"type": "integer", "minimum": 1, "default": 100},
    },
    {
        "name": "since",
        "in": "query",
        "description": "only what happened at or after this time",
        "schema": {"type": "string", "format": "date-time"},
    },
    {"name": "kind", "in": "query", "schema": {"type": "string", "enum": sorted(KINDS)}},
]


_DAYS = [
    {
        "name": name,
        "in": "query",
        "description": f"the {which} day, in the server's local time",
        "schema": {"type": "string", "format": "date"},
    }
    for name, which in (("from", "first"), ("to", "last"))
]


def routes(app: bottle.Bottle) -> None:
    """Add the description and its page."""

    @app.get("/openapi.json")
    def openapi_json() -> bytes:
        bottle.response.content_type = "application/json"
        return _description_text()

    @app.get("/docs")
    def docs() -> bytes:
        bottle.response.set_header("Referrer-Policy", PAGE_HEADERS["Referrer-Policy"])
        # Swagger UI's styles hold their pictures within them
        policy = f"{PAGE_HEADERS['Content-Security-Policy']}; img-src 'self' data:"
        bottle.response.set_header("Content-Security-Policy", policy)
        return assets.send("docs.html")


@cache
def _description_text() -> bytes:
    return json.dumps(description(), indent=1).encode()


def description() -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of the whole API."""
    _, schemas = models_json_schema(
        [*((model, "validation") for model in INPUTS), *((model, "serialization") for model in ANSWERS)],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mac-actors",
            "version": VERSION,
            "description": "Decides who may run which machine in a makerspace.",
        },
        "paths": _paths(),
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "admin": {"type": "http", "scheme": "bearer", "description": "MAC_ADMIN_TOKEN"},
                "reader": {"type": "http", "scheme": "bearer", "description": "MAC_READER_TOKEN"},
            },
        },
    }


_METRICS = {media: {"schema": {"type": "string"}} for media in ("text/plain", "application/openmetrics-text")}


def _paths() -> dict[str, Any]:
    return {
        "/api/machine/update": {
            "post": _operation(
                "Report a reader's state, and learn what to do",
                "OutputsBody",
                errors=(400, 401, 404, 413, 422, 503),
                body="ReportBody",
                required=True,
                security="reader",
            )
        },
        "/api/machine/oops/{name}": {
            "post": _command("Oops a machine: relay off at once, session over"),
            "delete": _command("Lift an oops"),
        },
        "/api/machine/locked_out/{name}": {
            "post": _command("Lock a machine out for maintenance: relay off at once, session over"),
            "delete": _command("Lift a lock-out"),
        },
        "/api/machine/clear/{name}": {"post": _command("Lift oops and lock-out, whichever are set")},
        "/api/reload-users": {
            "post": _operation(
                "Read users.json again",
                "UsersChangeBody",
                errors=(401, 403, 409, 422),
                parameters=[_FORCE],
                security="admin",
            )
        },
        "/api/reload": {
            "post": _operation(
                "Read machines.json and users.json again",
                "ReloadBody",
                errors=(401, 403, 409, 422),
                parameters=[_FORCE],
                security="admin",
            )
        },
        "/api/": {"get": _operation("Name and version of the service", "ServiceBody")},
        "/api/machines": {"get": _operation("All machines as they are now", "MachinesBody")},
        "/api/machines/{name}": {
            "get": _operation("One machine as it is now", "MachineBody", errors=(404,), parameters=[_NAME])
        },
        "/api/machines/{name}/events": {
            "get": _operation(
                "The journal of one machine, newest first",
                "EventsBody",
                errors=(404, 422, 503),
                parameters=[_NAME, *_PAGING],
            )
        },
        "/api/events": {
            "get": _operation(
                "The journal of all machines, newest first", "EventsBody", errors=(422, 503), parameters=_PAGING
            )
        },
        "/metrics": {
            "get": {
                "tags": ["Reading"],
                "summary": "What Prometheus scrapes: every machine's state, and how the server is",
                "responses": {"200": {"description": "Done", "content": _METRICS}},
            }
        },
        "/api/usage": {
            "get": _operation(
                "Sessions, hours and refusals by machine, and for admins by user",
                "UsageBody",
                errors=(422, 503),
                parameters=_DAYS,
            )
        },
        "/api/forget": {
            "post": _operation(
                "Remove a person's name and fobs from the journal",
                "ForgottenBody",
                errors=(400, 401, 403, 404, 409, 413, 422, 503),
                body="ForgetBody",
                required=True,
                security="admin",
            )
        },
        "/healthz": {"get": _operation("Whether the process is alive", "HealthBody")},
        "/readyz": {
            "get": {
                **_operation("Whether the server can serve", "ReadyBody"),
                "responses": {
                    "200": _response("It can", "ReadyBody"),
                    "503": _response("It can't; `problems` says why", "ReadyBody"),
                },
            }
        },
    }


def _command(summary: str) -> dict[str, Any]:
    return _operation(
        summary,
        "SuccessBody",
        errors=(400, 401, 403, 404, 413, 422, 503),
        body="AdminBody",
        parameters=[_NAME, _DETAILS],
        security="admin",
    )


def _operation(
    summary: str,
    result: str,
    *,
    errors: tuple[int, ...] = (),
    body: str | None = None,
    required: bool = False,
    parameters: list[dict[str, Any]] | None = None,
    security: str | None = None,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": [{"reader": "Readers", "admin": "Admins"}.get(security or "", "Reading")],
        "summary": summary,
        "responses": {
            "200": _response("Done", result),
            **{str(status): _response(_MEANINGS[status], "ErrorBody") for status in errors},
        },
    }
    if body:
        operation["requestBody"] = {"required": required, "content": _content(body)}
    if parameters:
        operation["parameters"] = parameters
    if security:
        operation["security"] = [{security: []}, {}]
    return operation


_MEANINGS = {
    400: "Not JSON",
    401: "No or a wrong token",
    403: "Not from this address or origin",
    404: "No such machine or person",
    409: "Refused as unsafe, says what `?force=1` would do; or several may be meant",
    413: "The body is too long",
    422: "A field or a file is wrong; says which and what was expected",
    503: "Not able to now; says why",
}


def _response(meaning: str, model: str) -> dict[str, Any]:
    return {"description": meaning, "content": _content(model)}


def _content(model: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}}}
