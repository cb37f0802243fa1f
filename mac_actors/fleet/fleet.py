"""The fleet: name or alias to live actor, typed failures, reloads, supervision, subscribers."""

from __future__ import annotations

import atexit
import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol, Self, TypeVar, cast

import pykka

from mac_actors.actors.custom import CustomActor, CustomActors
from mac_actors.actors.journal import Journal
from mac_actors.actors.machine import (
    Answer,
    Arrived,
    Commanded,
    MachineActor,
    MachineProxy,
    Reconfigure,
)
from mac_actors.actors.notifier import Chat, Notifier
from mac_actors.actors.publisher import Publisher
from mac_actors.actors.refs import LiveRef
from mac_actors.actors.replies import Reply
from mac_actors.actors.restarts import Restarts
from mac_actors.actors.subscribers import Subscriber
from mac_actors.core.config import Configuration, MachineConfig
from mac_actors.core.inputs import Command, Input, Removed, Report
from mac_actors.core.notices import Channel, Notice
from mac_actors.core.outcomes import Outcome, PowerChanged
from mac_actors.core.snapshot import Snapshot, tally
from mac_actors.core.state import MachineState
from mac_actors.core.text import count
from mac_actors.errors import FleetClosed, MachineUnavailable, UnknownMachine
from mac_actors.fleet.missing_readers import Watched
from mac_actors.fleet.names import Names
from mac_actors.fleet.reload import ReloadSummary, compare_users, refuse_harm
from mac_actors.fleet.retention import Retention
from mac_actors.fleet.supervisor import Supervisor
from mac_actors.fleet.watch import SLOW_SECONDS, Watch
from mac_actors.fleet.wifi import Wifi
from mac_actors.storage.records import Record
from mac_actors.storage.store import Store

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
"""How long an edge waits for a machine's actor, beside the commit budget. A healthy one takes a millisecond."""

EVENTS_AT_ONCE = 500
"""Lines of the journal that :meth:`MachineFleet.events` reads in one go."""

A = TypeVar("A", bound=pykka.Actor)


class ActorGone(MachineUnavailable):
    """An actor ended before it had looked at a message: it was not carried out."""


class Part(Protocol):
    """One of the fleet's custom actors, and how it is started anew."""

    ref: pykka.ActorRef[Any]

    def restart(self) -> None:
        """Start a new actor where the old one left off."""


