"""The database: load states, commit batches, read pages. One writer (the journal actor), any number of readers."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Select, Table, case, func, or_, select, text

from mac_actors.core.notices import Channel, ThreadKey
from mac_actors.core.outcomes import Cleared, LockSet, OopsSet
from mac_actors.core.people.additions import Addition
from mac_actors.core.signing import ReaderKeys
from mac_actors.core.state import MachineState
from mac_actors.core.text import one_line
from mac_actors.errors import ConfigError
from mac_actors.storage import codec
from mac_actors.storage.database import Database, as_storage_error
from mac_actors.storage.records import (
    Due,
    Entry,
    Page,
    Record,
    Thread,
    Unreadable,
    Waiting,
    read_keys,
    read_state,
    read_waiting,
)
from mac_actors.storage.schema import (
    IS_OF_FLAGS,
    addition,
    journal,
    machine_state,
    note,
    outbox,
    reader_key,
    seen_event,
    thread,
)
from mac_actors.storage.sqlite.database import SqliteDatabase

log = logging.getLogger(__name__)

T = TypeVar("T")

DISORDER = 1000
"""So many lines of the journal may be out of the order of their times: the clock is set, actors answer side by side."""


class Store:
    """An open database. Every method raises :class:`~mac_actors.errors.StorageError` when it, or the disk, refuses."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._at_once = threading.local()

    @classmethod
    def open(cls, place: Path | str | None) -> Self:
        """Open the database at ``place``: a state directory, made if it is missing; ``None``: in memory, gone with the
        process; or the address of a PostgreSQL database, ``postgresql://…``, which can only be read until :meth:`own`.
        """
        if isinstance(place, str):
            return cls(_postgres(place))
        return cls(SqliteDatabase.open(place))

    def close(self) -> None:
        """Close all connections and let others have the database."""
        self.database.close()

    def displaced(self) -> str | None:
        """Return which file is no longer where this store has opened it, and what to do; ``None``: all are there.

        What is written to such a file may never be found again. Looks at the disk, and so may hang with it.
        """
        return self.database.displaced()

    def own(self, epoch: int, incarnation: str) -> None:
        """Write from now on as the owner who has taken the database with this epoch: a PostgreSQL one."""
        self.database.own(epoch, incarnation)

    def warm_up(self) -> None:
        """Have the connections that :meth:`own`, and what is read then, need first."""
        self.database.warm_up()

    def commit(self, records: Sequence[Record]) -> None:
        """Write all of ``records`` in one transaction (:meth:`Database.commit`). For the journal actor alone."""
        self.database.commit(records)

    # reading: any thread

    def load_states(self) -> dict[str, MachineState | Unreadable]:
        """Return the state of every machine that was ever seen, by name."""
        with self.reading("read the machines' states") as connection:
            return {name: read_state(text) for name, text in connection.execute(select(machine_state))}

    def load_additions(self, account_id: str | None = None, *, everything: bool = False) -> list[Addition]:
        """Return the additions that are in force, or all that there ever were (of one account), in their order. One
        that can't be read closes its account.
        """
        query = select(addition).order_by(addition.c.id)
        if account_id is not None:
            query = query.where(addition.c.account_id == account_id)
        elif not everything:
            query = query.where(addition.c.counts != 0)
        with self.reading("read the additions to the users") as connection:
            return [_addition(*row) for row in connection.execute(query)]

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """Return all rows of a small table."""
        with self.reading(f"read the table {table.name}") as connection:
            return [dict(row._mapping) for row in connection.execute(select(table))]

    def last_addition(self) -> int:
        """Return the number of the last addition; 0: there is none."""
        return self._scalar("read the additions to the users", select(func.max(addition.c.id))) or 0

    def load_state(self, name: str) -> MachineState | Unreadable | None:
        """Return one machine's state, ``None`` if there is none yet."""
        query = select(machine_state.c.state).where(machine_state.c.name == name)
        text = self._scalar("read a machine's state", query)
        return None if text is None else read_state(text)

    def reader_keys(self) -> dict[str, ReaderKeys | Unreadable]:
        """Return the keys of all readers that have any, by machine."""
        with self.reading("read the readers' keys") as connection:
            return {row.machine: read_keys(row) for row in connection.execute(select(reader_key))}

    def page(
        self,
        *,
        machine: str | None = None,
        kind: str | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> Page:
        """Return up to ``limit`` lines of the journal, newest first; ``before`` is the last page's ``next``.

        With ``since`` only what was written since then is looked at: a line from before, of a clock that was ahead, is
        left out when more than :data:`DISORDER` lines have come since.
        """
        query = select(journal.c.id, journal.c.kind, journal.c.data).order_by(journal.c.id.desc())
        if machine is not None:
            query = query.where(journal.c.machine == machine)
        if kind is not None:
            query = query.where(journal.c.kind == kind)
        if since is not None:
            later = journal.c.at >= codec.timestamp(since)
            first = select(journal.c.id).where(later).order_by(journal.c.at).limit(DISORDER).subquery()
            query = query.where(later, journal.c.id >= select(func.min(first.c.id)).scalar_subquery())
        if before is not None:
            query = query.where(journal.c.id < before)
        with self.reading("read the journal") as connection:
            rows = connection.execute(query.limit(limit + 1)).all()
        entries = tuple(entry for row in rows[:limit] if (entry := _entry(row.id, row.kind, row.data)))
        return Page(entries, rows[limit - 1].id if len(rows) > limit else None)

    def waiting(self, channel: str, after: int = 0, limit: int = 100) -> list[Waiting]:
        """Return the oldest notices that the channel has not taken and that are not held, with ids above ``after``."""
        query = select(outbox).where(outbox.c.channel == channel, outbox.c.id > after, outbox.c.due.is_(None))
        with self.reading("read the outbox") as connection:
            rows = connection.execute(query.order_by(outbox.c.id).limit(limit)).all()
        return [read_waiting(row) for row in rows]

    def due(self, channel: str, after: int, without: Collection[str], limit: int = 50) -> list[Due]:
        """Return the oldest events that wait for a webhook, with ids above ``after``, ``without`` some machines'."""
        columns = (outbox.c.id, outbox.c.at, outbox.c.journal_id, journal.c.machine, journal.c.kind, journal.c.data)
        query = (
            select(*columns)
            .join(journal, journal.c.id == outbox.c.journal_id)
            .where(outbox.c.channel == channel, outbox.c.id > after, journal.c.machine.not_in(without))
        )
        with self.reading("read the outbox") as connection:
            rows = connection.execute(query.order_by(outbox.c.id).limit(limit)).all()
        return [Due(r.id, datetime.fromisoformat(r.at), r.machine, _entry(r.journal_id, r.kind, r.data)) for r in rows]

    def waiting_ids(self, channel: str, before: datetime | None = None) -> tuple[int, ...]:
        """Return the places in the outbox of all that waits for a channel; ``before``: since before then."""
        query = select(outbox.c.id).where(outbox.c.channel == channel)
        if before is not None:
            query = query.where(outbox.c.at < codec.timestamp(before))
        with self.reading("read the outbox") as connection:
            return tuple(connection.scalars(query))

    def thread(self, key: ThreadKey, channel: str) -> Thread | None:
        """Return the post that began this thread in this channel, if it is known."""
        query = select(thread).where(thread.c.key == str(key), thread.c.channel == channel)
        with self.reading("read a thread") as connection:
            row = connection.execute(query).first()
        return None if row is None else Thread(key, channel, row.post, bool(row.unsettled), row.root)

    def unsettled(self, channel: str) -> list[ThreadKey]:
        """Return the threads of a channel whose posts do not say yet how their matter ended."""
        query = select(thread.c.key).where(thread.c.channel == channel, thread.c.unsettled != 0)
        with self.reading("read the threads") as connection:
            return [key for written in connection.scalars(query) if (key := ThreadKey.parse(written))]

    def story(self, key: ThreadKey) -> tuple[OopsSet | LockSet | None, Cleared | None]:
        """Return what began this oops or lock, and what ended it, as far as the journal has it."""
        query = select(journal.c.id, journal.c.kind, journal.c.data).where(
            journal.c.machine == key.machine, journal.c.at >= codec.timestamp(key.since), text(IS_OF_FLAGS)
        )
        with self.reading("read the journal") as connection:
            rows = connection.execute(query.order_by(journal.c.id)).all()
        begins = OopsSet if key.flag == "oops" else LockSet
        begun, ended = None, None
        for outcome in (entry.outcome for row in rows if (entry := _entry(row.id, row.kind, row.data))):
            match outcome:
                case OopsSet() | LockSet() if isinstance(outcome, begins) and outcome.flag.since == key.since:
                    begun = outcome
                case Cleared() if (lifted := getattr(outcome, key.flag)) and lifted.since == key.since:
                    ended = outcome
        return begun, ended

    def has_seen(self, event_id: str) -> bool:
        """Whether this chat event was carried out already."""
        query = select(seen_event.c.id).where(seen_event.c.id == event_id)
        return self._scalar("read the events seen", query) is not None

    def count_waiting(self) -> tuple[int, datetime | None]:
        """Return how many notices wait for the chat, and since when the oldest does."""
        waiting = self.waiting_by_channel().values()
        return sum(count for count, _ in waiting), min((since for _, since in waiting), default=None)

    def waiting_by_channel(self) -> dict[str, tuple[int, datetime]]:
        """Return, for each channel with notices in the outbox, how many there are and since when the oldest waits.

        All direct messages are together. What is held does not wait yet.
        """
        now = codec.timestamp(datetime.now(UTC))
        oldest = func.min(func.coalesce(outbox.c.due, outbox.c.at))
        address = case(
            (outbox.c.channel.startswith(f"{Channel.DIRECT}:"), Channel.DIRECT.value), else_=outbox.c.channel
        )
        query = select(address, func.count(), oldest).where(or_(outbox.c.due.is_(None), outbox.c.due <= now))
        with self.reading("read the outbox") as connection:
            rows = connection.execute(query.group_by(address)).all()
        return {channel: (count, datetime.fromisoformat(since)) for channel, count, since in rows}

    def last_line(self) -> int:
        """Return the number of the journal's last line; 0: it has none."""
        return self._scalar("read the journal", select(func.max(journal.c.id))) or 0

    def note(self, name: str) -> str | None:
        """Return what a task has written down under this name."""
        return self._scalar("read a note", select(note.c.value).where(note.c.name == name))

    def notices_with(self, change: Callable[[str], str]) -> tuple[tuple[int, str], ...]:
        """Return the waiting notices that ``change`` changes, as they are to be: id, text."""
        with self.reading("read the outbox") as connection:
            rows = connection.execute(select(outbox.c.id, outbox.c.text)).all()
        return tuple((number, changed) for number, words in rows if (changed := change(words)) != words)

    def empty_log(self) -> bool:
        """Have nothing of what was written over be left on disk; false: somebody reads or writes. Never waits."""
        return self.database.empty_log()

    def remove_leftovers(self) -> None:
        """Remove whole copies of the database that killed backups and restores have left in the state directory."""
        self.database.remove_leftovers()

    def _scalar(self, what: str, query: Select[T]) -> T | None:
        with self.reading(what) as connection:
            return connection.scalar(query)

    @contextlib.contextmanager
    def reading(self, what: str) -> Iterator[Connection]:
        """Give a connection to read with; what the database refuses is a :class:`StorageError`: cannot ``what``."""
        with as_storage_error(what):
            if connection := getattr(self._at_once, "connection", None):
                yield connection
            else:
                with self.database.reading() as connection:
                    yield connection

    @contextlib.contextmanager
    def at_once(self, what: str) -> Iterator[None]:
        """Have all that this thread reads within it be of one moment, by one connection: each begin and end of a
        reading is a round trip.
        """
        with self.reading(what) as self._at_once.connection:
            try:
                yield
            finally:
                del self._at_once.connection


@contextlib.contextmanager
def needing_psycopg() -> Iterator[None]:
    """Import within it what needs the extra ``postgres``: raises :class:`ConfigError` where that is not installed."""
    try:
        yield
    except ImportError as error:
        needs = f"MAC_DATABASE needs what is not installed: pip install 'mac-actors[postgres]' ({error})"
        raise ConfigError([needs]) from None


def _postgres(url: str) -> Database:
    with needing_psycopg():
        from mac_actors.storage.postgres.database import PostgresDatabase
    return PostgresDatabase.open(url)


def _addition(number: int, account_id: str, counts: int, data: str) -> Addition:
    try:
        return codec.load_addition(number, account_id, counts, data)
    except (ValueError, TypeError):
        return codec.unreadable_addition(number, account_id, counts)


def _entry(number: int, kind: str, data: str) -> Entry | None:
    try:
        return Entry(number, codec.load_outcome(kind, data))
    except ValueError as error:
        log.warning("line %d of the journal can't be read, and is left out: %s", number, one_line(error))
        return None
