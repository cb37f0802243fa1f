"""What a server of a cell does with a request: answers it as the owner, passes it on to the owner, or holds."""

from __future__ import annotations

import io
import json
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from mac_actors.cluster.holding import HoldingFleet
from mac_actors.cluster.passing import HELD_ONLY, MOST_HOPS, NOT_OWNER, PATIENCE, OwnerGone, Passing
from mac_actors.cluster.telling import HELD, NOBODY, Taking, Telling
from mac_actors.fleet.fleet import MachineFleet

log = logging.getLogger(__name__)

REPORT = "/api/machine/update"

OWN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""What each server answers for itself."""

HOLDABLE = (REPORT, "/api/machine/oops/", "/api/machine/locked_out/")
"""What, sent by POST, is answered also while nobody owns the machines."""

AT_ONCE = (*HOLDABLE, "/api/reload")
"""What, sent by POST, waits for no owner: what stops a machine goes to the next one by and by, and a reload is of one
server's files.
"""

WAIT_SECONDS, TURN_SECONDS = 1.0, 0.02
"""So long everything else waits for the next one, and so often it looks."""

WAITING_AT_MOST = 8
"""So many requests wait at once: reports need threads, too."""

LAST_SECONDS = 0.3
"""So long an answer is waited for whose server is the owner no more (it had written everything before it let go), or
does not answer others.
"""

STOP_SECONDS = 5.0
"""So long, and the commit budget, an oops or a lock-out is waited for: an owner that does not answer may be none."""

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Standing(Protocol):
    """Who owns the machines: this server, or the one at the URL ``owner``; ``None``: nobody."""

    @property
    def owns(self) -> bool: ...

    @property
    def owner(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Owned:
    """What a server has that owns the machines since ``epoch``. ``reports`` answers those of readers without a worker
    (a :class:`mac_actors.web.server.direct.Direct`).
    """

    fleet: MachineFleet
    application: Application
    reports: Any
    epoch: int = 0


class Door:
    """The WSGI application of a server of a cell.

    ``standing`` says who owns the machines, ``owned`` what this server has where it does. :attr:`held`, to be set, is
    the application of a server that owns nothing, with the ``holding`` fleet; it also answers :data:`OWN_PATHS`.
    ``look(until)`` looks for the owner before it holds (:class:`~mac_actors.cluster.looking.Looking`).
    """

    def __init__(
        self,
        standing: Callable[[], Standing],
        owned: Callable[[], Owned | None],
        passing: Passing,
        holding: HoldingFleet,
        look: Callable[[float], None] = lambda until: None,
    ) -> None:
        self._standing = standing
        self._look = look
        self._owned = owned
        self._passing = passing
        self._holding = holding
        self.held: Application = lambda environ, start_response: _error(start_response, NOBODY)
        self._waiting = threading.Semaphore(WAITING_AT_MOST)
        self.telling = Telling(passing, holding)
        self.taking = Taking(lambda: one.fleet if (one := owned()) else None, lambda: standing().owns)

    def takes(self, request: Any) -> bool:
        """Whether a request is a report that this server answers itself, without a worker."""
        owned = self._owned()
        return owned is not None and self._standing().owns and bool(owned.reports.takes(request))

    def begin(self, environ: dict[str, Any]) -> Any:
        """Begin to answer it; ``None``: this server has lost the machines meanwhile."""
        owned = self._owned()
        return owned.reports.begin(environ) if owned else None

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path, hops = environ["PATH_INFO"], environ.get("mac.hops", 0)
        if path == HELD:
            return self._take(environ, start_response)
        method = environ["REQUEST_METHOD"]
        may_wait = method != "POST" or not path.startswith(AT_ONCE)
        to_hold = not may_wait and path.startswith(HOLDABLE)
        reloads = not may_wait and not to_hold
        changes = (may_wait or reloads) and method not in {"GET", "HEAD"}
        answer = self._answer(environ, start_response, changes or to_hold)
        if answer is None and to_hold:
            known = self._standing().owner
            self._look(self._passing.until(environ.get("mac.received")))
            if self._standing().owner != known:
                answer = self._answer(environ, start_response, to_hold)
        if answer is None and may_wait and not hops and self._waiting.acquire(blocking=False):
            until = time.monotonic() + WAIT_SECONDS
            try:
                while answer is None and time.monotonic() < until:
                    time.sleep(TURN_SECONDS)
                    answer = self._answer(environ, start_response, changes)
            finally:
                self._waiting.release()
        if answer is None and hops and changes:
            answer = _error(start_response, NOBODY, headers=[NOT_OWNER])
        if answer is None:
            answer = self._here(environ, start_response, None if reloads else self._owned())
        return answer

    def _here(self, environ: dict[str, Any], start_response: StartResponse, owned: Owned | None) -> Iterable[bytes]:
        """Answer as the owner of the machines, or as one that holds, and then says so to another server."""
        if (begun := environ.get("mac.begun")) and not (owned and begun.fleet is owned.fleet):
            environ["mac.begun"] = None  # it was begun as the owner, which this server is no more
        given = start_response
        if environ.get("mac.hops"):
            start_response = lambda status, headers, *more: given(  # noqa: E731
                status, [*headers, *(() if self._standing().owns else (HELD_ONLY,))], *more
            )
        if owned and environ["PATH_INFO"] == REPORT:
            return self._report(environ, start_response, owned)
        return (owned.application if owned else self._hold)(environ, start_response)

    def _hold(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer as one that holds. It may have come to own meanwhile: its fleet then was told already what came."""
        answer = self.held(environ, start_response)
        if owned := self._owned():
            self.telling.here(owned.fleet)
        return answer

    def _report(self, environ: dict[str, Any], start_response: StartResponse, owned: Owned) -> Iterable[bytes]:
        """Answer a report as the owner. One that this server loses the machines over is held: at an error a reader
        would keep its relay on.
        """
        said: list[tuple[Any, ...]] = []
        body = owned.application(environ, lambda *given: said.append(given))
        if said[0][0].startswith("503") and self._owned() is not owned:
            environ["wsgi.input"].seek(0)
            environ["mac.begun"] = None
            return self._hold(environ, start_response)
        start_response(*said[0])
        return body

    def _answer(self, environ: dict[str, Any], start_response: StartResponse, changes: bool) -> Iterable[bytes] | None:
        """Answer as the owner, or have it answer; ``None``: there is none now. The last one still shows what was so."""
        path, hops = environ["PATH_INFO"], environ.get("mac.hops", 0)
        standing, owned = self._standing(), self._owned()
        if owned and (standing.owns or not (standing.owner or changes)):
            return self._here(environ, start_response, owned)
        if path == "/healthz" and hops:
            return _error(start_response, NOBODY)  # asked by one that takes this for the owner: it must not ask back
        if path in OWN_PATHS:
            return self.held(environ, start_response)
        if standing.owner and hops < MOST_HOPS and (not owned or self._is_dropped(environ, owned)):
            return self._by_owner(environ, start_response, standing.owner)
        return None

    def _is_dropped(self, environ: dict[str, Any], owned: Owned) -> bool:
        """Wait until what this server had as the owner is dropped: what that has held back is told to the next one
        before anything is passed on.
        """
        if environ["REQUEST_METHOD"] != "POST" or not environ["PATH_INFO"].startswith(HOLDABLE):
            return True
        until = self._passing.until(environ.get("mac.received"))
        while self._owned() is owned and time.monotonic() < until:
            time.sleep(TURN_SECONDS)
        return self._owned() is not owned

    def serves(self) -> bool:
        """Whether this server owns the machines, or reaches the one that does."""
        standing = self._standing()
        if standing.owner is None:
            return standing.owns and self._owned() is not None
        return self._passing.answers(standing.owner, "/healthz?serving", self._passing.until())

    def tell(self) -> None:
        """Tell the owner, if one is known, what came here while there was none."""
        owner = self._standing().owner
        if owner and self._holding.waits and not self._passing.is_gone(owner, self._passing.until()):
            try:
                self.telling.to(owner)
            except OwnerGone as gone:
                self._passing.gone = owner
                log.warning("%s: what was held back here is told later", gone)

    def _by_owner(self, environ: dict[str, Any], start_response: StartResponse, owner: str) -> Iterable[bytes] | None:
        """Answer as the owner does; ``None``: it did not, and has not carried it out, or that does no harm."""
        path = environ["PATH_INFO"]
        until = self._passing.until(environ.get("mac.received"))
        if self._passing.is_gone(owner, until):
            return None
        body = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(body)
        ends = math.inf
        harmless = _may_come_twice(environ["REQUEST_METHOD"], path)

        def still() -> bool:
            nonlocal ends
            if self._standing().owner != owner or (harmless and self._passing.is_gone(owner, self._passing.until())):
                ends = min(ends, time.monotonic() + LAST_SECONDS)
            else:
                ends = math.inf
            return time.monotonic() < ends

        try:
            if self._holding.waits:
                self.telling.to(owner, until)
            if path != REPORT:
                stops = environ["REQUEST_METHOD"] == "POST" and path.startswith(HOLDABLE)
                until = self._passing.until() + STOP_SECONDS if stops else time.monotonic() + PATIENCE
            said: list[tuple[Any, ...]] = []
            answer = self._passing.answer(
                environ, body, lambda *given: said.append(given), owner, until, report=path == REPORT, still=still
            )
            status, headers = said[0]
            if HELD_ONLY in headers:
                self._hold_too(environ, body, answer)
                if not environ.get("mac.hops"):
                    headers = [one for one in headers if one != HELD_ONLY]
            start_response(status, headers)
            return answer
        except OwnerGone as gone:
            self._passing.gone = owner
            log.debug("%s", gone)
            if gone.maybe_done and not harmless:
                return _error(start_response, MAYBE_DONE)
            return None

    def _hold_too(self, environ: dict[str, Any], body: bytes, answer: Iterable[bytes]) -> None:
        """Hold what the owner, which is none any more, has held: it may end, and this server may be the next one."""
        if environ["REQUEST_METHOD"] != "POST" or not environ["PATH_INFO"].startswith(HOLDABLE):
            return
        ours = self._hold({**environ, "wsgi.input": io.BytesIO(body), "mac.begun": None}, lambda *given: None)
        with suppress(ValueError, TypeError, KeyError):
            if json.loads(b"".join(ours))["relay"] and not json.loads(b"".join(answer))["relay"]:
                self._holding.switch_off(json.loads(body)["machine_name"])

    def _take(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Take what another server has held back."""
        if not environ.get("mac.hops"):
            return _error(start_response, "this is for the servers of the cell alone", "404 Not Found")
        status, wrong = self.taking.take(environ["wsgi.input"].read(), environ.get("mac.received"))
        if wrong:
            return _error(start_response, wrong, status)
        start_response(status, [("Content-Type", "application/json")])
        return [b"{}\n"]


MAYBE_DONE = (
    "the server that owns the machines has gone while it was asked, and may have carried this out: look at what is so "
    "now, then try again"
)


def _may_come_twice(method: str, path: str) -> bool:
    """Whether a request changes nothing, or is a report. An oops might be over by then, and be set once more."""
    return method in {"GET", "HEAD"} or path == REPORT


def _error(
    start_response: StartResponse,
    message: str,
    status: str = "503 Service Unavailable",
    headers: Iterable[tuple[str, str]] = (),
) -> Iterable[bytes]:
    body = json.dumps({"error": message}).encode() + b"\n"
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers])
    return [body]
