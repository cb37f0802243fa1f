"""The state of one machine: what is remembered, and the words for it.

Outputs are not part of it: :mod:`mac_actors.core.outputs` derives them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from mac_actors.core.readable import Readable


class Source(StrEnum):
    """Where an oops, a lock or a clear came from."""

    BUTTON = "button"
    SLACK = "slack"
    HTTP = "http"
    CLI = "cli"
    REPL = "repl"
    SERVER = "server"
    """The server itself, which locks a machine whose stored state it can't read."""


class SessionKind(StrEnum):
    """Why a session was allowed."""

    AUTHORIZED = "authorized"
    WARN_ONLY = "warn_only"
    OVERRIDE = "override"


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
    TWO_READERS = "two_readers"
    """Two readers report under this machine's name: which of them holds the card can't be known."""


KEPT_REFUSALS = frozenset({Refusal.UNKNOWN, Refusal.EXPIRED, Refusal.UNAUTHORIZED})
"""Refusals that the display goes on showing until the card is out; the others block the card instead."""


class SecondDecision(StrEnum):
    """What a session may do with the machine's second relay."""

    NONE = "none"
    GRANTED = "granted"
    WARN = "warn"
    ALWAYS_ENABLED = "always_enabled"
    DENIED = "denied"


class Status(StrEnum):
    """A machine's state in one word."""

    IDLE = "idle"
    IN_USE = "in_use"
    OOPSED = "oopsed"
    LOCKED_OUT = "locked_out"
    OOPSED_LOCKED_OUT = "oopsed_locked_out"


@dataclass(frozen=True, slots=True, repr=False)
class Flag(Readable):
    """An oops or a lock that is set: since when, from where, by whom, why; and why, without names of members."""

    since: datetime
    source: Source
    by: str | None = None
    reason: str | None = None
    public_reason: str | None = None

    def without_names(self) -> Flag:
        """Return it without saying who."""
        return replace(self, by=None, reason=self.public_reason or self.reason, public_reason=None)


@dataclass(frozen=True, slots=True, repr=False)
class Card(Readable):
    """The fob in the reader. A blocked one opens no session until it is taken out."""

    fob: str = field(repr=False)
    since: datetime
    blocked: bool = False
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Session(Readable):
    """A running session. The names are those of the user at its start; a later users file does not change them."""

    account_id: str
    full_name: str
    lcd_name: str
    kind: SessionKind
    since: datetime
    second: SecondDecision = SecondDecision.NONE


@dataclass(frozen=True, slots=True, repr=False)
class Telemetry(Readable):
    """What the reader last said of itself; ``None`` is "no reading"."""

    uptime: float | None = None
    wifi_signal_db: float | None = None
    wifi_signal_percent: float | None = None
    internal_temperature_c: float | None = None
    amps: float = 0.0
    second_relay_state: bool | None = None


NO_TELEMETRY = Telemetry()


@dataclass(frozen=True, slots=True, repr=False)
class MachineState(Readable):
    """All that is remembered of one machine.

    ``status_since`` is when :attr:`status` last changed; ``always_enabled`` is what the configuration
    said when it was last applied, so that a change of it is noticed even across a restart.
    """

    status_since: datetime
    oops: Flag | None = None
    lock: Flag | None = None
    card: Card | None = None
    session: Session | None = None
    telemetry: Telemetry = NO_TELEMETRY
    last_checkin: datetime | None = None
    last_update: datetime | None = None
    always_enabled: bool = False

    @property
    def flagged(self) -> bool:
        """Oopsed or locked."""
        return self.oops is not None or self.lock is not None

    @property
    def status(self) -> Status:
        """The state in one word, as pages and APIs show it."""
        if self.oops:
            return Status.OOPSED_LOCKED_OUT if self.lock else Status.OOPSED
        if self.lock:
            return Status.LOCKED_OUT
        return Status.IN_USE if self.session else Status.IDLE
