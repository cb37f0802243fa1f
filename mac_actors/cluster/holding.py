"""The fleet of a server while no server owns the machines: it answers, and keeps what the next owner has to be told.

It decides on the last known states (:mod:`mac_actors.core.holding`). Nothing of that counts before an owner decides it.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter

from mac_actors import clock
from mac_actors.actors.messages import MOVING
from mac_actors.actors.replies import Answer
from mac_actors.core.config import Configuration, Offline
from mac_actors.core.holding import Held, hold
from mac_actors.core.inputs import Command, Input, Lock, Oops, Report
from mac_actors.core.outputs import ENGLISH, Outputs
from mac_actors.core.reports import arrival
from mac_actors.core.signing import Key, ReaderKeys
from mac_actors.core.state import MachineState, resumed
from mac_actors.errors import MachineUnavailable, UnknownMachine
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.names import Names
from mac_actors.fleet.reader_keys import signer
from mac_actors.fleet.refused_readers import RefusedReaders

LEAST_SECONDS = 0.01
"""So long an answer waits for the states to be read anew, also where its budget is over."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a server that owns nothing last knew: both files, and states and readers' keys by machine."""

    configuration: Configuration
    states: Mapping[str, MachineState] = field(default_factory=dict)
    keys: Mapping[str, ReaderKeys] = field(default_factory=dict)


class HoldingFleet:
    """As much of a fleet as readers' reports, oopses and lock-outs need. Any thread may call.

    ``known`` is replaced by whoever reads the database; ``read_now`` has that done, and waits so many seconds for it:
    what is left of the ``budget`` that an answer may take. What was told to a reader stays so until an owner is there.
    """

    def __init__(
        self,
        known: Known,
        read_now: Callable[[float], object] = lambda seconds: None,
        budget: float = 0.25,
        displays: Mapping[str, str] = ENGLISH,
    ) -> None:
        self.known = known
        self._read_now = read_now
        self._budget = budget
        self._displays = displays
        self.refused_readers = RefusedReaders(lambda text: None)
        self.reader_keys = _Keys(lambda: self.known.keys)
        self._held: dict[str, Held] = {}
        self._lock = threading.Lock()

    @property
    def configuration(self) -> Configuration:
        return self.known.configuration

    def find(self, name_or_alias: str) -> str:
        """Return the name of the machine with this name or alias; raises :class:`UnknownMachine`."""
        return Names(self.configuration.machines.values()).find(name_or_alias)

    def report(
        self,
        name: str,
        report: Report,
        received: float,
        address: str | None = None,
        gone: Callable[[], bool] = lambda: False,
    ) -> Answer:
        """Answer a report; as that of a :class:`~mac_actors.fleet.fleet.MachineFleet`, but never durable."""
        return self._hold(name, replace(report, arrived=received), clock.seconds() - received)

    def begin(self, name: str, report: Report, address: str | None, gone: Callable[[], bool]) -> Answer:
        """Answer a report that says when it arrived, as :meth:`report` does."""
        return self._hold(name, report, clock.seconds() - arrival(report))

    def due(self, sent: Answer) -> float:
        """Return when that can be answered: now."""
        return 0.0

    def finish(self, sent: Answer) -> Answer:
        """Return the answer to a report."""
        return sent

    def ask(self, name: str, given: Input) -> Answer:
        """Take an oops or a lock, for the next owner; raises :class:`MachineUnavailable` for anything else."""
        if not isinstance(given, Oops | Lock):
            raise MachineUnavailable(MOVING)
        return self._hold(name, given)

    def kept_outputs(self, name: str, report: Report) -> Outputs:
        """Return what is told to a reader whose report does not count. Here all count: no nonce is known."""
        return self._hold(name, report).outputs

    def offline_rules(self, name: str) -> Offline:
        """Return what a machine's reader does without any server."""
        return self.configuration.machines[name].offline

    def reader_list(self, name: str, at: datetime) -> None:
        """Return no list: an owner has it."""

    def _hold(self, name: str, given: Input, age: float = 0.0) -> Answer:
        if name in self.configuration.machines:
            # the owner may have gone a moment after its last change; or it is there, and only we do not reach it
            self._read_now(max(LEAST_SECONDS, self._budget - age))
        known, now = self.known, clock.seconds()
        config = known.configuration.machines.get(name)
        if config is None:
            raise UnknownMachine(name)
        with self._lock:
            state = known.states.get(name) or MachineState(datetime.now(UTC))
            held = self._held.get(name)
            held = Held.of(config, resumed(state, now)) if held is None else held.stopped_as(config, state)
            self._held[name], told = hold(config, known.configuration.directory, held, given, now, self._displays)
        return Answer(told, durable=False)

    def switch_off(self, name: str) -> None:
        """Take the power of a machine whose reader came here: it was told so elsewhere."""
        with self._lock:
            if held := self._held.get(name):
                self._held[name] = held.without_power()

    # for the next owner

    @property
    def untold(self) -> bool:
        """Whether the next owner has to be told anything."""
        return any(held.inputs for held in self._held.copy().values())

    @property
    def waits(self) -> bool:
        """Whether anything was answered here that an owner does not know of."""
        return bool(self._held)

    def let_go(self, fleet: MachineFleet, configuration: Configuration) -> None:
        """Know what a fleet of this server knew, which has lost its machines; :meth:`add` what it has held back once
        more when it is asked no more.
        """
        states = {config.name: state for config, state in fleet.published()}
        held = fleet.held
        states |= {name: one.state for name, one in held.items()}  # without what was decided, but is not on disk
        keyring = fleet.reader_keys
        keys = {name: one for name in keyring.machines() if (one := keyring.get(name))}
        self.known = Known(configuration, states, keys)
        self.add(held)

    def add(self, held: Mapping[str, Held]) -> None:
        """Go on from what a fleet of this server has held back, which lost its machines."""
        with self._lock:
            for name, one in held.items():
                self._held[name] = self._held[name].joined(one) if name in self._held else one

    def hand_over(self, tell: Callable[[dict[str, tuple[Input, ...]]], Container[str]]) -> None:
        """Have an owner told what came here, by machine, since there was none; then it is forgotten here.

        It is not, where ``tell`` raises, or returns its machine because no owner has it yet; nor what came meanwhile,
        which is told the next time.
        """
        with self._lock:
            told = dict(self._held)
        inputs = {name: held.inputs for name, held in told.items() if held.inputs}
        left = tell(inputs) if inputs else ()
        with self._lock:
            kept = {name: held for name, held in self._held.items() if name in left or told.get(name) is not held}
            self._held = kept


