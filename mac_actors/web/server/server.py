"""cheroot, set up for readers: who waits where, for how long, and how many."""

from __future__ import annotations

import errno
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from cheroot.wsgi import Server as WSGIServer

from mac_actors.errors import ConfigError, MacError
from mac_actors.web.counts import Counts
from mac_actors.web.server.connection import Connection
from mac_actors.web.server.direct import Direct
from mac_actors.web.server.gateway import Gateway
from mac_actors.web.server.origin import Origins
from mac_actors.web.server.pool import Pool
from mac_actors.web.server.request_buffer import RequestBuffer
from mac_actors.web.server.tls import Tls, shake_hands

log = logging.getLogger(__name__)

THREADS = 32
"""Worker threads, for all that is not answered without them. While the disk hangs, an admin's change takes one for the
commit budget."""

HANDSHAKERS = 2
"""Threads for TLS handshakes, which are for the processor what thousands of reports are."""

BACKLOG = 4096
"""Connections that the kernel keeps until they are accepted: a whole shop after a power cut. It takes
``net.core.somaxconn`` at the most, 4,096 by default."""

SEND_BUFFER = 64 * 1024
"""Bytes of an answer that the kernel keeps until the client has taken them; it takes twice that for its own records."""

STOP_SECONDS = 5
"""How long requests under way may take at the stop."""

_NOT_BOUND = {
    errno.EADDRINUSE: "Is another server running there? ",
    errno.EADDRNOTAVAIL: "This computer has no such address (or not yet). ",
    errno.EACCES: "Ports below 1024 are for root, which the server need not be. ",
}
"""What it means that an address can't be had."""

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Server(WSGIServer):
    """The HTTP server of one application. :meth:`open` binds; :meth:`run` serves until :meth:`stop`."""

    def __init__(
        self, application: Application, host: str, port: int, tls: Tls | None = None, origins: Origins | None = None
    ) -> None:
        super().__init__(
            (host, port),
            application,
            server_name="mac-actors",
            request_queue_size=BACKLOG,
            shutdown_timeout=STOP_SECONDS,
        )
        self.gateway = Gateway
        self.requests = Pool("http worker", THREADS, self._answer, self._fail)
        self.handshakes = Pool("http handshake", HANDSHAKERS if tls else 0, self._shake_hands, self._fail)
        self.ssl_adapter = tls
        self.direct: Direct | None = None
        """What is answered without a worker."""
        self.origins = origins or Origins()
        """Whose word on a client's address counts."""
        self._thread: threading.Thread | None = None
        self.failure: str | None = None
        """What ended that must not end while the server runs."""
        self.on_failure: Callable[[], None] = lambda: None
        """Called then: the process should end, so that the service manager starts it again."""
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
            self.handshakes.start()
            self.prepare()
        except OSError as error:
            known = re.search(r"\[Errno (\d+)\] ([^'\")]+)", str(error))
            hint = _NOT_BOUND.get(int(known[1]) if known else 0, "")
            raise MacError(
                f"cannot listen on {host} port {port}: {known[2].lower() if known else error}. {hint}"
                "Choose another one with --port (MAC_PORT) or --host (MAC_HOST)."
            ) from error
        # For each connection: else the kernel keeps megabytes for a client that reads nothing.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._connections.close()  # cheroot's own manager, put there by prepare()
        self._connections: RequestBuffer = RequestBuffer(self)

    def stop(self) -> None:
        """Accept nothing more, and answer what the workers have; takes some seconds more than that at the most."""
        super().stop()
        self.handshakes.stop(0.0)

    def serve(self) -> None:
        """Serve until :meth:`stop`."""
        try:
            self._connections.run()
        except BaseException as error:
            log.critical("the thread that accepts connections fails", exc_info=error)
        if self.ready:
            self._fail("the thread that accepts connections ended")

    def _answer(self, conn: Connection) -> None:
        conn.communicate()
        self.put_conn(conn)

    def _shake_hands(self, conn: Connection) -> None:
        shake_hands(conn)
        self.put_conn(conn)

    def _fail(self, what: str) -> None:
        log.critical("%s: the server ends. This is a mistake in it, please report it", what)
        self.failure = self.failure or what
        self.on_failure()

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
        return self._connections.turns

    @property
    def taken(self) -> int:
        """Requests that workers have taken so far."""
        return self.requests.queue.taken

    @property
    def served(self) -> int:
        """Requests that were taken so far, by workers or by the thread that accepts."""
        return self.taken + self._connections.begun

    @property
    def open_connections(self) -> int:
        """Connections of clients that are open."""
        return self._connections.open.count

    @property
    def held(self) -> int:
        """Bytes of memory that all clients together are charged for."""
        return self._connections.open.held

    @property
    def waiting(self) -> int:
        """Requests that no worker has taken yet."""
        return self.requests.queue.size

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Pass cheroot's messages on to our log."""
        log.log(level, "%s", msg, exc_info=traceback)
