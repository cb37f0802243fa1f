"""What the journal tells about the past: use, hours, refusals, time oopsed and locked out.

Everything is read from the journal's rows, by read connections, and nothing is kept beside it, so that it can't
disagree with it. It is fast with a million rows because partial indices hold just what is asked for
(``journal_use``, ``journal_long``, ``journal_refused``, ``journal_flags``; migration 0002); and because sums are made
by SQLite, which lets the readers' threads run meanwhile. docs/decisions/0012-history.rst says more.

A session is one row, at its end: it ran from ``at - seconds`` to ``at``. It counts in the days in which it began;
its hours count in those in which they passed. (The sessions that a restore has ended stand at the time of the
restore.) Sessions that still run are not in the journal: callers pass them as :class:`Running`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import Connection, bindparam, text

from mac_actors.core.outcomes import FORGOTTEN
from mac_actors.core.spans import (
    Day,
    Span,
    Zone,
    by_weekday_and_hour,
    days,
    grain,
    local,
    merged,
    midnight,
    overlap,
    pieces,
    raised,
    total,
)
from mac_actors.errors import StorageError
from mac_actors.storage.store import Store

DAYS = 90
"""How far back the pages look."""

WEEKS = 26
"""How many weeks the shop's page shows, the present one included."""

SHOP_SECONDS = 60.0
"""How long the shop's figures are shown again before they are made anew."""


MOST_ASKING = 4
"""So many may wait for what looks at all machines; the server's threads are for the readers."""


@dataclass(frozen=True, slots=True)
class Running:
    """A session that runs now: on which machine, whose, since when."""

    machine: str
    account_id: str
    full_name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class DayUse:
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
    days: tuple[DayUse, ...]
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
class Use:
    """Sessions that began, seconds that passed in sessions, cards that got none."""

    sessions: int = 0
    seconds: float = 0.0
    refusals: int = 0

    def __add__(self, other: Use) -> Use:
        """Return the sum."""
        return Use(self.sessions + other.sessions, self.seconds + other.seconds, self.refusals + other.refusals)


@dataclass(frozen=True, slots=True)
class UserUse:
    """One user's part. ``account_id`` is ``None`` for cards that nobody knows, empty where names were removed."""

    account_id: str | None
    full_name: str
    use: Use


@dataclass(frozen=True, slots=True)
class Week:
    """A week of the whole shop, from its Monday."""

    monday: date
    use: Use


@dataclass(frozen=True, slots=True)
class ShopHistory:
    """The shop: each machine's last :data:`DAYS` days, and the last :data:`WEEKS` weeks, the oldest first."""

    machines: dict[str, Use]
    unavailable: dict[str, float]
    """Seconds oopsed or locked out, by machine."""
    since: datetime
    weeks: tuple[Week, ...]


# What SQLite says in days is exact to a millisecond.
_EPOCH = "(CAST((julianday(at) - 2440587.5) * 86400000.0 + 0.5 AS INTEGER) / 1000.0)"
_IN_FLAGS = "kind IN ('oops_set', 'lock_set', 'cleared', 'oops_cleared', 'lock_cleared')"  # as the index says it

_PIECES = text(
    f"""
    WITH RECURSIVE
      session(b, e) AS (
        SELECT {_EPOCH} - seconds, {_EPOCH} FROM journal INDEXED BY journal_use
        WHERE machine = :machine AND seconds IS NOT NULL AND at >= :since
      ),
      piece(n, b, e) AS (
        SELECT CAST(max(b, :start) / :step AS INTEGER), b, e FROM session WHERE b < :end
        UNION ALL
        SELECT n + 1, b, e FROM piece WHERE (n + 1) * :step < min(e, :end)
      )
    SELECT n, sum(max(0.0, min(e, (n + 1) * :step, :end) - max(b, n * :step, :start))),
           sum(b >= :start AND b >= n * :step)
    FROM piece GROUP BY n
    """  # noqa: S608 - names of ours
)
_FIRST = text("SELECT at FROM journal WHERE machine = :machine ORDER BY id LIMIT 1")
_FLAGS = text(
    f"""
    SELECT {_EPOCH} AS at, kind, kind = 'lock_set' AND json_extract(data, '$.flag.source') = 'server' AS anew
    FROM journal WHERE machine = :machine AND {_IN_FLAGS} AND at >= :since ORDER BY journal.at, id
    """  # noqa: S608 - names of ours
)
_ALL_FLAGS = text(
    f"""
    SELECT machine, {_EPOCH} AS at, kind, 0 AS anew FROM journal
    WHERE machine IN (SELECT name FROM machine_state) AND {_IN_FLAGS} AND journal.at >= :since
    ORDER BY machine, journal.at, id
    """  # noqa: S608 - names of ours
)
_FLAG_BEFORE = text(
    f"""
    SELECT kind FROM journal WHERE machine = :machine AND {_IN_FLAGS} AND at < :since AND kind IN :kinds
    ORDER BY at DESC, id DESC LIMIT 1
    """  # noqa: S608 - names of ours
).bindparams(bindparam("kinds", expanding=True))


