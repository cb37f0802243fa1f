"""Following a running server's journal: every outcome once, in order, also across its restart."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import Any

from mac_actors.client.http import Client
from mac_actors.core.changed import Changed
from mac_actors.core.outcomes import Outcome
from mac_actors.errors import ServerError
from mac_actors.storage import codec

log = logging.getLogger(__name__)

FOLLOW_SECONDS = 0.5
"""How often the server is asked what is new."""

EVENTS_AT_ONCE = 500
"""Lines of the journal that are asked for in one go. A first look for news asks for a few."""


def read_outcome(kind: str, fields: Any) -> Outcome:
    """Return the outcome that the API shows as ``kind`` and ``outcome`` (``?details=1``).

    Raises :class:`ServerError` for one that this version does not know.
    """
    try:
        return codec.load_outcome(kind, json.dumps(fields))
    except ValueError as error:
        raise ServerError(
            f"the server tells of a {kind!r} that can't be read here: it has another version of mac-actors; "
            "use the same version on both sides"
        ) from error


class News:
    """What is new in a running server's journal behind line number ``last``, of all machines or of one.

    ``more`` are parameters of the call.
    """

    def __init__(self, client: Client, last: int, machine: str | None = None, **more: str) -> None:
        self._client = client
        self._last = last
        self._machine = machine
        self._more = more

    def look(self) -> list[dict[str, Any]]:
        """Return the events that have come since the last look, oldest first. Raises :class:`ServerError`."""
        new: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self._client.events(self._machine, EVENTS_AT_ONCE if cursor else 20, cursor, **self._more)
            events = page["events"]
            newest = events[0]["id"] if events else 0
            if cursor is None and newest < self._last:
                log.warning("the server's journal is an older one now (a backup was restored): going on from its end")
                self._last = newest
                return []
            fresh = [event for event in events if event["id"] > self._last]
            new += fresh
            cursor = page["next"]
            if cursor is None or len(fresh) < len(events):
                self._last = new[0]["id"] if new else self._last
                return new[::-1]


class Follower:
    """Calls ``subscriber(outcome)`` for whatever happens from now on, in a thread, until :meth:`stop`.

    Raises :class:`ServerError` when the server can't be asked where its journal is now.
    """

    def __init__(self, client: Client, subscriber: Callable[[Outcome], None]) -> None:
        self._subscriber = subscriber
        newest = client.events(limit=1)["events"]
        self._news = News(client, newest[0]["id"] if newest else 0, details="1")
        self._lost = Changed()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="remote-fleet-follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it; what the server has answered already is passed on."""
        self._stopping.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.wait(FOLLOW_SECONDS):
            try:
                new = self._news.look()
            except ServerError as error:
                if self._lost(True):
                    log.warning("%s; what happens meanwhile is told when it is back", error)
                continue
            except Exception:
                log.exception("following the server failed once; it goes on")
                continue
            if self._lost(False):
                log.warning("the server answers again")
            for event in new:
                self._pass_on(event)

    def _pass_on(self, event: dict[str, Any]) -> None:
        try:
            outcome = read_outcome(event["kind"], event.get("outcome"))
        except ServerError as error:
            log.warning("%s", error)
        else:
            self._subscriber(outcome)
