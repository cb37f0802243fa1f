"""Errors as the HTTP contract wants them: one table, one JSON shape."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import bottle

from mac_actors.core.phrases import phrase
from mac_actors.errors import (
    ConfigError,
    MachineUnavailable,
    NotAllowed,
    ReloadRefused,
    StorageError,
    UnknownAuthorization,
    UnknownMachine,
    UnknownUser,
    UserRefused,
)
from mac_actors.web.json_line import json_line

log = logging.getLogger(__name__)

STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (UnknownMachine, 404),
    (UnknownUser, 404),
    (NotAllowed, 403),
    (ReloadRefused, 409),
    (UserRefused, 409),
    (ConfigError, 422),
    (UnknownAuthorization, 422),
    (MachineUnavailable, 503),
    (StorageError, 503),
)
"""The HTTP status of each error of the package."""

_PHRASES = {
    404: "there is nothing at this path; GET /openapi.json lists what there is",
    405: "this method is not possible here; GET /openapi.json lists what is",
}

_PAGE_PHRASES = {
    404: phrase("there is no page at this address"),
    405: phrase("this address can't be called like that"),
}

INTERNAL = phrase(
    "the server made a mistake; its log says which. Nothing was changed, or it is in the machine's state."
)


class RequestRefused(Exception):  # noqa: N818 - it is an answer, not a failure
    """A request that is answered with an error status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Errors:
    """A Bottle plugin: whatever a route raises becomes an answer, by the one function that makes them."""

    name = "errors"
    api = 2

    def __init__(self, answer: Callable[[int, str, Exception | None], bottle.HTTPResponse]) -> None:
        self._answer = answer

    def apply(self, callback: Callable[..., Any], _route: bottle.Route) -> Callable[..., Any]:
        """Wrap a route."""

        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return callback(*args, **kwargs)
            except bottle.HTTPResponse:
                raise
            except RequestRefused as refused:
                return self._answer(refused.status, refused.message, refused)
            except Exception as error:
                for kind, status in STATUSES:
                    if isinstance(error, kind):
                        return self._answer(status, str(error), error)
                log.exception("%s %s failed", bottle.request.method, bottle.request.path)
                return self._answer(500, INTERNAL, None)

        return guarded


def error_body(message: str) -> bytes:
    """Return the JSON of an error."""
    return json_line(json.dumps({"error": message}, ensure_ascii=False))


def message_of(error: bottle.HTTPError, *, for_page: bool) -> str:
    """Say what one of Bottle's own errors (no such path, wrong method, …) means, to a program or on a page."""
    if error.status_code >= 500:
        log.error("the web layer failed: %s", error.body, exc_info=error.exception)
        return INTERNAL
    phrases: Mapping[int, str] = _PAGE_PHRASES if for_page else _PHRASES
    return phrases.get(error.status_code, str(error.body))


def wants_page(environ: dict[str, Any]) -> bool:
    """Whether a person looks at the answer: a browser asks, and not for a part of the API."""
    return "text/html" in environ.get("HTTP_ACCEPT", "") and not environ.get("PATH_INFO", "").startswith("/api")


@contextmanager
def refusals_in_log() -> Iterator[None]:
    """Write in the log who was refused what is for admins."""
    try:
        yield
    except RequestRefused as refused:
        request = bottle.request
        log.warning("refused %s %s from %s: %s", request.method, request.path, request.remote_addr, refused.status)
        raise
