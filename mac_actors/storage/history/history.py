"""What the journal says of the past: use, hours, refusals, time oopsed and locked out.

Everything is read from the journal's rows, by read connections, and nothing is kept beside it, so that it can't
disagree with it. It is fast with a million rows because partial indices hold just what is asked for
(``journal_use``, ``journal_long``, ``journal_refused``, ``journal_flags``; migration 0002); and because sums are made
by the database, which lets the readers' threads run meanwhile. docs/decisions/0012-history.rst says more. The queries
over all machines are in :mod:`~mac_actors.storage.history.sessions` and :mod:`~mac_actors.storage.history.downtime`.

A session is one row, at its end: it ran from ``at - seconds`` to ``at``. It counts in the days in which it began;
its hours count in those in which they passed. (The sessions that a restore has ended stand at the time of the
restore.) Sessions that still run are not in the journal: callers pass them as :class:`Running`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection

from mac_actors.core.intervals import (
    Day,
    Interval,
    Zone,
    by_weekday_and_hour,
    days,
    grain,
    local,
    merged,
    midnight,
    overlap,
    split,
    total,
)
from mac_actors.storage.history import downtime, sessions
from mac_actors.storage.history.instants import stamp
from mac_actors.storage.history.values import (
    DAYS,
    WEEKS,
    DayUsage,
    MachineHistory,
    MonthUsage,
    Running,
    ShopHistory,
    Usage,
    UserUsage,
    Week,
)
from mac_actors.storage.store import Store
from mac_actors.storage.words import Query

SHOP_SECONDS = 60.0
"""How long the shop's figures are shown again before they are made anew."""

_USE_BY_STEP = Query(
    """
    WITH RECURSIVE
      session(b, e) AS (
        SELECT {epoch} - seconds, {epoch} FROM journal {by:journal_use}
        WHERE machine = :machine AND seconds IS NOT NULL AND at >= :since
      ),
      part(n, b, e) AS (
        SELECT {whole:{greatest}(b, :start) / :step}, b, e FROM session WHERE b < :end
        UNION ALL
        SELECT n + 1, b, e FROM part WHERE (n + 1) * :step < {least}(e, :end)
      )
    SELECT n,
           sum({greatest}(0.0, {least}(e, (n + 1) * :step, :end) - {greatest}(b, n * :step, :start))),
           count(*) FILTER (WHERE b >= :start AND b >= n * :step)
    FROM part GROUP BY n
    """
)
_FIRST = Query("SELECT at FROM journal WHERE machine = :machine ORDER BY id LIMIT 1")


