"""The only way to the disk: batches of records, each in one transaction. For the journal actor alone.

The statements are made by SQLAlchemy, compiled once, and run on the driver's own cursor: what SQLAlchemy adds to each
execution was more than half of the time that a commit takes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, Engine, Select, Table, bindparam, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql.dml import UpdateBase

from mac_actors.errors import StorageError
from mac_actors.storage.batch import SMALL, Row, make_batch
from mac_actors.storage.database import as_storage_error
from mac_actors.storage.records import Record
from mac_actors.storage.schema import (
    addition,
    board_session,
    journal,
    machine_state,
    note,
    outbox,
    reader_key,
    seen_event,
    slack_user,
    thread,
    waiting_member,
)


class _Statement:
    """One statement, compiled for a database; ``keys`` are the names of what each row gives it."""

    def __init__(self, clause: UpdateBase | Select[Any], dialect: Dialect, *keys: str) -> None:
        compiled = clause.compile(dialect=dialect, column_keys=list(keys))
        self._text = str(compiled)
        self._order: tuple[str, ...] = tuple(compiled.positiontup or ())

    def run(self, cursor: DBAPICursor, rows: Sequence[Row]) -> None:
        """Run it for each row, if there are any."""
        if rows:
            cursor.executemany(self._text, [tuple(row[key] for key in self._order) for row in rows])

    def fetch(self, cursor: DBAPICursor) -> list[Row]:
        """Run it, and return what it selects."""
        cursor.execute(self._text)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


class _Several:
    """Statements that are run one after the other for the same rows."""

    def __init__(self, *statements: _Statement) -> None:
        self._statements = statements

    def run(self, cursor: DBAPICursor, rows: Sequence[Row]) -> None:
        """Run them."""
        for statement in self._statements:
            statement.run(cursor, rows)


class _Statements:
    """All that is ever written: by the steps of a batch, and what the small tables are written anew with."""

    def __init__(self, dialect: Dialect) -> None:
        def made(clause: UpdateBase | Select[Any], *keys: str) -> _Statement:
            return _Statement(clause, dialect, *keys)

        def put(table: Table, *changed: str) -> _Statement:
            return made(_put(table, changed), *table.columns.keys())

        def moved(table: Table) -> _Statement:
            account = table.c.account_id
            return made(update(table).where(account == bindparam("old")).values(account_id=bindparam("new")))

        self.steps: dict[str, _Statement | _Several] = {
            "rewrite": made(
                update(journal)
                .where(journal.c.id == bindparam("row"))
                .values(account_id=bindparam("account"), data=bindparam("text"))
            ),
            "reword": made(update(outbox).where(outbox.c.id == bindparam("row")).values(text=bindparam("words"))),
            "note": put(note),
            "move": _Several(*map(moved, (addition, board_session, slack_user))),
            **{f"put_{table.name}": put(table) for table in SMALL},
            **{
                f"drop_{table.name}": made(delete(table).where(next(iter(table.primary_key)) == bindparam("row")))
                for table in SMALL
            },
            "drop_key": made(delete(reader_key).where(reader_key.c.machine == bindparam("of"))),
            "put_key": made(reader_key.insert(), *reader_key.columns.keys()),
            "state": put(machine_state),
            "journal": made(journal.insert(), *journal.columns.keys()),
            "outbox": made(outbox.insert(), *outbox.columns.keys()),
            "wait": made(upsert(waiting_member).on_conflict_do_nothing(), *waiting_member.columns.keys()),
            "drop_wait": made(
                delete(waiting_member).where(
                    waiting_member.c.machine == bindparam("of"), waiting_member.c.slack_id == bindparam("whose")
                )
            ),
            "sent": made(delete(outbox).where(outbox.c.id == bindparam("sent_id"))),
            "thread": put(thread, "post", "unsettled"),
            "drop_link": made(delete(slack_user).where(slack_user.c.id == bindparam("slack_id"))),
            "link": put(slack_user),
            "seen": made(upsert(seen_event).on_conflict_do_nothing(), *seen_event.columns.keys()),
            "forget_seen": made(delete(seen_event).where(seen_event.c.at < bindparam("before"))),
        }
        scrubbed = ((machine_state, "state"), (outbox, "outbox"), (slack_user, "link"))
        self.scrubbed = [
            (made(select(table)), made(delete(table)), self.steps[step])
            for table, step in (*scrubbed, *((table, f"put_{table.name}") for table in SMALL))
        ]


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A commit of which it is not known whether it is on disk: how many records it held, and how many notices."""

    records: int
    posts: int