class MachineFleet:
    """All machines of a shop, alive. Made by :mod:`mac_actors.bootstrap`.

    ``commit_budget`` is how many seconds an answer may wait for the disk; ``chat`` is where notices
    are posted, ``None`` for nowhere; ``missing`` says whose silence is told; ``retention_days`` after how many days
    names are removed from the journal, ``None`` for never.
    """

    def __init__(
        self,
        configuration: Configuration,
        store: Store,
        *,
        commit_budget: float = 0.25,
        chat: Chat | None = None,
        missing: Watched = Watched.SEEN,
        retention_days: int | None = None,
    ) -> None:
        self.started_at = datetime.now(UTC)
        self.configuration = configuration
        self.machines_loaded_at = configuration.loaded_at
        """When the machines were read; the users may have been read again since (``configuration.loaded_at``)."""
        self.over_budget = 0
        """Answers that went out before their change was on disk, because the commit budget was over."""
        self.store = store
        self._commit_budget = commit_budget
        self._restarts = Restarts()
        self._names = Names(configuration.machines.values())
        self._counting = threading.Lock()
        self._closed = threading.Event()
        self.journal = Journal(store)
        self.publisher = Publisher()
        self.custom = CustomActors(self._restarts, self.notify)
        self.notifier = Notifier(chat, self.journal) if chat else None
        self._parts: dict[str, Part] = {"journal": self.journal, "publisher": self.publisher}
        if self.notifier:
            for channel, channel_notifier in self.notifier.channels.items():
                self._parts[f"{channel} notifier"] = channel_notifier
            self.journal.on_commit = self.notifier.wake
        self.supervisor = Supervisor(
            self.journal,
            self._restarts,
            lambda: self.configuration,
            commit_budget=commit_budget,
            chat=chat is not None,
            announce=self._announce,
            tell=self.notify,
        )
        stored = store.load_states()
        for machine in configuration.machines.values():
            self.supervisor.start(machine, stored.get(machine.name))
        self._configure(list(configuration.machines))
        self.wifi = Wifi()
        self._watch = Watch(self, missing, Retention(self.journal, retention_days))
        atexit.register(self.close)  # the threads are daemons: a script that forgets close() neither hangs nor loses

    # looking up and asking

    def __getitem__(self, called: str) -> MachineProxy:
        """Return a typed proxy of the machine with this name or alias; raises :class:`UnknownMachine`.

        It stays good: each call finds the machine's present actor.
        """
        name = self.find(called)
        self._live(name)
        ref = LiveRef(lambda: self._live(name), lambda reply: self._settle(name, reply))
        return MachineProxy(name, ref)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the machines' names."""
        return iter(tuple(self.configuration.machines))

    def __len__(self) -> int:
        """Return how many machines there are."""
        return len(self.configuration.machines)

    def __contains__(self, called: object) -> bool:
        """Whether there is a machine with this name or alias."""
        with contextlib.suppress(UnknownMachine):
            return isinstance(called, str) and bool(self.find(called))
        return False

    def __repr__(self) -> str:
        """Say how many machines there are, and what they do."""
        return f"<{type(self).__name__}{', closed' if self._closed.is_set() else ' of ' + tally(self.snapshots())}>"

    def find(self, called: str) -> str:
        """Return the name of the machine with this name or alias (without regard to case).

        Raises :class:`UnknownMachine` with the nearest names.
        """
        return self._names.find(called)

    def ask(self, name: str, event: Input, chat_event: str | None = None) -> Answer:
        """Send an event to the machine with exactly this name, and wait for what came of it.

        ``chat_event`` is the id of the chat's event that asked for it; it is remembered with what it did.
        Raises :class:`UnknownMachine`, or :class:`MachineUnavailable` if its actor does not answer.
        """
        message = Commanded(event, chat_event) if chat_event and isinstance(event, Command) else event
        return self._tell(name, message)

    def report(self, name: str, report: Report, received: float, address: str | None = None) -> Answer:
        """Send a reader's report that arrived at ``received`` (``time.monotonic()``); as :meth:`ask`."""
        return self._tell(name, Arrived(report, received, address))

    def _tell(self, name: str, message: object) -> Answer:
        """Send and settle; once more if the actor ended before it looked at the message."""
        try:
            return self._settle(name, self._send(name, message))
        except ActorGone:
            return self._settle(name, self._send(name, message))

    def _send(self, name: str, message: object) -> Reply:
        return cast(Reply, self._live(name).ask(message, block=False))

    def _settle(self, name: str, reply: Reply) -> Answer:
        try:
            answer = cast(Answer, reply.get(timeout=ANSWER_SECONDS + self._commit_budget))
        except pykka.ActorDeadError as error:
            raise ActorGone(f"{self._shown(name)} is being restarted: nothing was done, try again") from error
        except pykka.Timeout as error:
            raise MachineUnavailable(
                f"{self._shown(name)} has not answered within {ANSWER_SECONDS:g} s: it may still do what it was told; "
                "look at its status, then try again"
            ) from error
        if isinstance(answer, Answer) and not answer.durable:
            with self._counting:
                self.over_budget += 1
        return answer

    def _shown(self, name: str) -> str:
        machine = self.configuration.machines.get(name)
        return machine.display_name if machine else name

    def _live(self, name: str) -> pykka.ActorRef[MachineActor]:
        self._check_open()
        return self.supervisor.find(name)

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise FleetClosed("the fleet is closed: open it anew with Fleet.open()")

    # seeing

    def snapshot(self, called: str) -> Snapshot:
        """Return one machine as it is now, by name or alias, without asking its actor."""
        self._check_open()
        config, state = self.supervisor.published[self.find(called)]
        return Snapshot.of(config, state, datetime.now(UTC))

    def snapshots(self) -> list[Snapshot]:
        """Return all machines as they are now, in the configuration's order, without asking their actors."""
        self._check_open()
        now = datetime.now(UTC)
        return [Snapshot.of(*entry, now) for entry in self.published()]

    def published(self) -> list[tuple[MachineConfig, MachineState]]:
        """Return every machine's rules and state as they are now, in the configuration's order; whoever shows them
        must leave fobs out, and names where they are hidden.
        """
        return [entry for name in self.configuration.machines if (entry := self.supervisor.published.get(name))]

    def events(self, machine: str | None = None, since: datetime | None = None) -> Iterator[Outcome]:
        """Iterate over what is in the journal, newest first: of all machines or one, from ``since`` on."""
        name = None if machine is None else self.find(machine)
        before: int | None = None
        while True:
            self._check_open()
            page = self.store.page(machine=name, since=since, before=before, limit=EVENTS_AT_ONCE)
            yield from (entry.outcome for entry in page.entries)
            before = page.next
            if before is None:
                return

    # being told

    def subscribe(self, subscriber: Subscriber | pykka.ActorRef[Any]) -> Callable[[], None]:
        """Call ``subscriber(outcome)`` for every outcome of every machine, as it happens; or tell it to an actor.

        The calls come from one thread, in order. One that raises is said once in the log and goes on being
        told; a slow one delays the other subscribers, but no machine. Returns the function that ends it.
        """
        self._check_open()
        return self.publisher.subscribe(subscriber)

    def start(self, actor_class: type[A], *args: Any, **kwargs: Any) -> CustomActor[A]:
        """Start an actor of one's own beside the others; the arguments are for its ``__init__``.

        Every outcome comes to its ``on_receive``. If it dies it is started anew, from its class and
        arguments, within a second; when the fleet is closed it is stopped. What is returned is used as pykka's
        ``ActorRef`` and stays good across restarts; its ``stop()`` ends the actor for good. Raises what
        ``__init__`` raises, and ``TypeError`` for what is no class of actors.
        """
        self._check_open()
        return self.custom.start(actor_class, args, kwargs)

    def _announce(self, outcomes: tuple[Outcome, ...]) -> None:
        self.custom.feed(outcomes)
        self.publisher.announce(outcomes)

    def notify(self, text: str, *, at_once: bool = False) -> None:
        """Post a line to the control channel, and say it in the log; ``at_once``: not by way of the disk."""
        log.warning("%s", text)
        if self.notifier and at_once:
            self.notifier.say_now(text)
        elif self.notifier:
            self.journal.record(Record(notices=((datetime.now(UTC), Notice(Channel.CONTROL, text)),)))

    def health(self) -> dict[str, str]:
        """Return what keeps the fleet from serving, by part, in a sentence each; empty when all is well."""
        ill: dict[str, str] = {}
        if self._closed.is_set():
            ill["fleet"] = "stopping"
        if self.journal.error is not None:
            ill["store"] = self.journal.error
        elif self.journal.oldest_age > SLOW_SECONDS:
            ill["store"] = f"the disk has not answered for {self.journal.oldest_age:.0f} s"
        if self.journal.lost:
            lost = count(self.journal.lost, "change")
            ill["journal"] = f"{lost} could not be written: the log says which; look, then restart the server"
        if dead := self.supervisor.dead():
            ill["machines"] = f"being restarted: {', '.join(dead[:10])}"
        if storms := self._restarts.storms():
            ill["actors"] = f"failing again and again (the log says why): {', '.join(storms[:10])}"
        return ill

    @property
    def restarts(self) -> Counter[str]:
        """How often actors had to be restarted: ``machine``, ``journal``, ``publisher``, ``own``, …"""
        return self._restarts.counts

    @property
    def kinds_of_actors(self) -> tuple[str, ...]:
        """The words that :attr:`restarts` counts by."""
        return ("machine", *self._parts)

    # changing

    def reload(self, new: Configuration, *, machines: bool = True, force: bool = False) -> ReloadSummary:
        """Swap machines and users (``machines=False``: the users alone) for newly read ones.

        Raises :class:`ReloadRefused`, having changed nothing, when more than half of 20 or more users
        would go, or a machine on which a session runs, unless ``force``.
        """
        self._check_open()
        with self.supervisor.lock:
            old = self.configuration
            users = compare_users(old.directory, new.directory)
            after = new.machines if machines else old.machines
            gone = tuple(name for name in old.machines if name not in after)
            added = tuple(name for name in after if name not in old.machines)
            changed = tuple(n for n, m in after.items() if n in old.machines and m != old.machines[n])
            if not force:
                refuse_harm(
                    len(old.directory.users), users, [n for n in gone if self.supervisor.published[n][1].session]
                )
            stored = {name: self.store.load_state(name) for name in added}
            self.configuration = Configuration(after, new.directory, new.loaded_at, new.users_mtime)
            if machines:
                self.machines_loaded_at = new.loaded_at
            # whoever finds a machine by its name finds its actor too
            for name in added:
                self.supervisor.start(after[name], stored[name])
            self._names = Names(after.values())
            for name in gone:
                with contextlib.suppress(MachineUnavailable):
                    self.ask(name, Removed(datetime.now(UTC)))
                self.supervisor.stop(name)
            powered = self._configure(list(after))
            return ReloadSummary(users, added, changed, gone, powered)

    def _configure(self, names: list[str]) -> tuple[str, ...]:
        """Give machines the current rules; returns those whose power came on by it."""
        now = datetime.now(UTC)
        directory, machines = self.configuration.directory, self.configuration.machines
        replies = [(n, self._send(n, Reconfigure(directory, machines[n], now))) for n in names]
        return tuple(
            name
            for name, reply in replies
            for outcome in self._settle(name, reply).outcomes
            if isinstance(outcome, PowerChanged) and outcome.on
        )

    def restart_dead(self) -> None:
        """Restart every actor that has died, and say so once for each."""
        self.supervisor.restart_dead()
        for what, part in self._parts.items():
            if not part.ref.is_alive() and self._restarts.allow(what):
                part.restart()
                self.supervisor.restarted(what, what, f"The {what} actor")
        self.custom.restart_dead()

    # the end

    def close(self) -> None:
        """Stop in order: machines, then what they hand on, the disk last. Everything decided is written.

        May be called again. What is asked of a closed fleet raises :class:`FleetClosed`.
        """
        if self._closed.is_set():
            return
        self._closed.set()
        atexit.unregister(self.close)
        self._watch.stop()
        self.supervisor.stop_all(ANSWER_SECONDS)
        self.custom.close()
        self.publisher.close()
        if self.notifier:
            self.notifier.close()
        self.journal.close()
        self.store.close()

    def __enter__(self) -> Self:
        """Return the fleet itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the fleet."""
        self.close()
