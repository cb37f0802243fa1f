"""Machines, people and events that the tests of the core speak about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import EllipsisType
from typing import Any

from mac_actors.core.config import Directory, MachineConfig, SecondRelay, User
from mac_actors.core.decision import Already, Decision
from mac_actors.core.inputs import Clear, Configured, Input, Lock, Oops, Report, Unlock, Unoops
from mac_actors.core.outcomes import Outcome, Person
from mac_actors.core.state import MachineState, Source, Telemetry
from mac_actors.core.transitions import decide

T0 = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

UP = 100_000.0
"""The uptime of every example reader at T0: high enough that no report looks like a reboot by accident."""


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


MILLING = frozenset({"Milling"})
TUBE = frozenset({"Tube"})

MILL = MachineConfig("metal-mill", MILLING, alias="Metal Mill")
SAW = MachineConfig("table-saw", MILLING, unauthorized_warn_only=True)
LAMP = MachineConfig("lamp", MILLING, always_enabled=True)
MILL_ALWAYS_ON = MachineConfig("metal-mill", MILLING, alias="Metal Mill", always_enabled=True)


def laser(
    *, machine_always: bool = False, warn_only: bool = False, second_warn: bool = False, second_always: bool = False
) -> MachineConfig:
    second = SecondRelay(TUBE, unauthorized_warn_only=second_warn, always_enabled=second_always, alias="Tube")
    return MachineConfig(
        "laser", MILLING, always_enabled=machine_always, unauthorized_warn_only=warn_only, second_relay=second
    )


def called(value: object) -> str:
    """Name a card's user or a machine in the name of a test, the same in every process (a set is not)."""
    if isinstance(value, User):
        return value.lcd_name
    if isinstance(value, MachineConfig):
        second = value.second_relay
        words = {
            "always on": value.always_enabled,
            "warn only": value.unauthorized_warn_only,
            "second warn only": second is not None and second.unauthorized_warn_only,
            "second always on": second is not None and second.always_enabled,
        }
        return f"{value.name} {' '.join(word for word, so in words.items() if so)}".strip()
    return "no card" if value is None else str(value)


def someone(first: str, last: str, *fobs: str, can: Iterable[str] = (), **more: object) -> User:
    user = User(
        account_id=f"id-{first.lower()}",
        full_name=f"{first} {last}",
        preferred_name=first,
        lcd_name=first,
        fob_codes=fobs,
        authorizations=frozenset(can),
        oops_override=bool(more.pop("override", False)),
        expires_at=T0 - timedelta(days=1) if more.pop("expired", False) else None,
    )
    assert not more, more
    return user


ANNA = someone("Anna", "Adler", "0000000001", "0000000011", can=MILLING)
BEN = someone("Ben", "Bauer", "0000000002")
OLGA = someone("Olga", "Orlow", "0000000003", override=True)
OTTO = someone("Otto", "Oster", "0000000004", can=MILLING, override=True)
EVE = someone("Eve", "Ebert", "0000000005", can=MILLING, expired=True)
EMIL = someone("Emil", "Engel", "0000000006", can=MILLING, override=True, expired=True)
TINA = someone("Tina", "Thal", "0000000007", can=MILLING | TUBE)
TOM = someone("Tom", "Tesch", "0000000008", can=TUBE, override=True)

STRANGER = "9999999999"
"""A fob that nobody has."""

PEOPLE = Directory.of((ANNA, BEN, OLGA, OTTO, EVE, EMIL, TINA, TOM))
ENFORCED = Directory.of(PEOPLE.users, enforce_expiration=True)
NOBODY = Directory.of(())

OOPSED, LOCKED, BOTH, FREE = "oopsed", "locked", "both", "free"
SITUATIONS = (FREE, OOPSED, LOCKED, BOTH)
FLAGGED = (OOPSED, LOCKED, BOTH)

SESSIONS: list[tuple[MachineConfig, User, str]] = [
    (MILL, ANNA, FREE),
    (SAW, BEN, FREE),
    (MILL, OLGA, OOPSED),
    (MILL, OLGA, LOCKED),
    (MILL, OTTO, BOTH),
]
"""A machine, who has a session on it, and the situation in which it began."""

ADMIN = "Ada Admin"


def fob_of(card: User | str | None) -> str | None:
    return card.fob_codes[0] if isinstance(card, User) else card


def report(
    card: User | str | None = None,
    seconds: float = 0,
    *,
    oops: bool = False,
    uptime: float | EllipsisType | None = ...,
    **more: Any,
) -> Report:
    """Build a report ``seconds`` after T0, from a reader that has not been restarted unless ``uptime`` says so.

    ``more`` is what its firmware says of itself.
    """
    up = UP + seconds if isinstance(uptime, EllipsisType) else uptime
    return Report(after(seconds), fob_of(card), oops, Telemetry(uptime=up, **more))


def clocked(event: Report, seconds: float) -> Report:
    """Return the report as one that came ``seconds`` after T0, whatever the wall clock was."""
    return replace(event, arrived=after(seconds).timestamp())


def oops(seconds: float = 0, by: str = ADMIN, reason: str | None = "belt slips") -> Oops:
    return Oops(after(seconds), Source.SLACK, by, reason)


def lock(seconds: float = 0, by: str = ADMIN, reason: str | None = "new belt") -> Lock:
    return Lock(after(seconds), Source.HTTP, by, reason)


def unoops(seconds: float = 0) -> Unoops:
    return Unoops(after(seconds), Source.CLI, ADMIN)


def unlock(seconds: float = 0) -> Unlock:
    return Unlock(after(seconds), Source.REPL, ADMIN)


def clear(seconds: float = 0) -> Clear:
    return Clear(after(seconds), Source.SLACK, ADMIN, "mended")


def person(user: User) -> Person:
    return Person(user.account_id, user.full_name)


def run(config: MachineConfig, directory: Directory, state: MachineState, events: Iterable[Input]) -> Decision:
    """Let ``events`` happen one after the other: the last state, and everything that came of them."""
    outcomes: list[Outcome] = []
    already: list[Already] = []
    changed = False
    for event in events:
        decision = decide(config, directory, state, event)
        state = decision.state
        outcomes.extend(decision.outcomes)
        already.extend(decision.already)
        changed = changed or decision.changed
    return Decision(state, tuple(outcomes), tuple(already), changed)


def fresh(config: MachineConfig, situation: str = FREE) -> MachineState:
    """Return a machine with an empty reader that has reported once at T0, oopsed and locked as ``situation`` says."""
    events: list[Input] = [Configured(T0), report()]
    if situation in {OOPSED, BOTH}:
        events.append(oops())
    if situation in {LOCKED, BOTH}:
        events.append(lock())
    return run(config, PEOPLE, MachineState(T0), events).state


def with_card(config: MachineConfig, card: User | str, situation: str = FREE, at: float = 10) -> MachineState:
    """Return such a machine after ``card`` was inserted."""
    return decide(config, PEOPLE, fresh(config, situation), report(card, at)).state
