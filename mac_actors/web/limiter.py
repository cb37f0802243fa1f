"""Pages and lists that take long to make are made a few at a time: the workers and the processor are for readers.

Addresses take turns for workers (:mod:`mac_actors.web.server.fair_queue`), but that is no help once all of them are
busy with pages of the journal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import bottle

from mac_actors.web.errors import RequestRefused

AT_ONCE = 2
"""So many are made at once: each takes the interpreter from the readers for some milliseconds."""

WAITING = 10
"""So many may wait for that, each with a worker; whoever comes then is asked to come again."""


class Limiter:
    """A Bottle plugin for the routes that say ``limited=True``."""

    name = "limited"
    api = 2

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(AT_ONCE + WAITING)
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        """Wrap a route."""
        if not route.config.get("limited"):
            return callback

        def in_turn(*args: Any, **kwargs: Any) -> Any:
            if not self._places.acquire(blocking=False):
                raise RequestRefused(503, "too many ask for long pages and lists at this moment: try again in a while")
            try:
                with self._turns:
                    return callback(*args, **kwargs)
            finally:
                self._places.release()

        return in_turn
