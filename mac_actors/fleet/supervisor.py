"""The lives of the machines' actors: begun, found, begun anew when they die; and what each machine is like now."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pykka

from mac_actors.actors.journal import Journal
from mac_actors.actors.machine import MachineActor, MachineContext, Reconfigure, SaveTelemetry
from mac_actors.actors.restarts import Restarts
from mac_actors.actors.runtime import Ping, prove_alive
from mac_actors.core.config import Configuration, MachineConfig
from mac_actors.core.inputs import Lock
from mac_actors.core.outcomes import Outcome
from mac_actors.core.state import MachineState, Source
from mac_actors.errors import MachineUnavailable, UnknownMachine
from mac_actors.storage.records import Record, Unreadable, record_state

log = logging.getLogger(__name__)


class Supervisor:
    """All machines' actors.

    ``configuration`` returns the present rules, ``announce`` is told outcomes, ``tell`` says a line to the admins;
    ``chat`` is whether notices are to be written for one.
    """

    def __init__(
        self,
        journal: Journal,
        restarts: Restarts,
        configuration: Callable[[], Configuration],
        *,
        commit_budget: float,
        chat: bool,
        announce: Callable[[tuple[Outcome, ...]], None],
        tell: Callable[[str], None],
    ) -> None:
        self.refs: dict[str, pykka.ActorRef[MachineActor]] = {}
        self.published: dict[str, tuple[MachineConfig, MachineState]] = {}
        """Each machine's rules and state, as its actor last published them."""
        self.lock = threading.RLock()
        """Held for reloads and restarts: one at a time."""
        self._journal = journal
        self._restarts = restarts
        self._configuration = configuration
        self._tell = tell
        self._context = MachineContext(journal, commit_budget, chat, self._publish, announce, tell)
        self._retired: dict[str, MachineState] = {}  # of machines no longer configured; newer than the disk's
        self._ending = False

    def start(self, config: MachineConfig, stored: MachineState | Unreadable | None) -> None:
        """Start a machine's actor, with the state that the disk has for it."""
        now = datetime.now(UTC)
        first: Lock | None = None
        match self._retired.get(config.name) or stored:
            case None:
                state = MachineState(status_since=now)
                self._journal.record(Record(record_state(config.name, state)))
            case Unreadable(why=why):
                log.error("the stored state of %s can't be read (%s): it is locked out", config.name, why)
                reason = "its stored state could not be read; check the machine, then clear it"
                state, first = MachineState(status_since=now), Lock(now, Source.SERVER, None, reason)
            case MachineState() as state:
                pass
        self._publish(config, state)
        ref = MachineActor.start(config, self._configuration().directory, state, self._context)
        if first is not None:
            ref.tell(first)  # before anybody else can send it anything
        self.refs[config.name] = ref

    def find(self, name: str) -> pykka.ActorRef[MachineActor]:
        """Return the machine's living actor; raises :class:`UnknownMachine`, or :class:`MachineUnavailable`."""
        ref = self.refs.get(name)
        if ref is None:
            raise UnknownMachine(name)
        return ref if ref.is_alive() else self._restart(name, ref)

    def stop(self, name: str) -> None:
        """End the actor of a machine that is no longer configured; its state is kept in case it is again."""
        self.refs.pop(name).stop(block=False)
        self._retired[name] = self.published.pop(name)[1]

    def restart_dead(self) -> None:
        """Start every actor anew that has died, and say so once for each."""
        for name, ref in list(self.refs.items()):
            if not ref.is_alive():
                with contextlib.suppress(MachineUnavailable):
                    self._restart(name, ref)

    def _restart(self, name: str, dead: pykka.ActorRef[Any]) -> pykka.ActorRef[MachineActor]:
        """Start a dead machine's actor anew, from the last state that it adopted (which the journal has, or will)."""
        with self.lock:
            ref = self.refs.get(name)
            if ref is None or self._ending:
                raise MachineUnavailable(f"{name} is stopped: the server is stopping, or the machine was removed")
            if ref is not dead and ref.is_alive():
                return ref
            config, state = self.published[name]
            configuration = self._configuration()
            config = configuration.machines.get(name, config)  # a reload may be under way
            if not self._restarts.allow(name):
                raise MachineUnavailable(f"{config.display_name} fails again and again: the server's log says why")
            self.restarted("machine", name, f"The actor of {config.display_name}")
            ref = MachineActor.start(config, configuration.directory, state, self._context)
            ref.tell(Reconfigure(configuration.directory, config, datetime.now(UTC)))
            prove_alive(ref)
            self.refs[name] = ref
            return ref

    def restarted(self, kind: str, actor: str, shown: str) -> None:
        """Count a restart, and say it; a storm of them is said when it begins."""
        if self._restarts.note(kind, actor):
            storm = actor in self._restarts.storms()
            more = "; it fails again and again, and is tried less often from now on" if storm else ""
            self._tell(f"{shown} had stopped and was restarted{more}. The log says why.")

    def save_telemetry(self, turn: int, turns: int) -> None:
        """Have every ``turns``-th machine, from number ``turn`` on, write what heartbeats have changed."""
        for ref in list(self.refs.values())[turn % turns :: turns]:
            with contextlib.suppress(pykka.ActorDeadError):
                ref.tell(SaveTelemetry())

    def dead(self) -> list[str]:
        """Return the machines whose actor has died, and is being started anew."""
        return [name for name, ref in list(self.refs.items()) if not ref.is_alive()]

    def unresponsive(self, seconds: float) -> list[str]:
        """Return the machines whose actor lives but has not answered after ``seconds``, all together.

        An actor never waits for anything, so this is one that will not answer any more. A dead one is not
        among them: it is restarted.
        """
        deadline = time.monotonic() + seconds
        asked = [(name, ref.ask(Ping(), block=False)) for name, ref in list(self.refs.items())]
        silent = []
        for name, reply in asked:
            try:
                reply.get(timeout=max(0.0, deadline - time.monotonic()))
            except pykka.Timeout:
                silent.append(name)
            except pykka.ActorDeadError:
                pass
        return silent

    def stop_all(self, timeout: float) -> None:
        """Have all actors save what they know, and stop; wait ``timeout`` seconds for each. None comes back."""
        self._ending = True
        stopping = []
        for ref in self.refs.values():
            with contextlib.suppress(pykka.ActorDeadError):
                ref.tell(SaveTelemetry())
            stopping.append(ref.stop(block=False))
        for stopped in stopping:
            with contextlib.suppress(pykka.Timeout):
                stopped.get(timeout=timeout)

    def _publish(self, config: MachineConfig, state: MachineState) -> None:
        self.published[config.name] = (config, state)
