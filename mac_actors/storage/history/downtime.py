"""When machines were oopsed and locked out, from the journal's lines (index ``journal_flags``)."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from mac_actors.core.intervals import Interval, active, merged, total
from mac_actors.storage.history.instants import stamp
from mac_actors.storage.schema import IS_OF_FLAGS
from mac_actors.storage.words import Query

# CASE: of all lines only those of locks are read beside the index.
_CHANGE = """
    {epoch} AS at, kind,
    CASE kind WHEN 'lock_set' THEN CASE {json:flag.source} WHEN 'server' THEN 1 ELSE 0 END ELSE 0 END AS anew
"""
_OF_MACHINE = Query(
    f"""
    SELECT {_CHANGE} FROM journal
    WHERE machine = :machine AND {IS_OF_FLAGS} AND journal.at >= :since ORDER BY journal.at, id
    """  # noqa: S608 - names of ours
)
_OF_ALL = Query(
    f"""
    SELECT machine, {_CHANGE} FROM journal
    WHERE machine IN (SELECT name FROM machine_state) AND {IS_OF_FLAGS} AND journal.at >= :since
    ORDER BY machine, journal.at, id
    """  # noqa: S608 - names of ours
)
_BEFORE = Query(
    f"""
    SELECT kind FROM journal WHERE machine = :machine AND {IS_OF_FLAGS} AND at < :since AND kind IN :kinds
    ORDER BY at DESC, id DESC LIMIT 1
    """,  # noqa: S608 - names of ours
    lists=("kinds",),
)
_MACHINES = Query("SELECT name FROM machine_state")

Change = tuple[float, str, int]
"""When, which kind of line, and whether it is the lock of a state that could not be read: that lifts the oops."""


def of_machine(connection: Connection, name: str, start: float, end: float) -> tuple[list[Interval], list[Interval]]:
    """Return when a machine was oopsed and when it was locked out between two instants."""
    rows = _OF_MACHINE.on(connection, {"machine": name, "since": stamp(start)})
    return _active(connection, name, [tuple(row) for row in rows], start, end)


def unavailable(connection: Connection, start: float, end: float) -> dict[str, float]:
    """Return for how many seconds each machine was oopsed or locked out between two instants."""
    changes: dict[str, list[Change]] = {}
    for machine, at, kind, anew in _OF_ALL.on(connection, {"since": stamp(start)}):
        changes.setdefault(machine, []).append((at, kind, anew))
    result: dict[str, float] = {}
    for name in _MACHINES.on(connection).scalars().all():
        oopsed, locked = _active(connection, name, changes.get(name, []), start, end)
        result[name] = total(merged([*oopsed, *locked]), start, end)
    return result


def _active(
    connection: Connection, name: str, changes: list[Change], start: float, end: float
) -> tuple[list[Interval], list[Interval]]:
    oopsed, locked = (
        active(_of_flag(word, changes), start, end, before=_before(connection, name, word, start))
        for word in ("oops", "lock")
    )
    return oopsed, locked


def _before(connection: Connection, name: str, word: str, start: float) -> bool | None:
    kinds = [f"{word}_set", f"{word}_cleared", "cleared"]
    last = _BEFORE.on(connection, {"machine": name, "since": stamp(start), "kinds": kinds}).scalar()
    return None if last is None else last == f"{word}_set"


def _of_flag(word: str, changes: Iterable[Change]) -> list[tuple[float, bool]]:
    """Return when this flag was set and lifted."""
    found = []
    for at, kind, anew in changes:
        if kind == f"{word}_set":
            found.append((float(at), True))
        elif kind in {f"{word}_cleared", "cleared"} or (anew and word == "oops"):
            found.append((float(at), False))
    return found