class History:
    """Reads the past of one store's journal; for any thread.

    ``zone``: whose days, the computer's own unless given.

    Every method raises :class:`~mac_actors.errors.StorageError` when the database can't be read.
    """

    def __init__(self, store: Store, zone: Zone = None, clock: Callable[[], datetime] | None = None) -> None:
        self._store = store
        self._zone = zone
        self._clock = clock or (lambda: datetime.now(UTC))
        self._shop: tuple[float, ShopHistory] | None = None

    # one machine

    def machine(self, name: str, running: Running | None = None) -> MachineHistory:
        """Return the past of the machine with exactly this name."""
        now = self._clock().timestamp()
        days_ = self._last_days(now)
        start = days_[0].start
        step = grain(start, now, self._zone)
        given = {"machine": name, "since": stamp(start), "start": start, "end": now, "step": step}
        with self._store.reading("read the history of a machine") as connection:
            first = _FIRST.on(connection, given).scalar()
            rows = _USE_BY_STEP.on(connection, given).all()
            flags = downtime.of_machine(connection, name, start, now)
        used = {int(n): float(seconds) for n, seconds, _ in rows}
        begun = Counter({int(n): int(count) for n, _, count in rows})
        if running is not None:
            since = running.since.timestamp()
            for number, seconds in split((max(since, start), now), step).items():
                used[number] = min(float(step), used.get(number, 0.0) + seconds)
            if since >= start:
                begun[int(since // step)] += 1
        known = None if first is None else datetime.fromisoformat(first)
        if known is None and running is not None:
            known = running.since
        seen = now if known is None else max(start, min([known.timestamp(), *(n * step for n in used)]))
        return MachineHistory(
            name,
            known,
            tuple(_day(day, step, used, begun, flags, seen, now) for day in days_),
            tuple(map(tuple, by_weekday_and_hour(used, step, seen, now, self._zone))),
        )

    # all machines

    def shop(self, running: Sequence[Running] = ()) -> ShopHistory:
        """Return the past of the whole shop, as it was at most :data:`SHOP_SECONDS` ago."""
        last = self._shop
        if last is None or time.monotonic() - last[0] > SHOP_SECONDS:
            last = self._shop = (time.monotonic(), self._look_at_shop(running))
        return last[1]

    def _look_at_shop(self, running: Sequence[Running]) -> ShopHistory:
        now = self._clock().timestamp()
        start = self._last_days(now)[0].start
        today = local(now, self._zone).date()
        monday = today - timedelta(today.weekday())
        with self._store.reading("read the history of the shop") as connection:
            machines = sessions.by_machine(connection, start, now, running)
            mondays = [monday - timedelta(weeks=n) for n in reversed(range(WEEKS))]
            weeks = tuple(Week(day, self._week(connection, day, now, running)) for day in mondays)
            unavailable = downtime.unavailable(connection, start, now)
        return ShopHistory(machines, unavailable, datetime.fromtimestamp(start, UTC), weeks)

    def _week(self, connection: Connection, monday: date, now: float, running: Sequence[Running]) -> Usage:
        start, end = midnight(monday, self._zone), midnight(monday + timedelta(7), self._zone)
        return sessions.in_all(connection, start, min(end, now), running)

    def usage(
        self, first: date, last: date, running: Sequence[Running] = (), *, users: bool
    ) -> tuple[dict[str, Usage], list[UserUsage] | None]:
        """Return the use from one local day to another, both included: by machine and, with ``users``, by user.

        Raises ``ValueError`` for days that clocks can't tell.
        """
        start = midnight(first, self._zone)
        end = max(start, min(midnight(last + timedelta(1), self._zone), self._clock().timestamp()))
        with self._store.reading("read the usage") as connection:
            machines = sessions.by_machine(connection, start, end, running)
            return machines, sessions.by_user(connection, start, end, running) if users else None

    def months(self, first: date, last: date, running: Sequence[Running] = ()) -> list[MonthUsage]:
        """Return each user's sessions at each machine in each month from one local day to another.

        Raises ``ValueError`` for days that clocks can't tell.
        """
        now, found = self._clock().timestamp(), []
        with self._store.reading("read the usage by month") as connection:
            while first <= last and midnight(first, self._zone) < now:
                following = (first.replace(day=1) + timedelta(31)).replace(day=1)
                start, end = (midnight(day, self._zone) for day in (first, min(following, last + timedelta(1))))
                parts = sessions.by_user_and_machine(connection, start, min(end, now), running)
                found += [MonthUsage(first, machine, user) for machine, user in parts]
                first = following
        return found

    def unavailable(self, first: date, last: date) -> tuple[dict[str, float], float]:
        """Return for how many seconds each machine was oopsed or locked out in these days, and how long they were.

        Raises ``ValueError`` for days that clocks can't tell.
        """
        start = midnight(first, self._zone)
        end = max(start, min(midnight(last + timedelta(1), self._zone), self._clock().timestamp()))
        with self._store.reading("read when machines were out of use") as connection:
            return downtime.unavailable(connection, start, end), end - start

    def _last_days(self, now: float) -> list[Day]:
        today = local(now, self._zone).date()
        return days(today - timedelta(DAYS - 1), today, self._zone)


def _day(
    day: Day,
    step: int,
    used: dict[int, float],
    begun: Counter[int],
    flags: tuple[list[Interval], list[Interval]],
    seen: float,
    now: float,
) -> DayUsage:
    end = min(day.end, now)
    numbers = range(int(day.start // step), int(-(-day.end // step)))
    oopsed, locked = flags
    return DayUsage(
        day.date,
        overlap((seen, now), day.start, end),
        sum(begun[n] for n in numbers),
        round(sum(used.get(n, 0.0) for n in numbers), 3),
        total(oopsed, day.start, end),
        total(locked, day.start, end),
        total(merged([*oopsed, *locked]), day.start, end),
    )
