"""Requests are passed on to the server that owns the machines, over connections that are kept.

The owner gets the client's address, and for how long the request has been under way; both are believed because the
cell's secret comes along.
"""

from __future__ import annotations

import http.client
import logging
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from mac_actors import clock
from mac_actors.cluster.connection import Answer, Connection
from mac_actors.core.changed import Changed

log = logging.getLogger(__name__)

SECRET, ADDRESS, AGE, HOPS = "Mac-Cell-Secret", "Mac-Cell-Address", "Mac-Cell-Age", "Mac-Cell-Hops"
"""The headers between the servers of a cell: its secret, the client's address, for how many seconds the request has
been under way, and by how many servers it was passed on."""

SCHEME = "Mac-Cell"
"""By this in ``WWW-Authenticate`` a server knows that it was refused itself, and not its client."""

NOT_OWNER = ("Mac-Cell-Owner", "no")
"""In an answer: its server does not own the machines, and has not carried out what was asked."""

HELD_ONLY = ("Mac-Cell-Owner", "held")
"""In an answer: its server did not own the machines when it gave it, so that nobody has decided this yet."""

MOST_HOPS = 2
"""So often a request is passed on."""

MARGIN = 0.03
"""Seconds beyond the budget that the owner, which may need all of it for the disk, has for a report's answer. Looking
whether it is there again, telling it what was held back and connecting take of the same seconds."""

PATIENCE = 600.0
"""Seconds that an answer may take which is no report's: lists of years, on a small computer."""

IDLE_SECONDS = 5.0
"""A connection that was not used for so long is closed; the owner closes it after ten."""

_NOT_PASSED = frozenset(
    {"CONNECTION", "KEEP_ALIVE", "TE", "TRAILER", "TRANSFER_ENCODING", "UPGRADE", "EXPECT", "PROXY_CONNECTION"}
    | {name.upper().replace("-", "_") for name in (SECRET, ADDRESS, AGE, HOPS)}
)
_NOT_ANSWERED = frozenset({"connection", "keep-alive", "transfer-encoding", "server", "date"})

StartResponse = Callable[..., Any]


class OwnerGone(Exception):  # noqa: N818 - somebody else answers
    """The owner did not answer. ``maybe_done``: it may have carried the request out all the same."""

    def __init__(self, why: str, *, maybe_done: bool) -> None:
        super().__init__(why)
        self.maybe_done = maybe_done


