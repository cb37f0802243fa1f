"""Where connections wait until a whole request has arrived; only then does a worker thread see them.

cheroot hands an accepted socket to a worker at once, so that as many silent clients as there are threads
stop the server. Here one thread accepts, reads whatever comes, and closes what takes too long. A worker
gets a request that is complete in memory and never waits for a client's next byte.

That one thread alone touches the selector and the connections that wait. The threads of the pools hand theirs back by
a queue, and wake it. What it does for a client in one turn is bounded. Readers' reports it answers itself
(:mod:`mac_actors.web.server.direct`).
"""

from __future__ import annotations

import errno
import logging
import math
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mac_actors import clock
from mac_actors.actors import wakes
from mac_actors.web.errors import RequestRefused
from mac_actors.web.server.arrival import ArrivalClock
from mac_actors.web.server.budget import owner_of
from mac_actors.web.server.connection import READ, WRITE, Connection
from mac_actors.web.server.direct import Begun
from mac_actors.web.server.gateway import environment
from mac_actors.web.server.open_connections import OpenConnections
from mac_actors.web.server.parser import ParsedRequest
from mac_actors.web.server.pending import PendingAnswers, Waker

log = logging.getLogger(__name__)

REQUEST_SECONDS = 10.0
"""From the first moment of a connection (or of a further request on it) until the request must be whole."""

ANSWER_SECONDS = 10.0
"""How long a client may take to read its answer. No worker waits for it."""

LINGER_SECONDS = 2.0
"""How long a refused client may go on sending (what it sends is dropped) so that it can read the answer."""

ACCEPTS = 256
"""New connections taken in one go before the waiting ones are looked at again."""

EVENTS = 256
"""So many connections are looked at in one turn; the others that are ready come in the next ones."""

ROUND_BYTES, LEAST_BYTES = 32 * 1024, 256
"""So much is read of one address until all others that are ready were looked at, whatever connections it has; each time
counts as the least."""

DIRECT_BYTES = 2048
"""As so much more counts a request that this thread answers itself."""

STOP_SECONDS = 5.0
"""How long answers that wait for the disk are waited for at the stop."""

GATHER_SECONDS = 0.005
"""For how long the journal may be left asleep while requests come without a pause: as long as the interpreter lets a
thread go on."""

TICK_SECONDS = 0.5
"""How often it is looked for what takes too long."""


