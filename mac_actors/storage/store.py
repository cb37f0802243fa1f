"""The database: load states, commit batches, read pages. One writer (the journal actor), any number of readers."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, bindparam, create_engine, delete, event, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from mac_actors.core.outcomes import Outcome
from mac_actors.core.state import MachineState
from mac_actors.core.wording import Channel, Notice
from mac_actors.errors import StorageError
from mac_actors.storage import codec
from mac_actors.storage.lock import DirectoryLock
from mac_actors.storage.migrations import migrate
from mac_actors.storage.schema import journal, machine_state, note, outbox, seen_event, thread

log = logging.getLogger(__name__)

DATABASE = "mac.sqlite3"
"""The database's file name in the state directory."""


BUSY_SECONDS = 5.0
"""How long a connection waits for another one that has the database."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one decision wants on disk, already encoded: all of it is written, or none.

    ``state`` is a row of machine_state; ``rows`` are journal rows, each with the notices that go with
    it; ``notices`` belong to no outcome; ``sent`` are ids of outbox rows that the chat has taken, and
    ``threads`` where it put those that begin one: key, channel, post. ``seen`` is the chat event that
    asked for all this, with its time.

    Where names are removed: ``rewrites`` are lines of the journal as they are to be (id, account id, data),
    ``reworded`` texts of the outbox by id, ``notes`` what tasks write down (name, value). ``scrub`` has the small
    tables written anew, because copies of what was in them may be left in the unused parts of their pages.
    """

    state: tuple[str, str] | None = None
    rows: tuple[tuple[dict[str, Any], tuple[Notice, ...]], ...] = ()
    notices: tuple[tuple[datetime, Notice], ...] = ()
    sent: tuple[int, ...] = ()
    threads: tuple[tuple[str, str, str], ...] = ()
    seen: tuple[str, datetime] | None = None
    rewrites: tuple[tuple[int, str | None, str], ...] = ()
    reworded: tuple[tuple[int, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    scrub: bool = False

    def posts(self) -> Iterator[Notice]:
        """Iterate over all notices in it."""
        for _, notices in self.rows:
            yield from notices
        for _, notice in self.notices:
            yield notice


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A machine's row that can't be understood; ``why`` is for the log and for the lock's reason."""

    why: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal."""

    id: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Page:
    """Lines of the journal, newest first; ``next`` is the cursor of the following page, if there is one."""

    entries: tuple[Entry, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notice that waits for the chat."""

    id: int
    at: datetime
    channel: Channel
    text: str
    opens: str | None = None
    closes: tuple[str, ...] = ()


_PUT_STATE = upsert(machine_state)
_PUT_STATE = _PUT_STATE.on_conflict_do_update(index_elements=["name"], set_={"state": _PUT_STATE.excluded.state})
_PUT_JOURNAL = journal.insert()
_PUT_OUTBOX = outbox.insert()
_REWRITE = (
    update(journal)
    .where(journal.c.id == bindparam("row"))
    .values(account_id=bindparam("account"), data=bindparam("text"))
)
_REWORD = update(outbox).where(outbox.c.id == bindparam("row")).values(text=bindparam("words"))
_PUT_NOTE = upsert(note)
_PUT_NOTE = _PUT_NOTE.on_conflict_do_update(index_elements=["name"], set_={"value": _PUT_NOTE.excluded.value})
_DROP_SENT = delete(outbox).where(outbox.c.id == bindparam("sent_id"))
_PUT_THREAD = upsert(thread)
_PUT_THREAD = _PUT_THREAD.on_conflict_do_update(
    index_elements=["key", "channel"], set_={"post": _PUT_THREAD.excluded.post}
)
_PUT_SEEN = upsert(seen_event).on_conflict_do_nothing()
_FORGET_SEEN = delete(seen_event).where(seen_event.c.at < bindparam("before"))

SEEN_FOR = timedelta(hours=2)
"""How long a chat event is remembered; Slack repeats one for five minutes at the most."""


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A commit of which it is not known whether it is on disk: how many records it held, and how many notices."""

    records: int
    posts: int


class BadRecordError(StorageError):
    """A record that the database refuses whatever the state of the disk: a mistake of ours, no use to try again."""


class Store:
    """An open database. Every method raises :class:`StorageError` when the disk or the database refuses."""

    def __init__(self, engine: Engine, lock: DirectoryLock | None) -> None:
        self._engine = engine
        self._lock = lock
        # In memory there is one connection for everybody, and so one user at a time.
        self._alone = threading.RLock() if lock is None else None
        with _as_storage_error("open the database"):
            migrate(engine)
            with self._reading() as connection:
                self._last_journal = connection.scalar(select(func.max(journal.c.id))) or 0
                self._last_outbox = connection.scalar(select(func.max(outbox.c.id))) or 0
        self._writer: Connection | None = None
        self._doubt: _Doubt | None = None
        self._already = 0  # of the records to be given next, so many are on disk

    @classmethod
    def open(cls, directory: Path | None) -> Store:
        """Open (or make) the database in ``directory``; ``None``: in memory, gone with the process."""
        if directory is None:
            engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
            event.listen(engine, "connect", _take_over_transactions)
            event.listen(engine, "begin", _begin)
            return cls(engine, None)
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"cannot make the state directory {directory}: {error.strerror}. "
                "Make it, or set MACHINE_STATE_DIR to another one."
            ) from error
        lock = DirectoryLock(directory)
        engine = create_engine(
            URL.create("sqlite", database=str(directory / DATABASE)), connect_args={"timeout": BUSY_SECONDS}
        )
        event.listen(engine, "connect", _take_over_transactions)
        event.listen(engine, "connect", _durable)
        event.listen(engine, "begin", _begin)
        try:
            return cls(engine, lock)
        except StorageError as error:
            engine.dispose()
            lock.release()
            raise StorageError(
                f"{directory / DATABASE}: {error}. Look first whether the disk is full (df -h) or failing (dmesg), and "
                "start again once that is mended. If the database itself is damaged, 'mac-actors restore FILE' puts "
                "a backup in its place; moving it away begins anew, and forgets every oops, lock-out and event."
            ) from error

    def close(self) -> None:
        """Close all connections and let the directory go."""
        if self._writer is not None:
            self._writer.close()
        self._engine.dispose()
        if self._lock is not None:
            self._lock.release()

    # writing: the journal actor alone

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
        with _as_storage_error("write"):
            # What a failed sync leaves in the write-ahead log may never reach the disk, whatever later syncs say:
            # a checkpoint moves it to the database, with a sync of its own, and begins a new log.
            raw = self._engine.raw_connection()
            try:
                busy = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            except sqlite3.Error as error:
                raise StorageError(f"cannot write: {error}") from error
            finally:
                raw.close()
            if busy:
                raise StorageError("cannot write: somebody reads the database at the moment")
            with self._reading() as connection:
                last_journal = connection.scalar(select(func.max(journal.c.id))) or 0
                last_outbox = connection.scalar(select(func.max(outbox.c.id))) or 0
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
        sent = [{"sent_id": i} for r in records for i in r.sent]
        threads = [{"key": k, "channel": c, "post": p} for r in records for k, c, p in r.threads]
        seen = [r.seen for r in records if r.seen]
        self._doubt = _Doubt(counted, len(posts))
        with _as_storage_error("write"), self._writing() as connection:
            _write_anew(connection, records)
            if states:
                connection.execute(_PUT_STATE, [{"name": n, "state": s} for n, s in states.items()])
            if rows:
                connection.execute(_PUT_JOURNAL, rows)
            if posts:
                connection.execute(_PUT_OUTBOX, posts)
            if sent:
                connection.execute(_DROP_SENT, sent)
            if threads:
                connection.execute(_PUT_THREAD, threads)
            if seen:
                connection.execute(_PUT_SEEN, [{"id": i, "at": codec.timestamp(at)} for i, at in seen])
                connection.execute(_FORGET_SEEN, {"before": codec.timestamp(seen[-1][1] - SEEN_FOR)})
        self._doubt = None
        self._last_journal += len(rows)
        self._last_outbox += len(posts)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._alone or contextlib.nullcontext():
            if self._writer is None:
                self._writer = self._engine.connect()
            try:
                with self._writer.begin():
                    yield self._writer
            except BaseException:
                # A connection that failed may be in any state: the next batch gets a new one.
                if self._alone is None:
                    self._writer.invalidate()
                self._writer.close()
                self._writer = None
                raise

    # reading: any thread

    def load_states(self) -> dict[str, MachineState | Unreadable]:
        """Return the state of every machine that was ever seen, by name."""
        with _as_storage_error("read the machines' states"), self._reading() as connection:
            return {name: _decode(text) for name, text in connection.execute(select(machine_state))}

    def load_state(self, name: str) -> MachineState | Unreadable | None:
        """Return one machine's state, ``None`` if there is none yet."""
        with _as_storage_error("read a machine's state"), self._reading() as connection:
            text = connection.scalar(select(machine_state.c.state).where(machine_state.c.name == name))
            return None if text is None else _decode(text)

    def page(
        self,
        *,
        machine: str | None = None,
        kind: str | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Page:
        """Return up to ``limit`` lines of the journal, newest first; ``before`` is the last page's ``next``."""
        query = select(journal.c.id, journal.c.kind, journal.c.data).order_by(journal.c.id.desc())
        if machine is not None:
            query = query.where(journal.c.machine == machine)
        if kind is not None:
            query = query.where(journal.c.kind == kind)
        if since is not None:
            query = query.where(journal.c.at >= codec.timestamp(since))
        if before is not None:
            query = query.where(journal.c.id < before)
        with _as_storage_error("read the journal"), self._reading() as connection:
            rows = connection.execute(query.limit(limit + 1)).all()
        entries = tuple(entry for row in rows[:limit] if (entry := _entry(row.id, row.kind, row.data)))
        return Page(entries, rows[limit - 1].id if len(rows) > limit else None)

    def waiting(self, channel: Channel, after: int = 0, limit: int = 100) -> list[Waiting]:
        """Return the oldest notices that the channel has not taken, with ids above ``after``."""
        query = select(outbox).where(outbox.c.channel == channel.value, outbox.c.id > after)
        with _as_storage_error("read the outbox"), self._reading() as connection:
            rows = connection.execute(query.order_by(outbox.c.id).limit(limit)).all()
        return [
            Waiting(
                row.id,
                datetime.fromisoformat(row.at),
                Channel(row.channel),
                row.text,
                row.opens,
                tuple((row.closes or "").splitlines()),
            )
            for row in rows
        ]

    def thread(self, key: str, channel: Channel) -> str | None:
        """Return the post that began this thread in this channel, if it is known."""
        query = select(thread.c.post).where(thread.c.key == key, thread.c.channel == channel.value)
        with _as_storage_error("read a thread"), self._reading() as connection:
            post: str | None = connection.scalar(query)
            return post

    def has_seen(self, event_id: str) -> bool:
        """Whether this chat event was carried out already."""
        query = select(seen_event.c.id).where(seen_event.c.id == event_id)
        with _as_storage_error("read the events seen"), self._reading() as connection:
            return connection.scalar(query) is not None

    def count_waiting(self) -> tuple[int, datetime | None]:
        """Return how many notices wait for the chat, and since when the oldest does."""
        query = select(func.count(), func.min(outbox.c.at)).select_from(outbox)
        with _as_storage_error("read the outbox"), self._reading() as connection:
            count, oldest = connection.execute(query).one()
        return count, datetime.fromisoformat(oldest) if oldest else None

    def waiting_by_channel(self) -> dict[Channel, tuple[int, datetime]]:
        """Return, for each channel with notices in the outbox, how many there are and since when the oldest waits."""
        query = select(outbox.c.channel, func.count(), func.min(outbox.c.at)).group_by(outbox.c.channel)
        with _as_storage_error("read the outbox"), self._reading() as connection:
            rows = connection.execute(query).all()
        return {Channel(channel): (count, datetime.fromisoformat(oldest)) for channel, count, oldest in rows}

    def last_line(self) -> int:
        """Return the number of the journal's last line; 0: it has none."""
        with self.reading("read the journal") as connection:
            return connection.scalar(select(func.max(journal.c.id))) or 0

    def note(self, name: str) -> str | None:
        """Return what a task has written down under this name."""
        with self.reading("read a note") as connection:
            value: str | None = connection.scalar(select(note.c.value).where(note.c.name == name))
            return value

    def notices_with(self, change: Callable[[str], str]) -> tuple[tuple[int, str], ...]:
        """Return the waiting notices that ``change`` changes, as they are to be: id, text."""
        with self.reading("read the outbox") as connection:
            rows = connection.execute(select(outbox.c.id, outbox.c.text)).all()
        return tuple((number, changed) for number, words in rows if (changed := change(words)) != words)

    def empty_log(self) -> bool:
        """Move the write-ahead log into the database and empty its file; false while somebody is reading or writing.

        Never waits. Whatever was written over is then in neither file.
        """
        if self._lock is None:
            return True
        with _as_storage_error("empty the write-ahead log"):
            raw = self._engine.raw_connection()
            try:
                cursor = raw.cursor()
                cursor.execute("PRAGMA busy_timeout=0")
                busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")
                return not busy
            except sqlite3.OperationalError as error:
                raise StorageError(f"cannot empty the write-ahead log: {error}") from error
            finally:
                raw.close()

    @contextlib.contextmanager
    def reading(self, what: str) -> Iterator[Connection]:
        """Give a connection to read with; what the database refuses is a :class:`StorageError`: cannot ``what``."""
        with _as_storage_error(what), self._reading() as connection:
            yield connection

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._alone or contextlib.nullcontext(), self._engine.connect() as connection:
            yield connection


def _write_anew(connection: Connection, records: Sequence[Record]) -> None:
    """Write what was there already, without names."""
    rewrites = [{"row": i, "account": a, "text": d} for r in records for i, a, d in r.rewrites]
    reworded = [{"row": i, "words": text} for r in records for i, text in r.reworded]
    notes = [{"name": n, "value": v} for r in records for n, v in r.notes]
    if rewrites:
        connection.execute(_REWRITE, rewrites)
    if reworded:
        connection.execute(_REWORD, reworded)
    if notes:
        connection.execute(_PUT_NOTE, notes)
    if any(record.scrub for record in records):
        for table in (machine_state, outbox):
            rows = [dict(row) for row in connection.execute(select(table)).mappings()]
            connection.execute(delete(table))
            if rows:
                connection.execute(table.insert(), rows)


def record_state(name: str, state: MachineState) -> tuple[str, str]:
    """Encode a state for :attr:`Record.state`."""
    return name, codec.dump_state(state)


def _post(at: str, notice: Notice, journal_id: int | None = None) -> dict[str, Any]:
    return {
        "at": at,
        "channel": notice.channel.value,
        "text": notice.text,
        "opens": notice.opens,
        "closes": "\n".join(notice.closes) or None,
        "journal_id": journal_id,
    }


def _entry(number: int, kind: str, data: str) -> Entry | None:
    try:
        return Entry(number, codec.load_outcome(kind, data))
    except ValueError as error:
        log.warning("line %d of the journal can't be read, and is left out: %s", number, " ".join(str(error).split()))
        return None


def _decode(text: str) -> MachineState | Unreadable:
    try:
        return codec.load_state(text)
    except ValueError as error:
        return Unreadable(" ".join(str(error).split())[:200])


@contextlib.contextmanager
def _as_storage_error(what: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        ours = isinstance(error, IntegrityError | DataError | ProgrammingError)
        kind = BadRecordError if ours else StorageError
        raise kind(f"cannot {what}: {' '.join(str(cause).split())}") from error


def _take_over_transactions(connection: Any, _record: object) -> None:
    # sqlite3 begins transactions by rules of its own (never before DDL): we do it, in _begin.
    connection.isolation_level = None


def _durable(connection: Any, _record: object) -> None:
    # WAL lets readers go on while the writer writes; FULL puts a commit on disk before it is acknowledged.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    # What is deleted or written over is overwritten with zeroes. Debian's SQLite does that anyway, others do not.
    connection.execute("PRAGMA secure_delete=ON")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
