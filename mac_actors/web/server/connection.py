"""One client's connection: what it has sent so far, and what of its answer is still to be sent."""

from __future__ import annotations

import io
import math
import socket
import ssl
from typing import Any

from cheroot.server import HTTPConnection

from mac_actors import clock

SEND_BYTES = 256 * 1024
"""Handed to the kernel in one go."""


class Outgoing:
    """Gathers an answer, so that headers and body leave in one packet. What the client is slow to take stays."""

    __slots__ = ("_parts", "bytes_written")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.bytes_written = 0

    def __bool__(self) -> bool:
        """Whether there is something left to send."""
        return bool(self._parts)

    def write(self, data: bytes) -> int:
        """Take a part of the answer."""
        self._parts.append(data)
        return len(data)

    def send(self, sock: socket.socket) -> None:
        """Send as much as the (non-blocking) socket takes at once."""
        data = memoryview(b"".join(self._parts))
        try:
            while data:
                sent = sock.send(data[:SEND_BYTES])
                self.bytes_written += sent
                data = data[sent:]
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        self._parts = [bytes(data)] if data else []


class Connection(HTTPConnection):
    """One client's connection: what it has sent so far, and until when it may take its time."""

    def __init__(self, server: Any, sock: Any, makefile: object = None) -> None:
        # not super().__init__(): it opens a buffered reader on the socket, and ours reads from memory
        self.server = server
        self.socket = sock
        self.rfile = io.BytesIO()
        self.wfile = Outgoing()
        self.stays_open = False
        self.requests_seen = 0
        self.buffer = bytearray()
        self.needed = 0
        self.chunked = False
        self.deadline = math.inf
        self.received = 0.0
        self.watched = False
        self.lingering = False

    def communicate(self) -> bool:
        """Answer one request; true if the request buffer has more to do with the connection."""
        self.stays_open = bool(super().communicate())
        self.wfile.send(self.socket)
        return self.stays_open or bool(self.wfile)

    def take_request(self) -> None:
        """Make the complete request in the buffer the one to be answered; what follows it stays."""
        self.rfile = io.BytesIO(self.buffer[: self.needed])
        del self.buffer[: self.needed]
        self.needed = 0
        self.chunked = False
        self.received = clock.seconds()
