"""The machines' actors: started, found, asked, restarted when they die; and what each machine is like now."""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

import pykka

from mac_actors import clock
from mac_actors.actors.machine import MachineActor, MachineContext
from mac_actors.actors.messages import Reconfigure, SaveTelemetry
from mac_actors.actors.pump import Pump
from mac_actors.actors.replies import ANSWER_SECONDS, ActorGone, Answer, Reply, settle
from mac_actors.actors.restarts import Restarts
from mac_actors.actors.runtime import Ping, SharedInbox, prove_alive, wait_for_ends
from mac_actors.core.config import Configuration, Directory, MachineConfig
from mac_actors.core.holding import SAME_MOMENT, Held, without_done
from mac_actors.core.inputs import Input, Lock, Oops, Report
from mac_actors.core.outcomes import LockPending, LockSet, OopsSet, PowerChanged
from mac_actors.core.state import MachineState, Source, resumed
from mac_actors.core.text import one_line
from mac_actors.core.transitions import decide
from mac_actors.errors import FleetClosed, MachineUnavailable, StorageError, UnknownMachine
from mac_actors.fleet.names import Names
from mac_actors.storage.records import Record, Unreadable, record_state

log = logging.getLogger(__name__)

SAVE_TURNS = 120
"""In so many turns of the watch, 30 s, every machine has saved its telemetry: after a kill it is at most 60 s old."""


GIVE_SECONDS = 1.0
"""How long an actor may be busy that has no thread, and for which none can be started."""

START_SECONDS = 0.1
"""For how long actors are started in one turn of the watch, where not all are there from the beginning."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What makes a fleet ready at once: the machines' states, and their names. Its actors start when they are asked."""

    states: Mapping[str, MachineState | Unreadable]
    names: Names