class Passing:
    """Passes requests on; any thread may call.

    ``budget`` is how many seconds a report's answer may take, and a connection. ``trust`` is for owners whose address
    begins with https.
    """

    def __init__(self, secret: str, budget: float, trust: ssl.SSLContext | None = None) -> None:
        self._secret = secret
        self._budget = budget
        self._trust = trust
        self._kept: deque[Connection] = deque()
        self._refused = Changed(False)
        self._looking = threading.Lock()
        self.gone: str | None = None
        """The owner that did not answer last."""

    def until(self, received: float | None = None) -> float:
        """Return until when (``time.monotonic()``) the owner has to have answered a report that came then, or now."""
        age = max(0.0, clock.seconds() - received) if received else 0.0
        return time.monotonic() + max(MARGIN, self._budget + MARGIN - age)

    def answer(
        self,
        environ: dict[str, Any],
        body: bytes,
        start_response: StartResponse,
        owner: str,
        until: float,
        *,
        report: bool,
        still: Callable[[], bool],
    ) -> list[bytes]:
        """Answer as the owner at this URL does, before ``until``; raises :class:`OwnerGone`: nothing is answered then.

        ``report``: it may be sent twice. ``still`` says whether it is to be waited for yet.
        """
        headers = _headers(environ)
        headers[ADDRESS], headers[HOPS] = environ.get("REMOTE_ADDR", ""), str(environ.get("mac.hops", 0) + 1)
        now = clock.seconds()
        age = max(0.0, now - (environ.get("mac.received") or now))
        method = environ["REQUEST_METHOD"]
        again = report or method in {"GET", "HEAD"}
        answer = self._ask(owner, method, _target(environ), headers, body, until, age=age, again=again, still=still)
        kept = [(name, value) for name, value in answer.headers if name.lower() not in _NOT_ANSWERED]
        start_response(f"{answer.status} {answer.reason}", kept)
        return [answer.body]

    def ask(self, owner: str, method: str, target: str, until: float, body: bytes = b"") -> int:
        """Ask the owner at this URL something for this server itself; returns the answer's status.

        It may be sent twice. Raises :class:`OwnerGone`.
        """
        headers = {ADDRESS: "127.0.0.1", HOPS: "1", "Content-Type": "application/json"}
        return self._ask(owner, method, target, headers, body, until, again=True).status

    def _ask(
        self,
        owner: str,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes,
        until: float,
        *,
        age: float = 0.0,
        again: bool,
        still: Callable[[], bool] = lambda: True,
    ) -> Answer:
        begun = time.monotonic()
        headers[SECRET] = self._secret
        while True:
            connection, used = self._connection(owner, until)
            sent = False
            try:
                headers[AGE] = f"{age + time.monotonic() - begun:.4f}"
                connection.send(method, target, headers, body, until)
                sent = True
                answer = connection.answer(method, until, still)
            except OSError as error:
                connection.close()
                if used and (again or not sent) and not isinstance(error, TimeoutError):
                    continue  # it had been closed at the other end
                raise OwnerGone(f"{owner} did not answer ({error})", maybe_done=sent) from error
            break
        if answer.keeps_alive:
            self._kept.append(connection)
        else:
            connection.close()
        refused = ("WWW-Authenticate", SCHEME) in answer.headers
        if self._refused(refused) and refused:
            log.error("%s refuses what this server passes on: MAC_CLUSTER_SECRET must be the same on both", owner)
        if refused:
            raise OwnerGone(f"{owner} does not know this server", maybe_done=False)
        if NOT_OWNER in answer.headers:
            raise OwnerGone(f"{owner} owns the machines no more", maybe_done=False)
        return answer

    def answers(self, owner: str, target: str, until: float) -> bool:
        """Whether the owner at this URL answers a look at ``target`` before ``until``, and that all is well."""
        with suppress(OwnerGone):
            return self.ask(owner, "GET", target, until) == http.client.OK
        return False

    def is_gone(self, owner: str, until: float) -> bool:
        """Whether this owner did not answer last. One request at a time looks again; the others need not wait."""
        if self.gone != owner:
            return False
        if not self._looking.acquire(blocking=False):
            return True
        try:
            # it need not own: while the database is away, it knows best how it left the machines
            if self.gone == owner and self.answers(owner, "/healthz", until):
                self.gone = None
            return self.gone == owner
        finally:
            self._looking.release()

    def close(self) -> None:
        """Close what is kept."""
        while self._kept:
            self._kept.popleft().close()

    def _connection(self, owner: str, deadline: float) -> tuple[Connection, bool]:
        """Return a connection to the owner, and whether it was used before."""
        while self._kept:
            with suppress(IndexError):  # another thread was quicker
                kept = self._kept.pop()
                if kept.url == owner and time.monotonic() - kept.used < IDLE_SECONDS and not kept.readable(0.0):
                    return kept, True
                kept.close()
        try:
            return Connection(owner, max(0.01, min(self._budget, deadline - time.monotonic())), self._trust), False
        except OSError as error:
            raise OwnerGone(f"{owner} can't be reached ({error})", maybe_done=False) from error


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    headers = {
        key[5:].replace("_", "-").title(): value
        for key, value in environ.items()
        if key.startswith("HTTP_") and key[5:] not in _NOT_PASSED
    }
    if kind := environ.get("CONTENT_TYPE"):
        headers["Content-Type"] = kind
    return headers


def _target(environ: dict[str, Any]) -> str:
    """Return path and query as they were, as far as that matters: the path is decoded whole by then."""
    path = quote(environ["PATH_INFO"].encode("latin-1"), safe="/!$&'()*+,;=:@~")
    if path.startswith("//"):
        path = "/%2F" + path[2:]
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path
