"""Requests out of bytes, as they come: llhttp (by httptools) reads HTTP, this sets limits and says what is wrong."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from urllib.parse import unquote_to_bytes

import httptools

from mac_actors.web.errors import RequestRefused

MAX_HEADER = 16 * 1024
"""Bytes of request line and headers. Readers send about 200; browsers with many cookies a few thousand."""

MAX_HEADERS = 256
"""Lines of headers: each takes more memory than its bytes."""

MAX_BODY = 64 * 1024
"""Bytes of a request's body, by the contract."""

_FIRST_LINE = "expected a first line like GET /PATH HTTP/1.1"
_UNKNOWN_METHOD = re.compile(rb"[A-Z-]{2,20} [/*]")


@dataclass(slots=True)
class ParsedRequest:
    """A whole request."""

    method: str
    path: str
    """Decoded whole (also ``%2F``), each character a byte, as WSGI wants it."""
    query: str
    version: str
    headers: dict[str, str]
    """By their names in WSGI's environment."""
    body: bytes
    keeps_alive: bool
    received: float = 0.0
    """When its last bytes reached this computer (:func:`mac_actors.clock.seconds`), or the server that passed it on."""
    address: str = ""
    """Its client's."""
    hops: int = 0
    """By how many servers it was passed on."""

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return 1024 + len(self.body)


