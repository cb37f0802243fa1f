"""The state of one machine: what is remembered, and the words for it.

Outputs are not part of it: :mod:`mac_actors.core.outputs` derives them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from mac_actors.core.config import Limits, normalize_fob
from mac_actors.core.readable import Readable


class Source(StrEnum):
    """Where an oops, a lock or a clear came from."""

    BUTTON = "button"
    SLACK = "slack"
    HTTP = "http"
    BOARD = "board"
    """The buttons of the web pages."""
    CLI = "cli"
    REPL = "repl"
    MQTT = "mqtt"
    MAINTENANCE = "maintenance"
    """Maintenance that is due, which locks a machine that asks for it."""
    SERVER = "server"
    """The server itself, which locks a machine whose stored state it can't read."""


class SessionKind(StrEnum):
    """Why a session was allowed."""

    AUTHORIZED = "authorized"
    WARN_ONLY = "warn_only"
    OVERRIDE = "override"
    OFFLINE = "offline"
    """By the reader itself, from its list, while the server was away. It is told of afterwards."""


class Refusal(StrEnum):
    """Why a card got no session."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    UNAUTHORIZED = "unauthorized"
    OOPSED = "oopsed"
    LOCKED_OUT = "locked_out"
    LATE = "late"
    """The report had waited too long in the server: its reader has hung up by now."""
    STORAGE = "storage"
    """So much waits for the disk that nothing new may start."""
    GAP = "gap"
    """The reader had left out reports: its card may have been in, and out again, meanwhile."""
    TWO_READERS = "two_readers"
    """Two readers report under this machine's name: which of them holds the card can't be known."""
    MOVING = "moving"
    """No server owns the machines at this moment: another one is taking over (:mod:`mac_actors.core.holding`)."""


KEPT_REFUSALS = frozenset({Refusal.UNKNOWN, Refusal.EXPIRED, Refusal.UNAUTHORIZED})
"""Refusals that the display goes on showing until the card is out; the others block the card instead."""


class TimeLimit(StrEnum):
    """How near a session is to the limit of its time."""

    SOON = "soon"
    OVER = "over"


class SecondDecision(StrEnum):
    """What a session may do with the machine's second relay."""

    NONE = "none"
    GRANTED = "granted"
    WARN = "warn"
    ALWAYS_ENABLED = "always_enabled"
    DENIED = "denied"


class Severity(StrEnum):
    """How bad it is, as whoever found it says."""

    UNUSABLE = "unusable"
    WITH_CARE = "usable with care"


class Status(StrEnum):
    """A machine's state in one word."""

    IDLE = "idle"
    IN_USE = "in_use"
    OOPSED = "oopsed"
    LOCKED_OUT = "locked_out"
    OOPSED_LOCKED_OUT = "oopsed_locked_out"


@dataclass(frozen=True, slots=True, repr=False)
class Flag(Readable):
    """An oops or a lock that is set: since when, from where, by whom, why; and why, without names of members.

    ``incident`` is when the machine went out of use, where it was so already: from then until both are lifted.
    """

    since: datetime
    source: Source
    by: str | None = None
    reason: str | None = None
    public_reason: str | None = None
    incident: datetime | None = None

    @property
    def begins(self) -> datetime:
        """When the machine went out of use."""
        return self.incident or self.since

    def is_newer(self, given: datetime | None, at: datetime) -> bool:
        """Whether it was set after a command was given that came ``at`` a moment ago; where that seems to be over a
        day, or it to be set later than now, it was not: then one of the clocks is wrong.
        """
        if given is None or self.since - given >= timedelta(days=1):
            return False
        return given < self.since < at + timedelta(minutes=1)

    def without_names(self) -> Self:
        """Return it without saying who."""
        return replace(self, by=None, reason=self.public_reason or self.reason, public_reason=None)


@dataclass(frozen=True, slots=True, repr=False)
class Details(Flag):
    """What is wrong with a machine that is oopsed or locked out: in ``reason``, and how bad it is."""

    severity: Severity = Severity.UNUSABLE


@dataclass(frozen=True, slots=True, repr=False)
class Card(Readable):
    """The fob in the reader. A blocked one opens no session until it is taken out."""

    fob: str = field(repr=False)
    since: datetime
    blocked: bool = False
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Session(Readable):
    """A running session. The names are those of the user at its start; a later users file does not change them.

    ``since`` is for people: the wall clock may be set. Its length is counted: ``began`` is its start, or that of the
    server's process, on the process's clock, ``seen`` how many seconds processes before this one were there.

    ``limits`` are those that the machine had when it began: a change of configuration cuts no session. ``idle_from`` is
    since when nothing runs, on the process's clock.
    """

    account_id: str
    full_name: str
    lcd_name: str
    kind: SessionKind
    since: datetime
    second: SecondDecision = SecondDecision.NONE
    began: float | None = field(default=None, repr=False, compare=False)
    seen: float = field(default=0.0, repr=False, compare=False)
    limits: Limits | None = field(default=None, repr=False)
    time_limit: TimeLimit | None = None
    idle_from: float | None = field(default=None, repr=False, compare=False)

    def seconds(self, now: float) -> float:
        """Return its length so far, at ``now`` on the process's clock."""
        return self.seen + max(0.0, now - (now if self.began is None else self.began))