class Writer:
    """Commits records. ``alone`` is the lock of a database in memory, whose one connection everybody shares."""

    def __init__(self, engine: Engine, alone: AbstractContextManager[Any] | None) -> None:
        self._engine = engine
        self._alone = alone
        self._statements = _Statements(engine.dialect)
        self._connection: PoolProxiedConnection | None = None
        self._last_journal, self._last_outbox = self._last_ids()
        self._doubt: _Doubt | None = None
        self._already = 0  # of the records to be given next, so many are on disk

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def commit(self, records: Sequence[Record]) -> None:
        """Write all of ``records``, as :meth:`~mac_actors.storage.database.Database.commit` says."""
        self._settle_doubt()
        skip = min(self._already, len(records))
        self._write(records[skip:], len(records))
        self._already -= skip

    def _settle_doubt(self) -> None:
        """Find out whether a commit that failed is there all the same, and get it onto the disk if so."""
        if self._doubt is None:
            return
        with as_storage_error("write"):
            # What a failed sync leaves in the write-ahead log may never reach the disk, whatever later syncs say:
            # a checkpoint moves it to the database, with a sync of its own, and begins a new log.
            raw = self._engine.raw_connection()
            try:
                busy = _fetch(raw, "PRAGMA wal_checkpoint(TRUNCATE)")[0][0]
            finally:
                raw.close()
            if busy:
                raise StorageError("cannot write: somebody reads the database at the moment")
            last_journal, last_outbox = self._last_ids()
        if last_journal > self._last_journal:
            self._already = self._doubt.records
            self._last_outbox += self._doubt.posts
        self._last_journal = last_journal
        self._last_outbox = max(self._last_outbox, last_outbox)
        self._doubt = None

    def _write(self, records: Sequence[Record], counted: int) -> None:
        """Write ``records``, the last of the ``counted`` ones that were given."""
        batch = make_batch(records, self._last_journal, self._last_outbox)
        self._doubt = _Doubt(counted, batch.posts)
        with as_storage_error("write"), self._writing() as cursor:
            for step, rows in batch.steps.items():
                self._statements.steps[step].run(cursor, rows)
            if batch.scrub:
                self._scrub(cursor)
        self._doubt = None
        self._last_journal += batch.lines
        self._last_outbox += batch.posts

    def _scrub(self, cursor: DBAPICursor) -> None:
        for read, clear, put in self._statements.scrubbed:
            rows = read.fetch(cursor)
            clear.run(cursor, [{}])
            put.run(cursor, rows)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[DBAPICursor]:
        with self._alone or contextlib.nullcontext():
            if self._connection is None:
                self._connection = self._engine.raw_connection()
            try:
                cursor = self._connection.cursor()
                cursor.execute("BEGIN")
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                # A connection that failed may be in any state: the next batch gets a new one. Closing it does not
                # end the transaction while a trace still holds the cursor.
                with contextlib.suppress(Exception):
                    self._connection.rollback()
                if self._alone is None:
                    self._connection.invalidate()
                self._connection.close()
                self._connection = None
                raise

    def _last_ids(self) -> tuple[int, int]:
        with self._alone or contextlib.nullcontext(), self._engine.connect() as connection:
            last_journal = connection.scalar(select(func.max(journal.c.id))) or 0
            last_outbox = connection.scalar(select(func.max(outbox.c.id))) or 0
        return last_journal, last_outbox


def _put(table: Table, changed: Sequence[str]) -> UpdateBase:
    """Return the statement that puts a row, or what of it is ``changed``, in the place of the one with its key."""
    put = upsert(table)
    keys = [column.name for column in table.primary_key]
    changed = changed or [column.name for column in table.columns if column.name not in keys]
    return put.on_conflict_do_update(index_elements=keys, set_={name: put.excluded[name] for name in changed})


def _fetch(raw: PoolProxiedConnection, text: str) -> Sequence[Any]:
    cursor = raw.cursor()
    cursor.execute(text)
    return cursor.fetchall()
