"""What the journal says of the past, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

DAYS = 90
"""How far back the pages look."""

WEEKS = 26
"""How many weeks the shop's page shows, the present one included."""


@dataclass(frozen=True, slots=True)
class Running:
    """A session that runs now: on which machine, whose, since when by what was counted of it."""

    machine: str
    account_id: str
    full_name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class DayUsage:
    """One local day of a machine, all times in seconds; ``unavailable``: oopsed, locked out or both."""

    date: date
    length: float
    """How long the day was, or is so far; 0 before the machine's first event."""
    sessions: int
    used: float
    oopsed: float
    locked: float
    unavailable: float


@dataclass(frozen=True, slots=True)
class MachineHistory:
    """A machine's last :data:`DAYS` days; ``first`` is its first event, ``None`` without any."""

    machine: str
    first: datetime | None
    days: tuple[DayUsage, ...]
    week: tuple[tuple[float, ...], ...]
    """Share of time in use, 0 to 1, by weekday (from Monday) and local hour."""

    @property
    def sessions(self) -> int:
        """How many sessions began."""
        return sum(day.sessions for day in self.days)

    def seconds(self, part: str) -> float:
        """Return the sum of a part of all days: ``used``, ``oopsed``, ``locked``, ``unavailable`` or ``length``."""
        return float(sum(getattr(day, part) for day in self.days))


@dataclass(frozen=True, slots=True)
class Usage:
    """Sessions that began, seconds that passed in sessions, cards that got none."""

    sessions: int = 0
    seconds: float = 0.0
    refusals: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Return the sum."""
        return Usage(self.sessions + other.sessions, self.seconds + other.seconds, self.refusals + other.refusals)


@dataclass(frozen=True, slots=True)
class UserUsage:
    """One user's part. ``account_id`` is ``None`` for cards that nobody knows, empty where names were removed."""

    account_id: str | None
    full_name: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class MonthUsage:
    """One user's part at one machine in one month, of which ``month`` is the first day that was asked for."""

    month: date
    machine: str
    user: UserUsage


@dataclass(frozen=True, slots=True)
class Week:
    """A week of the whole shop, from its Monday."""

    monday: date
    usage: Usage


@dataclass(frozen=True, slots=True)
class ShopHistory:
    """The shop: each machine's last :data:`DAYS` days, and the last :data:`WEEKS` weeks, the oldest first."""

    machines: dict[str, Usage]
    unavailable: dict[str, float]
    """Seconds oopsed or locked out, by machine."""
    since: datetime
    weeks: tuple[Week, ...]
