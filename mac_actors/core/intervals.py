"""Arithmetic of time: intervals over local days and hours, overlaps, and how long a flag was up.

Instants are seconds since 1970 (UTC), intervals are pairs of them. ``zone`` is the local time zone, ``None`` the
computer's own. A local day has 23, 24 or 25 hours: what is counted here is what has really passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

Zone = tzinfo | None
Interval = tuple[float, float]

HOUR, QUARTER = 3600, 900


@dataclass(frozen=True, slots=True)
class Day:
    """A local day from its first moment to its last."""

    date: date
    start: float
    end: float


def local(instant: float, zone: Zone) -> datetime:
    """Return the local date and time, without a zone."""
    return datetime.fromtimestamp(instant, zone).replace(tzinfo=None)


def midnight(day: date, zone: Zone) -> float:
    """Return the first moment of a local day. Raises ``ValueError`` for one that clocks can't tell."""
    try:
        return datetime.combine(day, time(), zone).timestamp()
    except (OverflowError, ValueError):  # which of them depends on the zone
        raise ValueError(f"{day} is too far away") from None


def days(first: date, last: date, zone: Zone) -> list[Day]:
    """Return the local days from ``first`` to ``last``, both included."""
    dates = [first + timedelta(n) for n in range((last - first).days + 1)]
    starts = [midnight(day, zone) for day in dates]
    return [
        Day(day, start, end)
        for day, start, end in zip(dates, starts, [*starts[1:], midnight(last + timedelta(1), zone)], strict=True)
    ]


def grain(start: float, end: float, zone: Zone) -> int:
    """Return the longest step, of an hour or a quarter, whose multiples local hours begin at, all the time."""
    instants = [start + n * 86400 for n in range(int((end - start) // 86400) + 1)] + [end]
    whole = all((local(at // HOUR * HOUR, zone)).minute == 0 for at in instants)
    return HOUR if whole else QUARTER


def overlap(interval: Interval, start: float, end: float) -> float:
    """Return how many seconds of ``interval`` are between ``start`` and ``end``."""
    return max(0.0, min(interval[1], end) - max(interval[0], start))


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the same moments as intervals that neither overlap nor touch, in order."""
    result: list[Interval] = []
    for start, end in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result


def total(intervals: Iterable[Interval], start: float, end: float) -> float:
    """Return how many seconds between ``start`` and ``end`` are in any of the intervals (given :func:`merged`)."""
    return sum(overlap(interval, start, end) for interval in intervals)


def split(interval: Interval, step: int) -> dict[int, float]:
    """Split an interval at the multiples of ``step``: number of the step, seconds in it."""
    if interval[1] <= interval[0]:
        return {}
    numbers = range(int(interval[0] // step), int(interval[1] // step) + 1)
    parts = {n: overlap(interval, n * step, (n + 1) * step) for n in numbers}
    return {n: seconds for n, seconds in parts.items() if seconds > 0}


def by_weekday_and_hour(
    used: Mapping[int, float], step: int, start: float, end: float, zone: Zone
) -> list[list[float]]:
    """Return the share of time in use, 0 to 1, for each weekday (from Monday) and local hour.

    ``used`` has seconds by number of the step, as :func:`split`; ``start`` to ``end`` is what was looked at.
    """
    seen = [[0.0] * 24 for _ in range(7)]
    busy = [[0.0] * 24 for _ in range(7)]
    for number in range(int(start // step), int(-(-end // step))):
        at = local(number * step, zone)
        weekday, hour = at.weekday(), at.hour
        seen[weekday][hour] += overlap((start, end), number * step, (number + 1) * step)
        busy[weekday][hour] += used.get(number, 0.0)
    return [
        [min(1.0, b / s) if s else 0.0 for b, s in zip(busy_row, seen_row, strict=True)]
        for busy_row, seen_row in zip(busy, seen, strict=True)
    ]


def active(changes: Sequence[tuple[float, bool]], start: float, end: float, *, before: bool | None) -> list[Interval]:
    """Return when a flag was up between ``start`` and ``end``.

    ``changes`` are its settings and liftings in that time, in order; ``before`` is how it was at ``start``,
    ``None`` when nobody knows: then the first change says it, for what is lifted was up.
    """
    up = before if before is not None else bool(changes) and not changes[0][1]
    since = start
    intervals: list[Interval] = []
    for at, to in changes:
        if up and not to:
            intervals.append((since, at))
        if to and not up:
            since = at
        up = to
    if up:
        intervals.append((since, end))
    return merged((max(s, start), min(e, end)) for s, e in intervals)