def _sessions_in_time(columns: str) -> str:
    """Return a query of the sessions that were, in part at least, between ``:since`` and ``:until``.

    Of those that ended later a few had begun before: within a day, or they are among the few that were longer.
    """
    found = f"SELECT {columns}, seconds, {_EPOCH} AS e FROM journal"  # noqa: S608 - names of ours
    # OFFSET keeps SQLite from working each time out anew wherever it is used.
    return f"""
        SELECT *, e - seconds AS b FROM (
            {found} INDEXED BY journal_use WHERE seconds IS NOT NULL AND at >= :since AND at < :day_after
            UNION ALL
            {found} INDEXED BY journal_long WHERE seconds > 86400 AND at >= :day_after
            LIMIT -1 OFFSET 0
        )
    """  # noqa: S608 - names of ours


_BY_MACHINE = text(
    f"""
    SELECT machine, sum(b >= :start), sum(min(e, :end) - max(b, :start))
    FROM ({_sessions_in_time("machine")}) WHERE b < :end GROUP BY machine
    """  # noqa: S608 - names of ours
)
_TOTAL = text(
    f"""
    SELECT coalesce(sum(b >= :start), 0), coalesce(sum(min(e, :end) - max(b, :start)), 0.0)
    FROM ({_sessions_in_time("1")}) WHERE b < :end
    """  # noqa: S608 - names of ours
)
_BY_USER = text(
    f"""
    SELECT account_id, sum(b >= :start), sum(min(e, :end) - max(b, :start)), max(id)
    FROM ({_sessions_in_time("account_id, id")}) WHERE b < :end GROUP BY account_id
    """  # noqa: S608 - names of ours
)
_REFUSALS = text(
    """
    SELECT count(*) FROM journal INDEXED BY journal_refused
    WHERE kind = 'session_refused' AND at >= :since AND at < :until
    """
)
_REFUSALS_BY_MACHINE = text(
    """
    SELECT machine, count(*) FROM journal INDEXED BY journal_refused WHERE kind = 'session_refused'
    AND at >= :since AND at < :until GROUP BY machine
    """
)
_REFUSALS_BY_USER = text(
    """
    SELECT account_id, count(*), max(id) FROM journal INDEXED BY journal_refused WHERE kind = 'session_refused'
    AND at >= :since AND at < :until GROUP BY account_id
    """
)
_NAMES = text(
    """
    SELECT id, coalesce(json_extract(data, '$.ended.user.full_name'), json_extract(data, '$.user.full_name'), '')
    FROM journal WHERE id IN :ids
    """
).bindparams(bindparam("ids", expanding=True))


