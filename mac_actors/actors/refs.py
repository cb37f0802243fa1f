"""Refs that stay good: a dead pykka actor is replaced by another one, and its own ref goes stale."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

import pykka
from pykka.messages import ProxyCall

from mac_actors.actors.runtime import Reply

A = TypeVar("A", bound=pykka.Actor)
Settle = Callable[[Reply], Any]


class LiveRef(pykka.ActorRef[A]):
    """A ref of whichever actor does the work now: it is looked up by ``find`` for each message.

    ``find`` may raise, and so does then whoever sends. ``settle``, where there is one, is how
    :meth:`pykka.Future.get` waits unless it is given a timeout of its own.
    """

    def __init__(self, find: Callable[[], pykka.ActorRef[A]], settle: Settle | None = None) -> None:
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
        if self._settle is not None and isinstance(message, ProxyCall) and isinstance(future, Reply):
            future = Settled(future, self._settle)
        return future.get(timeout=timeout) if block else future


class Settled(pykka.Future[Any]):
    """A future whose ``get()`` never waits for ever, and whose errors are the package's own."""

    def __init__(self, reply: Reply | None = None, settle: Settle | None = None) -> None:
        super().__init__()
        self._reply = reply
        self._settle = settle

    def __repr__(self) -> str:
        """Say what to do with it: in a REPL it is what one sees first."""
        return "<Future: .get() waits for its result>"

    def get(self, *, timeout: float | None = None) -> Any:
        """Return the answer; with a ``timeout`` in seconds raises ``pykka.Timeout`` when it is over."""
        if self._reply is None or self._settle is None:  # made by map() and its like, which set a hook
            return super().get(timeout=timeout)
        return self._settle(self._reply) if timeout is None else self._reply.get(timeout=timeout)
