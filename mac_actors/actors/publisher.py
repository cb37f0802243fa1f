"""The publisher actor: hands each outcome to whoever subscribed, so that no subscriber can hold up a machine."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import pykka

from mac_actors.actors.pump import Pump
from mac_actors.actors.runtime import wait_for_ends
from mac_actors.actors.subscribers import Subscriber, Subscribers
from mac_actors.core.changed import Changed
from mac_actors.core.outcomes import Outcome

log = logging.getLogger(__name__)

WAITING_LIMIT = 100_000
"""Outcomes that may wait for slow subscribers. When more do, the oldest are dropped, and the log says so once."""


class Publisher(Pump):
    """The way to the publisher actor, for any thread."""

    def __init__(self) -> None:
        self.subscribers = Subscribers()
        self._waiting: deque[Outcome] = deque()
        self._drops = Changed()
        super().__init__("publisher")

    def announce(self, outcomes: tuple[Outcome, ...]) -> None:
        """Pass outcomes on to all subscribers. Never blocks, never raises."""
        if self.subscribers:
            self._waiting.extend(outcomes)
            while len(self._waiting) > WAITING_LIMIT:
                self._drop()
            self.wake()

    def subscribe(self, subscriber: Subscriber | pykka.ActorRef[Any]) -> Callable[[], None]:
        """Add a subscriber; returns the function that takes it away again."""
        return self.subscribers.add(subscriber)

    def close(self, timeout: float = 5.0) -> None:
        """Deliver what was announced, then stop. Slow subscribers are not waited for beyond ``timeout`` seconds."""
        wait_for_ends([self.stop()], timeout)

    def drain(self) -> None:
        """Call the subscribers with all that waits, one outcome at a time, in order; for the actor alone."""
        with contextlib.suppress(IndexError):
            while True:
                self.subscribers.publish(self._waiting.popleft())

    def _drop(self) -> None:
        with contextlib.suppress(IndexError):
            self._waiting.popleft()
        if self._drops(True):
            log.error("a subscriber does not keep up: %d outcomes wait, the oldest are dropped", WAITING_LIMIT)
