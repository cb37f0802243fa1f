"""Pages and lists that take long to make are made a few at a time: the workers and the processor are for readers.

Addresses take turns for workers (:mod:`mac_actors.web.server.fair_queue`), but that is no help once all of them are
busy with pages of the journal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import bottle

from mac_actors.core.phrases import phrase
from mac_actors.web.errors import RequestRefused


@dataclass(frozen=True, slots=True)
class Limit:
    """How many answers of one kind are made at once, how many more may wait, and what the next one is told."""

    at_once: int
    waiting: int
    """Each of them with a worker."""
    refusal: str


JOURNAL = Limit(2, 10, phrase("too many ask for long pages and lists at this moment: try again in a while"))
"""Each answer takes the interpreter from the readers for some milliseconds."""

HISTORY = Limit(
    1, 3, phrase("others are looking at the history of the whole shop at this moment: try again in a while")
)
"""What looks at all machines: on a small computer that takes seconds."""


class Limiter:
    """A Bottle plugin for the routes that say ``limit=…``; all routes with the same limit share it."""

    name = "limiter"
    api = 2

    def __init__(self) -> None:
        self._semaphores: dict[Limit, tuple[threading.Semaphore, threading.Semaphore]] = {
            limit: (threading.Semaphore(limit.at_once + limit.waiting), threading.Semaphore(limit.at_once))
            for limit in (JOURNAL, HISTORY)
        }

    def apply(self, callback: Callable[..., Any], route: bottle.Route) -> Callable[..., Any]:
        """Wrap a route."""
        limit: Limit | None = route.config.get("limit")
        if limit is None:
            return callback
        places, turns = self._semaphores[limit]

        def in_turn(*args: Any, **kwargs: Any) -> Any:
            if not places.acquire(blocking=False):
                raise RequestRefused(503, limit.refusal)
            try:
                with turns:
                    return callback(*args, **kwargs)
            finally:
                places.release()

        return in_turn
