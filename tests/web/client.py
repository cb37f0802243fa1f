"""A running server under test, and two ways to talk to it: HTTP, and bare bytes."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mac_actors import Fleet
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.service.service import Service
from mac_actors.settings import Tokens
from mac_actors.web.access import Access
from mac_actors.web.api.openapi import description
from mac_actors.web.app import create_app

TIMEOUT = 20.0
REPLY_KEYS = {"relay", "display", "oops_led", "status_led_rgb", "status_led_brightness", "second_relay"}


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which must be JSON and say so."""
        assert self.headers["Content-Type"].startswith("application/json"), self
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The text of an error, which must be all that there is."""
        assert 400 <= self.status < 600, self
        body = self.json
        assert set(body) == {"error"}
        assert isinstance(body["error"], str)
        assert body["error"]
        assert "Traceback" not in body["error"]
        return str(body["error"])


def report_body(name: str, fob: str | None = "", **fields: Any) -> dict[str, Any]:
    """Return a reader's report as its firmware makes it."""
    return {
        "machine_name": name,
        "oops": False,
        "rfid_value": fob,
        "uptime": 1000.5,
        "wifi_signal_db": -54,
        "wifi_signal_percent": 92,
        "internal_temperature_c": 53.9,
        **fields,
    }


def described() -> dict[str, Any]:
    """Return the OpenAPI description that every server has, whatever its machines are."""
    with Fleet.open({}, [], None) as fleet:
        return description(create_app(fleet, Access(Tokens()), lambda **_: fleet.configuration).routes)


class Raw:
    """A connection on which the test decides every byte."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(TIMEOUT)
        self._file = sock.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.sock.sendall(data)

    def reply(self) -> Reply:
        """Read one answer, and not a byte more."""
        line = self._file.readline()
        assert line.startswith(b"HTTP/1."), line
        status = int(line.split()[1])
        headers = http.client.parse_headers(self._file)
        length = int(headers.get("Content-Length") or 0)
        return Reply(status, headers, self._file.read(length))

    def rest(self) -> bytes:
        """Read until the server closes."""
        try:
            return self._file.read()
        except ConnectionResetError:
            return b""

    def end(self) -> None:
        """Say that nothing more comes."""
        with suppress(OSError):  # the server may have closed already
            self.sock.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.sock.close()


class Running:
    """A server that runs, with its files."""

    def __init__(self, service: Service, context: ssl.SSLContext | None = None) -> None:
        self.service = service
        self.context = context
        self.port: int = service.server.bind_addr[1]
        self.machines: Path = service.settings.machines_config
        self.users: Path = service.settings.users_config

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    @property
    def fleet(self) -> MachineFleet:
        """The fleet behind it."""
        return self.service.fleet

    def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None, token: str = ""
    ) -> Reply:
        """Send one request on a connection of its own; a body that is not bytes goes as JSON."""
        all_headers = dict(headers or {})
        if token:
            all_headers["Authorization"] = f"Bearer {token}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection: http.client.HTTPConnection
        if self.context:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=TIMEOUT, context=self.context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        try:
            connection.request(method, path, data, all_headers)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, **options: Any) -> Reply:
        """GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, body: object = None, **options: Any) -> Reply:
        """POST."""
        return self.request("POST", path, body, **options)

    def delete(self, path: str, body: object = None, **options: Any) -> Reply:
        """DELETE."""
        return self.request("DELETE", path, body, **options)

    def report(self, name: str, fob: str | None = "", *, token: str = "", **fields: Any) -> Reply:
        """Send a reader's report."""
        return self.post("/api/machine/update", report_body(name, fob, **fields), token=token)

    def outputs(self, name: str, fob: str | None = "", **fields: Any) -> dict[str, Any]:
        """Send a report that must be answered with outputs."""
        reply = self.report(name, fob, **fields)
        assert reply.status == 200, reply
        outputs: dict[str, Any] = reply.json
        assert set(outputs) == REPLY_KEYS
        return outputs

    def machine(self, name: str, **options: Any) -> dict[str, Any]:
        """Return a machine as the API shows it."""
        reply = self.get(f"/api/machines/{quote(name, safe='')}", **options)
        assert reply.status == 200, reply
        machine: dict[str, Any] = reply.json
        return machine

    def events(self, query: str = "", **options: Any) -> list[dict[str, Any]]:
        """Return a page of the journal."""
        reply = self.get(f"/api/events{query}", **options)
        assert reply.status == 200, reply
        events: list[dict[str, Any]] = reply.json["events"]
        return events

    def connect(self) -> Raw:
        """Open a connection for bare bytes."""
        return Raw(socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT))

    def stop(self) -> None:
        """Stop the server."""
        self.service.stop()
