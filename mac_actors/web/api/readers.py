"""The readers' endpoint: one report in, the outputs out. The hot path of the server."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import bottle
from pydantic import BaseModel, ValidationError

from mac_actors import clock
from mac_actors.actors.replies import Answer
from mac_actors.cluster.holding import HoldingFleet
from mac_actors.core.config import Offline
from mac_actors.core.inputs import Report
from mac_actors.core.outputs import Outputs
from mac_actors.core.signing import HEADER, Key, sign
from mac_actors.errors import MachineUnavailable, UnknownMachine
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.reader_keys import KeyRefused
from mac_actors.web.access import Access
from mac_actors.web.api.openapi import Operation
from mac_actors.web.api.request_models import ReportBody
from mac_actors.web.api.responses.readers import FobListBody, OfflineRulesBody, OutputsBody
from mac_actors.web.errors import RequestRefused
from mac_actors.web.json_line import json_line
from mac_actors.web.requests import parse_body, read_body
from mac_actors.web.server.parser import ParsedRequest

log = logging.getLogger(__name__)

UPDATE = "/api/machine/update"

LONGEST_NAME = 200
"""Characters of a wrong machine name that an answer repeats: readers read 1 kB of it."""

MARK_DIGITS = 12
"""So much of a fob's HMAC is in a list: 6 bytes, because a reader has little room."""

UNKNOWN_AT_MOST = 100
"""So many wrong machine names are logged, once each: whoever invents more must not fill the log."""

_SIGNATURE = f"HTTP_{HEADER.upper().replace('-', '_')}"


@dataclass(slots=True)
class ReportCall:
    """A report whose answer is under way (a :class:`~mac_actors.web.server.direct.Begun`)."""

    calls: ReportCalls
    fleet: MachineFleet | HoldingFleet
    environ: dict[str, Any]
    received: float
    name: str = ""
    at: datetime | None = None
    key: Key | None = None
    nonce: str | None = None
    is_new: bool = True
    """Whether it counts: its nonce is a new one, if it needs one."""
    says_more: bool = False
    """Whether its firmware says what it is."""
    sent: Any = None
    """What :meth:`MachineFleet.begin` has returned."""
    outputs: Outputs | None = None
    """What is told to a reader whose report does not count."""
    error: Exception | None = None
    """Why there is nothing to answer but an error."""

    def due(self) -> float:
        """Return when it can be answered by who can't wait."""
        if self.error:
            return math.inf
        return self.fleet.due(self.sent) if self.sent else 0.0

    def then(self, call: Callable[[], None]) -> None:
        """Call ``call`` when the answer is on disk."""
        self.sent.reply.then(call)

    def answer(self) -> tuple[dict[str, str], bytes]:
        """Return headers and body, as :meth:`ReportCalls.answer` does."""
        return self.calls.answer(self)


class ReportCalls:
    """Answers reports (a :class:`~mac_actors.web.server.direct.Direct`).

    ``observe`` takes the seconds from each whole report to its answer.
    """

    def __init__(self, fleet: MachineFleet | HoldingFleet, access: Access, observe: Callable[[float], None]) -> None:
        self._fleet = fleet
        self._access = access
        self._observe = observe
        self._unknown: set[str] = set()

    def takes(self, request: ParsedRequest) -> bool:
        """Whether it is a report, sent as readers do."""
        return request.path == UPDATE and request.method == "POST" and request.version == "1.1" and not request.query

    def begin(self, environ: dict[str, Any]) -> ReportCall:
        """Check a report, and let its machine's actor have it."""
        call = ReportCall(self, self._fleet, environ, environ.get("mac.received") or clock.seconds())
        try:
            self._begin(call)
        except Exception as error:
            call.error = error
        return call

    def _begin(self, call: ReportCall) -> None:
        fleet, environ = self._fleet, call.environ
        body, call.key = accept(fleet, self._access, environ)
        call.name = name = body.machine_name
        call.says_more = body.firmware is not None
        call.at = datetime.now(UTC)
        offline = body.offline_sessions() if call.key else ()
        report = Report(call.at, body.rfid_value, body.oops, body.telemetry(), call.received, offline)
        if call.key:
            call.is_new, call.nonce = fleet.reader_keys.spend(name, body.nonce)
        if call.is_new:
            gone = environ.get("mac.gone", lambda: False)
            call.sent = fleet.begin(name, report, environ["REMOTE_ADDR"], gone)
        else:
            call.outputs = fleet.kept_outputs(name, report)

    def answer(self, call: ReportCall) -> tuple[dict[str, str], bytes]:
        """Wait for the answer, and return its headers and body. Raises what is to be answered with an error."""
        fleet, name = self._fleet, call.name
        try:
            if call.error:
                error, call.error = call.error, None  # it knows the call, by its trace
                try:
                    raise error
                finally:
                    del error
            answer = fleet.finish(call.sent) if call.sent else Answer(call.outputs)  # type: ignore[arg-type]
        except UnknownMachine as error:
            self._say_unknown(error.name, call.environ["REMOTE_ADDR"])
            raise RequestRefused(404, f"No such machine: {error.name[:LONGEST_NAME]}") from None
        except MachineUnavailable:
            self._observe(clock.seconds() - call.received)  # the slowest of all: they count too
            raise
        if call.is_new:  # an old report that is sent again says nothing of the reader
            fleet.refused_readers.remove(name)
        headers = {"Content-Type": "application/json"}
        if call.key is None or call.at is None:
            body = reply_body(answer.outputs, call.says_more, fleet.offline_rules(name))
        else:
            current = fleet.reader_list(name, call.at) if call.is_new else None
            rules = offline_body(fleet.offline_rules(name), answer.offline if answer.durable else ())
            revision = current.revision if current else None
            body = json_of_outputs(
                answer.outputs, nonce=call.nonce, applied=call.is_new, list_revision=revision, offline=rules
            )
            headers[HEADER] = signature_of_reply(call.key, call.environ, body)
        self._observe(clock.seconds() - call.received)
        return headers, body

    def _say_unknown(self, name: str, address: str) -> None:
        name = name[:LONGEST_NAME]
        if name not in self._unknown and len(self._unknown) < UNKNOWN_AT_MOST:
            self._unknown.add(name)
            log.warning("a reader at %s reports for %r, which is not in the machines file", address, name)


