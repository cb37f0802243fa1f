"""What must hold for any bytes at all: the targets of the fuzzers, and of the corpus that they left."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h11

from mac_actors.core.config import MachineConfig, fold_name, normalize_fob
from mac_actors.errors import UnknownMachine
from mac_actors.fleet.names import Names
from mac_actors.slack.commands import CHANGING, LONGEST_REASON, ParsedCommand, Verb, find_quoted, parse, plain, resolve
from mac_actors.slack.notices import escape
from mac_actors.web.api.request_models import AdminBody, ReportBody
from mac_actors.web.errors import RequestRefused, error_body
from mac_actors.web.requests import parse_body, read_body
from mac_actors.web.server.chunks import join_chunks
from mac_actors.web.server.connection import Connection
from mac_actors.web.server.request_buffer import MAX_BODY, RequestBuffer
from mac_actors.web.server.server import Server
from tests.fakes import ODD_ALIAS

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


@dataclass
class _Socket:
    """A client that sends pieces, as fast as they are read, and keeps what it is answered."""

    pieces: list[bytes]
    answers: bytearray = field(default_factory=bytearray)
    closed: bool = False

    def recv(self, _size: int) -> bytes:
        if not self.pieces:
            raise BlockingIOError
        return self.pieces.pop(0)

    def send(self, data: bytes) -> int:
        assert not self.closed
        self.answers += data
        return len(data)

    def fileno(self) -> int:
        return 1

    def shutdown(self, _how: int) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def getpeername(self) -> tuple[str, int]:
        return ("192.0.2.1", 40000)


class _Selector:
    def register(self, *_: object, **__: object) -> None:
        pass

    unregister = register

    def __len__(self) -> int:
        return 2


@dataclass(frozen=True)
class Seen:
    """What the application was asked."""

    method: str
    path: str
    query: str
    body: bytes


class _Desk:
    """The request buffer and one worker, without sockets, threads and time."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.server = Server(self._application, "127.0.0.1", 0)
        self.server.process_conn = self._work
        self.server.ready = True
        self.request_buffer = RequestBuffer.__new__(RequestBuffer)
        self.request_buffer.server = self.server
        self.request_buffer._selector = _Selector()
        self.server._connections = self.request_buffer

    def _application(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = read_body(environ)
        assert len(body) <= MAX_BODY
        assert int(environ.get("CONTENT_LENGTH") or 0) == len(body)
        assert not [key for key, value in environ.items() if key.startswith("HTTP_") and "\n" in value]
        path = environ["PATH_INFO"]
        self.seen.append(Seen(environ["REQUEST_METHOD"], path, environ["QUERY_STRING"], body))
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"{}"]

    def _work(self, conn: Connection) -> None:
        if conn.communicate():
            self.request_buffer.put(conn)
        else:
            conn.socket.close()

    def ask(self, pieces: list[bytes]) -> _Socket:
        """Send the pieces on one connection, and hang up."""
        client = _Socket(list(pieces))
        conn = Connection(self.server, client)
        conn.remote_addr, conn.remote_port = client.getpeername()
        while client.pieces and not client.closed:
            self.request_buffer._serve(conn)
        return client


DESK = _Desk()


def check_request(data: bytes) -> None:
    """Any bytes are requests of the right length, or are refused; it does not matter in which pieces they come."""
    whole, answers = _asked([data])
    for status, body in answers:
        assert status in {100, 200, 400, 404, 405, 411, 413, 414, 417, 431, 501, 505}, (status, body)
        assert status == 100 or isinstance(json.loads(body), dict)
        assert status < 400 or json.loads(body)["error"]
    _check_chunks(data)
    _check_against_h11(data, whole)
    if not data.startswith(b"\r\n"):
        alone, answers_alone = _asked([data[at : at + 1] for at in range(len(data))])
        assert alone[:1] == whole[:1]
        assert [status for status, _ in answers_alone if status != 100][:1] == [s for s, _ in answers if s != 100][:1]


def _asked(pieces: list[bytes]) -> tuple[list[Seen], list[tuple[int, bytes]]]:
    DESK.seen = []
    client = DESK.ask(pieces)
    return DESK.seen, _answers(bytes(client.answers), [seen.method for seen in DESK.seen])


def _answers(said: bytes, methods: list[str]) -> list[tuple[int, bytes]]:
    """Take apart what the server said; every byte of it must be part of an answer."""
    found: list[tuple[int, bytes]] = []
    while said:
        head, separator, rest = said.partition(b"\r\n\r\n")
        first = re.match(rb"HTTP/1\.[01] (\d{3}) [^\r\n]+(\r\n[!-~]+: [^\r\n]*)*$", head + b"")
        assert first, said
        assert separator
        status = int(first[1])
        length = re.search(rb"\r\nContent-Length: (\d+)", head)
        size = int(length[1]) if length else 0
        if status == 200 and methods and methods.pop(0) == "HEAD":
            found.append((status, b"{}"))
            said = rest
            continue
        assert len(rest) >= size
        found.append((status, rest[:size]))
        said = rest[size:]
    return found


def _check_chunks(data: bytes) -> None:
    """What more bytes come, the chunks that are complete stay the same, and what can't become chunks can't."""
    before: object = None
    for end in range(min(len(data), 200) + 1):
        try:
            now: object = join_chunks(data[:end], 0)
        except ValueError:
            now = "refused"
        assert before in (None, now), (before, now)
        before = now
        if isinstance(now, tuple):
            body, stop = now
            assert len(body) + 5 <= stop <= end


def _check_against_h11(data: bytes, seen: list[Seen]) -> None:
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
_TRIMMED = " \"'`“”„‟‘’‚‛«»"


def check_command(data: bytes) -> None:
    """Any text is a command in bounds, or help; and none acts on a machine that it does not name."""
    text = data.decode("utf-8", "surrogateescape")
    for command in (parse(text, BOT), parse(text)):
        _check_parsed(command, text)
        _check_resolved(command.argument)
    if parse(text, BOT).verb is not Verb.HELP:
        assert re.match(rf"\s*<@{BOT}[|>]", text)
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
        part.encode()
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


def _check_resolved(argument: str) -> None:
    try:
        target = resolve(argument, NAMES.find)
    except UnknownMachine as error:
        assert len(error.suggestions) <= 3
        assert len(str(error)) < 400
        return
    assert target.reason is None or 0 < len(target.reason) <= LONGEST_REASON
    assert target.reason is None or target.reason == " ".join(target.reason.split())
    machine = next(machine for machine in MACHINES if machine.name == target.name)
    parts = argument.split(":")
    named = {_bare(":".join(parts[:used])) for used in range(1, len(parts) + 1)}
    assert named & {_bare(machine.name), _bare(machine.display_name)}
    if ":" not in argument:
        assert find_quoted(argument, NAMES.find) == target.name
    assert resolve(f'"{machine.display_name}": {target.reason or ""}', NAMES.find) == target


def _bare(text: str) -> str:
    return fold_name(text.strip().strip(_TRIMMED)).strip(_TRIMMED)


CHECKS: dict[str, tuple[Callable[[bytes], None], ...]] = {
    "reports": (check_bodies, check_request),
    "commands": (check_command,),
}
"""For each corpus what must hold for its files."""
