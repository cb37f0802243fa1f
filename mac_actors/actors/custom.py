"""A script's custom actors, beside the machines: supervised, given all outcomes, and unable to disturb anybody.

They run for as long as the fleet is open. One that dies is started anew from its class and arguments, and
finds the outcomes that waited for it. One that dies again and again is tried once a minute, and the fleet's health
says so (:mod:`mac_actors.actors.restarts`).
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar, cast

import pykka

from mac_actors.actors.refs import LiveRef
from mac_actors.actors.restarts import Restarts
from mac_actors.actors.runtime import contain_exit
from mac_actors.core.changed import Changed
from mac_actors.core.outcomes import Outcome

log = logging.getLogger(__name__)

A = TypeVar("A", bound=pykka.Actor)

WAITING_LIMIT = 10_000
"""Outcomes that may wait for a custom actor. When more do, the oldest are dropped, and the log says so once."""

STOP_SECONDS = 5.0
"""How long a custom actor may take for its end when the fleet is closed."""


class CustomActor(LiveRef[A]):
    """A script's custom actor. It is used as pykka's ``ActorRef`` is, but it stays good when the actor is restarted."""

    def __init__(self, name: str, actor_class: type[A], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(lambda: self.ref)
        self.name = name
        self._class = _supervised(actor_class, self)
        self._start: Callable[[], pykka.ActorRef[A]] = lambda: self._class.start(*args, **kwargs)
        self._fed = actor_class.on_receive is not pykka.Actor.on_receive
        self._waiting: deque[Outcome] = deque()
        self._drops = Changed()
        self.ended = False
        """Whether it was stopped on purpose."""
        self.ref: pykka.ActorRef[A] = self._start()

    def __repr__(self) -> str:
        """Return its name, and whether it is alive."""
        return f"<CustomActor {self.name}: {'stopped' if self.ended else 'alive' if self.is_alive() else 'dead'}>"

    __str__ = __repr__

    def stop(self, *, block: bool = True, timeout: float | None = None) -> Any:
        """End it for good: it is not restarted. Otherwise as pykka's."""
        self.ended = True
        return self.ref.stop(block=block, timeout=timeout)

    def feed(self, outcome: Outcome) -> None:
        """Put an outcome into its inbox. Never blocks, never raises."""
        if not self._fed or self.ended:
            return
        if len(self._waiting) >= WAITING_LIMIT:
            with contextlib.suppress(IndexError):
                self._waiting.popleft()
            if self._drops(True):
                log.error(
                    "%s does not keep up: more than %d outcomes wait, the oldest are dropped", self.name, WAITING_LIMIT
                )
        self._waiting.append(outcome)
        self._wake()

    def next(self) -> Outcome | None:
        """Take the outcome that has waited longest; for the actor alone."""
        try:
            return self._waiting.popleft()
        except IndexError:
            return None  # the oldest were dropped

    def restart(self) -> None:
        """Start it anew. Raises what its ``__init__`` raises."""
        self.ref = self._start()
        for _ in range(len(self._waiting)):
            self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(pykka.ActorDeadError):  # it finds what waits when it is restarted
            self.ref.tell(_FED)


_FED = object()
"""Tells a custom actor that an outcome waits for it."""


def _supervised(actor_class: type[A], actor: CustomActor[A]) -> type[A]:
    """Return the class, as it runs under supervision."""

    class Supervised(actor_class):  # type: ignore[valid-type, misc]
        # A thread that the interpreter's end does not wait for: a script that forgets close() must not hang.
        use_daemon_thread = True

        def on_start(self) -> None:
            with contain_exit():
                super().on_start()

        def _handle_receive(self, message: Any) -> Any:
            with contain_exit():
                if message is not _FED:
                    return super()._handle_receive(message)
                outcome = actor.next()
                if outcome is not None:
                    self.on_receive(outcome)
                return None

    for attribute in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(Supervised, attribute, getattr(actor_class, attribute))
    return cast(type[A], Supervised)


class CustomActors:
    """All custom actors of one fleet. ``notify`` is called with a sentence when one had to be restarted."""

    def __init__(self, restarts: Restarts, notify: Callable[[str], None]) -> None:
        self._restarts = restarts
        self._notify = notify
        self._all: dict[str, CustomActor[Any]] = {}
        self._lock = threading.RLock()  # an actor's __init__ may start another one

    def start(self, actor_class: type[A], args: tuple[Any, ...], kwargs: dict[str, Any]) -> CustomActor[A]:
        """Start one. Raises ``TypeError`` for what is no actor class, and what its ``__init__`` raises."""
        if not (isinstance(actor_class, type) and issubclass(actor_class, pykka.Actor)):
            raise TypeError(
                f"start() takes a class of pykka actors and the arguments for it, not {actor_class!r}: "
                "for example fleet.start(Reminder, hours=4)"
            )
        with self._lock:
            name, number = actor_class.__name__, 1
            while name in self._all:
                number += 1
                name = f"{actor_class.__name__} {number}"
            actor = self._all[name] = CustomActor(name, actor_class, args, kwargs)
        return actor

    def feed(self, outcomes: tuple[Outcome, ...]) -> None:
        """Give outcomes to all of them."""
        for actor in tuple(self._all.values()):
            for outcome in outcomes:
                actor.feed(outcome)

    def restart_dead(self) -> None:
        """Restart those that have died; forget those that were stopped on purpose."""
        with self._lock:
            for name, actor in list(self._all.items()):
                if actor.ended:
                    if not actor.is_alive():
                        del self._all[name]
                elif not actor.is_alive() and self._restarts.allow(f"custom actor {name}"):
                    self._restart(name, actor)

    def _restart(self, name: str, actor: CustomActor[Any]) -> None:
        try:
            with contain_exit():
                actor.restart()
            happened = "was restarted"
        except Exception as error:
            log.exception("the custom actor %s could not be restarted", name)
            happened = f"could not be restarted ({type(error).__name__}: {error})"
        label = f"custom actor {name}"
        if sentence := self._restarts.note("custom", label, f"The {label}", happened):
            self._notify(sentence)

    def close(self) -> None:
        """Stop all of them; they have handled what waited for them, unless that takes too long."""
        with self._lock:
            ending = [(actor, actor.stop(block=False)) for actor in self._all.values()]
            self._all.clear()
        for actor, stopped in ending:
            try:
                stopped.get(timeout=STOP_SECONDS)
            except pykka.Timeout:
                log.error("%s did not stop within %g s: it is left behind", actor.name, STOP_SECONDS)
