"""What is changed of users at the server: additions, which lie over the users file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from mac_actors.core.config import Limit, User
from mac_actors.core.state import Source
from mac_actors.core.text import check_text


class Kind(StrEnum):
    """What an addition is about."""

    FOB = "fob"
    AUTHORIZATION = "authorization"
    USER = "user"
    UNREADABLE = "unreadable"
    """Nobody knows what was given or taken: nobody gets in with this account."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something, when, from where, why.

    ``confirmed``: it is certain who it is; else ``by`` is what somebody with the admins' token says.
    """

    at: datetime
    source: Source
    by: str | None = None
    reason: str | None = None
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class NewUser:
    """Somebody who is not in the users file (yet). ``expires`` is the last day of the membership, if it has one."""

    full_name: str
    preferred_name: str
    lcd_name: str
    email: str = field(default="", repr=False)
    expires: date | None = None

    def user(self, account_id: str) -> User:
        """Return them as the decisions see them."""
        return User(
            account_id,
            self.full_name,
            self.preferred_name,
            self.lcd_name,
            expires_at=None if self.expires is None else end_of(self.expires),
            email=self.email,
        )


@dataclass(frozen=True, slots=True)
class Addition:
    """One of them: ``value`` is the fob or the authorization. It was ``given``, or taken away.

    ``until`` is the last day on which it counts. ``counts``: neither a later one nor the file is in its place.
    """

    id: int
    account_id: str
    kind: Kind
    author: Author
    value: str = field(default="", repr=False)
    given: bool = True
    until: date | None = None
    user: NewUser | None = None
    counts: bool = True

    @property
    def word(self) -> str:
        """What the journal calls it."""
        return _WORDS[self.kind, self.given]

    def ends(self) -> datetime | None:
        """Return the first moment after :attr:`until`."""
        return None if self.until is None else end_of(self.until)


_WORDS = {
    (Kind.FOB, True): "fob_given",
    (Kind.FOB, False): "fob_taken",
    (Kind.AUTHORIZATION, True): "authorization_granted",
    (Kind.AUTHORIZATION, False): "authorization_withdrawn",
    (Kind.USER, True): "user_added",
    (Kind.UNREADABLE, False): "unreadable",
}


def check_given(by: str | None, reason: str | None, **days: date | None) -> None:
    """Raise ``TypeError`` for what a script gives as a text or a day and is none: a time's day depends on the zone."""
    check_text(by=by, reason=reason)
    for name, day in days.items():
        if day is not None and (not isinstance(day, date) or isinstance(day, datetime)):
            raise TypeError(f"{name}: expected a day, as date(2027, 1, 31), not {day!r}")


def end_of(day: date) -> datetime:
    """Return the first moment after ``day``, local time."""
    try:
        return datetime.combine(day + timedelta(days=1), time()).astimezone(UTC)
    except (OverflowError, OSError, ValueError):
        # The first and the last days of the calendar have no local midnight in UTC.
        edge = datetime.max if day.year > 1 else datetime.min
        return edge.replace(tzinfo=UTC)


def last_day(end: datetime) -> date:
    """Return the day that ends at this moment."""
    try:
        return (end.astimezone() - timedelta(microseconds=1)).date()
    except (OverflowError, OSError, ValueError):
        return end.date()


def authorizations(base: frozenset[str], additions: Iterable[Addition]) -> tuple[frozenset[str], tuple[Limit, ...]]:
    """Return what a user is authorized for, with limits: ``base`` with ``additions``, in their order, over it.

    One with ``until`` lies over what was before, and one without replaces it.
    """
    held: dict[str, Limit | None] = dict.fromkeys(base)
    for addition in additions:
        name, ends = addition.value, addition.ends()
        if addition.given:
            held[name] = None if ends is None else Limit(name, ends=ends)
        elif ends is None:
            held.pop(name, None)
        elif name in held:
            before = held.pop(name)
            if before is None or before.ends is None or before.ends > ends:
                held[name] = Limit(name, ends, before.ends if before else None)
    return frozenset(held), tuple(limit for limit in held.values() if limit)
