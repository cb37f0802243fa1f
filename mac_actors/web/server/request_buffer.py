"""Where connections wait until a whole request has arrived; only then does a worker thread see them.

cheroot hands an accepted socket to a worker at once, so that as many silent clients as there are threads
stop the server. Here one thread accepts, reads whatever comes, and closes what takes too long. A worker
gets a request that is complete in memory and never waits for a client's next byte.

That one thread alone touches the selector and the connections that wait. The threads of the pools hand theirs back by
a queue, and wake it. What it does for a client in one turn is bounded.
"""

from __future__ import annotations

import errno
import logging
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mac_actors import clock
from mac_actors.web.errors import RequestRefused
from mac_actors.web.server.arrival import ArrivalClock
from mac_actors.web.server.connection import Connection
from mac_actors.web.server.gateway import error_answer
from mac_actors.web.server.open_connections import OpenConnections
from mac_actors.web.server.pool import Pool

log = logging.getLogger(__name__)

REQUEST_SECONDS = 10.0
"""From the first moment of a connection (or of a further request on it) until the request must be whole."""

ANSWER_SECONDS = 10.0
"""How long a client may take to read its answer. No worker waits for it."""

LINGER_SECONDS = 2.0
"""How long a refused client may go on sending (what it sends is dropped) so that it can read the answer."""

ACCEPTS = 64
"""New connections taken in one go before the waiting ones are looked at again."""

TICK_SECONDS = 0.5
"""How often it is looked for what takes too long."""

STOP_SECONDS = 2.0


