"""One client's connection: what it has sent so far, and what of its answer is still to be sent."""

from __future__ import annotations

import logging
import math
import select
import socket
import ssl
from collections import deque
from contextlib import suppress
from typing import Any

from mac_actors.web.errors import RequestRefused
from mac_actors.web.server.arrival import ArrivalClock, client_gone, waited
from mac_actors.web.server.budget import owner_of
from mac_actors.web.server.direct import Begun, ok_answer
from mac_actors.web.server.gateway import Request, error_answer
from mac_actors.web.server.origin import MOST_V2, Preface
from mac_actors.web.server.parser import ParsedRequest, RequestParser

log = logging.getLogger(__name__)

READ, WRITE = select.EPOLLIN, select.EPOLLOUT
"""What the selector watches for."""

OPEN_BYTES = 16 * 1024
"""What an open connection counts at least: its head may be that long."""

TLS_BYTES = 48 * 1024
"""What OpenSSL keeps beside that."""

READ_BYTES, READS = 4096, 4
"""How much is read at once, and how often in one go."""

JOINED_BYTES = 64 * 1024
"""Parts of an answer up to this size are copied together, so that headers and body leave in one packet."""

SEND_BYTES, SENDS = 64 * 1024, 8
"""How much of an answer is given to the kernel at once, and how often in one go."""


class Shared(bytes):
    """Bytes that are in memory once, however many clients they are sent to."""


class Outgoing:
    """Gathers an answer. What the client is slow to take stays."""

    __slots__ = ("_at", "_parts", "held")

    def __init__(self) -> None:
        self._parts: deque[bytes] = deque()
        self._at = 0  # so much of the first part is sent
        self.held = 0
        """About how many bytes of memory wait here."""

    def __bool__(self) -> bool:
        """Whether there is something left to send."""
        return bool(self._parts)

    def write(self, data: bytes) -> None:
        """Take a part of the answer."""
        last = self._parts[-1] if self._parts else None
        if type(last) is type(data) is bytes and len(last) + len(data) <= JOINED_BYTES:
            self._parts[-1] = last + data
        elif data:
            self._parts.append(data)
        if not isinstance(data, Shared):
            self.held += len(data)

    def send(self, sock: socket.socket) -> None:
        """Send what the (non-blocking) socket takes now, within bounds; raises :class:`OSError` if it is broken."""
        try:
            for _ in range(SENDS):
                if not self._parts:
                    return
                part = self._parts[0]
                sent = sock.send(memoryview(part)[self._at : self._at + SEND_BYTES])
                self._at += sent
                if not isinstance(part, Shared):
                    self.held -= sent
                if self._at == len(part):
                    self._parts.popleft()
                    self._at = 0
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass


class Connection:
    """One client's connection. The request buffer has it, except while a thread of a pool is busy with it."""

    def __init__(self, server: Any, sock: Any, address: str, port: int) -> None:
        self.server = server
        self.socket = sock
        self.remote_addr, self.remote_port = address, port
        self.preface: Preface | None = Preface() if server.origins.trusts(address) else None
        """What a proxy has yet to say before all else."""
        self.proxied = False
        """Whether somebody stands between."""
        self.owner = owner_of(address)
        """Who counts as one client with it."""
        self.parser: RequestParser | None = None
        self.request: ParsedRequest | None = None
        """The one that is answered now."""
        self.begun: Begun | None = None
        """What of its answer is under way (:mod:`mac_actors.web.server.direct`)."""
        self.refused: RequestRefused | None = None
        """What is wrong with what came after the whole requests."""
        self.wfile = Outgoing()
        self.deadline = math.inf
        self.watched = 0
        """For which events the selector watches it."""
        self.counted = 0
        """The bytes that its address is charged for it."""
        self.busy = False
        """Whether a thread of a pool has it."""
        self.more = False
        """Whether there may be more to read, which nobody sees from outside with TLS."""
        self.shaking_hands = False
        self.wants = 0
        """For which events a handshake waits."""
        self.lingering = False
        """Whether all that still comes is dropped."""
        self.hung_up = False
        """Whether the client has said that nothing more comes."""
        self.stays_open = True
        self.closed = False

    @property
    def held(self) -> int:
        """About how many bytes of memory it takes."""
        least = OPEN_BYTES + TLS_BYTES if self.server.ssl_adapter else OPEN_BYTES
        waiting = self.parser.held if self.parser else 0
        return least + waiting + self.wfile.held + (self.request.size if self.request else 0)

    @property
    def idle(self) -> bool:
        """Whether nothing of a request is there."""
        return self.parser is None or self.parser.idle

    def read(self, now: ArrivalClock) -> tuple[bool, int]:
        """Read what is there, within bounds. Returns whether there is something to do (a whole request, a wrong one,
        or the client has hung up), and how much was read. :attr:`more` says whether there may be more.
        """
        self.more = False
        size = 0
        for _ in range(READS):
            try:
                data = self.socket.recv(READ_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return False, size
            size += len(data)
            if not data:
                self.hung_up = True
                return True, size
            if not self.lingering and self._feed(data, now):
                return True, size
        self.more = True
        return False, size

    def read_preface(self) -> bool:
        """Read what a proxy says before all else; returns whether that is over, and what follows may be read."""
        preface = self.preface
        while preface and not preface.over:
            try:
                data = self.socket.recv(MOST_V2, socket.MSG_PEEK)
            except BlockingIOError:
                return False
            if not data:
                raise ConnectionResetError
            if size := preface.feed(data):
                self.socket.recv(size)
        return True

    def begin_with(self, data: bytes, now: ArrivalClock) -> None:
        """Take bytes that were read already; with TLS there can be none."""
        if data and self.server.ssl_adapter:
            raise ConnectionResetError
        if data:
            self._feed(data, now)

    def _feed(self, data: bytes, now: ArrivalClock) -> bool:
        parser = self.parser = self.parser or RequestParser()
        try:
            parser.feed(data)
        except RequestRefused as refused:
            self.refused = refused
        for request in parser.complete:
            request.received = now.arrived(waited(self.socket))
        if parser.asks_to_continue:
            parser.asks_to_continue = False
            self.socket.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        return bool(parser.complete or self.refused)

    @property
    def client_gone(self) -> bool:
        """Whether the client has hung up, or was hung up on."""
        return self.closed or client_gone(self.socket)

    def communicate(self) -> None:
        """Answer :attr:`request`, in a worker's thread."""
        answer = Request(self.server, self)
        try:
            answer.respond()
        except Exception:
            log.exception("answering %s %s failed", answer.parsed.method, answer.parsed.path)
            answer.fail()
        self._send(stays_open=not answer.close_connection)

    def answer(self, headers: dict[str, str], body: bytes) -> None:
        """Answer :attr:`request` with this, and status 200."""
        assert self.request is not None
        stays_open = self.request.keeps_alive and self.server.can_add_keepalive_connection
        self.wfile.write(ok_answer(headers, body, close=not stays_open))
        self._send(stays_open=stays_open)

    def _send(self, *, stays_open: bool) -> None:
        self.stays_open = stays_open
        try:
            self.wfile.send(self.socket)
        except OSError:  # the client has gone
            self.close()
        if not self.stays_open and not self.wfile:
            self.close()

    def refuse(self, refused: RequestRefused) -> None:
        """Answer what can't be passed on, and drop what still comes, so that the client can read the answer."""
        self._forget()
        self.lingering = True
        self.socket.send(error_answer(refused.status, refused.message))
        if self.server.ssl_adapter is None:
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close it; nothing more is sent or read."""
        if self.closed:
            return
        self.closed = True
        self._forget()
        with suppress(OSError):
            self.socket.close()

    def _forget(self) -> None:
        """Give the memory back at once: what refers to itself would wait for the garbage collector, which is seldom."""
        if self.parser:
            self.parser.close()
        self.parser = self.refused = None