class RequestBuffer:
    """cheroot's connection manager, but patient for all clients at once."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._poll = select.epoll()
        self._watched: dict[int, Connection] = {}
        server.socket.setblocking(False)
        self._poll.register(server.socket, READ)
        self._waker = Waker()
        self._poll.register(self._waker, READ)
        self._returned: deque[Connection] = deque()
        self._pending = PendingAnswers(self._waker)
        self._bytes: dict[str, int] = {}
        """How much was read of each address in this round, which takes several turns where many are ready."""
        self._looked_at = 0
        self._again: list[Connection] = []
        """Read from as long as one turn allows: there may be more, which the selector does not see with TLS."""
        self.open = OpenConnections(server.requests.queue, server.handshakes.queue)
        self._clock = ArrivalClock()
        self._now = time.monotonic()
        self._flush_at = math.inf
        """When at the latest they are woken whom this thread has left asleep."""
        self._stopping = False
        self._ended = threading.Event()
        self._ended.set()
        self.begun = 0
        """Requests so far that no worker was needed for, or only in the end."""
        self.turns = 0
        """Rounds of its loop so far: it stands still only when the loop does."""

    # what other threads call

    def put(self, conn: Connection) -> None:
        """Take a connection back from a thread that has done its part."""
        self._returned.append(conn)
        if not conn.closed:
            self._waker.wake()

    @property
    def can_add_keepalive_connection(self) -> bool:
        """Kept open as long as there is room."""
        return self.open.count < self.open.most // 2

    def stop(self) -> None:
        """End :meth:`run`."""
        self._stopping = True
        self._waker.wake()
        self._ended.wait(STOP_SECONDS + 2.0)

    def close(self) -> None:
        """Close what waits, once :meth:`run` has ended."""
        for conn in self.open:
            if not conn.busy:
                conn.close()
        self._poll.close()
        self._waker.close()

    # the one thread

    def run(self) -> None:
        """Serve until :meth:`stop`."""
        self._ended.clear()
        try:
            with wakes.gathering():
                next_tick = 0.0
                while not self._stopping:
                    self._turn()
                    if self._now >= next_tick:
                        self._close_late()
                        next_tick = self._now + TICK_SECONDS
                self._finish()
        finally:
            self._ended.set()

    def _finish(self) -> None:
        """Send, at the stop, the answers that wait for the disk."""
        self._poll.unregister(self._server.socket)
        deadline = time.monotonic() + STOP_SECONDS
        while self._pending and time.monotonic() < deadline:
            for number in list(self._watched):  # nothing more is begun
                self._watch(self._watched[number], 0)
            self._turn()

    def _turn(self) -> None:
        self.turns += 1
        at_once = self._again or self._returned or wakes.gathered()
        until = self._pending.due - time.monotonic() if self._pending else TICK_SECONDS
        ready = self._poll.poll(0 if at_once else min(TICK_SECONDS, max(0.0, until)), EVENTS)
        self._now = time.monotonic()
        if not ready or self._now >= self._flush_at:
            wakes.flush()
        self._clock.tick(self._now, clock.seconds())
        self._looked_at += len(ready)
        if len(ready) < EVENTS or self._looked_at > len(self._watched):
            self._looked_at = 0
            self._bytes.clear()
        again, self._again = self._again, []
        if not self._stopping:
            self._accept()  # in each turn: new ones do not wait for a round
        for number, _ in ready:
            if conn := self._watched.get(number):
                self._contain(self._serve, conn)
            elif number == self._waker.fileno():
                self._waker.clear()
        for conn in again:
            self._contain(self._serve, conn)
        for _ in range(len(self._returned)):
            self._contain(self._take_back, self._returned.popleft())
        for conn, begun in self._pending.take(self._now):
            self._contain(self._answer, conn, begun)

    def _contain(self, step: Callable[..., None], conn: Connection, *more: Any) -> None:
        """Take one step for a connection; whatever goes wrong is over with that connection."""
        try:
            step(conn, *more)
        except OSError:  # the client has gone, or does not speak TLS
            self._drop(conn)
        except Exception:
            log.exception("a connection from %s is closed, because the server made a mistake", conn.remote_addr)
            self._drop(conn)

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
        if conn.preface:
            self._watch(conn, READ)
        else:
            self._speak(conn)

    def _read_preface(self, conn: Connection) -> None:
        """Go on with a connection whose proxy says for whom it is."""
        preface = conn.preface
        try:
            if preface is None or not conn.read_preface():
                return
        except RequestRefused as refused:
            conn.preface = None
            if self._server.ssl_adapter:
                self._drop(conn)
            else:
                self._refuse(conn, refused)
            return
        conn.preface, conn.proxied = None, preface.found
        if preface.address:
            conn.remote_addr = preface.address
            self.open.move(conn, owner_of(preface.address))
        conn.begin_with(preface.plain, self._clock)
        self._speak(conn)

    def _speak(self, conn: Connection) -> None:
        if self._server.ssl_adapter is None:
            self._serve(conn)
        else:
            conn.shaking_hands = True
            self._watch(conn, READ)

    def _serve(self, conn: Connection) -> None:
        """Go on with a connection that is ready: send, read, or shake hands."""
        if conn.closed or conn.busy:
            return
        if conn.preface:
            self._read_preface(conn)
        elif conn.shaking_hands:
            self._lend(conn, self._server.handshakes.put)
        elif conn.wfile:
            conn.wfile.send(conn.socket)
            if not conn.wfile:
                self._go_on(conn)
        elif self._bytes.get(conn.owner, 0) >= ROUND_BYTES:
            self._look_again(conn)  # it is others' turn
        elif self._read(conn):
            self._go_on(conn)
        else:
            self._look_again(conn)
            self._keep_to_budget(conn)

    def _read(self, conn: Connection) -> bool:
        """Read what has come; whether there is something to do now."""
        idle = conn.idle
        enough, size = conn.read(self._clock)
        self._bytes[conn.owner] = self._bytes.get(conn.owner, 0) + max(size, LEAST_BYTES)
        if idle and not conn.idle:
            conn.deadline = self._now + REQUEST_SECONDS
        return enough

    def _look_again(self, conn: Connection) -> None:
        """Look at a connection again when there is something to read."""
        self._watch(conn, READ)
        if conn.more:
            self._again.append(conn)

    def _take_back(self, conn: Connection) -> None:
        conn.busy = False
        conn.request = conn.begun = None
        if conn.closed:
            self.open.remove(conn)
        elif conn.shaking_hands:
            self._watch(conn, conn.wants)
        elif conn.wfile:
            conn.deadline = self._now + ANSWER_SECONDS
            self._watch(conn, WRITE)
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
            try:
                self._look_who_asks(conn, conn.request)
            except RequestRefused as refused:
                conn.request = None
                self._refuse(conn, refused)
            else:
                self._pass_on(conn, conn.request)
        elif conn.refused:
            self._refuse(conn, conn.refused)
        elif conn.hung_up:
            self._drop(conn)
        else:
            conn.deadline = self._now + REQUEST_SECONDS
            self._serve(conn)

    def _pass_on(self, conn: Connection, request: ParsedRequest) -> None:
        """Have a worker answer a request; or answer it here, or when the disk has what is in the answer."""
        direct, begun = self._server.direct, None
        if direct and direct.takes(request):
            if not wakes.gathered():
                self._flush_at = time.monotonic() + GATHER_SECONDS
            begun = direct.begin(environment(conn))
            if time.monotonic() >= self._flush_at:
                wakes.flush()
        conn.begun = begun
        if begun is None:
            self._lend(conn, self._server.requests.put)
            return
        self.begun += 1
        self._bytes[conn.owner] = self._bytes.get(conn.owner, 0) + DIRECT_BYTES
        due = begun.due()
        if due <= self._now or due == math.inf:
            self._answer(conn, begun)
        else:
            self._lend(conn, lambda _: self._pending.add(due, conn, begun))

    def _answer(self, conn: Connection, begun: Begun) -> None:
        """Send an answer that is there; a worker makes one that is no plain one."""
        if begun.due() > time.monotonic():  # also what the actor has decided since it was asked: the disk may hang
            self._lend(conn, self._server.requests.put)
            return
        try:
            headers, body = begun.answer()
        except Exception:
            self._lend(conn, self._server.requests.put)  # whoever answers there says what is wrong
            return
        number, conn.begun = conn.socket.fileno(), None
        conn.answer(headers, body)
        if conn.closed:
            self._watched.pop(number, None)
            self.open.remove(conn)
        else:
            conn.busy = True  # until the next turn, in which its next request comes
            self._returned.append(conn)

    def _look_who_asks(self, conn: Connection, request: ParsedRequest) -> None:
        origins = self._server.origins
        if origins:
            request.address = origins.look(conn.remote_addr, request)
            conn.proxied = conn.proxied or request.address != conn.remote_addr or request.hops > 0
            self.open.move(conn, owner_of(request.address))

    def _lend(self, conn: Connection, put: Callable[[Connection], None]) -> None:
        """Let a thread of a pool have a connection until it puts it back."""
        self._watch(conn, 0)
        conn.busy = True
        self.open.touch(conn)
        self._keep_to_budget(conn)
        put(conn)

    def _refuse(self, conn: Connection, refused: RequestRefused) -> None:
        """Answer without a worker, then wait a little for the client to read that."""
        self._server.refusals.add(str(refused.status))
        conn.deadline = self._now + LINGER_SECONDS
        self._watch(conn, READ)
        conn.refuse(refused)

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

    def _watch(self, conn: Connection, events: int) -> None:
        """Have a connection watched for these events; 0: not at all."""
        if events == conn.watched:
            return
        number = conn.socket.fileno()
        if not conn.watched:
            self._poll.register(number, events)
            self._watched[number] = conn
        elif events:
            self._poll.modify(number, events)
        else:
            self._poll.unregister(number)
            del self._watched[number]
        conn.watched = events

    def _drop(self, conn: Connection) -> None:
        if not conn.closed:
            with suppress(KeyError, ValueError, OSError):
                self._watch(conn, 0)
            conn.close()
        self.open.remove(conn)
