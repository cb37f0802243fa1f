"""Lines of the journal that hold names, found and made anew without them; the journal actor writes them.

A line keeps its length on disk: what is removed is made up for with spaces behind the JSON. SQLite then writes
over it in its place. A shorter line would have it move the page's other lines about, and copies of them would stay
in unused parts of the file, where nothing looks for names that are removed later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from mac_actors.core.outcomes import (
    FORGOTTEN,
    TYPES,
    CardSeen,
    DetailsAdded,
    LockPending,
    LockSet,
    MaintenanceDone,
    OopsSet,
    Outcome,
    PendingCleared,
    Reported,
    SessionRefused,
    SessionStarted,
    UserChanged,
)
from mac_actors.core.redaction import EVERYBODY, Redaction, spellings, without
from mac_actors.core.state import MachineState
from mac_actors.storage import codec
from mac_actors.storage.records import read_state
from mac_actors.storage.schema import IS_OF_FLAGS, is_any_of, journal, machine_state
from mac_actors.storage.store import Store
from mac_actors.storage.words import Query

BATCH = 200
"""Lines that are looked at, or written, at once: a few milliseconds, so that nobody waits noticeably."""

WINDOW = 20_000
"""Lines of the journal that are searched for a person at once."""

NOTE = "retention"
"""The note that says how far retention is."""

CLOCK_NOTE = "clock"
"""The note of the last time that retention believed the computer's clock."""

_LAST_OLDER = Query("SELECT max(id) FROM journal WHERE at < :limit")
_CHUNK = Query(
    "SELECT id, at, kind, account_id, data FROM journal WHERE id > :after AND id <= :upto ORDER BY id LIMIT :limit"
)
_BY_ID = Query("SELECT id, at, kind, account_id, data FROM journal WHERE id IN :ids ORDER BY id", lists=("ids",))
_OF_ACCOUNT = Query(
    "SELECT id, kind, data FROM journal WHERE id > :after AND id <= :upto AND account_id = :account ORDER BY id"
)
_ACCOUNTS = Query(
    "SELECT account_id, max(id) FROM journal WHERE account_id IS NOT NULL AND account_id <> '' GROUP BY account_id"
)
_COMMANDS = tuple(
    Query(f"SELECT id, data FROM journal WHERE {condition}")  # noqa: S608 - names of ours
    for condition in (
        IS_OF_FLAGS,
        is_any_of(LockPending, PendingCleared, MaintenanceDone),
        is_any_of(DetailsAdded, Reported),
        is_any_of(*(type_ for type_ in TYPES.values() if issubclass(type_, UserChanged))),
    )
)
"""What people did and said: one query for each index."""
_UNKNOWN = Query(
    f"""
    SELECT id, {{json:fob}} FROM journal
    WHERE {is_any_of(SessionRefused, CardSeen)} AND account_id IS NULL
    """  # noqa: S608 - names of ours
)


class Rewrite(NamedTuple):
    """A line of the journal as it is to be."""

    id: int
    account_id: str | None
    data: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What is to be done with some lines: those to write anew, and the numbers of those that are left as they are.

    Left are those of a session, oops or lock that goes on, and for retention younger ones among the old: the clock was
    wrong.
    """

    rewrites: tuple[Rewrite, ...] = ()
    left: tuple[int, ...] = ()
    last: int | None = None
    """The last line looked at; ``None``: there was none."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far retention is: all lines up to ``through`` are done, but those in ``left``."""

    through: int = 0
    left: tuple[int, ...] = ()

    def dump(self) -> str:
        """Return it as text."""
        return json.dumps({"through": self.through, "left": self.left})

    @classmethod
    def load(cls, value: str | None) -> Progress:
        """Read it back; without a value, or one that can't be read, retention begins anew, which harms nothing."""
        try:
            stored = json.loads(value or "{}")
            return cls(int(stored["through"]), tuple(int(one) for one in stored["left"]))
        except (ValueError, KeyError, TypeError):
            return cls()


def last_older(store: Store, before: datetime) -> int:
    """Return the number of the last line that is from before that time; 0: there is none."""
    with store.reading("look for old lines of the journal") as connection:
        return _LAST_OLDER.on(connection, {"limit": codec.timestamp(before)}).scalar() or 0


def older(store: Store, before: datetime, after: int, upto: int) -> Batch:
    """Look at the next lines after number ``after``, up to ``upto``; those that are not from ``before`` are left."""
    with store.reading("look for old lines of the journal") as connection:
        rows = _CHUNK.on(connection, {"after": after, "upto": upto, "limit": BATCH}).all()
        return _look(connection, rows, EVERYBODY, before)


def again(store: Store, ids: Sequence[int], redaction: Redaction = EVERYBODY, before: datetime | None = None) -> Batch:
    """Look at the lines with these numbers; those that are not from ``before``, if it is given, are left."""
    with store.reading("look at lines of the journal") as connection:
        return _look(connection, _BY_ID.on(connection, {"ids": list(ids)}).all(), redaction, before)