class RequestBuffer:
    """cheroot's connection manager, but patient for all clients at once."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._selector = selectors.DefaultSelector()
        server.socket.setblocking(False)
        self._selector.register(server.socket, selectors.EVENT_READ, self._accept)
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._awake)
        self._returned: deque[Connection] = deque()
        self._again: list[Connection] = []
        """Read from as long as one turn allows: there may be more, which the selector does not see with TLS."""
        self.open = OpenConnections(self._withdraw)
        self._clock = ArrivalClock()
        self._now = time.monotonic()
        self._stopping = False
        self._ended = threading.Event()
        self._ended.set()
        self.turns = 0
        """Rounds of its loop so far: it stands still only when the loop does."""

    # what other threads call

    def put(self, conn: Connection) -> None:
        """Take a connection back from a thread that has done its part."""
        self._returned.append(conn)
        if not conn.closed:
            self._wake()

    @property
    def can_add_keepalive_connection(self) -> bool:
        """Kept open as long as there is room."""
        return self.open.count < self.open.most // 2

    def stop(self) -> None:
        """End :meth:`run`."""
        self._stopping = True
        self._wake()
        self._ended.wait(STOP_SECONDS)

    def close(self) -> None:
        """Close what waits, once :meth:`run` has ended."""
        for conn in self.open:
            if not conn.busy:
                conn.close()
        self._selector.close()
        self._wake_read.close()
        self._wake_write.close()

    def _wake(self) -> None:
        with suppress(OSError):  # full: it wakes anyway. Closed: it has ended
            self._wake_write.send(b"\0")

    # the one thread

    def run(self) -> None:
        """Serve until :meth:`stop`."""
        self._ended.clear()
        try:
            next_tick = 0.0
            while not self._stopping:
                self._turn()
                if self._now >= next_tick:
                    self._close_late()
                    next_tick = self._now + TICK_SECONDS
        finally:
            self._ended.set()

    def _turn(self) -> None:
        self.turns += 1
        ready = self._selector.select(0 if self._again else TICK_SECONDS)
        self._now = time.monotonic()
        self._clock.tick(self._now, clock.seconds())
        again, self._again = self._again, []
        for key, _ in ready:
            if isinstance(key.data, Connection):
                self._contain(self._serve, key.data)
            else:
                key.data()
        for conn in again:
            self._contain(self._serve, conn)
        for _ in range(len(self._returned)):
            self._contain(self._take_back, self._returned.popleft())

    def _contain(self, step: Callable[[Connection], None], conn: Connection) -> None:
        """Take one step for a connection; whatever goes wrong is over with that connection."""
        try:
            step(conn)
        except OSError:  # the client has gone, or does not speak TLS
            self._drop(conn)
        except Exception:
            log.exception("a connection from %s is closed, because the server made a mistake", conn.remote_addr)
            self._drop(conn)

    def _awake(self) -> None:
        with suppress(BlockingIOError):
            while self._wake_read.recv(4096):
                pass

    def _accept(self) -> None:
        for _ in range(ACCEPTS):
            try:
                sock, address = self._server.socket.accept()
            except OSError as error:
                if error.errno in {errno.EMFILE, errno.ENFILE} and (greedy := self.open.greediest()):
                    self._drop(greedy)
                    continue
                return
            sock.setblocking(False)
            conn = Connection(self._server, sock, *address[:2])
            conn.deadline = self._now + REQUEST_SECONDS
            self.open.add(conn)
            self._contain(self._begin, conn)

    def _begin(self, conn: Connection) -> None:
        self._keep_to_budget(conn)
        if conn.closed:
            return
        if self._server.ssl_adapter is None:
            self._serve(conn)
        else:
            conn.socket = self._server.ssl_adapter.wrap(conn.socket)
            conn.shaking_hands = True
            self._watch(conn, selectors.EVENT_READ)

    def _serve(self, conn: Connection) -> None:
        """Go on with a connection that is ready: send, read, or shake hands."""
        if conn.closed or conn.busy:
            return
        if conn.shaking_hands:
            self._lend(conn, self._server.handshakes.put)
        elif conn.wfile:
            conn.wfile.send(conn.socket)
            if not conn.wfile:
                self._go_on(conn)
        elif self._read(conn):
            self._go_on(conn)
        else:
            self._watch(conn, selectors.EVENT_READ)
            self._keep_to_budget(conn)

    def _read(self, conn: Connection) -> bool:
        """Read what has come; whether there is something to do now."""
        idle = conn.idle
        enough = conn.read(self._clock)
        if idle and not conn.idle:
            conn.deadline = self._now + REQUEST_SECONDS
        if conn.more:
            self._again.append(conn)
        return enough

    def _take_back(self, conn: Connection) -> None:
        conn.busy = False
        conn.request = None
        if conn.closed:
            self.open.remove(conn)
        elif conn.shaking_hands:
            self._watch(conn, conn.wants)
        elif conn.wfile:
            conn.deadline = self._now + ANSWER_SECONDS
            self._watch(conn, selectors.EVENT_WRITE)
            self._keep_to_budget(conn)
        else:
            self._go_on(conn)

    def _go_on(self, conn: Connection) -> None:
        """Look what is next for a connection that has nothing to send."""
        parser = conn.parser
        if not conn.stays_open:
            self._drop(conn)
        elif parser and parser.complete:
            conn.request = parser.complete.popleft()
            self._lend(conn, self._server.requests.put)
        elif conn.refused:
            self._refuse(conn, conn.refused)
        elif conn.hung_up:
            self._drop(conn)
        else:
            conn.deadline = self._now + REQUEST_SECONDS
            self._serve(conn)

    def _lend(self, conn: Connection, put: Callable[[Connection], None]) -> None:
        """Let a thread of a pool have a connection until it puts it back."""
        self._watch(conn, 0)
        conn.busy = True
        self.open.touch(conn)
        self._keep_to_budget(conn)
        put(conn)

    def _refuse(self, conn: Connection, refused: RequestRefused) -> None:
        """Answer without a worker, then let the client finish sending so that it can read the answer."""
        self._server.refusals.add(str(refused.status))
        conn.parser = conn.refused = None
        conn.lingering = True
        conn.deadline = self._now + LINGER_SECONDS
        self._watch(conn, selectors.EVENT_READ)
        conn.socket.send(error_answer(refused.status, refused.message))
        if self._server.ssl_adapter is None:
            conn.socket.shutdown(socket.SHUT_WR)

    def _close_late(self) -> None:
        for conn in [conn for conn in self.open if conn.deadline < self._now and not conn.busy]:
            self._contain(self._close_one_late, conn)

    def _close_one_late(self, conn: Connection) -> None:
        if not conn.idle and not conn.wfile:
            self._refuse(conn, RequestRefused(408, f"the request was not complete after {REQUEST_SECONDS:.0f} s"))
        else:
            self._drop(conn)

    def _keep_to_budget(self, conn: Connection) -> None:
        """Count what a connection holds now. Where that is too much, the greediest loses."""
        self.open.recount(conn)
        while greedy := self.open.over_budget(conn.owner):
            self._drop(greedy)

    def _withdraw(self, owner: str) -> Connection | None:
        """Take back a connection that waits for a thread."""
        pools: tuple[Pool, Pool] = (self._server.requests, self._server.handshakes)
        return next((conn for pool in pools if (conn := pool.queue.withdraw(owner))), None)

    def _watch(self, conn: Connection, events: int) -> None:
        """Have the selector watch a connection for these events; 0: not at all."""
        if events == conn.watched:
            return
        if not conn.watched:
            self._selector.register(conn.socket, events, conn)
        elif events:
            self._selector.modify(conn.socket, events, conn)
        else:
            self._selector.unregister(conn.socket)
        conn.watched = events

    def _drop(self, conn: Connection) -> None:
        if not conn.closed:
            with suppress(KeyError, ValueError, OSError):
                self._watch(conn, 0)
            conn.close()
        self.open.remove(conn)
