"""What answers of many endpoints are: a success, an error."""

from __future__ import annotations

from typing import Any

import bottle

from mac_actors.web.api.request_models import Body
from mac_actors.web.api.responses.readers import OutputsBody
from mac_actors.web.json_line import json_line


class ErrorBody(Body):
    """What is wrong, and what was expected."""

    error: str


class OutcomeBody(Body):
    """What came of a command: its kind, and the rest as an event's ``outcome``."""

    kind: str
    outcome: dict[str, Any]


class SuccessBody(Body):
    """The command was carried out. ``durable`` is there, false, when it is not on disk yet.

    ``outcomes`` and ``outputs`` (what the reader is told) are there with ``?details=1`` alone.
    """

    success: bool = True
    durable: bool | None = None
    outcomes: list[OutcomeBody] | None = None
    outputs: OutputsBody | None = None


def json_of(body: Body, **options: Any) -> bytes:
    """Answer with a model; ``options`` are those of ``model_dump_json``. No cache keeps it: names may be in it."""
    bottle.response.content_type = "application/json"
    bottle.response.set_header("Cache-Control", "no-store")
    return json_line(body.model_dump_json(**options))
