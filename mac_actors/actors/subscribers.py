"""Who gets each outcome, and what becomes of one that fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pykka

from mac_actors.actors.runtime import contain_exit
from mac_actors.core.outcomes import Outcome

log = logging.getLogger(__name__)

Subscriber = Callable[[Outcome], object]


class _Subscription:
    """One subscriber; calling it ends it."""

    def __init__(self, subscriber: Subscriber | pykka.ActorRef[Any], remove: Callable[[_Subscription], None]) -> None:
        self._remove = remove
        if isinstance(subscriber, pykka.ActorRef):
            self._call: Subscriber = subscriber.tell
        elif callable(subscriber):
            self._call = subscriber
        else:
            raise TypeError(
                f"subscribe() takes a function of one argument, the outcome, not {subscriber!r}: "
                "for example fleet.subscribe(print)"
            )
        self._label = getattr(subscriber, "__qualname__", None) or repr(subscriber)
        self._failed: set[type[BaseException]] = set()

    def __call__(self) -> None:
        self._remove(self)

    def __repr__(self) -> str:
        return f"<subscription of {self._label}: call it to end it>"

    def publish(self, outcome: Outcome) -> None:
        try:
            with contain_exit():
                self._call(outcome)
        except Exception as error:
            if type(error) not in self._failed:
                self._failed.add(type(error))
                log.exception(
                    "the subscriber %s failed on %r; it goes on being told, and this is said once: mend it",
                    self._label,
                    outcome,
                )


class Subscribers:
    """Gives each of them an outcome, one after the other. One that fails does not keep it from the others."""

    def __init__(self) -> None:
        # Replaced, never changed: a publication under way goes on with the old one.
        self._all: tuple[_Subscription, ...] = ()
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        """Whether there is anybody."""
        return bool(self._all)

    def add(self, subscriber: Subscriber | pykka.ActorRef[Any]) -> Callable[[], None]:
        """Add a function, or the ref of an actor; returns the function that takes it away again.

        Raises ``TypeError`` for anything else.
        """
        subscription = _Subscription(subscriber, self._remove)
        with self._lock:
            self._all += (subscription,)
        return subscription

    def _remove(self, subscription: _Subscription) -> None:
        with self._lock:
            self._all = tuple(other for other in self._all if other is not subscription)

    def publish(self, outcome: Outcome) -> None:
        """Give it to all of them. Never raises."""
        for subscription in self._all:
            subscription.publish(outcome)
