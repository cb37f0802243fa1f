"""Refs that stay good: a dead pykka actor is replaced by another one, and its own ref goes stale."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

import pykka
from pykka.messages import ProxyCall

from mac_actors.actors.replies import Reply

A = TypeVar("A", bound=pykka.Actor)


class LiveRef(pykka.ActorRef[A]):
    """A ref of whichever actor does the work now: it is looked up by ``find`` for each message.

    ``find`` may raise, and so does then whoever sends. ``settle``, where there is one, is how
    :meth:`pykka.Future.get` waits unless it is given a timeout of its own.
    """

    def __init__(self, find: Callable[[], pykka.ActorRef[A]], settle: Callable[[Reply], Any] | None = None) -> None:
        # Not the base's own: that would pin one actor.
        self._find = find
        self._settle = settle

    @property
    def present(self) -> pykka.ActorRef[A]:
        """The present actor's own ref."""
        return self._find()

    def __getattr__(self, name: str) -> Any:
        """Return ``actor_class``, ``actor_urn`` and so on of the present actor."""
        if name in {"_find", "_settle", "ref"}:  # not set yet
            raise AttributeError(name)
        return getattr(self._find(), name)

    def __repr__(self) -> str:
        """Return which actor it is."""
        return f"<{type(self).__name__} of {self._find().actor_class.__name__}>"

    def is_alive(self) -> bool:
        """Whether there is a living actor behind it now."""
        with contextlib.suppress(Exception):
            return self._find().is_alive()
        return False

    def tell(self, message: Any) -> None:
        """Send a message, and wait for nothing."""
        self._find().tell(message)

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        """Send a message; return its answer, or with ``block=False`` a future of it."""
        future: pykka.Future[Any] = self._find().ask(message, block=False)
        if isinstance(message, ProxyCall) and isinstance(future, Reply):
            future.settle = self._settle
        return future.get(timeout=timeout) if block else future
