"""The fleet: name or alias to live actor, typed failures, reloads, supervision, subscribers."""

from __future__ import annotations

import atexit
import contextlib
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

import pykka

from mac_actors.actors.custom import CustomActor, CustomActors
from mac_actors.actors.journal import Journal
from mac_actors.actors.machine import MachineContext, MachineProxy
from mac_actors.actors.messages import Arrived, Commanded, HeldBack, TellWhenFree, Withheld
from mac_actors.actors.notifier import Chat
from mac_actors.actors.notifiers import Notifier
from mac_actors.actors.poker import Poked, Poker, Restarter
from mac_actors.actors.publisher import Publisher
from mac_actors.actors.refs import LiveRef
from mac_actors.actors.replies import ANSWER_SECONDS, Answer, Reply
from mac_actors.actors.restarts import Restarts
from mac_actors.actors.subscribers import Subscriber
from mac_actors.actors.webhooks import Send, Webhooks
from mac_actors.core.config import Configuration, MachineConfig, Offline
from mac_actors.core.holding import Held
from mac_actors.core.inputs import Command, Input, Report
from mac_actors.core.outcomes import Outcome, Reported, SessionStarted
from mac_actors.core.outputs import ENGLISH, Outputs, kept_outputs, outputs, relay_on
from mac_actors.core.snapshot import Snapshot, tally
from mac_actors.core.state import MachineState
from mac_actors.errors import MachineUnavailable, UnknownMachine
from mac_actors.fleet.doubled_fobs import DoubledFobs
from mac_actors.fleet.health import Health
from mac_actors.fleet.missing_readers import MissingReaders, Watched
from mac_actors.fleet.outgoing import Outgoing
from mac_actors.fleet.people.logins import Logins
from mac_actors.fleet.people.users import Users
from mac_actors.fleet.protocol import AnyFleet
from mac_actors.fleet.reader_keys import ReaderKeyring
from mac_actors.fleet.reader_lists import ReaderLists, RevisedList
from mac_actors.fleet.refused_readers import RefusedReaders
from mac_actors.fleet.reload import ReloadSummary, reload
from mac_actors.fleet.reminders import Reminders
from mac_actors.fleet.retention import Retention
from mac_actors.fleet.supervisor import Prepared, Supervisor
from mac_actors.fleet.watch import Chore, Watch
from mac_actors.fleet.wifi import Wifi
from mac_actors.storage.codec import journal_row
from mac_actors.storage.outbox import waiting_members
from mac_actors.storage.records import Record
from mac_actors.storage.store import Store

log = logging.getLogger(__name__)

READERS_SECONDS = 2.0
"""How often it is looked for readers that have fallen silent, and at their Wi-Fi."""

REMINDERS_SECONDS = 60.0
"""How often it is looked for oopses and lock-outs that are old."""

FILES_SECONDS = 1.0
"""How often it is looked whether the files in the state directory are those that are open."""

EVENTS_AT_ONCE = 500
"""Lines of the journal that :meth:`MachineFleet.events` reads in one go."""

A = TypeVar("A", bound=pykka.Actor)


class SentReport(NamedTuple):
    """A report that its machine's actor has, or was given by whoever stood in for it."""

    name: str
    message: Arrived
    reply: Reply


class OnReload(Protocol):
    """Takes note of a reload; ``machines``: not of the users alone."""

    def __call__(self, *, machines: bool) -> None: ...


