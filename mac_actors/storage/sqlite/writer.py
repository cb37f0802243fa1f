"""The only way to the disk: batches of records, each in one transaction. For the journal actor alone.

The statements are made by SQLAlchemy, compiled once, and run on the driver's own cursor: what SQLAlchemy adds to each
execution was more than half of the time that a commit takes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Dialect, Engine, Select, Table, bindparam, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql.dml import UpdateBase

from mac_actors.core.notices import Notice
from mac_actors.errors import StorageError
from mac_actors.storage import codec
from mac_actors.storage.records import Record, SlackLink
from mac_actors.storage.schema import (
    addition,
    admin,
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
from mac_actors.storage.sqlite.engine import as_storage_error

SEEN_FOR = timedelta(hours=2)
"""How long a chat event is remembered; Slack repeats one for five minutes at the most."""

Row = Mapping[str, Any]


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


class _Statements:
    """All that is ever written."""

    def __init__(self, dialect: Dialect) -> None:
        def made(clause: UpdateBase | Select[Any], *keys: str) -> _Statement:
            return _Statement(clause, dialect, *keys)

        put_state, put_note, put_thread = upsert(machine_state), upsert(note), upsert(thread)
        put_link = upsert(slack_user)
        self.put_state = made(
            put_state.on_conflict_do_update(index_elements=["name"], set_={"state": put_state.excluded.state}),
            *machine_state.columns.keys(),
        )
        self.put_journal = made(journal.insert(), *journal.columns.keys())
        self.put_outbox = made(outbox.insert(), *outbox.columns.keys())
        self.drop_sent = made(delete(outbox).where(outbox.c.id == bindparam("sent_id")))
        self.put_thread = made(
            put_thread.on_conflict_do_update(
                index_elements=["key", "channel"],
                set_={"post": put_thread.excluded.post, "unsettled": put_thread.excluded.unsettled},
            ),
            *thread.columns.keys(),
        )
        self.put_link = made(
            put_link.on_conflict_do_update(
                index_elements=["id"],
                set_={name: put_link.excluded[name] for name in ("account_id", "how", "at", "switched_off")},
            ),
            *slack_user.columns.keys(),
        )
        self.drop_link = made(delete(slack_user).where(slack_user.c.id == bindparam("slack_id")))
        self.put_waiting = made(upsert(waiting_member).on_conflict_do_nothing(), *waiting_member.columns.keys())
        self.drop_waiting = made(
            delete(waiting_member).where(
                waiting_member.c.machine == bindparam("of"), waiting_member.c.slack_id == bindparam("whose")
            )
        )
        self.put_seen = made(upsert(seen_event).on_conflict_do_nothing(), *seen_event.columns.keys())
        self.forget_seen = made(delete(seen_event).where(seen_event.c.at < bindparam("before")))
        self.put_note = made(
            put_note.on_conflict_do_update(index_elements=["name"], set_={"value": put_note.excluded.value}),
            *note.columns.keys(),
        )
        self.put_key = made(reader_key.insert(), *reader_key.columns.keys())
        self.drop_key = made(delete(reader_key).where(reader_key.c.machine == bindparam("of")))
        self.rewrite = made(
            update(journal)
            .where(journal.c.id == bindparam("row"))
            .values(account_id=bindparam("account"), data=bindparam("text"))
        )
        self.reword = made(update(outbox).where(outbox.c.id == bindparam("row")).values(text=bindparam("words")))
        self.move = made(
            update(addition).where(addition.c.account_id == bindparam("old")).values(account_id=bindparam("new"))
        )
        small = (addition, admin, board_session)
        self.put = {table.name: made(_put(table), *table.columns.keys()) for table in small}
        self.drop = {
            table.name: made(delete(table).where(next(iter(table.primary_key)) == bindparam("row"))) for table in small
        }
        self.scrubbed = (
            (made(select(machine_state)), made(delete(machine_state)), self.put_state),
            (made(select(outbox)), made(delete(outbox)), self.put_outbox),
            (made(select(slack_user)), made(delete(slack_user)), self.put_link),
            *((made(select(table)), made(delete(table)), self.put[table.name]) for table in small),
        )


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
        """Write all of ``records`` in one transaction, in their order; on an error none of them counts as written.

        Raises :class:`BadRecordError` for a record that is wrong in itself. After any other
        :class:`StorageError` the same records must be given again first: whether a commit that failed in
        its last step is there after all is found out then.
        """
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
        states = {r.state[0]: r.state[1] for r in records if r.state}
        rows: list[dict[str, Any]] = []
        posts: list[dict[str, Any]] = []
        for record in records:
            for row, notices in record.rows:
                journal_id = self._last_journal + len(rows) + 1
                rows.append({"id": journal_id, **row})
                posts += [_post(row["at"], notice, journal_id) for notice in notices]
            posts += [_post(codec.timestamp(at), notice) for at, notice in record.notices]
        for number, post in enumerate(posts, self._last_outbox + 1):
            post["id"] = number
        do = self._statements
        seen = [r.seen for r in records if r.seen]
        self._doubt = _Doubt(counted, len(posts))
        with as_storage_error("write"), self._writing() as cursor:
            self._write_anew(cursor, records)
            for machine, keys in (entry for record in records for entry in record.keys):
                do.drop_key.run(cursor, [{"of": machine}])
                do.put_key.run(cursor, [{"machine": machine, **keys}] if keys else [])
            do.put_state.run(cursor, [{"name": n, "state": s} for n, s in states.items()])
            do.put_journal.run(cursor, rows)
            do.put_outbox.run(cursor, posts)
            waits = [(m, i, codec.timestamp(at)) for r in records for m, i, at in r.wait]
            do.put_waiting.run(cursor, [{"machine": m, "slack_id": i, "at": at} for m, i, at in waits])
            do.drop_waiting.run(cursor, [{"of": m, "whose": i} for r in records for m, i in r.told])
            do.drop_sent.run(cursor, [{"sent_id": i} for r in records for i in r.sent])
            do.put_thread.run(
                cursor,
                [t._asdict() | {"key": str(t.key), "unsettled": int(t.unsettled)} for r in records for t in r.threads],
            )
            do.drop_link.run(cursor, [{"slack_id": i} for r in records for i in r.unlinked])
            do.put_link.run(cursor, [_link(link) for r in records for link in r.links])
            if seen:
                do.put_seen.run(cursor, [{"id": i, "at": codec.timestamp(at)} for i, at in seen])
                do.forget_seen.run(cursor, [{"before": codec.timestamp(seen[-1][1] - SEEN_FOR)}])
        self._doubt = None
        self._last_journal += len(rows)
        self._last_outbox += len(posts)

    def _write_anew(self, cursor: DBAPICursor, records: Sequence[Record]) -> None:
        """Write what was there already, without names."""
        do = self._statements
        do.rewrite.run(cursor, [{"row": i, "account": a, "text": d} for r in records for i, a, d in r.rewrites])
        do.reword.run(cursor, [{"row": i, "words": text} for r in records for i, text in r.reworded])
        do.put_note.run(cursor, [{"name": n, "value": v} for r in records for n, v in r.notes])
        for record in records:
            do.move.run(cursor, [{"old": old, "new": new} for old, new in record.moved])
            for table, key in record.drop:
                do.drop[table].run(cursor, [{"row": key}])
            for table, row in record.put:
                do.put[table].run(cursor, [row])
        if any(record.scrub for record in records):
            for read, clear, put in do.scrubbed:
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


def _put(table: Table) -> UpdateBase:
    """Return the statement that puts a row in the place of the one with its key, if there is one."""
    put = upsert(table)
    keys = [column.name for column in table.primary_key]
    values = {column.name: put.excluded[column.name] for column in table.columns if column.name not in keys}
    return put.on_conflict_do_update(index_elements=keys, set_=values)


def _fetch(raw: PoolProxiedConnection, text: str) -> Sequence[Any]:
    cursor = raw.cursor()
    cursor.execute(text)
    return cursor.fetchall()


def _link(link: SlackLink) -> dict[str, Any]:
    return link._asdict() | {"at": codec.timestamp(link.at), "switched_off": " ".join(link.switched_off)}


def _post(at: str, notice: Notice, journal_id: int | None = None) -> dict[str, Any]:
    return {
        "at": at,
        "channel": str(notice.channel),
        "text": notice.text,
        "opens": None if notice.opens is None else str(notice.opens),
        "closes": "\n".join(map(str, notice.closes)) or None,
        "journal_id": journal_id,
        "within": "\n".join(map(str, notice.within)) or None,
        "asks": None if notice.asks is None else str(notice.asks),
        "due": None if notice.due is None else codec.timestamp(notice.due),
    }
