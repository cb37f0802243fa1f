"""Sessions and refusals between two instants, by machine and by user, summed by the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Connection

from mac_actors.core.outcomes import FORGOTTEN, Outcome
from mac_actors.storage import codec
from mac_actors.storage.history.instants import stamp
from mac_actors.storage.history.values import Running, Usage, UserUsage
from mac_actors.storage.words import Query


def _sessions_in_time(columns: str) -> str:
    """Return a query of the sessions that were, in part at least, between ``:since`` and ``:until``.

    Of those that ended later a few had begun before: within a day, or they are among the few that were longer.
    """
    select = f"SELECT {columns}, seconds, {{epoch}} AS e FROM journal"  # noqa: S608 - names of ours
    # OFFSET keeps either engine from working each time out anew wherever it is used.
    return f"""
        SELECT *, e - seconds AS b FROM (
            {select} {{by:journal_use}} WHERE seconds IS NOT NULL AND at >= :since AND at < :day_after
            UNION ALL
            {select} {{by:journal_long}} WHERE seconds > 86400 AND at >= :day_after
            LIMIT 9223372036854775807 OFFSET 0
        ) AS s
    """  # noqa: S608 - names of ours


def _refusals(columns: str) -> str:
    return f"""
        SELECT {columns} FROM journal {{by:journal_refused}}
        WHERE kind = 'session_refused' AND at >= :since AND at < :until
    """  # noqa: S608 - names of ours


_SUMS = "count(*) FILTER (WHERE b >= :start), coalesce(sum({least}(e, :end) - {greatest}(b, :start)), 0.0)"
_TOTAL = Query(f"SELECT {_SUMS} FROM ({_sessions_in_time('1')}) AS x WHERE b < :end")  # noqa: S608 - names of ours
_BY_MACHINE = Query(
    f"SELECT machine, {_SUMS} FROM ({_sessions_in_time('machine')}) AS x WHERE b < :end GROUP BY machine"  # noqa: S608
)
_BY_USER = Query(
    f"""
    SELECT account_id, {_SUMS}, max(id) FROM ({_sessions_in_time("account_id, id")}) AS x
    WHERE b < :end GROUP BY account_id
    """  # noqa: S608
)
_BY_USER_AND_MACHINE = Query(
    f"""
    SELECT account_id, machine, {_SUMS}, max(id) FROM ({_sessions_in_time("account_id, machine, id")}) AS x
    WHERE b < :end GROUP BY account_id, machine
    """  # noqa: S608
)
_REFUSALS = Query(_refusals("count(*)"))
_REFUSALS_BY_MACHINE = Query(f"{_refusals('machine, count(*)')} GROUP BY machine")
_REFUSALS_BY_USER = Query(f"{_refusals('account_id, count(*), max(id)')} GROUP BY account_id")
_LAST = Query(
    """
    SELECT kind, data FROM journal {by:journal_use}
    WHERE seconds IS NOT NULL AND at >= :since AND account_id = :account ORDER BY at DESC LIMIT :limit
    """
)
_NAMES = Query(
    """
    SELECT id, coalesce({json:ended.user.full_name}, {json:user.full_name}, '') FROM journal WHERE id IN :ids
    """,
    lists=("ids",),
)


def by_machine(connection: Connection, start: float, end: float, running: Iterable[Running]) -> dict[str, Usage]:
    """Return each machine's use, that of the sessions that still run included."""
    given = _between(start, end)
    usage: defaultdict[str, Usage] = defaultdict(Usage)
    for machine, sessions, seconds in _BY_MACHINE.on(connection, given):
        usage[machine] = Usage(int(sessions), round(seconds, 3))
    for machine, refusals in _REFUSALS_BY_MACHINE.on(connection, given):
        usage[machine] += Usage(refusals=int(refusals))
    for one in running:
        usage[one.machine] += _still_running(one, start, end)
    return dict(usage)


def in_all(connection: Connection, start: float, end: float, running: Iterable[Running]) -> Usage:
    """Return the use of the whole shop."""
    given = _between(start, end)
    sessions, seconds = _TOTAL.on(connection, given).one()
    refusals = _REFUSALS.on(connection, given).scalar() or 0
    return sum(
        (_still_running(one, start, end) for one in running), Usage(int(sessions), round(seconds, 3), int(refusals))
    )


def by_user(connection: Connection, start: float, end: float, running: Iterable[Running]) -> list[UserUsage]:
    """Return each user's use, in no order."""
    given = _between(start, end)
    usage: defaultdict[str | None, Usage] = defaultdict(Usage)
    rows: dict[str | None, int] = {}
    for account, sessions, seconds, row in _BY_USER.on(connection, given):
        usage[account] = Usage(int(sessions), round(seconds, 3))
        rows[account] = int(row)
    for account, refusals, row in _REFUSALS_BY_USER.on(connection, given):
        usage[account] += Usage(refusals=int(refusals))
        rows[account] = max(rows.get(account, 0), int(row))
    names = _names(connection, rows)
    for one in running:
        still = _still_running(one, start, end)
        if still != Usage():
            usage[one.account_id] += still
            names[one.account_id] = one.full_name
    return [UserUsage(account, names.get(account, ""), part) for account, part in usage.items()]


def last_of(connection: Connection, account_id: str, since: float, limit: int) -> list[Outcome]:
    """Return what ended the last sessions of a user that ended after ``since``, the newest first."""
    given = {"account": account_id, "since": stamp(since), "limit": limit}
    return [codec.load_outcome(kind, data) for kind, data in _LAST.on(connection, given)]


def by_user_and_machine(
    connection: Connection, start: float, end: float, running: Iterable[Running]
) -> list[tuple[str, UserUsage]]:
    """Return each user's sessions at each machine, in no order."""
    usage: defaultdict[tuple[str, str], Usage] = defaultdict(Usage)
    rows: dict[str | None, int] = {}
    for account, machine, sessions, seconds, row in _BY_USER_AND_MACHINE.on(connection, _between(start, end)):
        usage[account, machine] = Usage(int(sessions), round(seconds, 3))
        rows[account] = max(rows.get(account, 0), int(row))
    names = _names(connection, rows)
    for one in running:
        still = _still_running(one, start, end)
        if still != Usage():
            usage[one.account_id, one.machine] += still
            names[one.account_id] = one.full_name
    return [(machine, UserUsage(account, names.get(account, ""), part)) for (account, machine), part in usage.items()]


def _names(connection: Connection, rows: dict[str | None, int]) -> dict[str | None, str]:
    """Return each account's name, as its newest row has it."""
    accounts = {row: account for account, row in rows.items() if account not in {None, FORGOTTEN.account_id}}
    ids = list(accounts)
    return {
        accounts[row]: str(name)
        for at in range(0, len(ids), 500)
        for row, name in _NAMES.on(connection, {"ids": ids[at : at + 500]})
    }


def _still_running(one: Running, start: float, end: float) -> Usage:
    since = one.since.timestamp()
    return Usage(int(start <= since < end), max(0.0, end - max(since, start)) if since < end else 0.0)


def _between(start: float, end: float) -> dict[str, object]:
    return {
        "start": start,
        "end": end,
        "since": stamp(start),
        "until": stamp(end),
        "day_after": stamp(end + 86400),
    }