class MachineFleet(AnyFleet):
    """All machines of a shop, alive. Made by :mod:`mac_actors.bootstrap`.

    ``commit_budget`` is how many seconds an answer may wait for the disk; ``chat`` is where notices
    are posted, ``None`` for nowhere; ``send`` takes events to the webhooks, ``None``: nothing does; ``missing`` says
    whose silence is said; ``retention_days`` after how many days names are removed from the journal, ``None``: never;
    ``restarter`` stops machines whose firmware takes no pokes; ``holds`` says whether another server may own the
    machines by now: then nothing is turned on, and nothing counts; ``prepared`` makes it ready at once, its actors
    start by and by.
    """

    users: Users

    def __init__(
        self,
        configuration: Configuration,
        store: Store,
        *,
        commit_budget: float = 0.25,
        chat: Chat | None = None,
        send: Send | None = None,
        missing: Watched = Watched.SEEN,
        retention_days: int | None = None,
        restarter: Restarter | None = None,
        holds: Callable[[], bool] = lambda: False,
        prepared: Prepared | None = None,
        displays: Mapping[str, str] = ENGLISH,
    ) -> None:
        self.started_at = datetime.now(UTC)
        self.store = store
        self.on_reload: OnReload = lambda *, machines: None
        """Called after a reload."""
        self.reloads = 0
        """How often all files were swapped."""
        self.commit_budget = commit_budget
        self._displays = displays
        self._restarts = Restarts()
        with contextlib.ExitStack() as begun:  # it is stopped again where the store can't be read
            self.journal = Journal(store)
            begun.callback(self.journal.abandon)
            self.publisher = Publisher()
            begun.callback(self.publisher.close)
            self.poker = Poker(restarter)
            begun.callback(self.poker.close)
            self.custom = CustomActors(self._restarts, self.notify)
            self.notifier = Notifier(chat, self.journal) if chat else None
            self.webhooks = Webhooks(send, self.journal, self.notify) if send else None
            for way_out in (self.notifier, self.webhooks):
                if way_out:
                    begun.callback(way_out.close)
            self.outgoing = Outgoing(self.journal, self.notifier, self.webhooks)
            self.outgoing.configure(configuration)
            self.journal.on_commit = self.outgoing.wake
            self.refused_readers = RefusedReaders(self.notify)
            self.reader_keys = ReaderKeyring(self.journal, self.notify)
            self.logins = Logins(self.journal)
            self.users = Users(
                configuration.directory,
                self.journal,
                self.logins,
                commit_budget=commit_budget,
                notices=self.outgoing.all_notices,
                announce=self._announce,
                notify=self.notify,
            )
            configuration = replace(configuration, directory=self.users.people.directory)
            context = MachineContext(
                self.journal,
                self.poker,
                commit_budget,
                self.outgoing.notices,
                self.outgoing.events,
                self._announce,
                self.notify,
                self.refused_readers.why,
                displays,
                self.reader_keys,
                waiting_members(store),
                holds,
            )
            self._holds = holds
            pumps = lambda: (self.publisher, self.poker, *self.outgoing.outlets().values())  # noqa: E731
            self.supervisor = Supervisor(configuration, context, pumps, self._restarts, prepared)
            begun.callback(self.supervisor.stop_all, ANSWER_SECONDS, save=False)
            self._reader_lists = ReaderLists(self.supervisor.published)
            self.users.supervisor = self.supervisor
            self._health = Health(
                self.supervisor, self._restarts, self.outgoing.outlets, partial(self.notify, at_once=True)
            )
            self._reminders = Reminders(self.journal)
            self.wifi = Wifi()
            self._doubled_fobs = DoubledFobs()
            self._missing = MissingReaders(missing, self.started_at)
            self._watches = [
                Watch(
                    "fleet-watch",
                    Chore("restart dead actors", self.restart_dead),
                    Chore("start actors", self.supervisor.start_waiting),
                    Chore("look at the disk", self._health.look_at_disk),
                    Chore("look at chat and webhooks", self._health.look_at_outlets),
                    Chore("look at the readers", self._look_at_readers, READERS_SECONDS),
                    Chore("save telemetry", self.supervisor.save_telemetry),
                    Chore("ask about old oopses", self._remind, REMINDERS_SECONDS),
                )
            ]
            disk = [Chore("look at the files", self._health.look_at_files, FILES_SECONDS)]
            self.retention = (
                None if retention_days is None else Retention(self.journal, retention_days, self.notify, self._accounts)
            )
            if self.retention is not None:
                disk.append(Chore("remove names from old events", self.retention.step))
            self._watches.append(Watch("disk-watch", *disk))  # the disk may hang: a thread of its own
            begun.pop_all()
        atexit.register(self.close)  # the threads are daemons: a script that forgets close() neither hangs nor loses

    @property
    def configuration(self) -> Configuration:
        """Both configuration files, as they are in use now."""
        return self.supervisor.configuration

    # looking up and asking

    def __getitem__(self, name_or_alias: str) -> MachineProxy:
        """Return a typed proxy of the machine with this name or alias; raises :class:`UnknownMachine`.

        It stays good: each call finds the machine's present actor.
        """
        name = self.find(name_or_alias)
        self.supervisor.find(name)
        ref = LiveRef(lambda: self.supervisor.find(name), lambda reply: self.supervisor.settle(name, reply))
        return MachineProxy(name, ref)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self.configuration.machines))

    def __len__(self) -> int:
        return len(self.configuration.machines)

    def __repr__(self) -> str:
        """Say how many machines there are, and what they do."""
        return f"<{type(self).__name__}{', closed' if self.supervisor.closed else ' of ' + tally(self.snapshots())}>"

    def find(self, name_or_alias: str) -> str:
        return self.supervisor.names.find(name_or_alias)

    def ask(self, name: str, given: Input, chat_event: str | None = None) -> Answer:
        """Send an input to the machine with exactly this name, and wait for what came of it.

        ``chat_event`` is the id of the chat's event that asked for it; it is remembered with what it did.
        Raises :class:`UnknownMachine`, or :class:`MachineUnavailable` if its actor does not answer.
        """
        message = Commanded(given, chat_event) if chat_event and isinstance(given, Command) else given
        return self.supervisor.ask(name, message)

    def report(
        self,
        name: str,
        report: Report,
        received: float,
        address: str | None = None,
        gone: Callable[[], bool] = lambda: False,
    ) -> Answer:
        """Send a reader's report that reached this computer at ``received`` (:func:`mac_actors.clock.seconds`).

        ``gone`` says whether the client has hung up. As :meth:`ask`.
        """
        return self.finish(self.begin(name, replace(report, arrived=received), address, gone))

    def begin(self, name: str, report: Report, address: str | None, gone: Callable[[], bool]) -> SentReport:
        """Send a report that says when it arrived, and wait for nothing. Raises :class:`UnknownMachine`."""
        message = Arrived(report, address, gone)
        return SentReport(name, message, self.supervisor.begin(name, message))

    def due(self, sent: SentReport) -> float:
        """Return from when on (``time.monotonic()``) :meth:`finish` does not wait; infinity: nobody can say."""
        return math.inf if self._holds() else sent.reply.due()

    def finish(self, sent: SentReport) -> Answer:
        """Wait for the answer to a report. Raises as :meth:`ask`."""
        answer = self.supervisor.ask(sent.name, sent.message, sent.reply)
        if answer.outcomes and self._holds() and any(isinstance(one, SessionStarted) for one in answer.outcomes):
            # another server may own the machine by now
            return self.supervisor.ask(sent.name, Withheld(sent.message.report))
        if answer.outcomes and answer.outputs.relay:  # it may have been stopped while the disk took its time
            now = self.supervisor.published.get(sent.name)
            if now and not relay_on(*now):
                return replace(answer, outputs=outputs(*now, self._displays))
        return answer

    def take_up(self, name: str, inputs: tuple[Input, ...]) -> None:
        """Have decided, in the machine with exactly this name, what came to it while no server owned it.

        Raises as :meth:`ask`.
        """
        if left := self.supervisor.undecided(name, inputs):
            self.supervisor.ask(name, HeldBack(left))

    @property
    def owns(self) -> bool:
        """Whether this server, and no other one, owns the machines now."""
        return not self._holds()

    @property
    def held(self) -> dict[str, Held]:
        """What the next owner has to be told, by machine."""
        return self.supervisor.for_the_next_owner()

    def kept_outputs(self, name: str, report: Report) -> Outputs:
        """Return what is told to a reader whose report does not count, and wait for nothing.

        Raises :class:`UnknownMachine`.
        """
        self.supervisor.check_open()
        published = self.supervisor.published.get(name)
        if published is None:
            raise UnknownMachine(name)
        kept = kept_outputs(*published, report, self._displays)
        held = self.supervisor.held.get(name)
        if self._holds() and not (held and held.relay):
            return replace(kept, relay=False, second_relay=False)
        return kept

    def tell_when_free(self, name: str, member: str, *, off: bool = False) -> Answer:
        """Tell a member of the chat, once, when a machine is free (``off``: not, after all); says what was so already.

        Raises as :meth:`ask`.
        """
        return self.supervisor.ask(name, TellWhenFree(member, datetime.now(UTC), off))

    def poke(self, name_or_alias: str) -> Poked:
        """Have a machine's reader report now, and wait for its report.

        Raises :class:`UnknownMachine`, or :class:`MachineUnavailable` where its firmware can't be asked to.
        """
        self.supervisor.check_open()
        machine = self.configuration.machines[self.find(name_or_alias)]
        try:
            return self.poker.try_out(machine)
        except MachineUnavailable as error:
            raise MachineUnavailable(f"{machine.display_name}: {error}") from error

    def reader_list(self, name: str, at: datetime) -> RevisedList | None:
        """Return the list that the reader of the machine with exactly this name keeps for when the server is away."""
        return self._reader_lists.get(name, self.configuration.directory, at)

    def offline_rules(self, name: str) -> Offline:
        """Return what the reader of the machine with exactly this name does then."""
        machine = self.configuration.machines.get(name)
        return machine.offline if machine else Offline()

    def report_problem(self, name_or_alias: str, text: str, by: str | None = None) -> None:
        """Write in the journal, and tell the admins, that somebody says that something is wrong with a machine.

        Nothing changes by it. Raises :class:`UnknownMachine`.
        """
        config, state = self.supervisor.published[self.find(name_or_alias)]
        said = Reported(machine=config.name, display_name=config.display_name, at=datetime.now(UTC), text=text, by=by)
        self.journal.record(Record(rows=((journal_row(said), self.outgoing.all_notices(said, state, config)),)))
        self._announce((said,))

    # seeing

    def snapshot(self, name_or_alias: str) -> Snapshot:
        """Return one machine as it is now, by name or alias, without asking its actor."""
        self.supervisor.check_open()
        config, state = self.supervisor.published[self.find(name_or_alias)]
        return self._seen(config, state, datetime.now(UTC))

    def snapshots(self) -> list[Snapshot]:
        """Return all machines as they are now, in the configuration's order, without asking their actors."""
        self.supervisor.check_open()
        now = datetime.now(UTC)
        return [self._seen(config, state, now) for config, state in self.published()]

    def _seen(self, config: MachineConfig, state: MachineState, now: datetime) -> Snapshot:
        name, keyed = config.name, config.name in self.reader_keys
        refused = self.refused_readers.why.get(name)
        return Snapshot.of(config, state, now, refused, self.poker.took.get(name), keyed=keyed)

    def published(self) -> list[tuple[MachineConfig, MachineState]]:
        """Return every machine's rules and state as they are now, in the configuration's order; whoever shows them
        must leave fobs out, and names where they are hidden.
        """
        return [entry for name in self.configuration.machines if (entry := self.supervisor.published.get(name))]

    def events(self, machine: str | None = None, since: datetime | None = None) -> Iterator[Outcome]:
        name = None if machine is None else self.find(machine)
        before: int | None = None
        while True:
            self.supervisor.check_open()
            page = self.store.page(machine=name, since=since, before=before, limit=EVENTS_AT_ONCE)
            yield from (entry.outcome for entry in page.entries)
            before = page.next
            if before is None:
                return

    # outcomes, as they happen

    def subscribe(self, subscriber: Subscriber | pykka.ActorRef[Any]) -> Callable[[], None]:
        """Call ``subscriber(outcome)`` for every outcome of every machine, as it happens; or tell it to an actor.

        The calls come from one thread, in order. One that raises is said once in the log and goes on being
        told; a slow one delays the other subscribers, but no machine. Returns the function that ends it.
        """
        self.supervisor.check_open()
        return self.publisher.subscribe(subscriber)

    def start(self, actor_class: type[A], *args: Any, **kwargs: Any) -> CustomActor[A]:
        """Start an actor of one's own beside the others; the arguments are for its ``__init__``.

        Every outcome comes to its ``on_receive``. If it dies it is started anew, from its class and
        arguments, within a second; when the fleet is closed it is stopped. What is returned is used as pykka's
        ``ActorRef`` and stays good across restarts; its ``stop()`` ends the actor for good. Raises what
        ``__init__`` raises, and ``TypeError`` for what is no class of actors.
        """
        self.supervisor.check_open()
        return self.custom.start(actor_class, args, kwargs)

    def _announce(self, outcomes: tuple[Outcome, ...]) -> None:
        self.users.unknown_fobs.take(outcomes)
        self.custom.feed(outcomes)
        self.publisher.announce(outcomes)

    def notify(self, text: str, *, at_once: bool = False) -> None:
        """Post a line to the control channel, and say it in the log; ``at_once``: not by way of the disk."""
        log.warning("%s", text)
        self.outgoing.say(text, at_once=at_once)

    def health(self) -> dict[str, str]:
        stopping = {"fleet": "stopping"} if self.supervisor.closed else {}
        return stopping | self._health.troubles()

    @property
    def restarts(self) -> Counter[str]:
        """How often actors had to be restarted: ``machine``, ``journal``, ``publisher``, ``custom``, …"""
        return self._restarts.counts

    # changing

    def reload(self, new: Configuration, *, machines: bool = True, force: bool = False) -> ReloadSummary:
        """Swap all files (``machines=False``: the users alone) for newly read ones.

        Raises :class:`ReloadRefused`, having changed nothing, when more than half of 20 or more users
        would go or lose all their fobs, or a machine on which a session runs would go, unless ``force``.
        """
        self.supervisor.check_open()
        self.outgoing.expect(new.slack_channels | self.configuration.slack_channels)
        summary = reload(self.supervisor, self.users, new, machines=machines, force=force)
        self.outgoing.configure(self.configuration, webhooks=machines)
        self.on_reload(machines=machines)
        if machines:
            self.reloads += 1
        return summary

    def _accounts(self) -> set[str]:
        return {user.account_id for user in self.configuration.directory.users}

    # for the watch

    def restart_dead(self) -> None:
        """Restart every actor that has died, and say so once for each."""
        self.supervisor.restart_dead()
        self.custom.restart_dead()

    def _look_at_readers(self) -> None:
        now, snapshots = datetime.now(UTC), self.snapshots()
        doubled = self._doubled_fobs.look(self.published(), self.configuration.directory, now)
        for sentence in (*self._missing.look(snapshots, now), *doubled):
            self.notify(sentence)
        self.wifi.look(snapshots, now)

    def _remind(self) -> None:
        if self.notifier:
            self._reminders.look(self.snapshots(), self.outgoing.routing, datetime.now(UTC))

    # the end

    def close(self) -> None:
        """Stop in order: machines, then what they hand on, the disk last. Everything decided is written.

        May be called again. What is asked of a closed fleet raises :class:`FleetClosed`.
        """
        self._close(write=True)

    def drop(self) -> None:
        """Stop, and write nothing: another server owns the machines."""
        self._close(write=False)

    def settle(self, seconds: float = ANSWER_SECONDS) -> None:
        """Wait until all that was decided is on disk. Raises :class:`StorageError` when it takes too long."""
        self.journal.write(Record(), seconds)

    def _close(self, *, write: bool) -> None:
        if self.supervisor.closed:
            return
        self.supervisor.closed = True
        atexit.unregister(self.close)
        for watch in self._watches:
            watch.stop()
        self.supervisor.stop_all(ANSWER_SECONDS, save=write)
        self.custom.close()
        self.poker.close()
        self.publisher.close()
        for way_out in (self.notifier, self.webhooks):
            if way_out:
                way_out.close()
        if write:
            self.journal.close()
        else:
            self.journal.abandon()
        self.store.close()
