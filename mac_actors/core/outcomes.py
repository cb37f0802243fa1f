"""What came of an input. Journal, notices, log lines and metrics are made from these, and from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

from mac_actors.core.config import User
from mac_actors.core.readable import Readable
from mac_actors.core.state import Details, Flag, Refusal, SecondDecision, Session, SessionKind, Source

T = TypeVar("T")


class EndReason(StrEnum):
    """Why a session ended."""

    CARD_REMOVED = "card_removed"
    CARD_CHANGED = "card_changed"
    REBOOT = "reboot"
    OOPS = "oops"
    LOCK = "lock"
    MACHINE_REMOVED = "machine_removed"
    TIME_LIMIT = "time_limit"
    IDLE = "idle"
    RESTORED = "restored"
    """The database was restored from a backup in which the session ran."""
    OFFLINE = "offline"
    """At the reader alone, while the server was away."""


@dataclass(frozen=True, slots=True, repr=False)
class Person(Readable):
    """Who held the card."""

    account_id: str
    full_name: str

    @classmethod
    def of(cls, who: User | Session) -> Person:
        """Return who holds a session, or which user it is."""
        return cls(who.account_id, who.full_name)


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
    """Base of all outcomes: which machine, if it is one's, when. Who was concerned is found by the fields' types."""

    machine: str | None = None
    display_name: str = ""
    at: datetime

    def facts(self, *kinds: type) -> dict[str, Any]:
        """Return the values of those fields that hold one of ``kinds``, or nothing, by name."""
        own: type = type(self)
        return {name: getattr(self, name) for name in _fields(own, kinds)}

    @property
    def ended_session(self) -> Ended | None:
        """The session that ended by it."""
        return self._fact(Ended)

    @property
    def person(self) -> Person | None:
        """Whose session or card it was; ``None``: nobody's, or nobody knows."""
        ended = self.ended_session
        return ended.user if ended else self._fact(Person)

    @property
    def fob(self) -> str:
        """The code of the fob that was held to the reader; empty: none, or it was removed."""
        return ""

    @property
    def origin(self) -> Flag | Cleared | UserChanged | None:
        """What has the ``source``, ``by`` and ``reason`` of what somebody did."""
        return self._fact(Flag)

    def _fact(self, kind: type[T]) -> T | None:
        own: type = type(self)
        for name in _fields(own, (kind,)):
            fact: T | None = getattr(self, name)
            if fact is not None:
                return fact
        return None


