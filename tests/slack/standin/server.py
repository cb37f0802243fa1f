"""Sockets and HTTP, with the means to break them: refuse connections, reset them, leave them silent."""

from __future__ import annotations

import http.client
import io
import json
import selectors
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """An HTTP request."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """A client's connection, owned by the thread that serves it: only that thread closes the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._sending = threading.Lock()
        self.stream: io.BufferedReader = sock.makefile("rb")
        self.ended = False
        self.closed = threading.Event()

    def read_request(self) -> Request | None:
        """The request, or nothing when the client left before it was whole."""
        line = self.stream.readline(65536).decode("latin-1").split()
        if len(line) != 3:
            return None
        headers = {name.lower(): value for name, value in http.client.parse_headers(self.stream).items()}
        length = int(headers.get("content-length", "0"))
        body = self.stream.read(length)
        return Request(line[0], line[1], headers, body) if len(body) == length else None

    def send(self, data: bytes) -> None:
        """Send all of it; an OSError when the connection has ended."""
        if self.ended:
            raise ConnectionAbortedError("this connection has been ended")
        with self._sending:
            self._sock.sendall(data)

    def answer(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        """Answer the request; a string goes out as text, everything else as JSON."""
        text = isinstance(body, str)
        payload = str(body).encode() if text else json.dumps(body).encode()
        lines = [
            f"HTTP/1.1 {status} {http.client.responses.get(status, 'Unknown')}",
            f"Content-Type: {'text/plain' if text else 'application/json'}; charset=utf-8",
            f"Content-Length: {len(payload)}",
            "Connection: close",
            *(f"{name}: {value}" for name, value in (headers or {}).items()),
        ]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + payload)

    def client_left(self) -> bool:
        """Whether this end was told to end, or the client has hung up while it waited for its answer."""
        if self.ended:
            return True
        try:
            return self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def end(self, *, reset: bool) -> None:
        """Make the owning thread close the socket, with a reset (RST) or in order (FIN)."""
        with suppress(OSError):
            if reset:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.ended = True
            self._sock.shutdown(socket.SHUT_RD)  # wakes the owner without telling the client anything yet

    def close(self) -> None:
        """Close the socket; for the owning thread."""
        self.stream.close()
        self._sock.close()
        self.closed.set()


class Server:
    """Listens on one port of 127.0.0.1 for its whole life; while it is down, connecting is refused."""

    def __init__(self, serve: Callable[[Connection], None]) -> None:
        self._serve = serve
        self._lock = threading.Lock()
        self._connections: set[Connection] = set()
        # Bound but not listening: nobody else gets the port, and connecting to it is refused.
        self._socket = self._bind(0)
        self.port: int = self._socket.getsockname()[1]
        self._accepting: tuple[threading.Thread, socket.socket] | None = None

    @staticmethod
    def _bind(port: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        return sock

    def up(self) -> None:
        """Listen; nothing happens when it already does."""
        if self._accepting is not None:
            return
        self._socket.listen(64)
        theirs, ours = socket.socketpair()
        thread = threading.Thread(target=self._accept, args=(theirs,), name="stand-in accept", daemon=True)
        self._accepting = (thread, ours)
        thread.start()

    def down(self) -> None:
        """Refuse connections from now on and reset those that are open."""
        if self._accepting is None:
            return
        thread, wake = self._accepting
        self._accepting = None
        wake.close()
        thread.join()
        self._socket.close()
        self._socket = self._bind(self.port)
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.end(reset=True)

    def close(self) -> None:
        """End it for good, once the connections are closed."""
        self.down()
        self._socket.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            if not connection.closed.wait(5):
                raise RuntimeError("a connection of the stand-in did not end")

    def _accept(self, wake: socket.socket) -> None:
        with wake, selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(wake, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select()]
                if wake in ready:
                    return
                sock, _ = self._socket.accept()
                connection = Connection(sock)
                with self._lock:
                    self._connections.add(connection)
                threading.Thread(target=self._own, args=(connection,), name="stand-in", daemon=True).start()

    def _own(self, connection: Connection) -> None:
        try:
            with suppress(OSError):  # the client left, or this end was told to end
                self._serve(connection)
        finally:
            connection.close()
            with self._lock:
                self._connections.discard(connection)
