"""The only way to the tables: batches of records, each in one call of ``mac_commit``. For the journal actor alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, LiteralString

import psycopg
from psycopg.errors import Diagnostic

from mac_actors.errors import StorageError
from mac_actors.storage.batch import make_batch
from mac_actors.storage.database import BadRecordError, Fenced, said
from mac_actors.storage.postgres.address import Address
from mac_actors.storage.postgres.limited import ANSWER_SECONDS, LimitedConnection, SilentError
from mac_actors.storage.postgres.migrations import newer
from mac_actors.storage.records import Record

_OWNED = """
SELECT (SELECT array_agg(name) FROM migration), epoch = %s AND incarnation = %s, batch,
  coalesce((SELECT max(id) FROM journal), 0), coalesce((SELECT max(id) FROM outbox), 0)
FROM part WHERE part = 1
"""
_COMMIT = "SELECT mac_commit(1, %s, %s, %s, %s::jsonb)"

# The first one may be there yet, waiting for a standby that is away, and has the part's row until then. Whoever waits
# for that row keeps one of the database's connections, also when nobody here waits for it any more: so this ends by
# itself, before anything is written. A commit that waits for the standby waits for no lock, and is never cancelled.
_AGAIN = """
WITH how AS MATERIALIZED (SELECT set_config('lock_timeout', %s, true) AS value)
SELECT mac_commit(1, %s, %s, %s, %s::jsonb) FROM how WHERE how.value IS NOT NULL
"""

COMMIT_SECONDS = 30.0
"""How long a commit is waited for. Then its connection is given up, and it is sent again."""

_FENCED = "MA001"
_NOT_REPLICATED = ("01000", "57P01")


@dataclass(frozen=True, slots=True)
class _Sent:
    """A batch on its way: its number, its document, and how many records, lines and notices are in it."""

    number: int
    document: str
    records: int
    lines: int
    posts: int
    again: bool = False


class Writer:
    """Commits records, once it is told as which owner."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._connection: LimitedConnection | None = None
        self._owner: tuple[int, str] | None = None
        self._batch = self._last_journal = self._last_outbox = 0
        self._doubt: _Sent | None = None
        self._already = 0  # of the records to be given next, so many are written
        self._cancelled = False

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def own(self, epoch: int, incarnation: str) -> None:
        """Write from now on as this owner. Raises :class:`Fenced` when there is another one, :class:`StorageError` when
        a newer version has changed the tables: this one would leave out what it does not know.
        """
        steps, owns, *numbers = self._read(_OWNED, (epoch, incarnation))
        if why := newer(set(steps)):
            raise StorageError(why)
        if not owns:
            raise Fenced("another server owns the database by now")
        self._batch, self._last_journal, self._last_outbox = map(int, numbers)
        self._owner = epoch, incarnation

    def warm_up(self) -> None:
        """Be connected."""
        self._read("SELECT 1")

    def _read(self, statement: LiteralString, values: tuple[object, ...] = ()) -> tuple[Any, ...]:
        was_connected = self._connection is not None
        try:
            return self._connected(ANSWER_SECONDS).execute(statement, values).fetchone() or ()
        except psycopg.Error as error:
            with suppress(psycopg.Error):
                self.close()
            if was_connected:  # the database may have been restarted since
                return self._read(statement, values)
            raise StorageError(f"cannot read the database: {said(error)}") from error

    def commit(self, records: Sequence[Record]) -> None:
        """Write all of ``records``, as :meth:`~mac_actors.storage.database.Database.commit` says."""
        if self._doubt is not None:
            # Nobody may read whether it is there: what is not yet at the standby can be seen, and lost. So it is sent
            # again, and written or not, the answer comes when it is safe.
            sent = replace(self._doubt, again=True)
            self._send(sent)
            self._already = sent.records
        skip = min(self._already, len(records))
        if skip < len(records) or not records:
            batch = make_batch(records[skip:], self._last_journal, self._last_outbox)
            document = json.dumps(batch.steps, ensure_ascii=False)
            try:
                document.encode()  # before it is in doubt: it could never be sent, and nothing else after it
            except UnicodeEncodeError as error:
                raise BadRecordError(f"cannot write: {error}") from None  # it has the whole document
            self._send(_Sent(self._batch + 1, document, len(records), batch.lines, batch.posts))
        self._already -= skip

    def _send(self, sent: _Sent) -> None:
        if self._owner is None:
            raise Fenced("this server does not own the database")
        self._doubt, self._cancelled = sent, False
        try:
            self._call(*self._owner, sent)
        except psycopg.Error as error:
            with suppress(psycopg.Error):
                self.close()
            if error.sqlstate == _FENCED:
                self._owner = self._doubt = None
                raise Fenced(said(error)) from error
            if isinstance(error, psycopg.DataError | psycopg.IntegrityError):
                self._doubt = None
                raise BadRecordError(f"cannot write: {said(error)}") from None  # it shows the row, a key perhaps
            full = isinstance(error, psycopg.errors.DiskFull)
            hint = ". Make room on the database's disk (df -h): it is tried again by itself" if full else ""
            why = said(error)
            if isinstance(error, SilentError | psycopg.errors.LockNotAvailable):
                why = "the database does not answer: does it hang, or is its synchronous standby away?"
            raise StorageError(f"cannot write: {why}{hint}") from error
        if self._cancelled:
            raise StorageError("cannot write: somebody cancelled the wait for the synchronous standby")
        self._doubt = None
        self._batch = sent.number
        self._last_journal += sent.lines
        self._last_outbox += sent.posts

    def _call(self, epoch: int, incarnation: str, sent: _Sent) -> None:
        connection, values = self._connected(COMMIT_SECONDS), (epoch, incarnation, sent.number, sent.document)
        if sent.again:
            connection.execute(_AGAIN, (f"{COMMIT_SECONDS * 500:.0f}ms", *values))
        else:
            connection.execute(_COMMIT, values)

    def _connected(self, seconds: float) -> LimitedConnection:
        if self._connection is None:
            self._connection = self._address.connect()
            self._connection.add_notice_handler(self._notice)
        self._connection.seconds = seconds
        return self._connection

    def _notice(self, notice: Diagnostic) -> None:
        # Whoever cancels a commit that waits for the standby has it succeed, with no more than a warning.
        if notice.severity_nonlocalized == "WARNING" and notice.sqlstate in _NOT_REPLICATED:
            self._cancelled = True
