"""The readers' endpoint: one report in, the outputs out. The hot path of the server."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import bottle

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

NOTIFY_AT_MOST, NOTIFY_WITHIN_SECONDS = 3, 3600.0
"""How often in this time people are told that a machine's reports are refused, even if some are accepted between."""

LONGEST_NAME = 200
"""Characters of a wrong machine name that an answer repeats: readers read 1 kB of it."""

UNKNOWN_AT_MOST = 100
"""So many wrong machine names are logged, once each: whoever invents more must not fill the log."""


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access, observe: Callable[[float], None]) -> None:
    """Add the readers' routes; ``observe`` takes the seconds from each whole report to its answer."""
    refused_readers = _RefusedReaders(fleet.notify)
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
        body = parse_body(ReportBody, read_body(environ))
        name = body.machine_name
        if not access.reader_may_report(environ):
            if name in fleet.configuration.machines:
                refused_readers.add(name)
            raise RequestRefused(401, "reports need the header 'Authorization: Bearer TOKEN' with MAC_READER_TOKEN")
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
        refused_readers.remove(name)
        bottle.response.content_type = "application/json"
        body_of_reply = reply_body(answer.outputs, says_more=body.firmware is not None)
        observe(clock.seconds() - received)
        return body_of_reply


@lru_cache(maxsize=4096)
def reply_body(outputs: Outputs, *, says_more: bool) -> bytes:
    """Return the JSON for these outputs; ``says_more``: firmware that says what it is understands more keys.

    There are few different ones, and most reports get the same again.
    """
    hidden = None if says_more else {"always_on"}
    return json_line(OutputsBody.model_validate(outputs).model_dump_json(exclude=hidden))


class _RefusedReaders:
    """Machines whose reports are refused: people are told once of each, until a report is accepted again.

    There is a limit, because somebody who sends wrong reports beside the right reader could flood the channel.
    """

    def __init__(self, notify: Callable[[str], None]) -> None:
        self._notify = notify
        self._names: set[str] = set()
        self._notified: dict[str, deque[float]] = {}
        self._adding = threading.Lock()

    def add(self, name: str) -> None:
        now = time.monotonic()
        with self._adding:
            times = self._notified.setdefault(name, deque(maxlen=NOTIFY_AT_MOST))
            often = len(times) == NOTIFY_AT_MOST and now - times[0] < NOTIFY_WITHIN_SECONDS
            if name in self._names or often:
                return
            self._names.add(name)
            times.append(now)
        self._notify(
            f"{name}: the reports of its reader are refused (no or a wrong token), so it can't be stopped "
            "from here: give the reader MAC_READER_TOKEN."
        )

    def remove(self, name: str) -> None:
        if self._names:
            self._names.discard(name)