class History:
    """Reads the past of one store's journal; for any thread.

    ``zone``: whose days, the computer's own unless given.

    Every method raises :class:`~mac_actors.errors.StorageError` when the database can't be read or too many ask at
    once.
    """

    def __init__(self, store: Store, zone: Zone = None, clock: Callable[[], datetime] | None = None) -> None:
        self._store = store
        self._zone = zone
        self._clock = clock or (lambda: datetime.now(UTC))
        self._shop: tuple[float, ShopHistory] | None = None
        self._busy = threading.Lock()  # what looks at all machines is made once at a time
        self._asking = threading.BoundedSemaphore(MOST_ASKING)

    # one machine

    def machine(self, name: str, running: Running | None = None) -> MachineHistory:
        """Return the past of the machine with exactly this name."""
        now = self._clock().timestamp()
        span = self._last_days(now)
        start = span[0].start
        step = grain(start, now, self._zone)
        given = {"machine": name, "since": _stamp(start), "start": start, "end": now, "step": step}
        with self._store.reading("read the history of a machine") as connection:
            first = connection.execute(_FIRST, given).scalar()
            rows = connection.execute(_PIECES, given).all()
            flags = self._flags(connection, name, start, now)
        used = {int(n): float(seconds) for n, seconds, _ in rows}
        begun = Counter({int(n): int(count) for n, _, count in rows})
        if running is not None:
            since = running.since.timestamp()
            for number, seconds in pieces((max(since, start), now), step).items():
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
            tuple(_day(day, step, used, begun, flags, seen, now) for day in span),
            tuple(map(tuple, by_weekday_and_hour(used, step, seen, now, self._zone))),
        )

    def _flags(self, connection: Connection, name: str, start: float, end: float) -> tuple[list[Span], list[Span]]:
        given = {"machine": name, "since": _stamp(start)}
        changes = [tuple(row) for row in connection.execute(_FLAGS, given)]
        return tuple(  # type: ignore[return-value]
            raised(_changes(word, changes), start, end, before=self._before(connection, word, given))
            for word in ("oops", "lock")
        )

    def _before(self, connection: Connection, word: str, given: dict[str, str]) -> bool | None:
        kinds = [f"{word}_set", f"{word}_cleared", "cleared"]
        last = connection.execute(_FLAG_BEFORE, {**given, "kinds": kinds}).scalar()
        return None if last is None else last == f"{word}_set"

    # all machines

    def shop(self, running: Sequence[Running] = ()) -> ShopHistory:
        """Return the past of the whole shop, as it was at most :data:`SHOP_SECONDS` ago."""
        with self._one_at_a_time():
            if self._shop is None or time.monotonic() - self._shop[0] > SHOP_SECONDS:
                self._shop = (time.monotonic(), self._look_at_shop(running))
            return self._shop[1]

    @contextlib.contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        if not self._asking.acquire(blocking=False):
            raise StorageError(
                "others are looking at the history of the whole shop at this moment: try again in a while"
            )
        try:
            with self._busy:
                yield
        finally:
            self._asking.release()

    def _look_at_shop(self, running: Sequence[Running]) -> ShopHistory:
        now = self._clock().timestamp()
        span = self._last_days(now)
        start = span[0].start
        today = local(now, self._zone).date()
        monday = today - timedelta(today.weekday())
        with self._store.reading("read the history of the shop") as connection:
            machines = self._by_machine(connection, start, now, running)
            mondays = [monday - timedelta(weeks=n) for n in reversed(range(WEEKS))]
            weeks = tuple(Week(day, self._week(connection, day, now, running)) for day in mondays)
            unavailable = self._unavailable(connection, start, now)
        return ShopHistory(machines, unavailable, datetime.fromtimestamp(start, UTC), weeks)

    def _week(self, connection: Connection, monday: date, now: float, running: Sequence[Running]) -> Use:
        start, end = midnight(monday, self._zone), midnight(monday + timedelta(7), self._zone)
        return self._total(connection, start, min(end, now), running)

    def _unavailable(self, connection: Connection, start: float, end: float) -> dict[str, float]:
        changes: dict[str, list[tuple[float, str, int]]] = {}
        for machine, *change in connection.execute(_ALL_FLAGS, {"since": _stamp(start)}):
            changes.setdefault(machine, []).append(tuple(change))
        names = connection.execute(text("SELECT name FROM machine_state")).scalars().all()
        result: dict[str, float] = {}
        for name in names:
            given = {"machine": name, "since": _stamp(start)}
            spans = [
                span
                for word in ("oops", "lock")
                for span in raised(
                    _changes(word, changes.get(name, [])), start, end, before=self._before(connection, word, given)
                )
            ]
            result[name] = total(merged(spans), start, end)
        return result

    def usage(
        self, first: date, last: date, running: Sequence[Running] = (), *, users: bool
    ) -> tuple[dict[str, Use], list[UserUse] | None]:
        """Return the use from one local day to another, both included: by machine and, with ``users``, by user.

        Raises ``ValueError`` for days that clocks can't tell.
        """
        start = midnight(first, self._zone)
        end = max(start, min(midnight(last + timedelta(1), self._zone), self._clock().timestamp()))
        with self._one_at_a_time(), self._store.reading("read the usage") as connection:
            machines = self._by_machine(connection, start, end, running)
            return machines, self._by_user(connection, start, end, running) if users else None

    def _by_machine(
        self, connection: Connection, start: float, end: float, running: Iterable[Running]
    ) -> dict[str, Use]:
        given = _between(start, end)
        use = {
            str(machine): Use(int(sessions), round(seconds, 3))
            for machine, sessions, seconds in connection.execute(_BY_MACHINE, given)
        }
        for machine, refusals in connection.execute(_REFUSALS_BY_MACHINE, given):
            use[machine] = use.get(machine, Use()) + Use(refusals=int(refusals))
        for one in running:
            use[one.machine] = use.get(one.machine, Use()) + _still(one, start, end)
        return use

    def _total(self, connection: Connection, start: float, end: float, running: Iterable[Running]) -> Use:
        given = _between(start, end)
        sessions, seconds = connection.execute(_TOTAL, given).one()
        refusals = connection.execute(_REFUSALS, given).scalar() or 0
        return sum((_still(one, start, end) for one in running), Use(int(sessions), round(seconds, 3), int(refusals)))

    def _by_user(self, connection: Connection, start: float, end: float, running: Iterable[Running]) -> list[UserUse]:
        given = _between(start, end)
        use: dict[str | None, Use] = {}
        rows: dict[str | None, int] = {}
        for account, sessions, seconds, row in connection.execute(_BY_USER, given):
            use[account] = Use(int(sessions), round(seconds, 3))
            rows[account] = int(row)
        for account, refusals, row in connection.execute(_REFUSALS_BY_USER, given):
            use[account] = use.get(account, Use()) + Use(refusals=int(refusals))
            rows[account] = max(rows.get(account, 0), int(row))
        names = self._names(connection, rows)
        for one in running:
            still = _still(one, start, end)
            if still != Use():
                use[one.account_id] = use.get(one.account_id, Use()) + still
                names[one.account_id] = one.full_name
        return [UserUse(account, names.get(account, ""), part) for account, part in use.items()]

    def _names(self, connection: Connection, rows: dict[str | None, int]) -> dict[str | None, str]:
        """Return each account's name, as its newest row has it."""
        accounts = {row: account for account, row in rows.items() if account not in {None, FORGOTTEN.account_id}}
        ids = list(accounts)
        return {
            accounts[row]: str(name)
            for at in range(0, len(ids), 500)
            for row, name in connection.execute(_NAMES, {"ids": ids[at : at + 500]})
        }

    def _last_days(self, now: float) -> list[Day]:
        today = local(now, self._zone).date()
        return days(today - timedelta(DAYS - 1), today, self._zone)


