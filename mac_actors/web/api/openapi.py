"""The OpenAPI description, made of the configuration of the routes and of the models that check the input."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import bottle
from pydantic.json_schema import models_json_schema

from mac_actors.version import VERSION
from mac_actors.web.api.request_models import Body
from mac_actors.web.api.responses.common import ErrorBody
from mac_actors.web.json_line import json_line

MEANINGS = {
    400: "Not JSON",
    401: "No or a wrong token, or signature",
    403: "Not from this address or origin",
    404: "No such machine, user or person",
    409: "Refused as unsafe (says what `?force=1` would do); several may be meant; there already; not there; another's",
    413: "The body is too long",
    422: "A field or a file is wrong; says which and what was expected",
    429: "Too many wrong tokens; says when to try again",
    503: "Not able to now; says why",
}

_TAGS = {"reader": "Readers", "admin": "Admins"}
_TOKEN_ERRORS = {"": (429,), "reader": (401,), "admin": (401, 403)}
_BODY_ERRORS = (400, 413, 422)

_IN_PATH = re.compile("<([a-z]+):(?:path|account)>")
_PARTS = {
    "name": "name or alias of a machine, without regard to case",
    "account": "account id of a user",
    "login": "name of a personal login",
    "session": "id of a session of the board",
    "code": "number of a fob; zeroes at the left, separators and case do not count",
    "authorization": "an authorization, exactly",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """What a call is for, what it takes and what it answers. It stands beside its handler: ``app.get(…, api=…)``.

    ``result`` is the JSON of a good answer, ``created`` of one with status 201, ``security`` whose token is asked for
    (``reader`` or ``admin``). ``errors`` are the statuses beside those that come with a token, with a body and with
    something in the path. ``responses`` are answers that are described in another way than by these.
    """

    summary: str
    result: type[Body] | None = None
    errors: tuple[int, ...] = ()
    body: type[Body] | None = None
    query: tuple[dict[str, Any], ...] = ()
    security: str = ""
    responses: dict[int, dict[str, Any]] | None = None
    created: type[Body] | None = None

    def described(self, rule: str) -> dict[str, Any]:
        """Return this operation, at this path, as OpenAPI has it."""
        described: dict[str, Any] = {"tags": [_TAGS.get(self.security, "Reading")], "summary": self.summary}
        errors = {*self.errors, *_TOKEN_ERRORS[self.security]}
        parameters = list(self.query)
        in_path = _IN_PATH.findall(rule)
        if in_path:
            errors.add(404)
            parameters[:0] = [_in_path(name) for name in in_path]
        if parameters:
            described["parameters"] = parameters
        if self.body:
            errors.update(_BODY_ERRORS)
            required = any(field.is_required() for field in self.body.model_fields.values())
            described["requestBody"] = {"required": required, "content": _content(self.body)}
        if self.security:
            described["security"] = [{self.security: []}, {}]
        responses = {200: response("Done", self.result)} if self.result else {}
        responses |= {201: response("Made", self.created)} if self.created else {}
        responses |= {status: response(MEANINGS[status], ErrorBody) for status in sorted(errors)}
        responses |= self.responses or {}
        return described | {"responses": {str(status): one for status, one in responses.items()}}


def _in_path(name: str) -> dict[str, Any]:
    described = {"description": _PARTS[name], "schema": {"type": "string"}}
    return {"name": name, "in": "path", "required": True, **described}


def query(name: str, description: str | None = None, **schema: Any) -> dict[str, Any]:
    """Describe a parameter of the query; ``schema``: ``type`` and what else JSON Schema knows."""
    return {"name": name, "in": "query", **({"description": description} if description else {}), "schema": schema}


def response(meaning: str, model: type[Body]) -> dict[str, Any]:
    """Describe an answer that is JSON."""
    return {"description": meaning, "content": _content(model)}


def _content(model: type[Body]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}


def routes(app: bottle.Bottle) -> None:
    """Add the description of all routes of the application, also of those that come later."""

    @cache
    def text() -> bytes:
        return json_line(json.dumps(description(app.routes), indent=1))

    @app.get("/openapi.json")
    def openapi_json() -> bytes:
        bottle.response.content_type = "application/json"
        return text()


def description(routes: Iterable[bottle.Route]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of these routes."""
    paths: dict[str, Any] = {}
    checked: list[type[Body]] = []
    made: list[type[Body]] = [ErrorBody]
    for route in routes:
        if operation := route.config.get("api"):
            path = paths.setdefault(_IN_PATH.sub(r"{\1}", route.rule), {})
            path[route.method.lower()] = operation.described(route.rule)
            checked += [operation.body] if operation.body else []
            made += [model for model in (operation.result, operation.created) if model]
    _, schemas = models_json_schema(
        [*((model, "validation") for model in checked), *((model, "serialization") for model in made)],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mac-actors",
            "version": VERSION,
            "description": "Decides who may run which machine in a makerspace.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "admin": {"type": "http", "scheme": "bearer", "description": "MAC_ADMIN_TOKEN"},
                "reader": {"type": "http", "scheme": "bearer", "description": "MAC_READER_TOKEN"},
            },
        },
    }
