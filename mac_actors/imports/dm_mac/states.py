"""Takes over oops, lock-out and last-seen from the state directory of the old server (dm_mac).

That has one file a machine, ``NAME-state.pickle``: a dict of plain values and, while somebody is logged in, an
object that is that user. Nothing of them is run (:mod:`~mac_actors.imports.dm_mac.plain_pickle`), and no file is
changed.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mac_actors.core.config import Directory, MachineConfig, read_fob
from mac_actors.core.inputs import Command, Lock, Oops
from mac_actors.core.outcomes import LockSet, OopsSet, Outcome
from mac_actors.core.state import Card, MachineState, Source
from mac_actors.core.transitions import decide
from mac_actors.errors import StorageError
from mac_actors.imports.dm_mac import plain_pickle
from mac_actors.imports.dm_mac.plain_pickle import PickleError
from mac_actors.storage.codec import journal_row
from mac_actors.storage.records import Record, Unreadable, record_state
from mac_actors.storage.store import Store

SUFFIX = "-state.pickle"
"""What follows the machine's name in the name of its file."""

REASON = "taken over from the old server"
UNREADABLE = "its state on the old server could not be read; check the machine, then clear it"


@dataclass(frozen=True, slots=True)
class OldState:
    """What is taken over of one machine; ``since`` is when the old server last saw something happen there."""

    oopsed: bool
    locked: bool
    since: datetime
    fob: str | None = None
    card_since: datetime | None = None
    last_checkin: datetime | None = None
    last_update: datetime | None = None


Found = Mapping[str, OldState | Unreadable]
"""What the old server's directory has, by machine."""