@dataclass(frozen=True, slots=True, repr=False)
class Telemetry(Readable):
    """What the reader last said of itself; ``None`` is "no reading".

    Firmware that says its name and version says more: ``boot`` is a random number of this boot, ``count`` rises with
    every report of it, ``poke`` is the UDP port at which it takes pokes (``actors/poker.py``).
    ``measures``: whether ``amps`` was measured; otherwise it is 0.
    """

    uptime: float | None = None
    wifi_signal_db: float | None = None
    wifi_signal_percent: float | None = None
    internal_temperature_c: float | None = None
    amps: float = 0.0
    second_relay_state: bool | None = None
    firmware: str | None = None
    boot: int | None = None
    count: int | None = None
    poke: int | None = None
    list_revision: int | None = None
    """Of the list that the reader keeps for when the server is away."""
    measures: bool = field(default=True, repr=False)


NO_TELEMETRY = Telemetry()


@dataclass(frozen=True, slots=True, repr=False)
class Maintained(Readable):
    """A thing to be maintained: at how many seconds with power it was done last, and since when it is due again."""

    what: str
    done_at: float
    due: datetime | None = None


@dataclass(frozen=True, slots=True, repr=False)
class MachineState(Readable):
    """All that is remembered of one machine.

    ``lock_pending`` is a lock that falls when the running session ends.
    ``status_since`` is when :attr:`status` last changed; ``always_enabled`` is what the configuration
    said when it was last applied, so that a change of it is noticed even across a restart. ``last_arrival`` is when the
    last report came, on the clock of the process that heard it (:func:`resumed`). ``offline_taken`` are the latest
    sessions of its reader's own that are in the journal, by boot and id, so that none gets there twice.
    """

    status_since: datetime
    oops: Flag | None = None
    lock: Flag | None = None
    lock_pending: Flag | None = None
    maintenance: tuple[Maintained, ...] = ()
    power_seconds: float = field(default=0.0, repr=False, compare=False)
    """For how long it has had power, counted where it has things to be maintained."""
    details: Details | None = None
    """The last that were given; until neither oops nor lock is left."""
    card: Card | None = None
    session: Session | None = None
    telemetry: Telemetry = NO_TELEMETRY
    last_checkin: datetime | None = None
    last_update: datetime | None = None
    always_enabled: bool = False
    last_arrival: float | None = field(default=None, repr=False, compare=False)
    offline_taken: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    restored: bool = field(default=False, repr=False)
    """Of a backup, since which its reader has not reported: what happened at the reader after that is not known."""

    @property
    def what_people_did(self) -> tuple[object, ...]:
        """What only a card, a button or a command changes."""
        return (self.oops, self.lock, self.lock_pending, self.card, self.session)

    @property
    def durable(self) -> tuple[object, ...]:
        """What must be on disk before it counts."""
        return (*self.what_people_did, self.maintenance, self.always_enabled, self.status_since, self.offline_taken)

    @property
    def flagged(self) -> bool:
        """Oopsed or locked."""
        return self.oops is not None or self.lock is not None

    def due_lock(self, at: datetime) -> Flag | None:
        """Return the lock that falls ``at`` this moment: one that waited for the end of a session."""
        if self.lock_pending is None or self.session is not None:
            return None
        return replace(self.lock_pending, since=at, incident=self.oops.begins if self.oops else None)

    @property
    def status(self) -> Status:
        """The state in one word, as pages and APIs show it."""
        if self.oops:
            return Status.OOPSED_LOCKED_OUT if self.lock else Status.OOPSED
        if self.lock:
            return Status.LOCKED_OUT
        return Status.IN_USE if self.session else Status.IDLE


def session_seconds(state: MachineState) -> float:
    """Return how long the session had run at the last report: what is known of it when its server is gone."""
    session = state.session
    if session is None:
        return 0.0
    if session.began is None:  # mac-actors 0.1 knew the wall clock alone
        return max(0.0, ((state.last_checkin or session.since) - session.since).total_seconds())
    return session.seconds(session.began if state.last_arrival is None else state.last_arrival)


def resumed(state: MachineState, now: float) -> MachineState:
    """Return a state of the disk as a new process goes on with it, at ``now`` on its own clock.

    An earlier version kept zeroes and case of a fob: the card that is in the reader must not look like another one.
    """
    card = state.card and replace(state.card, fob=normalize_fob(state.card.fob) or state.card.fob)
    session = state.session and replace(state.session, began=now, seen=session_seconds(state), idle_from=None)
    return replace(state, card=card, session=session, last_arrival=None)
