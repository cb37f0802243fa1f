"""The herald actor: hands each outcome to whoever subscribed, so that no subscriber can hold up a machine."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pykka

from mac_actors.actors.runtime import MacActor, Ping
from mac_actors.core.outcomes import Outcome

log = logging.getLogger(__name__)

Subscriber = Callable[[Outcome], object]


class Herald:
    """The way to the herald actor, for any thread."""

    def __init__(self) -> None:
        self.subscribers: tuple[Subscriber, ...] = ()
        self.ref: pykka.ActorRef[HeraldActor] = HeraldActor.start(self)

    def announce(self, outcomes: tuple[Outcome, ...]) -> None:
        """Pass outcomes on to all subscribers. Never blocks, never raises."""
        if self.subscribers:
            try:
                self.ref.tell(outcomes)
            except pykka.ActorDeadError:
                log.error("outcomes could not be announced: the herald is dead (it is being restarted)")

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Add a subscriber; returns the function that takes it away again."""
        self.subscribers += (subscriber,)

        def unsubscribe() -> None:
            self.subscribers = tuple(s for s in self.subscribers if s is not subscriber)

        return unsubscribe

    def restart(self) -> None:
        """Start a new actor; for the fleet, when the old one is dead."""
        self.ref = HeraldActor.start(self)

    def close(self) -> None:
        """Deliver what was announced, then stop."""
        self.ref.stop(block=False)


class HeraldActor(MacActor):
    """Calls the subscribers, one outcome at a time, in order."""

    def __init__(self, herald: Herald) -> None:
        super().__init__()
        self._herald = herald

    def on_receive(self, message: Any) -> None:
        """Deliver a tuple of outcomes. A subscriber that raises is logged and goes on being told."""
        if isinstance(message, Ping):
            return
        for outcome in message:
            for subscriber in self._herald.subscribers:
                try:
                    subscriber(outcome)
                except Exception:
                    log.exception("a subscriber failed on %r", outcome)
