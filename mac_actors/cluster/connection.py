"""One connection from a server of a cell to another: a request, its answer, the next one. llhttp reads the answers."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import httptools

LOOK_SECONDS = 0.05
"""How often it is looked, while an answer is waited for, whether it still is to be."""

SEND_SECONDS = 5.0
"""How long it may take at the most to send a request."""

READ_BYTES = 256 * 1024


class BrokenError(OSError):
    """The other server has closed the connection, or does not speak HTTP."""


class Answer:
    """A whole answer, once :attr:`complete`."""

    def __init__(self, *, has_body: bool) -> None:
        self.status = 0
        self.reason = ""
        self.headers: list[tuple[str, str]] = []
        self.complete = self.keeps_alive = False
        self._has_body = has_body
        self._parts: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    @property
    def body(self) -> bytes:
        """What came after the headers."""
        return b"".join(self._parts)

    def feed(self, data: bytes) -> None:
        """Take bytes; raises :class:`BrokenError` for what is no HTTP."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise BrokenError(f"not HTTP: {error}") from error

    # what httptools calls

    def on_status(self, part: bytes) -> None:
        self.reason += part.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.keeps_alive = self._parser.should_keep_alive()
        self.complete = not self._has_body

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        self.complete = True


class Connection:
    """Connects within ``seconds``, with TLS where the URL says so. What it raises is an ``OSError``."""

    def __init__(self, url: str, seconds: float, trust: ssl.SSLContext | None) -> None:
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        self.url = url
        self.used = time.monotonic()
        self.sock: socket.socket = socket.create_connection((host, parts.port or (443 if secure else 80)), seconds)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if secure:
            self.sock = (trust or ssl.create_default_context()).wrap_socket(self.sock, server_hostname=host)

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes, deadline: float) -> None:
        """Send a request, all of it at once: what arrives in part only is not carried out."""
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        if "Host" not in headers:
            lines.append(f"Host: {urlsplit(self.url).netloc}")
        lines += [f"Content-Length: {len(body)}", "", ""]
        self.sock.settimeout(max(0.01, min(SEND_SECONDS, deadline - time.monotonic())))
        self.sock.sendall("\r\n".join(lines).encode("latin-1") + body)

    def answer(self, method: str, deadline: float, still: Callable[[], bool]) -> Answer:
        """Wait for the answer until ``deadline`` (of ``time.monotonic``), and as long as ``still`` says so.

        Raises ``TimeoutError``, or :class:`BrokenError`.
        """
        answer = Answer(has_body=method != "HEAD")
        self.sock.settimeout(LOOK_SECONDS)  # part of what TLS sends at once may be late
        while not answer.complete:
            left = deadline - time.monotonic()
            if left <= 0 or not still():
                raise TimeoutError("no answer in time")
            if self.readable(min(left, LOOK_SECONDS)):
                try:
                    data = self.sock.recv(READ_BYTES)
                except TimeoutError:
                    continue
                if not data:
                    raise BrokenError("closed before the answer was whole")
                answer.feed(data)
        self.used = time.monotonic()
        return answer

    def readable(self, seconds: float) -> bool:
        """Whether something comes within so many seconds, be it the end."""
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def close(self) -> None:
        """Close it."""
        self.sock.close()
