"""Errors as the HTTP contract wants them: one table, one JSON shape."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, TypeVar

import bottle
from pydantic import BaseModel, ValidationError

from mac_actors.errors import ConfigError, MachineUnavailable, ReloadRefused, StorageError, UnknownMachine
from mac_actors.web.models import describe

log = logging.getLogger(__name__)

Model = TypeVar("Model", bound=BaseModel)

STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (UnknownMachine, 404),
    (ReloadRefused, 409),
    (ConfigError, 422),
    (MachineUnavailable, 503),
    (StorageError, 503),
)
"""Which status says which error of the package."""

_PHRASES = {
    404: "there is nothing at this path; GET /openapi.json lists what there is",
    405: "this method is not possible here; GET /openapi.json lists what is",
}

INTERNAL = "the server made a mistake; its log says which. Nothing was changed, or it is in the machine's state."


class Refused(Exception):  # noqa: N818 - it is an answer, not a failure
    """A request that is answered with an error status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class JsonErrors:
    """A Bottle plugin: whatever a route raises becomes JSON, and is counted."""

    name = "json_errors"
    api = 2

    def __init__(self, count: Callable[[str], None]) -> None:
        self._count = count

    def apply(self, callback: Callable[..., Any], _route: bottle.Route) -> Callable[..., Any]:
        """Wrap a route."""

        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return callback(*args, **kwargs)
            except bottle.HTTPResponse:
                raise
            except Refused as refused:
                return self._answer(refused.status, refused.message)
            except Exception as error:
                for kind, status in STATUSES:
                    if isinstance(error, kind):
                        return self._answer(status, str(error))
                log.exception("%s %s failed", bottle.request.method, bottle.request.path)
                return self._answer(500, INTERNAL)

        return guarded

    def _answer(self, status: int, message: str) -> bottle.HTTPResponse:
        self._count(str(status))
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
        return bottle.HTTPResponse(error_body(message), status, Content_Type="application/json", **headers)


def error_body(message: str) -> bytes:
    """Return the JSON of an error."""
    return json.dumps({"error": message}, ensure_ascii=False).encode("utf-8", "replace")


def handle_bottle_error(error: bottle.HTTPError) -> bytes:
    """Answer Bottle's own errors (no such path, wrong method, …) as JSON too."""
    if error.status_code >= 500:
        log.error("the web layer failed: %s", error.body, exc_info=error.exception)
        message = INTERNAL
    else:
        message = _PHRASES.get(error.status_code, str(error.body))
    bottle.response.content_type = "application/json"
    return error_body(message)


def read_body(environ: dict[str, Any]) -> bytes:
    """Return the request's body, which is whole in memory by now."""
    length = environ.get("CONTENT_LENGTH")
    if length:
        return bytes(environ["wsgi.input"].read(int(length)))
    return bytes(environ["wsgi.input"].read()) if environ["wsgi.input_terminated"] else b""


def parse_body(model: type[Model], body: bytes) -> Model:
    """Check a body; raises :class:`Refused`: 400 for what is not JSON, 422 for a wrong or missing field."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        details = error.errors(include_url=False)
        if details[0]["type"] == "json_invalid":
            raise Refused(400, f"the body is not JSON: {details[0]['ctx']['error']}") from None
        raise Refused(422, describe(details)) from None
