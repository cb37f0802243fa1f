"""The publisher actor: hands each outcome to whoever subscribed, so that no subscriber can hold up a machine."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import pykka

from mac_actors.actors.runtime import MacActor, Ping
from mac_actors.actors.subscribers import Subscriber, Subscribers
from mac_actors.core.outcomes import Outcome

log = logging.getLogger(__name__)

WAITING_LIMIT = 100_000
"""Outcomes that may wait for slow subscribers. When more do, the oldest are dropped, and the log says so once."""


class Publisher:
    """The way to the publisher actor, for any thread. What waits outlives the actor: nothing is lost with it."""

    def __init__(self) -> None:
        self.subscribers = Subscribers()
        self._waiting: deque[Outcome] = deque()
        self._dropped = False
        self.ref: pykka.ActorRef[PublisherActor] = PublisherActor.start(self)

    def announce(self, outcomes: tuple[Outcome, ...]) -> None:
        """Pass outcomes on to all subscribers. Never blocks, never raises."""
        if self.subscribers:
            self._waiting.extend(outcomes)
            while len(self._waiting) > WAITING_LIMIT:
                self._drop()
            self._wake()

    def subscribe(self, subscriber: Subscriber | pykka.ActorRef[Any]) -> Callable[[], None]:
        """Add a subscriber; returns the function that takes it away again."""
        return self.subscribers.add(subscriber)

    def restart(self) -> None:
        """Start a new actor; for the fleet, when the old one is dead."""
        self.ref = PublisherActor.start(self)
        self._wake()

    def close(self, timeout: float = 5.0) -> None:
        """Deliver what was announced, then stop. Slow subscribers are not waited for beyond ``timeout`` seconds."""
        with contextlib.suppress(pykka.Timeout):
            self.ref.stop(block=False).get(timeout=timeout)

    def deliver(self) -> None:
        """Tell of all that waits; for the actor alone."""
        with contextlib.suppress(IndexError):
            while True:
                self.subscribers.tell(self._waiting.popleft())

    def _wake(self) -> None:
        with contextlib.suppress(pykka.ActorDeadError):  # it looks when it has been restarted
            self.ref.tell(Wake())

    def _drop(self) -> None:
        with contextlib.suppress(IndexError):
            self._waiting.popleft()
        if not self._dropped:
            self._dropped = True
            log.error("a subscriber does not keep up: %d outcomes wait, the oldest are dropped", WAITING_LIMIT)


class Wake:
    """Outcomes wait."""


class PublisherActor(MacActor):
    """Calls the subscribers, one outcome at a time, in order."""

    def __init__(self, publisher: Publisher) -> None:
        super().__init__()
        self._publisher = publisher

    def on_receive(self, message: Any) -> None:
        """Deliver what waits."""
        match message:
            case Ping():
                return
            case Wake():
                self._publisher.deliver()
            case _:
                raise TypeError(f"not a message for the publisher: {message!r}")
