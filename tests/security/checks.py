"""What must hold for any bytes at all: the targets of the fuzzers, and of the corpus that they left."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h11

from mac_actors.core.config import MachineConfig, fold_name, normalize_fob
from mac_actors.core.text import INVISIBLE
from mac_actors.errors import UnknownMachine
from mac_actors.fleet.names import Names
from mac_actors.slack.commands import (
    CHANGING,
    LONGEST_REASON,
    ParsedCommand,
    Target,
    Verb,
    find_quoted,
    parse,
    plain,
    resolve,
)
from mac_actors.slack.notices import escape
from mac_actors.web.api.request_models import AdminBody, ReportBody
from mac_actors.web.errors import RequestRefused, error_body
from mac_actors.web.requests import parse_body
from mac_actors.web.server.gateway import error_answer
from mac_actors.web.server.parser import MAX_BODY, ParsedRequest, RequestParser
from tests.fakes import ODD_ALIAS
from tests.security.wire import check_wire

CORPUS = Path(__file__).parent / "corpus"


# --- a report's body --------------------------------------------------------------------------------------

READER_REPLY_BYTES = 1024
"""A reader reads so much of a reply."""


def check_bodies(data: bytes) -> None:
    """Any bytes are a report (an admin's body) with everything in bounds, or are refused with 400 or 422."""
    report = _parsed(ReportBody, data)
    if report is not None:
        said = json.loads(data.decode())
        assert (report.machine_name, report.oops) == (said["machine_name"], said["oops"])
        fob = report.rfid_value
        assert fob is None or (10 <= len(fob) <= 3 * 64 and fob.isprintable() and fob.strip())
        assert fob == normalize_fob(said["rfid_value"])
        telemetry = report.telemetry()
        numbers = (telemetry.uptime, telemetry.wifi_signal_db, telemetry.wifi_signal_percent, telemetry.amps)
        assert all(number is None or math.isfinite(number) for number in numbers)
        report.machine_name.encode()
    admin = _parsed(AdminBody, data)
    if admin is not None:
        for text, longest in ((admin.reason, 1000), (admin.by, 200)):
            assert text is None or (0 < len(text) <= longest and text.isprintable() and text == " ".join(text.split()))
            assert text is None or text.encode()
        assert admin.source in {"http", "cli", "repl"}


def _parsed(model: type[Any], data: bytes) -> Any:
    try:
        return parse_body(model, data)
    except RequestRefused as refused:
        assert refused.status in {400, 422}
        answer = error_body(refused.message)
        assert len(answer) <= READER_REPLY_BYTES
        assert json.loads(answer)["error"].strip()
        return None


# --- a request on the wire --------------------------------------------------------------------------------


def check_request(data: bytes) -> None:
    """Any bytes are requests of the right length, or are refused; it does not matter in which pieces they come."""
    whole, refused = _parse([data])
    _check_against_h11(data, whole)
    alone, refused_alone = _parse([data[at : at + 1] for at in range(len(data))])
    assert alone == whole
    assert (refused is None) == (refused_alone is None)
    for request in whole:
        assert len(request.body) <= MAX_BODY
        assert not [value for value in request.headers.values() if "\n" in value or "\r" in value]
        assert request.path == "*" or request.path.startswith("/")


def _parse(pieces: list[bytes]) -> tuple[list[ParsedRequest], RequestRefused | None]:
    parser = RequestParser()
    try:
        for piece in pieces:
            parser.feed(piece)
    except RequestRefused as refused:
        assert refused.status in {400, 404, 405, 413, 431}
        assert json.loads(error_answer(refused.status, refused.message).partition(b"\r\n\r\n")[2])["error"]
        return list(parser.complete), refused
    return list(parser.complete), None


def _check_against_h11(data: bytes, seen: list[ParsedRequest]) -> None:
    """Where another implementation of HTTP takes the first request too, it means the same."""
    if not seen:
        return
    reader = h11.Connection(h11.SERVER)
    body = b""
    target = method = None
    try:
        reader.receive_data(data)
        while not isinstance(event := reader.next_event(), h11.EndOfMessage):
            if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                return
            if isinstance(event, h11.Request):
                target, method = event.target, event.method
            elif isinstance(event, h11.Data):
                body += event.data
    except h11.RemoteProtocolError:
        return
    assert (method, body) == (seen[0].method.encode(), seen[0].body), (target, seen[0])


# --- a command in Slack -----------------------------------------------------------------------------------

BOT = "U0MACBOT"
MACHINES = [
    MachineConfig("metal-mill", alias="Metal Mill"),
    MachineConfig("laser", alias=ODD_ALIAS),
    MachineConfig("cnc", alias="CNC: big one"),
    MachineConfig("saw", alias='7" saw'),
    MachineConfig("kiln", alias="Großer Ofen"),
    MachineConfig("x_1"),
]
NAMES = Names(MACHINES)
_TRIMMED = f" \"'`“”„‟‘’‚‛«»*_~.!{INVISIBLE}"
_DASHES = "-‐‑‒–—―−"


def check_command(data: bytes) -> None:
    """Any text is a command in bounds, or help; and none acts on a machine that it does not name."""
    text = data.decode("utf-8", "surrogateescape")
    for command in (parse(text, BOT), parse(text)):
        _check_parsed(command, text)
        _check_resolved(command.argument)
    if parse(text, BOT).verb is not Verb.HELP:
        assert re.match(rf"[\s*_~`{INVISIBLE}]*<@{BOT}[|>]", text)
        assert parse(text) == parse(text, BOT)
    _check_plain(text)
    _check_resolved(text)


def _check_parsed(command: ParsedCommand, text: str) -> None:
    assert isinstance(command.verb, Verb)
    assert len(command.unknown) <= 40
    assert not command.unknown or (command.verb, command.argument) == (Verb.HELP, "")
    assert len(command.argument) <= len(text)
    for part in (command.argument, command.unknown):
        assert part == " ".join(part.split())
        plain(part).encode()
    if command.verb in CHANGING:
        assert command.verb.value in plain(text).casefold()


def _check_plain(text: str) -> None:
    typed = plain(text)
    typed.encode()
    assert typed == " ".join(typed.split())
    assert len(typed) <= len(text)
    if not re.search("[<&]", typed):
        assert plain(typed) == typed  # with them not: "&amp;lt;" is what somebody typed as "&lt;"
    assert plain(escape(typed)) == typed  # what the bot quotes is what was typed


def _resolved(argument: str) -> Target:
    return resolve(ParsedCommand(Verb.OOPS, argument), NAMES.find, str)


def _check_resolved(argument: str) -> None:
    try:
        target = _resolved(argument)
    except UnknownMachine as error:
        assert len(error.suggestions) <= 3
        assert len(str(error)) < 400
        return
    assert target.reason is None or 0 < len(target.reason) <= LONGEST_REASON
    assert target.reason is None or target.reason == " ".join(target.reason.split())
    machine = next(machine for machine in MACHINES if machine.name == target.name)
    ends = [len(argument), *(match.start() for match in re.finditer(f"[:{_DASHES}]", argument))]
    named = {_bare(plain(argument[:end])) for end in ends}
    assert named & {_bare(machine.name), _bare(machine.display_name)}
    if len(ends) == 1:
        assert find_quoted(plain(argument), NAMES.find) == target.name
    again = _resolved(f'"{escape(machine.display_name)}": {escape(target.reason or "")}')
    assert (again.name, again.reason) == (target.name, target.reason)


def _bare(text: str) -> str:
    return fold_name(text.strip().strip(_TRIMMED)).strip(_TRIMMED)


CHECKS: dict[str, tuple[Callable[[bytes], None], ...]] = {
    "reports": (check_bodies, check_request),
    "wire": (check_wire,),
    "commands": (check_command,),
}
"""For each corpus what must hold for its files."""