def _changes(word: str, rows: Iterable[tuple[float, str, int]]) -> list[tuple[float, bool]]:
    """Return when this flag was set and lifted; a lock of a state that could not be read lifts the oops (``anew``)."""
    changes = []
    for at, kind, anew in rows:
        if kind == f"{word}_set":
            changes.append((float(at), True))
        elif kind in {f"{word}_cleared", "cleared"} or (anew and word == "oops"):
            changes.append((float(at), False))
    return changes


def _day(
    day: Day,
    step: int,
    used: dict[int, float],
    begun: Counter[int],
    flags: tuple[list[Span], list[Span]],
    seen: float,
    now: float,
) -> DayUse:
    end = min(day.end, now)
    numbers = range(int(day.start // step), int(-(-day.end // step)))
    oopsed, locked = flags
    return DayUse(
        day.date,
        overlap((seen, now), day.start, end),
        sum(begun[n] for n in numbers),
        round(sum(used.get(n, 0.0) for n in numbers), 3),
        total(oopsed, day.start, end),
        total(locked, day.start, end),
        total(merged([*oopsed, *locked]), day.start, end),
    )


def _still(one: Running, start: float, end: float) -> Use:
    since = one.since.timestamp()
    return Use(int(start <= since < end), max(0.0, end - max(since, start)) if since < end else 0.0)


def _between(start: float, end: float) -> dict[str, object]:
    return {
        "start": start,
        "end": end,
        "since": _stamp(start),
        "until": _stamp(end),
        "day_after": _stamp(end + 86400),
    }


def _stamp(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).isoformat(timespec="microseconds")
