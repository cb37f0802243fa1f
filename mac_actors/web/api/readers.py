"""The readers' endpoint: one report in, the outputs out. The hot path of the server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

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

log = logging.getLogger(__name__)

LONGEST_NAME = 200
"""Characters of a wrong machine name that an answer repeats: readers read 1 kB of it."""

MARK_DIGITS = 12
"""So much of a fob's HMAC is in a list: 6 bytes, because a reader has little room."""

UNKNOWN_AT_MOST = 100
"""So many wrong machine names are logged, once each: whoever invents more must not fill the log."""

_SIGNATURE = f"HTTP_{HEADER.upper().replace('-', '_')}"


def routes(
    app: bottle.Bottle, fleet: MachineFleet | HoldingFleet, access: Access, observe: Callable[[float], None]
) -> None:
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
        body, key = accept(fleet, access, read_body(environ))
        name = body.machine_name
        offline = body.offline_sessions() if key else ()
        report = Report(datetime.now(UTC), body.rfid_value, body.oops, body.telemetry(), offline=offline)
        received = environ.get("mac.received") or clock.seconds()
        gone = environ.get("mac.gone", lambda: False)
        is_new, nonce = (True, None) if key is None else fleet.reader_keys.spend(name, body.nonce)
        try:
            if is_new:
                answer = fleet.report(name, report, received, environ["REMOTE_ADDR"], gone)
            else:
                answer = Answer(fleet.kept_outputs(name, report))
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
        if is_new:  # an old report that is sent again says nothing of the reader
            fleet.refused_readers.remove(name)
        bottle.response.content_type = "application/json"
        if key is None:
            reply = reply_body(answer.outputs, body.firmware is not None, fleet.offline_rules(name))
        else:
            current = fleet.reader_list(name, report.at) if is_new else None
            rules = offline_body(fleet.offline_rules(name), answer.offline if answer.durable else ())
            revision = current.revision if current else None
            reply = json_of_outputs(answer.outputs, nonce=nonce, applied=is_new, list_revision=revision, offline=rules)
            reply = signed_reply(key, reply)
        observe(clock.seconds() - received)
        return reply

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
        key = check_signature(fleet, name)
        check_token(access)
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
        bottle.response.content_type = "application/json"
        return signed_reply(key, json_line(body.model_dump_json()))


def offline_body(rules: Offline, taken: Sequence[int] = ()) -> OfflineRulesBody | None:
    """Return what the reader does without the server, if anything, and which of its sessions the server has now."""
    if rules == Offline() and not taken:
        return None
    return OfflineRulesBody(after_seconds=rules.after_seconds, on_loss=rules.on_loss, taken=list(taken))


def accept(fleet: MachineFleet | HoldingFleet, access: Access, data: bytes) -> tuple[ReportBody, Key | None]:
    """Check a report; return it with the key that it is signed with, if its reader has one.

    Raises :class:`RequestRefused`. Then a machine that is configured can't be stopped.
    """
    environ = bottle.request.environ
    try:
        # Before anything of a report is believed, but whose it is.
        signed = fleet.reader_keys or _SIGNATURE in environ
        key = check_signature(fleet, _name_of(data), data) if signed else None
        body = parse_body(ReportBody, data)
        check_token(access)
        if key is not None and body.firmware is None:
            raise RequestRefused(422, "firmware: is required of a reader with a key, whose replies have a nonce")
    except RequestRefused as refused:
        machine = fleet.configuration.machines.get(_name_of(data) or "")
        if machine is not None:
            fleet.refused_readers.add(machine, refused.message)
        raise
    return body, key


def check_token(access: Access) -> None:
    """Let a reader pass that sends the readers' token, if there is one; raises :class:`RequestRefused` (401)."""
    if not access.reader_may_report(bottle.request.environ):
        raise RequestRefused(401, "reports need the header 'Authorization: Bearer TOKEN' with MAC_READER_TOKEN")


def check_signature(fleet: MachineFleet | HoldingFleet, name: str | None, *parts: str | bytes) -> Key | None:
    """Return the key with which the reader of the machine ``name`` has signed these parts of its request.

    ``None``: it has no key, or there is no such machine. Raises :class:`RequestRefused` (401).
    """
    if name is None or name not in fleet.configuration.machines:
        return None
    try:
        return fleet.reader_keys.signer(name, bottle.request.environ.get(_SIGNATURE), *parts)
    except KeyRefused as refused:
        raise RequestRefused(401, str(refused)) from None


def signed_reply(key: Key, body: bytes) -> bytes:
    """Return the body of a reply, having signed it as the reply to this request."""
    bottle.response.set_header(HEADER, sign(key.secret, bottle.request.environ[_SIGNATURE], body))
    return body


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