class _Keys:
    """The readers' keys, by which reports are known to be theirs. Which were sent before is known to an owner alone."""

    def __init__(self, keys: Callable[[], Mapping[str, ReaderKeys]]) -> None:
        self._keys = keys

    def __bool__(self) -> bool:
        return bool(self._keys())

    def signer(self, machine: str, signature: str | None, *parts: str | bytes) -> Key | None:
        """Return the key that a report is signed with; as :class:`~mac_actors.fleet.reader_keys.ReaderKeyring` does."""
        return signer(self._keys().get(machine), machine, signature, *parts)

    def spend(self, machine: str, nonce: str | None) -> tuple[bool, str]:
        """Take any nonce, and give one that no owner knows: with its next report the reader gets a good one."""
        return True, secrets.token_hex(16)


_HERE = secrets.token_hex(8)
"""This process, among those that hold."""

_KINDS: dict[str, Any] = {kind.__name__: TypeAdapter(kind) for kind in (Report, Oops, Lock)}


def as_json(machine: str, inputs: tuple[Input, ...]) -> list[dict[str, Any]]:
    """Return a machine's inputs for another server: clocks differ, so that each says how long ago it came."""
    now, wall = clock.seconds(), datetime.now(UTC)
    return [
        {
            # before a report with a card one of the same moment may stand, by which it was taken out
            "id": f"{_HERE} {machine} {type(one).__name__} {one.at.isoformat()} {bool(getattr(one, 'fob', None))}",
            "kind": type(one).__name__,
            "age": (wall - one.at).total_seconds() if one.arrived is None else now - one.arrived,
            "input": _KINDS[type(one).__name__].dump_python(one, mode="json"),
        }
        for one in inputs
        if isinstance(one, Report | Oops | Lock)
    ]


def from_json(items: list[dict[str, Any]], sent: float | None = None) -> tuple[Input, ...]:
    """Return the inputs that another server has sent, as having come that long ago by this one's clocks.

    ``sent``: when it did. A report that seems to be newer than it is looks like that of a reader that has restarted.
    """
    now, wall = clock.seconds(), datetime.now(UTC)
    if sent is not None:
        now, wall = sent, wall - timedelta(seconds=now - sent)
    inputs: list[Input] = []
    for item in items:
        one: Report | Command = _KINDS[item["kind"]].validate_python(item["input"])
        inputs.append(replace(one, at=wall - timedelta(seconds=item["age"]), arrived=now - item["age"]))
    return tuple(inputs)