def last_sign(store: Store) -> datetime | None:
    """Return when the clock was last believed, else when the newest event was."""
    with store.reading("read the newest event") as connection:
        at = store.note(CLOCK_NOTE) or connection.execute(select(func.max(journal.c.at))).scalar()
    return datetime.fromisoformat(at) if at else None


def progress(store: Store) -> Progress:
    """Return how far retention is."""
    return Progress.load(store.note(NOTE))


def accounts(store: Store) -> dict[str, str]:
    """Return every account in the journal with the name in its newest line."""
    with store.reading("look for people in the journal") as connection:
        newest = {int(number): str(account) for account, number in _ACCOUNTS.on(connection)}
        ids = list(newest)
        rows = [row for at in range(0, len(ids), 500) for row in _BY_ID.on(connection, {"ids": ids[at : at + 500]})]
    return {newest[row.id]: name for row in rows for name in _names(row.kind, row.data)}


def lines_of(store: Store, account: str) -> Iterator[tuple[int, str, str]]:
    """Return number, name and fob of all lines of an account; looks at the whole journal, a window at a time."""
    after = 0
    last = store.last_line()
    while after < last:
        with store.reading("look for a person in the journal") as connection:
            given = {"account": account, "after": after, "upto": after + WINDOW}
            found = _OF_ACCOUNT.on(connection, given).all()
        for number, kind, data in found:
            fob = json.loads(data).get("fob", "")
            yield int(number), next(iter(_names(kind, data)), ""), str(fob)
        after += WINDOW


def commands_of(store: Store, redaction: Redaction) -> list[int]:
    """Return the lines of what they did or said (of machines, in details, in changes of users), or that name them."""
    needles = [json.dumps(name, ensure_ascii=False)[1:-1].casefold() for name in spellings(redaction.names)]
    with store.reading("look for commands in the journal") as connection:
        rows = [row for query in _COMMANDS for row in query.on(connection)]
    return [int(number) for number, data in rows if any(needle in data.casefold() for needle in needles)]


def commands_by(store: Store, name: str) -> bool:
    """Whether anybody of this name (folded) has given a command."""
    with store.reading("look for commands in the journal") as connection:
        rows = [row for query in _COMMANDS for row in query.on(connection)]
    return any(
        str(part.get("by") or "").casefold() == name
        for _, data in rows
        for document in (json.loads(data),)
        for part in (document, *(document.get(word) or {} for word in ("flag", "oops", "lock", "pending", "details")))
    )


def unknown_fobs_of(store: Store, redaction: Redaction) -> list[int]:
    """Return the lines of their fobs from when nobody knew them."""
    with store.reading("look for fobs in the journal") as connection:
        return [int(number) for number, fob in _UNKNOWN.on(connection) if redaction.has_fob(fob)]


def _names(kind: str, data: str) -> list[str]:
    try:
        outcome = codec.load_outcome(kind, data)
    except ValueError:
        return []
    person = outcome.person
    return [person.full_name] if person and person != FORGOTTEN else []


def _look(connection: Connection, rows: Iterable[Any], redaction: Redaction, before: datetime | None = None) -> Batch:
    limit = None if before is None else codec.timestamp(before)
    now = _current(connection)
    rewrites: list[Rewrite] = []
    kept: list[int] = []
    last: int | None = None
    for row in rows:
        last = number = int(row.id)
        if limit is not None and row.at >= limit:
            kept.append(number)
            continue
        try:
            outcome = codec.load_outcome(row.kind, row.data)
        except ValueError:  # mac-actors verify says so
            continue
        current = _key(outcome) in now
        changed = without(outcome, redaction, current=current)
        if current and without(changed, redaction) != changed:
            kept.append(number)
        if changed != outcome:
            rewrites.append(_rewrite(number, row.account_id, row.data, changed))
    return Batch(tuple(rewrites), tuple(kept), last)


def _rewrite(number: int, account: str | None, data: str, changed: Outcome) -> Rewrite:
    row = codec.journal_row(changed)
    former = len(data.encode()) + len((account or "").encode())
    spaces = former - len(row["data"].encode()) - len((row["account_id"] or "").encode())
    return Rewrite(number, row["account_id"], row["data"] + " " * max(0, spaces))


def _current(connection: Connection) -> set[tuple[str, str, datetime]]:
    """Return each oops, lock and session that goes on: machine, which of them, since when."""
    found = set()
    for name, data in connection.execute(select(machine_state)):
        state = read_state(data)
        if isinstance(state, MachineState):
            parts = {
                "oops": state.oops,
                "lock": state.lock,
                "lock_pending": state.lock_pending,
                "details": state.details,
                "session": state.session,
            }
            found |= {(name, word, part.since) for word, part in parts.items() if part is not None}
    return found


def _key(outcome: Outcome) -> tuple[str, str, datetime] | None:
    match outcome:
        case OopsSet(machine=machine, flag=flag):
            return machine, "oops", flag.since
        case LockSet(machine=machine, flag=flag):
            return machine, "lock", flag.since
        case LockPending(machine=machine, flag=flag):
            return machine, "lock_pending", flag.since
        case DetailsAdded(machine=machine, details=details):
            return machine, "details", details.since
        case SessionStarted(machine=machine, at=at):
            return machine, "session", at
        case _:
            return None
