"""From a parsed request to the WSGI application, and its answer back; cheroot writes the answer's head."""

from __future__ import annotations

import http
import io
import logging
from typing import Any

from cheroot.server import HTTPRequest
from cheroot.wsgi import Gateway as WSGIGateway

from mac_actors.cluster.passing import SCHEME
from mac_actors.web.errors import error_body

log = logging.getLogger(__name__)


def error_answer(status: int, message: str) -> bytes:
    """Return a complete answer, after which the connection is closed."""
    body = error_body(message)
    more = {405: "Allow: DELETE, GET, HEAD, POST\r\n", 401: f"WWW-Authenticate: {SCHEME}\r\n"}.get(status, "")
    head = (
        f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n{more}"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + body


class Request(HTTPRequest):
    """cheroot's request, which parses nothing: all is known."""

    def __init__(self, server: Any, conn: Any) -> None:
        super().__init__(server, conn)
        self.parsed = conn.request
        self.method = self.parsed.method.encode()
        self.rfile = io.BytesIO()  # cheroot looks whether something is left to be read
        self.response_protocol = f"HTTP/{self.parsed.version}"
        self.close_connection = not self.parsed.keeps_alive

    def respond(self) -> None:
        """Have the application answer."""
        self.server.gateway(self).respond()
        if self.chunked_write:
            self.conn.wfile.write(b"0\r\n\r\n")

    def fail(self) -> None:
        """Answer that the server made a mistake, unless an answer has begun; then close."""
        self.close_connection = True
        if not self.sent_headers:
            self.server.refusals.add("500")
            self.conn.wfile.write(error_answer(500, "the server made a mistake; its log says which"))


class Gateway(WSGIGateway):
    """The WSGI environment of a request. Beside what WSGI says it has:

    - ``mac.received``: when its last bytes reached this computer (:func:`mac_actors.clock.seconds`), also if
      they waited in the kernel. What came later has a later time, to some hundredths of a second.
    - ``mac.proxied``: whether it came by a proxy, or by another server of the cell; ``mac.hops``: by how many of those.
    - ``mac.gone``: a function that returns whether nobody waits for the answer any more: it was given, or the client
      has hung up.
    - ``mac.begun``: what was begun already (:mod:`mac_actors.web.server.direct`), or ``None``.
    """

    def get_environ(self) -> dict[str, Any]:
        """Return the environment of one request."""
        return environment(self.req.conn)


def environment(conn: Any) -> dict[str, Any]:
    """Return the WSGI environment of the request that a connection has, and not yet the answer."""
    parsed, server = conn.request, conn.server
    host, port = server.bind_addr[:2]
    return {
        **parsed.headers,
        "CONTENT_LENGTH": str(len(parsed.body)),
        "REQUEST_METHOD": parsed.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": parsed.path,
        "QUERY_STRING": parsed.query,
        "REMOTE_ADDR": parsed.address or conn.remote_addr,
        "REMOTE_PORT": str(conn.remote_port),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{parsed.version}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http" if server.ssl_adapter is None else "https",
        "wsgi.input": io.BytesIO(parsed.body),
        "wsgi.input_terminated": True,
        "wsgi.errors": _LOG,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "mac.received": parsed.received,
        "mac.proxied": conn.proxied,
        "mac.hops": parsed.hops,
        "mac.gone": lambda: conn.request is not parsed or conn.client_gone,
        "mac.begun": conn.begun,
    }


class _LogStream:
    """Bottle's error stream, into our log."""

    def write(self, text: str) -> None:
        log.error("%s", text)

    def flush(self) -> None:
        """Nothing is held back."""


_LOG = _LogStream()
