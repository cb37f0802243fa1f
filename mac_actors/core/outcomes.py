"""What came of an event. Journal, notices, log lines and metrics are made from these, and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mac_actors.core.readable import Readable
from mac_actors.core.state import Flag, Refusal, SecondDecision, SessionKind, Source


class EndReason(StrEnum):
    """Why a session ended."""

    CARD_REMOVED = "card_removed"
    CARD_CHANGED = "card_changed"
    REBOOT = "reboot"
    OOPS = "oops"
    LOCK = "lock"
    MACHINE_REMOVED = "machine_removed"
    RESTORED = "restored"
    """The database was restored from a backup in which the session ran."""


@dataclass(frozen=True, slots=True, repr=False)
class Person(Readable):
    """Who held the card."""

    account_id: str
    full_name: str


FORGOTTEN = Person("", "")
"""Stands where a name was removed. Empty, so that what is on disk never grows by it (:mod:`.redaction`)."""


@dataclass(frozen=True, slots=True, repr=False)
class Ended(Readable):
    """A session that is over: whose, of what kind, from when, for how many seconds, why."""

    user: Person
    kind: SessionKind
    since: datetime
    seconds: float
    reason: EndReason


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Outcome(Readable):
    """Base of all outcomes: which machine, when."""

    machine: str
    display_name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SessionStarted(Outcome):
    """A card opened a session."""

    user: Person
    session: SessionKind
    second: SecondDecision
    fob: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SessionRefused(Outcome):
    """A card was inserted and got no session. ``user`` is ``None`` for an unknown fob."""

    refusal: Refusal
    user: Person | None
    fob: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CardSeen(Outcome):
    """A card was inserted on an always enabled machine: noted, nothing more."""

    user: Person | None
    fob: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SessionEnded(Outcome):
    """A session ended because its card went, or its machine was removed from the configuration."""

    ended: Ended


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Rebooted(Outcome):
    """The reader restarted; ``ended`` is the session that this cut, ``card_blocked`` whether a card is in it."""

    ended: Ended | None
    card_blocked: bool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OopsSet(Outcome):
    """The machine was oopsed; ``ended`` is the session that this cut."""

    flag: Flag
    ended: Ended | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LockSet(Outcome):
    """The machine was locked out; ``ended`` is the session that this cut."""

    flag: Flag
    ended: Ended | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Cleared(Outcome):
    """Oops, lock or both were lifted: the flags that were, and who did it.

    ``still_oopsed`` and ``still_locked`` say what remains; ``power_on`` that an always enabled
    machine is live again.
    """

    oops: Flag | None
    lock: Flag | None
    source: Source
    by: str | None
    reason: str | None
    still_oopsed: bool
    still_locked: bool
    power_on: bool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PowerChanged(Outcome):
    """A change of configuration turned the machine's power on or off."""

    on: bool


def kind(outcome: Outcome) -> str:
    """Return the one word by which journal, API and metrics call this outcome."""
    match outcome:
        case Cleared(oops=Flag(), lock=None):
            return "oops_cleared"
        case Cleared(oops=None):
            return "lock_cleared"
        case PowerChanged(on=on):
            return "power_on" if on else "power_off"
        case _:
            return _KINDS[type(outcome)]


_KINDS: dict[type[Outcome], str] = {
    SessionStarted: "session_started",
    SessionRefused: "session_refused",
    SessionEnded: "session_ended",
    CardSeen: "card_seen",
    Rebooted: "rebooted",
    OopsSet: "oops_set",
    LockSet: "lock_set",
    Cleared: "cleared",
}


KINDS = frozenset(_KINDS.values()) | {"oops_cleared", "lock_cleared", "power_on", "power_off"}
"""Every word that :func:`kind` returns."""