@cache
def _fields(outcome: type, kinds: tuple[type, ...]) -> tuple[str, ...]:
    """Return the names of the fields: they are looked for in each line of each page of the journal."""
    types = {name: {hint, *get_args(hint)} for name, hint in get_type_hints(outcome).items()}
    return tuple(name for name in types if not types[name].isdisjoint(kinds))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MachineOutcome(Outcome):
    """Base of what happens at a machine."""

    machine: str
    display_name: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SessionStarted(MachineOutcome):
    """A card opened a session."""

    user: Person
    session: SessionKind
    second: SecondDecision
    second_alias: str | None = None
    fob: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SessionRefused(MachineOutcome):
    """A card was inserted and got no session. ``user`` is ``None`` for an unknown fob; ``also`` is what else stood in
    its way, of oops and lock.
    """

    refusal: Refusal
    also: tuple[Refusal, ...] = ()
    user: Person | None
    fob: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CardSeen(MachineOutcome):
    """A card was inserted on an always enabled machine: noted, nothing more."""

    user: Person | None
    fob: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SessionEnded(MachineOutcome):
    """A session ended because its card went, or its machine was removed from the configuration.

    One of kind ``offline`` is told of later: ``at`` is when it was over, and it says nothing of the machine's state.
    """

    ended: Ended


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OverTime(MachineOutcome):
    """A session has become longer than it may be: ``limit`` seconds. It goes on."""

    user: Person
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MaintenanceDue(MachineOutcome):
    """After so many ``hours`` with power something is to be done."""

    what: str
    hours: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MaintenanceDone(MachineOutcome):
    """It was done, after so many ``hours`` with power; ``flag`` says by whom, from where."""

    what: str
    hours: float
    flag: Flag


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Rebooted(MachineOutcome):
    """The reader restarted; ``ended`` is the session that this cut, ``card_blocked`` whether a card is in it."""

    ended: Ended | None
    card_blocked: bool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class OopsSet(MachineOutcome):
    """The machine was oopsed; ``ended`` is the session that this cut, ``card`` whose card was in it without one."""

    flag: Flag
    ended: Ended | None
    card: Person | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LockSet(MachineOutcome):
    """The machine was locked out; ``ended`` is the session that this cut, ``card`` whose card was in it without one."""

    flag: Flag
    ended: Ended | None
    card: Person | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DetailsAdded(MachineOutcome):
    """Somebody said what is wrong with a machine that is oopsed or locked out."""

    details: Details

    @property
    def origin(self) -> Details:
        """Who said it, from where, and what."""
        return self.details


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class LockPending(MachineOutcome):
    """The machine will be locked out when the running session, which is ``user``'s, ends."""

    flag: Flag
    user: Person


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Cleared(MachineOutcome):
    """Oops, lock or both were lifted, or a lock that was pending: the flags that were, and who did it.

    ``still_oopsed`` and ``still_locked`` say what remains; ``power_on`` that an always enabled
    machine is live again.
    """

    oops: Flag | None
    lock: Flag | None
    pending: Flag | None = None
    source: Source
    by: str | None
    reason: str | None
    public_reason: str | None = None
    still_oopsed: bool
    still_locked: bool
    power_on: bool

    @property
    def origin(self) -> Cleared:
        """The outcome itself: the flags' origins are those of what was lifted."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PendingCleared(Cleared):
    """Nothing but a pending lock was lifted: the machine had never been out of use by it."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PowerChanged(MachineOutcome):
    """A change of configuration turned the machine's power on or off."""

    on: bool


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UserChanged(Outcome):
    """Base of what is changed of a user at the server, by whom, from where, why.

    ``confirmed``: it is certain who it was; else ``by`` is what somebody with the admins' token says.
    """

    user: Person
    source: Source
    by: str | None = None
    reason: str | None = None
    confirmed: bool = False

    @property
    def origin(self) -> UserChanged:
        """The outcome itself."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UserAdded(UserChanged):
    """Somebody was added who is not in users.json."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FobGiven(UserChanged):
    """A fob was given to a user."""

    fob: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FobTaken(UserChanged):
    """A fob of a user counts no more."""

    fob: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AuthorizationGranted(UserChanged):
    """A user was authorized; ``until`` is the last day of it."""

    authorization: str
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AuthorizationWithdrawn(UserChanged):
    """A user is no longer authorized; ``until`` is the last day of that."""

    authorization: str
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Reported(MachineOutcome):
    """Somebody said on the machine's page that something is wrong with it; ``by`` as they called themselves. Nothing
    changes by it.
    """

    text: str
    by: str | None = None


class _Kind(NamedTuple):
    """A word for outcomes of a type; where the type has several words, the first that ``fits``."""

    word: str
    type: type[Outcome]
    fits: Callable[[Any], bool] = lambda outcome: True


_KINDS = (
    _Kind("session_started", SessionStarted),
    _Kind("session_refused", SessionRefused),
    _Kind("session_ended", SessionEnded),
    _Kind("over_time", OverTime),
    _Kind("maintenance_due", MaintenanceDue),
    _Kind("maintenance_done", MaintenanceDone),
    _Kind("card_seen", CardSeen),
    _Kind("rebooted", Rebooted),
    _Kind("oops_set", OopsSet),
    _Kind("lock_set", LockSet),
    _Kind("lock_pending", LockPending),
    _Kind("lock_pending_cleared", PendingCleared),
    _Kind("details", DetailsAdded),
    _Kind("cleared", Cleared, lambda cleared: cleared.oops and cleared.lock),
    _Kind("oops_cleared", Cleared, lambda cleared: cleared.oops),
    _Kind("lock_cleared", Cleared),
    _Kind("reported", Reported),
    _Kind("power_on", PowerChanged, lambda changed: changed.on),
    _Kind("power_off", PowerChanged),
    _Kind("user_added", UserAdded),
    _Kind("fob_given", FobGiven),
    _Kind("fob_taken", FobTaken),
    _Kind("authorization_granted", AuthorizationGranted),
    _Kind("authorization_withdrawn", AuthorizationWithdrawn),
)

TYPES: Mapping[str, type[Outcome]] = {kind.word: kind.type for kind in _KINDS}
"""The type of outcome that each kind is."""

KINDS = frozenset(TYPES)
"""Every word that :func:`kind` returns."""


def kind(outcome: Outcome) -> str:
    """Return the one word by which journal, API and metrics call this outcome."""
    own: type = type(outcome)
    return next(kind.word for kind in _kinds_of(own) if kind.fits(outcome))


@cache
def _kinds_of(outcome: type) -> tuple[_Kind, ...]:
    return tuple(kind for kind in _KINDS if issubclass(outcome, kind.type))
