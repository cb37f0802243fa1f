"""The readers' endpoint: one report in, the outputs out. The hot path of the server."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import bottle
from pydantic import BaseModel, ValidationError

from mac_actors import clock
from mac_actors.core.inputs import Report
from mac_actors.core.outputs import Outputs
from mac_actors.errors import MachineUnavailable, UnknownMachine
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.web.access import Access
from mac_actors.web.api.openapi import Operation
from mac_actors.web.api.request_models import ReportBody
from mac_actors.web.api.response_models import OutputsBody
from mac_actors.web.errors import RequestRefused
from mac_actors.web.json_line import json_line
from mac_actors.web.requests import parse_body, read_body

log = logging.getLogger(__name__)

LONGEST_NAME = 200
"""Characters of a wrong machine name that an answer repeats: readers read 1 kB of it."""

UNKNOWN_AT_MOST = 100
"""So many wrong machine names are logged, once each: whoever invents more must not fill the log."""


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access, observe: Callable[[float], None]) -> None:
    """Add the readers' routes; ``observe`` takes the seconds from each whole report to its answer."""
    unknown: set[str] = set()

    @app.post(
        "/api/machine/update",
        api=Operation(
            "Report a reader's state, and learn what to do",
            OutputsBody,
            errors=(404, 503),
            body=ReportBody,
            security="reader",
        ),
    )
    def update() -> bytes:
        environ = bottle.request.environ
        body = accept(read_body(environ))
        name = body.machine_name
        report = Report(datetime.now(UTC), body.rfid_value, body.oops, body.telemetry())
        received = environ.get("mac.received") or clock.seconds()
        gone = environ.get("mac.gone", lambda: False)
        try:
            answer = fleet.report(name, report, received, environ["REMOTE_ADDR"], gone)
        except UnknownMachine:
            short_name = name[:LONGEST_NAME]
            if short_name not in unknown and len(unknown) < UNKNOWN_AT_MOST:
                unknown.add(short_name)
                log.warning(
                    "a reader at %s reports for %r, which is not in the machines file",
                    environ["REMOTE_ADDR"],
                    short_name,
                )
            raise RequestRefused(404, f"No such machine: {short_name}") from None
        except MachineUnavailable:
            observe(clock.seconds() - received)  # the slowest of all: they count too
            raise
        fleet.refused_readers.remove(name)
        bottle.response.content_type = "application/json"
        body_of_reply = reply_body(answer.outputs, says_more=body.firmware is not None)
        observe(clock.seconds() - received)
        return body_of_reply

    def accept(data: bytes) -> ReportBody:
        """Check a report; raises :class:`RequestRefused`. Then a machine that is configured can't be stopped."""
        try:
            body = parse_body(ReportBody, data)
            if not access.reader_may_report(bottle.request.environ):
                raise RequestRefused(401, "reports need the header 'Authorization: Bearer TOKEN' with MAC_READER_TOKEN")
        except RequestRefused as refused:
            machine = fleet.configuration.machines.get(_name_of(data) or "")
            if machine is not None:
                fleet.refused_readers.add(machine, refused.message)
            raise
        return body


@lru_cache(maxsize=4096)
def reply_body(outputs: Outputs, *, says_more: bool) -> bytes:
    """Return the JSON for these outputs; ``says_more``: firmware that says what it is understands more keys.

    There are few different ones, and most reports get the same again.
    """
    hidden = None if says_more else {"always_on"}
    return json_line(OutputsBody.model_validate(outputs).model_dump_json(exclude=hidden))


def _name_of(data: bytes) -> str | None:
    """Return the machine that a report is of which is refused."""
    try:
        return _Named.model_validate_json(data).machine_name
    except ValidationError:
        return None


class _Named(BaseModel):
    machine_name: str