class Supervisor:
    """All machines' actors, started from what is on disk. It also restarts those of the journal and of other pumps."""

    def __init__(
        self,
        configuration: Configuration,
        context: MachineContext,
        pumps: Callable[[], Iterable[Pump]],
        restarts: Restarts,
        prepared: Prepared | None = None,
    ) -> None:
        self.configuration = configuration
        """The present rules."""
        self.machines_loaded_at = configuration.loaded_at
        """When the machines were read; the users may have been read again since (``configuration.loaded_at``)."""
        self.closed = False
        """Whether the fleet is on its way down."""
        self.over_budget = 0
        """Answers that went out before their change was on disk, because the commit budget was over."""
        self.refs: dict[str, pykka.ActorRef[MachineActor]] = {}
        self.journal = context.journal
        self.published = context.published
        self.held = context.held
        self.lock = threading.RLock()
        """Held for reloads and restarts: one at a time."""
        self._context = context
        self._pumps = pumps
        self._restarts = restarts
        self._counting = threading.Lock()
        self._retired: dict[str, MachineState] = {}  # of machines no longer configured; newer than the disk's
        self._turns = itertools.count()
        # Machines whose actors are not started yet, what they are then like, and what each is told first.
        self._later: dict[str, tuple[MachineState, Lock | None]] = {}
        stored = prepared.states if prepared else self.journal.store.load_states()
        for machine in configuration.machines.values():
            self.start(machine, stored.get(machine.name), later=prepared is not None)
        self.names = prepared.names if prepared else Names(configuration.machines.values())
        if not prepared:
            self.configure()

    def start(self, config: MachineConfig, stored: MachineState | Unreadable | None, *, later: bool = False) -> None:
        """Start a machine's actor, with the state that the disk has for it; ``later``: once it is asked for."""
        now = datetime.now(UTC)
        first: Lock | None = None
        if isinstance(stored, MachineState):
            stored = resumed(stored, clock.seconds())
        match self._retired.get(config.name) or stored:
            case None:
                state = MachineState(status_since=now)
                self.journal.record(Record(record_state(config.name, state)))
            case Unreadable(why=why):
                log.error("the stored state of %s can't be read (%s): it is locked out", config.name, why)
                reason = "its stored state could not be read; check the machine, then clear it"
                state, first = MachineState(status_since=now), Lock(now, Source.SERVER, None, reason)
            case MachineState() as state:
                pass
        seen = decide(config, self.configuration.directory, state, first).state if first else state
        self.published[config.name] = (config, seen)
        self._later[config.name] = (state, first)
        if not later:
            self._start(config.name)

    def _start(self, name: str) -> None:
        with self.lock:
            if name not in self._later:
                return
            state, first = self._later[name]
            ref = MachineActor.start(self.published[name][0], self.configuration.directory, state, self._context)
            if first is not None:
                ref.tell(first)  # before anybody else can send it anything
            self.refs[name] = ref
            del self._later[name]

    def start_waiting(self) -> None:
        """Start some of the actors that nobody has asked for yet, if there are any; the watch does this."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and not self.closed and (name := next(iter(self._later), None)):
            self._start_configured(name)

    def _start_configured(self, name: str) -> None:
        with self.lock:
            if name in self._later:
                self._start(name)
                configuration = self.configuration
                config = configuration.machines.get(name)
                _tell(self.refs[name], Reconfigure(configuration.directory, config, datetime.now(UTC)))

    def find(self, name: str) -> pykka.ActorRef[MachineActor]:
        """Return the machine's living actor.

        Raises :class:`UnknownMachine`, :class:`MachineUnavailable`, or :class:`FleetClosed`.
        """
        ref = self.ref(name)
        return ref if ref.is_alive() else self._restart(name, ref)

    def ref(self, name: str) -> pykka.ActorRef[MachineActor]:
        """Return the machine's actor, which may be dead; raises as :meth:`find`."""
        self.check_open()
        if self._later and name in self._later:
            self._start_configured(name)
        ref = self.refs.get(name)
        if ref is None:
            raise UnknownMachine(name)
        return ref

    def check_open(self) -> None:
        """Raise :class:`FleetClosed` when it is."""
        if self.closed:
            raise FleetClosed("the fleet is closed: open it anew with Fleet.open()")

    def begin(self, name: str, message: object) -> Reply:
        """Have a machine's actor get a message, and wait for nothing: if it has nothing to do, this thread does it.

        Raises :class:`UnknownMachine` or :class:`FleetClosed`; the reply of a dead actor is that it is dead.
        """
        if name in self._later:
            if not self.lock.acquire(blocking=False):
                return _dead()  # a reload may wait for the disk: whoever may wait asks again
            try:
                self.ref(name)
            finally:
                self.lock.release()
        return _offer(self.ref(name), message)

    def tell(self, name: str, message: object) -> None:
        """Have a machine's actor carry out a message, now or soon; raises :class:`UnknownMachine`."""
        _tell(self.ref(name), message)

    def ask(self, name: str, message: object, begun: Reply | None = None) -> Answer:
        """Send a machine's actor a message (unless that has ``begun``), and wait for the answer; once more if it ended
        before it looked at it.

        Raises :class:`UnknownMachine`, or :class:`MachineUnavailable` if the actor does not answer.
        """
        try:
            return self.settle(name, begun or self._send(name, message))
        except ActorGone:
            return self.settle(name, self._send(name, message))

    def _send(self, name: str, message: object) -> Reply:
        return cast(Reply, self.find(name).ask(message, block=False))  # by its own thread: who asks waits so long only

    def settle(self, name: str, reply: Reply) -> Answer:
        """Wait for a reply of this machine's actor; raises :class:`MachineUnavailable` when there is none."""
        machine = self.configuration.machines.get(name)
        answer = settle(reply, machine.display_name if machine else name, self._context.commit_budget)
        if isinstance(answer, Answer) and not answer.durable:
            with self._counting:
                self.over_budget += 1
        return cast(Answer, answer)

    def configure(self) -> tuple[str, ...]:
        """Give all machines the present rules; returns those whose power came on by it."""
        now = datetime.now(UTC)
        directory, machines = self.configuration.directory, self.configuration.machines
        messages = {name: Reconfigure(directory, config, now) for name, config in machines.items()}
        replies = {name: _give(self.find(name), message) for name, message in messages.items()}
        return tuple(
            name
            for name, reply in replies.items()
            for outcome in self.ask(name, messages[name], reply).outcomes
            if isinstance(outcome, PowerChanged) and outcome.on
        )

    def change_users(self, directory: Directory) -> None:
        """Have other users count from now on; every report that comes later finds them. For who holds :attr:`lock`."""
        self.configuration = replace(self.configuration, directory=directory)
        for ref in list(self.refs.values()):
            _tell(ref, Reconfigure(directory, None, datetime.now(UTC)))  # a dead one is restarted with them

    def stop(self, name: str) -> None:
        """End the actor of a machine that is no longer configured; its state is kept in case it is again."""
        self._start(name)
        ref = self.refs.pop(name)
        with contextlib.suppress(MachineUnavailable):
            # Whoever has found it before is still answered, and that counts.
            wait_for_ends([ref.stop(block=False)], ANSWER_SECONDS)
        self._retired[name] = self.published.pop(name)[1]

    def for_the_next_owner(self) -> dict[str, Held]:
        """Return what has come to machines, by name, since this server does not own them, and is not decided yet; and
        oopses and locks from before, which it could not write. Those that are in the journal after all are left out:
        the next owner may have lifted them since. A machine whose last change is not on disk is off: nobody may have
        been told what it says, and the next owner need not know of it.
        """
        told = dict(self.held)
        for name, (config, state) in self.published.copy().items():
            written = self._context.written.get(name)
            if written is not None and not (written.is_open and written.durable):
                told[name] = (told.get(name) or Held.of(config, state)).without_power()
        for name, (written, unwritten) in self._context.stops.copy().items():
            if name in self.published and not (written.is_open and written.durable):
                config, state = self.published[name]
                wanted = unwritten - {one.at for one in self._stops_since(name, min(unwritten))}
                stops = replace(
                    state,
                    oops=state.oops if state.oops and state.oops.since in wanted else None,
                    lock=state.lock if state.lock and state.lock.since in wanted else None,
                )
                told[name] = (told.get(name) or Held.of(config, state)).with_stops(stops)
        return told

    def undecided(self, name: str, inputs: tuple[Input, ...]) -> tuple[Input, ...]:
        """Return what was held back, without the stops that an owner before this one has decided and written: whoever
        holds them may not have heard of that, and they may have been lifted since.
        """
        stops = [one.at for one in inputs if isinstance(one, Oops | Lock) or (isinstance(one, Report) and one.oops)]
        if not stops:
            return inputs
        done = self._stops_since(name, min(stops) - SAME_MOMENT)
        return tuple(left for one in inputs if (left := without_done(one, done)))

    def _stops_since(self, name: str, since: datetime) -> list[Oops | Lock]:
        """Return the oopses and locks of a machine since then, by the journal; none, if that does not answer."""
        try:
            entries = self.journal.store.page(machine=name, since=since).entries
        except StorageError:
            return []
        found: list[Oops | Lock] = []
        for said in (one.outcome for one in entries):
            if isinstance(said, OopsSet | LockSet | LockPending):
                flag = said.flag
                given = flag.since, flag.source, flag.by, flag.reason
                waits = isinstance(said, LockPending)
                found.append(Oops(*given) if isinstance(said, OopsSet) else Lock(*given, when_free=waits))
        return found

    def restart_dead(self) -> None:
        """Restart every actor that has died, and say so once for each; have decided what was held back."""
        if self.held and not self._context.holds():
            for name in tuple(self.held):
                with contextlib.suppress(UnknownMachine):
                    self.tell(name, SaveTelemetry())
        for name, ref in list(self.refs.items()):
            if not ref.is_alive():
                with contextlib.suppress(MachineUnavailable):
                    self._restart(name, ref)
        for pump in (self.journal, *self._pumps()):
            if not pump.ref.is_alive() and self._restarts.allow(pump.name):
                pump.restart()
                self._restarted(pump.name, pump.name, f"The {pump.name} actor")

    @property
    def kinds_of_actors(self) -> tuple[str, ...]:
        """The words that restarts are counted by."""
        return ("machine", *(pump.name for pump in (self.journal, *self._pumps())))

    def _restart(self, name: str, dead: pykka.ActorRef[Any]) -> pykka.ActorRef[MachineActor]:
        """Start a dead machine's actor anew, from the last state that it adopted (which the journal has, or will)."""
        with self.lock:
            ref = self.refs.get(name)
            if ref is None or self.closed:
                raise MachineUnavailable(f"{name} is stopped: the server is stopping, or the machine was removed")
            if ref is not dead and ref.is_alive():
                return ref
            config, state = self.published[name]
            configuration = self.configuration
            config = configuration.machines.get(name, config)  # a reload may be under way
            if not self._restarts.allow(name):
                raise MachineUnavailable(f"{config.display_name} fails again and again: the server's log says why")
            self._restarted("machine", name, f"The actor of {config.display_name}")
            ref = MachineActor.start(config, configuration.directory, state, self._context)
            ref.tell(Reconfigure(configuration.directory, config, datetime.now(UTC)))
            prove_alive(ref)
            self.refs[name] = ref
            return ref

    def _restarted(self, kind: str, actor: str, label: str) -> None:
        """Count a restart, and say it."""
        if sentence := self._restarts.note(kind, actor, label):
            self._context.notify(sentence)

    def save_telemetry(self) -> None:
        """Have the next few machines put down what heartbeats have changed: all at once would hold up the readers.

        It is written with what is written next, or after the last turn.
        """
        turn = next(self._turns) % SAVE_TURNS
        for name in list(self.refs)[turn::SAVE_TURNS]:
            with contextlib.suppress(UnknownMachine):
                self.tell(name, SaveTelemetry())
        if turn == SAVE_TURNS - 1:
            self.journal.wake()

    def save_all(self, timeout: float) -> None:
        """Have all machines save their telemetry, and wait ``timeout`` seconds until they have handed it on."""
        deadline = time.monotonic() + timeout
        for ref in list(self.refs.values()):
            try:
                _give(ref, SaveTelemetry()).get(timeout=max(0.0, deadline - time.monotonic()))
            except Exception as error:  # it has that of up to a minute ago on disk; the others are not held up
                log.warning("a machine did not save what its reader told: %s", one_line(error))

    def dead(self) -> list[str]:
        """Return the machines whose actor has died, and is being started anew."""
        return [name for name, ref in list(self.refs.items()) if not ref.is_alive()]

    def unresponsive(self, seconds: float) -> list[str]:
        """Return the machines whose actor lives but has not answered after ``seconds``, all together.

        An actor never waits for anything, so this is one that will not answer any more. A dead one is not
        among them: it is restarted.
        """
        deadline = time.monotonic() + seconds
        asked: list[tuple[str, Reply]] = []
        silent = []
        for name, ref in list(self.refs.items()):
            try:
                asked.append((name, _give(ref, Ping())))
            except MachineUnavailable:
                silent.append(name)
        for name, reply in asked:
            try:
                reply.get(timeout=max(0.0, deadline - time.monotonic()))
            except pykka.Timeout:
                silent.append(name)
            except pykka.ActorDeadError:
                pass
        return silent

    def stop_all(self, timeout: float, *, save: bool = True) -> None:
        """Have all actors save what they know, and stop; wait ``timeout`` seconds for them. None comes back."""
        stopping = []
        for ref in list(self.refs.values()):
            if save:
                _tell(ref, SaveTelemetry())
            with contextlib.suppress(MachineUnavailable):
                stopping.append(ref.stop(block=False))
        wait_for_ends(stopping, timeout)