class RequestParser:
    """What one connection sends; :attr:`complete` has the requests that are whole, in their order."""

    def __init__(self) -> None:
        self.complete: deque[ParsedRequest] = deque()
        self.asks_to_continue = False
        """Whether the client waits for ``100 Continue`` before it sends the body."""
        self._parser = httptools.HttpRequestParser(self)
        self._keeps_alive = True
        self._begun = False
        self._fed = 0  # bytes since the last request
        self._body = bytearray()
        self._in_head = True

    @property
    def idle(self) -> bool:
        """Whether nothing of a further request is there."""
        return not self._begun and not self._fed

    @property
    def held(self) -> int:
        """About how many bytes of memory wait here, beyond a head."""
        return len(self._body) + sum(request.size for request in self.complete)

    def feed(self, data: bytes) -> None:
        """Take bytes; raises :class:`RequestRefused` when they can't become a request, and then takes no more."""
        if not self._keeps_alive and not self._begun:
            return  # what follows the last request is none
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay_with_http(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or error from None
        except httptools.HttpParserError as error:
            if self._keeps_alive or self._begun:
                raise self._refusal(data, error) from None
        if self._in_head and self._fed > MAX_HEADER:
            raise _head_too_long()
        if self._fed > MAX_HEADER + 2 * MAX_BODY:  # chunks of few bytes each, extensions, trailers
            raise _body_too_long()

    def close(self) -> None:
        """End it: nothing more is fed."""
        del self._parser  # which refers back to this

    def _stay_with_http(self, rest: bytes) -> None:
        """Read the body of a request that asks for another protocol; llhttp leaves it to that one."""
        framing = "Transfer-Encoding: chunked" if self._chunked else f"Content-Length: {self._length}"
        self._upgrade = False
        self._parser = httptools.HttpRequestParser(
            SimpleNamespace(on_body=self.on_body, on_message_complete=self.on_message_complete)
        )
        self._parser.feed_data(f"POST / HTTP/1.1\r\n{framing}\r\n\r\n".encode())
        self.feed(rest)

    def _refusal(self, data: bytes, error: httptools.HttpParserError) -> RequestRefused:
        if isinstance(error, httptools.HttpParserInvalidMethodError) and _UNKNOWN_METHOD.match(data):
            return RequestRefused(405, "this method is not known here; GET /openapi.json lists what is")
        if data.startswith((b"PROXY ", b"\r\n\r\n\0")):
            return RequestRefused(400, "a PROXY header, but its sender is not in MAC_TRUSTED_PROXIES")
        if not self._begun or not self._target:
            return RequestRefused(400, f"this is not HTTP: {_FIRST_LINE}")
        if self._in_head:
            return RequestRefused(400, f"{error}: {_FIRST_LINE}, then lines like NAME: VALUE, each ended by CR LF")
        return RequestRefused(400, f"the body: {error}. Expected a Content-Length, or chunks, each with its length")

    # what httptools calls

    def on_message_begin(self) -> None:
        self._begun = self._in_head = True
        self._target = b""
        self._headers: dict[str, str] = {}
        self._lines = self._head_bytes = 0
        self._body = bytearray()

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer
        self._lines += 1
        self._head_bytes += len(name) + len(value) + 4
        if self._lines > MAX_HEADERS:
            raise _head_too_long()
        if key := _environ_name(name):
            text = value.strip(b" \t").decode("latin-1")
            before = self._headers.get(key)
            self._headers[key] = text if before is None else f"{before}{'; ' if key == _COOKIE else ', '}{text}"

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self._head_bytes + len(self._target) > MAX_HEADER:
            raise _head_too_long()
        self._method = self._parser.get_method().decode()
        self._version = self._parser.get_http_version()
        if self._version not in {"1.0", "1.1"}:
            raise RequestRefused(400, f"this is not HTTP/1.1: {_FIRST_LINE}")
        self._path = _path(self._target, self._method)
        coding = self._headers.get("HTTP_TRANSFER_ENCODING")
        if coding is not None and (coding.lower() != "chunked" or self._version == "1.0"):
            # HTTP/1.0 has no chunks: somebody between may see the end elsewhere.
            raise RequestRefused(400, "Transfer-Encoding: expected chunked and HTTP/1.1, or a Content-Length instead")
        self._chunked = coding is not None
        self._length = int(self._headers.get("CONTENT_LENGTH", 0))
        if self._length > MAX_BODY:
            raise _body_too_long()
        self._upgrade = self._parser.should_upgrade()
        self._keeps_alive = self._parser.should_keep_alive() and not self._upgrade
        self.asks_to_continue = self._headers.get("HTTP_EXPECT", "").lower() == "100-continue" and (
            self._chunked or self._length > 0
        )

    def on_body(self, part: bytes) -> None:
        self.asks_to_continue = False
        self._body += part
        if len(self._body) > MAX_BODY:
            raise _body_too_long()

    def on_message_complete(self) -> None:
        if self._upgrade:
            return  # its body is still to come
        self._begun = self.asks_to_continue = False
        self._fed = 0
        query = self._target.partition(b"?")[2].decode("latin-1")
        self.complete.append(
            ParsedRequest(
                self._method,
                self._path,
                query,
                self._version,
                self._headers,
                bytes(self._body),
                self._keeps_alive,
            )
        )
        self._body = bytearray()


_COOKIE = "HTTP_COOKIE"


@lru_cache(maxsize=256)
def _environ_name(name: bytes) -> str:
    """Return a header's name in WSGI's environment; none for one that could be taken for another's there."""
    if b"_" in name:
        return ""
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if key in {"CONTENT_LENGTH", "CONTENT_TYPE"} else "HTTP_" + key


def _path(target: bytes, method: str) -> str:
    if method == "CONNECT":
        raise RequestRefused(405, "CONNECT is for proxies, and this server is none")
    if target == b"*" and method == "OPTIONS":
        return "*"
    if target[:1] != b"/" or b"#" in target:
        raise RequestRefused(400, "the path: expected one that begins with / and has no #; this server is no proxy")
    if target[:2] == b"//":
        raise RequestRefused(404, "there is nothing at this path: it begins with //, write one / there")
    path = target.partition(b"?")[0]
    if b"%" not in path:
        return path.decode("latin-1")
    path = unquote_to_bytes(path)
    try:
        path.decode("utf-8")
    except UnicodeDecodeError:
        raise RequestRefused(404, "there is nothing at this path: it is not UTF-8") from None
    return path.decode("latin-1")


def _head_too_long() -> RequestRefused:
    return RequestRefused(
        431, f"the headers are longer than {MAX_HEADER} bytes or more than {MAX_HEADERS}, the most that is read"
    )


def _body_too_long() -> RequestRefused:
    return RequestRefused(413, f"the body is longer than {MAX_BODY} bytes, the most that is read")
