"""cheroot, set up for readers: who waits where, for how long, and how many."""

from __future__ import annotations

import errno
import http
import json
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from cheroot.server import HeaderReader, HTTPRequest
from cheroot.workers.threadpool import ThreadPool
from cheroot.wsgi import Gateway_10
from cheroot.wsgi import Server as WSGIServer

from mac_actors.errors import ConfigError, MacError
from mac_actors.web.counts import Counts
from mac_actors.web.server.connection import Connection
from mac_actors.web.server.fair_queue import FairQueue
from mac_actors.web.server.request_buffer import MAX_BODY, RequestBuffer
from mac_actors.web.server.tls import Tls

log = logging.getLogger(__name__)

THREADS = 32
"""Worker threads. While the disk hangs, each change takes one for the commit budget."""

BACKLOG = 4096
"""Connections that the kernel keeps until they are accepted: a whole shop after a power cut. It takes
``net.core.somaxconn`` at the most, 4,096 by default."""

STOP_SECONDS = 5
"""How long requests under way may take at the stop."""

_NOT_BOUND = {
    errno.EADDRINUSE: "Is another server running there? ",
    errno.EADDRNOTAVAIL: "This computer has no such address (or not yet). ",
    errno.EACCES: "Ports below 1024 are for root, which the server need not be. ",
}
"""What it means that an address can't be had."""

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class _Headers(HeaderReader):
    """Drops headers that could be taken for another (``Content_Length``), and ``Expect``, which is answered by then."""

    def _allow_header(self, key_name: bytes) -> bool:
        return b"_" not in key_name and key_name != b"Expect"


class Request(HTTPRequest):
    """cheroot's request, whose own errors are JSON like all others."""

    header_reader = _Headers()

    def read_request_line(self) -> bool:
        """Read the first line; a path that can't be understood is refused."""
        try:
            good = bool(super().read_request_line())
        except ValueError:
            self.simple_response("400 Bad Request", "the path: expected one that begins with /")
            return False
        try:
            if good:
                unquote_to_bytes(self.uri.partition(b"?")[0]).decode("utf-8")
        except UnicodeDecodeError:
            self.simple_response("404 Not Found", "there is nothing at this path: it is not UTF-8")
            return False
        return good

    def simple_response(self, status: Any, msg: str = "") -> None:
        """Write a complete answer to a request that can't be passed on."""
        code = int(str(status)[:3])
        self.server.refusals.add(str(code))
        body = json.dumps({"error": msg or http.HTTPStatus(code).phrase}).encode()
        self.close_connection = True
        self.sent_headers = True
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.conn.wfile.write(head.encode("latin-1") + body)


class Gateway(Gateway_10):
    """The WSGI environment: path decoded whole (also ``%2F``), and the time at which the request was there."""

    version = (1, 0)

    def get_environ(self) -> dict[str, Any]:
        """Return the environment of one request."""
        req = self.req
        conn = req.conn
        path = unquote_to_bytes(req.uri.partition(b"?")[0]).decode("latin-1")
        env: dict[str, Any] = {
            "REQUEST_METHOD": req.method.decode("latin-1"),
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": req.qs.decode("latin-1"),
            "REMOTE_ADDR": conn.remote_addr or "",
            "REMOTE_PORT": str(conn.remote_port or ""),
            "SERVER_NAME": req.server.bind_addr[0],
            "SERVER_PORT": str(req.server.bind_addr[1]),
            "SERVER_PROTOCOL": req.request_protocol.decode("latin-1"),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": req.scheme.decode("latin-1"),
            "wsgi.input": req.rfile,
            "wsgi.input_terminated": bool(req.chunked_read),
            "wsgi.errors": _LogStream(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "mac.received": conn.received,
        }
        for key, value in req.inheaders.items():
            env["HTTP_" + key.decode("latin-1").upper().replace("-", "_")] = value.decode("latin-1")
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if (value := env.pop("HTTP_" + name, None)) is not None:
                env[name] = value
        return env


class _LogStream:
    """Bottle's error stream, into our log."""

    def write(self, text: str) -> None:
        log.error("%s", text)

    def flush(self) -> None:
        """Nothing is held back."""


class Server(WSGIServer):
    """The HTTP server of one application. :meth:`open` binds; :meth:`run` serves until :meth:`stop`."""

    ConnectionClass = Connection
    max_request_body_size = MAX_BODY

    def __init__(self, application: Application, host: str, port: int, tls: Tls | None = None) -> None:
        super().__init__(
            (host, port),
            application,
            numthreads=THREADS,
            max=THREADS,
            server_name="mac-actors",
            request_queue_size=BACKLOG,
            shutdown_timeout=STOP_SECONDS,
        )
        self.gateway = Gateway
        self.requests = _Workers(self, min=THREADS, max=THREADS)
        self.ssl_adapter = tls
        self._thread: threading.Thread | None = None
        self.refusals = Counts()
        """Requests refused before the application saw them, by status."""

    def open(self) -> None:
        """Bind and listen; raises :class:`MacError` with what to do when the address can't be had."""
        host, port = self.bind_addr
        try:
            socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise ConfigError([f"MAC_HOST is {host!r}: allowed is an address or a name of this computer"]) from error
        try:
            self.prepare()
        except OSError as error:
            known = re.search(r"\[Errno (\d+)\] ([^'\")]+)", str(error))
            hint = _NOT_BOUND.get(int(known[1]) if known else 0, "")
            raise MacError(
                f"cannot listen on {host} port {port}: {known[2].lower() if known else error}. {hint}"
                "Choose another one with --port (MAC_PORT) or --host (MAC_HOST)."
            ) from error
        self._connections.close()  # cheroot's own manager, put there by prepare()
        self._connections: RequestBuffer = RequestBuffer(self)

    @staticmethod
    def bind_socket(socket_: socket.socket, bind_addr: tuple[str, int]) -> socket.socket:
        """Bind; a socket that can't be bound is closed."""
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_

    @property
    def url(self) -> str:
        """The address for people on this computer."""
        host, port = self.bind_addr
        name = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
        return f"{'https' if self.ssl_adapter else 'http'}://{f'[{name}]' if ':' in name else name}:{port}"

    def run_in_thread(self) -> threading.Thread:
        """Serve in a thread of its own, until :meth:`stop`."""
        self._thread = threading.Thread(target=self.serve, name="http", daemon=True)
        self._thread.start()
        return self._thread

    @property
    def accepting(self) -> bool:
        """Whether the thread that accepts connections lives."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def turns(self) -> int:
        """Rounds of the accepting thread so far, two a second or more."""
        return int(self._connections.turns)

    @property
    def taken(self) -> int:
        """Requests that workers have taken so far."""
        return int(self.requests.taken)

    @property
    def waiting(self) -> int:
        """Requests that no worker has taken yet."""
        return int(self.requests.qsize)

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Pass cheroot's messages on to our log."""
        log.log(level, "%s", msg, exc_info=traceback)


Connection.RequestHandlerClass = Request


class _Workers(ThreadPool):
    """cheroot's thread pool, on a queue in which addresses take turns."""

    def __init__(self, server: Server, **sizes: int) -> None:
        super().__init__(server, **sizes)
        self._queue = FairQueue()
        self.get = self._queue.get

    @property
    def taken(self) -> int:
        """How many requests were ever taken."""
        return self._queue.taken
