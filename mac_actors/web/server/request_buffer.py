"""Where connections wait until a whole request has arrived; only then does a worker thread see them.

cheroot hands an accepted socket to a worker at once, so that as many silent clients as there are threads
stop the server. Here one thread accepts, reads whatever comes, and closes what takes too long. A worker
gets a request that is complete in memory and never waits for a client's next byte.
"""

from __future__ import annotations

import errno
import json
import re
import selectors
import socket
import ssl
import time
from collections import Counter
from contextlib import suppress

from cheroot.connections import ConnectionManager

from mac_actors.web.server.chunks import join_chunks
from mac_actors.web.server.connection import Connection

MAX_HEADER = 16 * 1024
"""Bytes of request line and headers. Readers send about 200; browsers with many cookies a few thousand."""

MAX_BODY = 64 * 1024
"""Bytes of a request's body, by the contract."""

MAX_CONNECTIONS = 4096
"""Open connections. Beyond, the address with most of them loses its longest waiting one to the newest."""

REQUEST_SECONDS = 10.0
"""From the first moment of a connection (or of a further request on it) until the request must be whole."""

ANSWER_SECONDS = 10.0
"""How long a client may take to read its answer. No worker waits for it."""

LINGER_SECONDS = 2.0
"""How long a refused client may go on sending (what it sends is dropped) so that it can read the answer."""

ACCEPTS = 64
"""New connections taken in one go before the waiting ones are looked at again."""

_FIRST_LINE = re.compile(rb"[A-Z]{1,20} [^\s]+ HTTP/1\.[01]\r\n")
_LINES = re.compile(rb"[^\r\n]*\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+[ \t]*:[^\r\n]*\r\n)*\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)", re.IGNORECASE)
_CODING = re.compile(rb"\r\ntransfer-encoding[ \t]*:[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)", re.IGNORECASE)
_FOLDED = re.compile(rb"\r\n[ \t]")
_EXPECT = re.compile(rb"\r\nexpect[ \t]*:[ \t]*100-continue", re.IGNORECASE)


