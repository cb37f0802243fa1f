"""The smallest HTTP client that a reader could have: a new connection for each request, from a chosen address."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

TIMEOUT = 10.0
"""How long a reader waits, as its firmware does."""


class Unanswered(Exception):
    """No whole answer came: refused, reset, cut or too late."""


@dataclass(frozen=True)
class Answer:
    """One answer."""

    status: int
    already: tuple[str, ...]
    body: Any


def request_bytes(method: str, path: str, body: object = None, token: str = "") -> bytes:
    data = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: mac\r\nContent-Length: {len(data)}\r\nConnection: close\r\n"
    head += f"Authorization: Bearer {token}\r\n" if token else ""
    return f"{head}\r\n".encode() + data


def open_socket(port: int, source: str = "127.0.0.1", timeout: float = TIMEOUT) -> socket.socket:
    """Connect, from the given address of this computer."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        if source != "127.0.0.1":
            sock.bind((source, 0))
        sock.connect(("127.0.0.1", port))
    except OSError:
        sock.close()
        raise
    return sock


def call(
    port: int,
    method: str,
    path: str,
    body: object = None,
    *,
    source: str = "127.0.0.1",
    timeout: float = TIMEOUT,
    token: str = "",
) -> Answer:
    """Make one call; raises :class:`Unanswered`."""
    received = bytearray()
    try:
        with open_socket(port, source, timeout) as sock:
            sock.sendall(request_bytes(method, path, body, token))
            while data := sock.recv(65536):
                received += data
    except OSError as error:
        raise Unanswered(f"{type(error).__name__}: {error}") from error
    head, found, content = bytes(received).partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if not found or len(content) < int(headers.get("content-length", "0")):
        raise Unanswered(f"cut after {len(received)} bytes")
    parsed: Any = content
    with suppress(ValueError):
        parsed = json.loads(content)
    return Answer(int(lines[0].split()[1]), tuple(headers.get("mac-already", "").split()), parsed)


def report(machine: str, fob: str, uptime: float | None, *, oops: bool = False) -> dict[str, Any]:
    """What a reader says."""
    return {
        "machine_name": machine,
        "oops": oops,
        "rfid_value": fob,
        "uptime": uptime,
        "wifi_signal_db": -60,
        "wifi_signal_percent": 80,
        "internal_temperature_c": 53.3,
    }
