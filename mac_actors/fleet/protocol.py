"""What a script can count on, whether the machines' actors run in its own process or in a server's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Protocol, Self, TypeVar

import pykka

from mac_actors.actors.custom import CustomActor
from mac_actors.actors.replies import Answer
from mac_actors.actors.subscribers import Subscriber
from mac_actors.core.outcomes import Outcome
from mac_actors.core.snapshot import Snapshot
from mac_actors.errors import UnknownMachine
from mac_actors.fleet.people.protocol import AnyUsers

A = TypeVar("A", bound=pykka.Actor)


class Machine(Protocol):
    """One machine. Every call is on its way at once; the future's ``get()`` waits until it is on disk."""

    def oops(self, by: str | None = None, reason: str | None = None) -> pykka.Future[Answer]:
        """Mark the machine as broken: relay off at once, session over."""

    def lock(
        self, by: str | None = None, reason: str | None = None, *, when_free: bool = False
    ) -> pykka.Future[Answer]:
        """Lock the machine out for maintenance: relay off at once, session over. ``when_free``: a running session goes
        on, and the machine is locked out when it ends.
        """

    def clear(self, by: str | None = None, reason: str | None = None) -> pykka.Future[Answer]:
        """Lift oops and lock-out, whichever are set."""

    def unoops(self, by: str | None = None, reason: str | None = None) -> pykka.Future[Answer]:
        """Lift the oops alone."""

    def unlock(self, by: str | None = None, reason: str | None = None) -> pykka.Future[Answer]:
        """Lift the lock-out alone."""

    def done(self, what: str | None = None, by: str | None = None) -> pykka.Future[Answer]:
        """Say that maintenance was done: ``what`` of the machine's ``maintenance``, without regard to case; ``None``
        where there is one thing alone. Its hours begin anew. The answer is ``already`` ``("no_such_maintenance",)``
        where nothing is called so.
        """

    def snapshot(self) -> pykka.Future[Snapshot]:
        """Return what can be seen of the machine now."""


class AnyFleet(Protocol):
    """All machines of a shop: :class:`~mac_actors.Fleet` or :class:`~mac_actors.RemoteFleet`."""

    users: AnyUsers
    """The users: found, and changed over what users.json says."""

    def __getitem__(self, name_or_alias: str, /) -> Machine:
        """Return the machine with this name or alias; raises :class:`~mac_actors.UnknownMachine`."""

    def __iter__(self) -> Iterator[str]:
        """Iterate over the machines' names."""
        return iter([machine.name for machine in self.snapshots()])

    def __len__(self) -> int:
        """Return how many machines there are."""
        return len(self.snapshots())

    def __contains__(self, name_or_alias: object, /) -> bool:
        """Whether there is a machine with this name or alias."""
        with contextlib.suppress(UnknownMachine):
            return isinstance(name_or_alias, str) and bool(self.find(name_or_alias))
        return False

    def find(self, name_or_alias: str) -> str:
        """Return the name of the machine with this name or alias (without regard to case).

        Raises :class:`~mac_actors.UnknownMachine` with the nearest names.
        """

    def snapshot(self, name_or_alias: str) -> Snapshot:
        """Return one machine as it is now, by name or alias."""

    def snapshots(self) -> list[Snapshot]:
        """Return all machines as they are now, in the configuration's order."""

    def events(self, machine: str | None = None, since: datetime | None = None) -> Iterator[Outcome]:
        """Iterate over what is in the journal, newest first: of all machines or one, from ``since`` on."""

    def health(self) -> dict[str, str]:
        """Return what keeps the machines from being served, by part, in a sentence each; empty when all is well."""

    def subscribe(self, subscriber: Subscriber | pykka.ActorRef[Any]) -> Callable[[], None]:
        """Call ``subscriber(outcome)`` for every outcome as it happens, or tell it to an actor.

        The calls come from one thread, in order. Returns the function that ends it.
        """

    def start(self, actor_class: type[A], *args: Any, **kwargs: Any) -> CustomActor[A]:
        """Start a custom actor, supervised and given every outcome."""

    def close(self) -> None:
        """Finish what is under way, and let go. May be called again."""

    def __enter__(self) -> Self:
        """Return the fleet itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the fleet."""
        self.close()
