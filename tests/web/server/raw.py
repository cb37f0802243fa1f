"""Requests byte for byte, as no client library sends them."""

from __future__ import annotations

import json

from tests.web.client import Reply, Running, report_body

BODY = json.dumps(report_body("metal-mill")).encode()


def head(*lines: str, method: str = "POST", path: str = "/api/machine/update", version: str = "1.1") -> bytes:
    """Return request line and headers."""
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: mac", *lines, "", ""]).encode("latin-1")


def report(*lines: str, body: bytes = BODY, version: str = "1.1") -> bytes:
    """Return a whole report."""
    return head(f"Content-Length: {len(body)}", *lines, version=version) + body


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    """Return one chunk."""
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)


def exchange(server: Running, data: bytes) -> Reply:
    """Send bytes on a connection of their own, read the answer."""
    with server.connect() as raw:
        raw.send(data)
        return raw.reply()


def still_serves(server: Running) -> None:
    """The server must go on answering."""
    assert server.outputs("metal-mill")["relay"] is False