@dataclass(frozen=True, slots=True)
class Step:
    """What the import does to one machine: its state afterwards, and the outcomes for the journal."""

    machine: MachineConfig
    old: OldState | Unreadable
    state: MachineState
    outcomes: tuple[Outcome, ...]
    changed: bool

    def record(self) -> Record:
        """Return it as the database takes it. No notices: what is taken over was announced when it happened."""
        return Record(
            record_state(self.machine.name, self.state), tuple((journal_row(outcome), ()) for outcome in self.outcomes)
        )


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """All that an import would do. ``foreign`` machines are not configured, ``unknown`` ones have no old state."""

    steps: tuple[Step, ...]
    foreign: tuple[str, ...]
    unknown: tuple[str, ...]
    conflicts: tuple[str, ...]
    """What the states that are there already say otherwise, a line for each machine."""

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that have something to do."""
        return tuple(step for step in self.steps if step.changed)

    @property
    def unreadable(self) -> dict[str, str]:
        """Why a machine's old state can't be read, by its name."""
        return {step.machine.name: step.old.why for step in self.steps if isinstance(step.old, Unreadable)}

    def refuse_conflicts(self) -> None:
        """Raise :class:`StorageError` if states are there already that say otherwise."""
        if self.conflicts:
            raise StorageError(
                "nothing was taken over, because this server has run already and says otherwise: "
                f"{'; '.join(self.conflicts)}. If the old server is right, --force sets that; it lifts nothing."
            )


def read_directory(directory: Path, now: datetime) -> Found:
    """Read all files of the old server; what can't be read is :class:`Unreadable`, and the others go on.

    Raises :class:`StorageError` when there is no such directory, or no file of the old server in it.
    """
    try:
        paths = sorted(path for path in directory.iterdir() if path.name.endswith(SUFFIX))
    except OSError as error:
        raise StorageError(
            f"cannot read the old server's state directory {directory}: {error.strerror}. "
            "It is what MACHINE_STATE_DIR was for the old server; run this as a user that may read it."
        ) from error
    if not paths:
        raise StorageError(
            f"{directory} has no file that ends in {SUFFIX}: is it what MACHINE_STATE_DIR was for the old server?"
        )
    return {path.name.removesuffix(SUFFIX): _read_file(path, now) for path in paths}


def _read_file(path: Path, now: datetime) -> OldState | Unreadable:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            return Unreadable("it is not a file")
        with path.open("rb") as file:
            data = file.read(plain_pickle.LONGEST + 1)
        changed = datetime.fromtimestamp(about.st_mtime, UTC)
        return _understand(path.name.removesuffix(SUFFIX), plain_pickle.read(data), changed, now)
    except OSError as error:
        return Unreadable(error.strerror or str(error))
    except PickleError as error:
        return Unreadable(str(error))


def _understand(name: str, data: object, changed: datetime, now: datetime) -> OldState:
    """Return what the file says. Raises :class:`PickleError` for anything that the old server did not write."""
    if not isinstance(data, dict):
        raise PickleError("it is not a machine's state")
    if data.get("machine_name", name) != name:
        raise PickleError("it is the state of another machine")
    last_update = _time(data, "last_update", now)
    return OldState(
        oopsed=_truth(data, "is_oopsed"),
        locked=_truth(data, "is_locked_out"),
        since=last_update or min(changed, now),
        fob=_fob(data),
        card_since=_time(data, "rfid_present_since", now),
        last_checkin=_time(data, "last_checkin", now),
        last_update=last_update,
    )


def _truth(data: dict[str, Any], key: str) -> bool:
    value = data.get(key)
    if not isinstance(value, bool):
        raise PickleError(f"{key} is missing, or not true or false")
    return value


def _time(data: dict[str, Any], key: str, now: datetime) -> datetime | None:
    value = data.get(key)
    if value is None:
        return None
    if type(value) not in {int, float}:
        raise PickleError(f"{key} is not a time")
    try:
        return min(datetime.fromtimestamp(value, UTC), now)
    except (ValueError, OverflowError, OSError):
        raise PickleError(f"{key} is not a time") from None


def _fob(data: dict[str, Any]) -> str | None:
    value = data.get("rfid_value")
    try:
        if value is None or isinstance(value, str):
            return read_fob(value)
    except ValueError:
        pass
    raise PickleError("rfid_value is not the number of a fob")


def make_plan(
    machines: Mapping[str, MachineConfig],
    found: Found,
    stored: Mapping[str, MachineState | Unreadable],
    now: datetime,
) -> ImportPlan:
    """Say what an import does, beside the states that are there already. Changes nothing.

    A machine without a state takes over all. One that has a state gets the oops and lock-out that it lacks, and
    that is a conflict: this server was asked to lift them, or never knew of them.
    """
    steps: list[Step] = []
    conflicts: list[str] = []
    for name, machine in machines.items():
        old = found.get(name)
        if old is None:
            continue
        there = stored.get(name)
        step = _step(machine, old, there, now)
        steps.append(step)
        if there is not None and step.changed:
            lacks = " and ".join("oopsed" if isinstance(o, OopsSet) else "locked out" for o in step.outcomes)
            conflicts.append(f"{name} is not {lacks} here")
    return ImportPlan(
        tuple(steps),
        tuple(name for name in found if name not in machines),
        tuple(name for name in machines if name not in found),
        tuple(conflicts),
    )


def _step(
    machine: MachineConfig, old: OldState | Unreadable, there: MachineState | Unreadable | None, now: datetime
) -> Step:
    if isinstance(there, Unreadable):  # the server locks it at its start
        return Step(machine, old, MachineState(now), (), changed=False)
    if isinstance(old, Unreadable):
        state, outcomes = _flagged(machine, there or MachineState(now), [Lock], now, now, UNREADABLE)
        return Step(machine, old, state, outcomes, changed=bool(outcomes))
    kinds: list[type[Command]] = [*([Lock] if old.locked else []), *([Oops] if old.oopsed else [])]
    if there is not None:
        state, outcomes = _flagged(machine, there, kinds, old.since, now, REASON)
        return Step(machine, old, state, outcomes, changed=bool(outcomes))
    # A card that was in the reader is blocked: no machine starts because the server is another one.
    card = Card(old.fob, old.card_since or old.since, blocked=True) if old.fob else None
    first = MachineState(now, card=card, last_checkin=old.last_checkin)
    state, outcomes = _flagged(machine, first, kinds, old.since, now, REASON)
    status_since = old.since if state.flagged else now
    state = replace(state, last_update=old.last_update, status_since=status_since)
    return Step(machine, old, state, outcomes, changed=True)


def _flagged(
    machine: MachineConfig,
    state: MachineState,
    kinds: list[type[Command]],
    since: datetime,
    now: datetime,
    reason: str,
) -> tuple[MachineState, tuple[Outcome, ...]]:
    """Oops or lock the machine as an admin does, and let the flag be as old as it is."""
    outcomes: list[Outcome] = []
    for kind in kinds:
        decision = decide(machine, Directory(), state, kind(now, Source.CLI, None, reason))
        state = decision.state
        for outcome in decision.outcomes:
            state, dated = _dated(state, outcome, since)
            outcomes.append(dated)
    return state, tuple(outcomes)


def _dated(state: MachineState, outcome: Outcome, since: datetime) -> tuple[MachineState, Outcome]:
    match outcome:
        case OopsSet(flag=flag):
            flag = replace(flag, since=since)
            return replace(state, oops=flag), replace(outcome, flag=flag)
        case LockSet(flag=flag):
            flag = replace(flag, since=since)
            return replace(state, lock=flag), replace(outcome, flag=flag)
        case _:
            raise TypeError(f"an oops or a lock has no {type(outcome).__name__}")


def carry_out(store: Store, plan: ImportPlan) -> None:
    """Write the plan, all of it or nothing. Raises :class:`StorageError`."""
    store.commit([step.record() for step in plan.changes])
