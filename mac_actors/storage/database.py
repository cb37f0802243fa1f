"""What a store asks of a database, whichever engine it is on."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, IntegrityError, ProgrammingError, SQLAlchemyError

from mac_actors.core.text import one_line
from mac_actors.errors import StorageError
from mac_actors.storage.records import Record

KEPT_OPEN = 5
"""Connections that are kept open: they are there when clients have all file descriptors."""


class BadRecordError(StorageError):
    """A record that the database refuses whatever the state of the disk: a mistake of ours, no use to try again."""


class Fenced(StorageError):  # noqa: N818 - a state of affairs
    """Another server owns the database: nothing more may be written through this store, ever."""


class Database(Protocol):
    """An open database. All of it raises :class:`StorageError`.

    ``engine`` is what is read with, through :meth:`reading` alone.
    """

    engine: Engine

    def reading(self) -> contextlib.AbstractContextManager[Connection]:
        """Give a connection to read with: all that is read with it is as it was at one moment."""

    def commit(self, records: Sequence[Record]) -> None:
        """Write all of ``records`` in one transaction, in their order; on an error none of them counts as written.

        Raises :class:`BadRecordError` for a record that is wrong in itself, and :class:`Fenced` when another server
        owns the database. After any other :class:`StorageError` the same records must be given again first: whether a
        commit that failed in its last step is there after all is found out then.
        """

    def own(self, epoch: int, incarnation: str) -> None:
        """Write from now on as the owner that has taken the database with this epoch. SQLite has its lock for that."""

    def warm_up(self) -> None:
        """Have the connections that the owner needs first. SQLite's are there."""

    def displaced(self) -> str | None:
        """Return which file is no longer where it was opened, and what to do; ``None``: all are there."""

    def empty_log(self) -> bool:
        """Have nothing of what was written over be left; false: somebody reads or writes. Never waits for them."""

    def remove_leftovers(self) -> None:
        """Remove copies of the database that killed commands have left."""

    def close(self) -> None:
        """Close all connections, and let others have the database."""


@contextlib.contextmanager
def as_storage_error(what: str) -> Iterator[None]:
    """Turn what the database refuses into a :class:`StorageError`: cannot ``what``."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        ours = isinstance(error, _OURS)
        kind = BadRecordError if ours else StorageError
        raise kind(f"cannot {what}: {said(getattr(error, 'orig', None) or error)}") from error


def said(error: BaseException) -> str:
    """Return what a database says of an error, in one line, without the rows that PostgreSQL adds to it."""
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    return one_line(primary or error)


_OURS = (
    IntegrityError,
    DataError,
    ProgrammingError,
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
)