class RequestBuffer(ConnectionManager):
    """cheroot's connection manager, but patient for all clients at once."""

    turns = 0
    """Rounds of its loop so far: it stands still only when the loop does."""

    def put(self, conn: Connection) -> None:
        """Take a connection back after an answer: to send what is left of it, or for a further request."""
        try:
            if conn.wfile:
                conn.deadline = time.monotonic() + ANSWER_SECONDS
                self._watch(conn, selectors.EVENT_WRITE)
                return
            conn.deadline = time.monotonic() + REQUEST_SECONDS
            if conn.buffer and self._complete(conn):
                self._hand_over(conn)
            else:
                self._watch(conn)
        except (OSError, ValueError):
            self._drop(conn)

    @property
    def can_add_keepalive_connection(self) -> bool:
        """Kept open as long as there is room."""
        return int(self._num_connections) < MAX_CONNECTIONS // 2

    def _run(self, expiration_interval: float) -> None:
        server_socket = self.server.socket
        server_socket.setblocking(False)
        next_check = time.monotonic() + expiration_interval
        while not self._stop_requested:
            self.turns += 1
            try:
                ready = list(self._selector.select(timeout=expiration_interval))
            except OSError:
                self._remove_invalid_sockets()
                continue
            for _, conn in ready:
                if conn is self.server:
                    self._accept(server_socket)
                else:
                    self._serve(conn)
            now = time.monotonic()
            if now > next_check:
                self._close_late(now)
                next_check = now + expiration_interval

    def _accept(self, server_socket: socket.socket) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, address = server_socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in {errno.EMFILE, errno.ENFILE}:
                    self._make_room()
                return
            try:
                sock.setblocking(False)
                if self.server.ssl_adapter is not None:
                    sock = self.server.ssl_adapter.wrap(sock)
                conn = Connection(self.server, sock)
                conn.remote_addr, conn.remote_port = address[0], address[1]
                conn.deadline = time.monotonic() + REQUEST_SECONDS
            except (OSError, ValueError):
                sock.close()
                continue
            if self._num_connections >= MAX_CONNECTIONS:
                self._make_room()
            self._serve(conn)

    def _serve(self, conn: Connection) -> None:
        """Read what has come from a client; hand a complete request over, refuse an impossible one."""
        try:
            if conn.wfile:
                self._go_on_sending(conn)
                return
            open_ = self._read(conn)
            if conn.lingering:
                if not open_:
                    self._drop(conn)
            elif conn.buffer and self._complete(conn):
                self._hand_over(conn)
            elif not open_:
                self._drop(conn)
            elif not conn.lingering:
                self._watch(conn)
        except ssl.SSLError as error:
            if error.reason == "HTTP_REQUEST":
                self._say_https_only(conn)
            self._drop(conn)
        except (OSError, ValueError):
            self._drop(conn)

    def _go_on_sending(self, conn: Connection) -> None:
        conn.wfile.send(conn.socket)
        if not conn.wfile:
            self._unwatch(conn)
            if conn.stays_open:
                self.put(conn)
            else:
                self._drop(conn)

    def _read(self, conn: Connection) -> bool:
        """Read all that is there; false when the client has closed its side."""
        while True:
            try:
                data = conn.socket.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return True
            if not data:
                return False
            if conn.lingering:
                continue
            if not conn.buffer:
                conn.deadline = time.monotonic() + REQUEST_SECONDS
            conn.buffer += data
            if len(data) < 65536 and self.server.ssl_adapter is None:
                return True
            if len(conn.buffer) > MAX_HEADER + 2 * MAX_BODY:
                return True

    def _complete(self, conn: Connection) -> bool:
        """Whether a whole request is in the buffer. Refuses one that is too large, or can't be right."""
        if not conn.needed and not self._measure(conn):
            return False
        if conn.chunked:
            return self._join_chunks(conn)
        return len(conn.buffer) >= conn.needed

    def _measure(self, conn: Connection) -> bool:
        """Find out how long the request in the buffer is; false while that can't be said, or if it was refused."""
        buffer = conn.buffer
        if buffer[:2] == b"\r\n":
            del buffer[:2]
        end_of_line = buffer.find(b"\n")
        if end_of_line >= 0 and not _FIRST_LINE.match(buffer):
            self._refuse(conn, 400, "this is not HTTP: expected a first line like GET /PATH HTTP/1.1")
            return False
        head = buffer.find(b"\r\n\r\n") + 4
        if head < 4 or head > MAX_HEADER:
            if len(buffer) > MAX_HEADER:
                self._refuse(conn, 431, f"the headers are longer than {MAX_HEADER} bytes, the most that is read")
            return False
        lengths = _LENGTH.findall(buffer, 0, head)
        codings = _CODING.findall(buffer, 0, head)
        if _FOLDED.search(buffer, 0, head):
            self._refuse(conn, 400, "a header that goes on in the next line is not understood: write it in one")
        elif not _LINES.fullmatch(buffer, 0, head):
            self._refuse(conn, 400, "the headers: expected lines like NAME: VALUE, each ended by CR LF")
        elif len(lengths) + len(codings) > 1 or any(not n.isdigit() or len(n) > 18 for n in lengths):
            self._refuse(conn, 400, "Content-Length: expected one whole number, and no Transfer-Encoding beside it")
        elif codings and codings[0].lower() != b"chunked":
            self._refuse(conn, 400, "Transfer-Encoding: expected chunked, or a Content-Length instead")
        elif lengths and int(lengths[0]) > MAX_BODY:
            self._refuse_body(conn)
        else:
            length = int(lengths[0]) if lengths else 0
            conn.needed = head + length
            conn.chunked = bool(codings)
            if (length or conn.chunked) and len(buffer) == head and _EXPECT.search(buffer, 0, head):
                conn.socket.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            return True
        return False

    def _join_chunks(self, conn: Connection) -> bool:
        """Once all chunks are there, put the body in their place, as if it had come with a length."""
        head = conn.needed
        try:
            joined = join_chunks(conn.buffer, head)
        except ValueError as error:
            self._refuse(conn, 400, str(error))
            return False
        if joined is None:
            if len(conn.buffer) > head + 2 * MAX_BODY:
                self._refuse_body(conn)
            return False
        body, end = joined
        if len(body) > MAX_BODY:
            self._refuse_body(conn)
            return False
        headers = _CODING.sub(b"", bytes(conn.buffer[: head - 2])) + b"Content-Length: %d\r\n\r\n" % len(body)
        conn.buffer[:end] = headers + body
        conn.needed = len(headers) + len(body)
        conn.chunked = False
        return True

    def _hand_over(self, conn: Connection) -> None:
        self._unwatch(conn)
        conn.take_request()
        self.server.process_conn(conn)

    def _refuse_body(self, conn: Connection) -> None:
        self._refuse(conn, 413, f"the body is longer than {MAX_BODY} bytes, the most that is read")

    def _refuse(self, conn: Connection, status: int, message: str) -> None:
        """Answer without a worker, then let the client finish sending so that it can read the answer."""
        body = json.dumps({"error": message}).encode()
        reason = {400: "Bad Request", 408: "Request Timeout", 413: "Content Too Large"}.get(status, "Refused")
        head = (
            f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.server.refusals.add(str(status))
        conn.buffer.clear()
        conn.lingering = True
        conn.deadline = time.monotonic() + LINGER_SECONDS
        self._watch(conn)
        conn.socket.send(head.encode() + body)
        if self.server.ssl_adapter is None:
            conn.socket.shutdown(socket.SHUT_WR)

    @staticmethod
    def _say_https_only(conn: Connection) -> None:
        body = b'{"error": "this port speaks HTTPS: use https:// in the address"}'
        head = b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n"
        with suppress(OSError):
            socket.socket.send(conn.socket, head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def _close_late(self, now: float) -> None:
        for _, conn in list(self._selector.connections):
            if conn is not self.server and conn.deadline < now:
                if conn.buffer and not conn.lingering:
                    with suppress(OSError):
                        self._refuse(conn, 408, f"the request was not complete after {REQUEST_SECONDS:.0f} s")
                        continue
                self._drop(conn)

    def _make_room(self) -> None:
        """Close the longest waiting connection of the address that has most of them."""
        waiting = [conn for _, conn in list(self._selector.connections) if conn is not self.server]
        if waiting:
            most = Counter(conn.remote_addr for conn in waiting).most_common(1)[0][0]
            greedy = (conn for conn in waiting if conn.remote_addr == most)
            self._drop(min(greedy, key=lambda conn: conn.deadline))

    def _watch(self, conn: Connection, events: int = selectors.EVENT_READ) -> None:
        if not conn.watched:
            conn.watched = True
            self._selector.register(conn.socket.fileno(), events, data=conn)

    def _unwatch(self, conn: Connection) -> None:
        if conn.watched:
            conn.watched = False
            self._selector.unregister(conn.socket.fileno())

    def _drop(self, conn: Connection) -> None:
        with suppress(KeyError, ValueError, OSError):
            self._unwatch(conn)
        with suppress(OSError):
            conn.close()