def routes(app: bottle.Bottle, fleet: MachineFleet | HoldingFleet, access: Access, calls: ReportCalls) -> None:
    """Add the readers' routes."""

    @app.post(
        UPDATE,
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
        headers, body = calls.answer(environ.get("mac.begun") or calls.begin(environ))
        for name, value in headers.items():
            bottle.response.set_header(name, value)
        return body

    @app.get(
        "/api/reader/<name:path>/list",
        api=Operation(
            "The list of fobs that a reader keeps for when the server is away. The signature is of an empty body",
            FobListBody,
            security="reader",
        ),
    )
    def fob_list(name: str) -> bytes:
        now = datetime.now(UTC)
        if name not in fleet.configuration.machines:
            raise RequestRefused(404, f"No such machine: {name[:LONGEST_NAME]}")
        environ = bottle.request.environ
        key = check_signature(fleet, environ, name)
        check_token(access, environ)
        current = fleet.reader_list(name, now)
        if key is None or current is None:
            raise RequestRefused(404, f"{name} has no list: it needs 'offline.list' in machines.json, and a key")
        content = current.content
        body = FobListBody(
            machine=name,
            revision=current.revision,
            lifetime_seconds=content.lifetime_seconds(now),
            oops=content.oops,
            lock=content.lock,
            fobs=[sign(key.secret, fob)[:MARK_DIGITS] for fob in content.fobs],
        )
        reply = json_line(body.model_dump_json())
        bottle.response.content_type = "application/json"
        bottle.response.set_header(HEADER, signature_of_reply(key, environ, reply))
        return reply


def offline_body(rules: Offline, taken: Sequence[int] = ()) -> OfflineRulesBody | None:
    """Return what the reader does without the server, if anything, and which of its sessions the server has now."""
    if rules == Offline() and not taken:
        return None
    return OfflineRulesBody(after_seconds=rules.after_seconds, on_loss=rules.on_loss, taken=list(taken))


def accept(
    fleet: MachineFleet | HoldingFleet, access: Access, environ: dict[str, Any]
) -> tuple[ReportBody, Key | None]:
    """Check a report; return it with the key that it is signed with, if its reader has one.

    Raises :class:`RequestRefused`. Then a machine that is configured can't be stopped.
    """
    data = read_body(environ)
    try:
        # Before anything of a report is believed, but whose it is.
        signed = fleet.reader_keys or _SIGNATURE in environ
        key = check_signature(fleet, environ, _name_of(data), data) if signed else None
        body = parse_body(ReportBody, data)
        check_token(access, environ)
        if key is not None and body.firmware is None:
            raise RequestRefused(422, "firmware: is required of a reader with a key, whose replies have a nonce")
    except RequestRefused as refused:
        machine = fleet.configuration.machines.get(_name_of(data) or "")
        if machine is not None:
            fleet.refused_readers.add(machine, refused.message)
        raise
    return body, key


def check_token(access: Access, environ: dict[str, Any]) -> None:
    """Let a reader pass that sends the readers' token, if there is one; raises :class:`RequestRefused` (401)."""
    if not access.reader_may_report(environ):
        raise RequestRefused(401, "reports need the header 'Authorization: Bearer TOKEN' with MAC_READER_TOKEN")


def check_signature(
    fleet: MachineFleet | HoldingFleet, environ: dict[str, Any], name: str | None, *parts: str | bytes
) -> Key | None:
    """Return the key with which the reader of the machine ``name`` has signed these parts of its request.

    ``None``: it has no key, or there is no such machine. Raises :class:`RequestRefused` (401).
    """
    if name is None or name not in fleet.configuration.machines:
        return None
    try:
        return fleet.reader_keys.signer(name, environ.get(_SIGNATURE), *parts)
    except KeyRefused as refused:
        raise RequestRefused(401, str(refused)) from None


def signature_of_reply(key: Key, environ: dict[str, Any], body: bytes) -> str:
    """Return the signature of a body as that of the reply to this request."""
    return sign(key.secret, environ[_SIGNATURE], body)


@lru_cache(maxsize=4096)
def reply_body(outputs: Outputs, says_more: bool, offline: Offline) -> bytes:
    """Return the JSON for these outputs; ``says_more``: firmware that says what it is understands more keys.

    There are few different ones, and most reports get the same again.
    """
    if says_more:
        return json_of_outputs(outputs, offline=offline_body(offline))
    return json_of_outputs(outputs, exclude={"always_on"})


def json_of_outputs(outputs: Outputs, *, exclude: set[str] | None = None, **more: object) -> bytes:
    """Return the JSON for these outputs, with ``more`` of :class:`OutputsBody`."""
    body = OutputsBody.model_validate(outputs)
    return json_line(body.model_copy(update=more).model_dump_json(exclude=exclude, by_alias=True))


def _name_of(data: bytes) -> str | None:
    """Return the machine that a report is of which is not checked, or refused."""
    try:
        return _Named.model_validate_json(data).machine_name
    except ValidationError:
        return None


class _Named(BaseModel):
    machine_name: str