def _dead() -> Reply:
    reply = Reply()
    reply.set_exception((pykka.ActorDeadError, pykka.ActorDeadError("the actor is not started yet"), None))
    return reply


def _offer(ref: pykka.ActorRef[Any], message: object) -> Reply:
    """Have an actor get a message, and wait for nothing: if it has nothing to do, this thread does it.

    Raises :class:`MachineUnavailable` when it is busy, and no thread can be started for it.
    """
    inbox = cast(SharedInbox, ref.actor_inbox)
    return (inbox.stand_in(message) if ref.is_alive() else None) or cast(Reply, ref.ask(message, block=False))


def _give(ref: pykka.ActorRef[Any], message: object) -> Reply:
    """As :func:`_offer`, but wait for one that is busy and can get no thread: it soon is not; ``GIVE_SECONDS`` long."""
    deadline = time.monotonic() + GIVE_SECONDS
    while True:
        try:
            return _offer(ref, message)
        except MachineUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.001)


def _tell(ref: pykka.ActorRef[Any], message: object) -> None:
    """As :func:`_give`, for what nobody waits for: what goes wrong is in the log."""
    try:
        failure: BaseException | None = _give(ref, message).failure
    except MachineUnavailable as error:
        failure = error
    if failure is not None and not isinstance(failure, pykka.ActorDeadError):
        log.error("a machine did not carry out %s", type(message).__name__, exc_info=failure)
