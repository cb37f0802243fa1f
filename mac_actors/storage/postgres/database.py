"""A database on a PostgreSQL server, of which one server at a time is the owner."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Self

import psycopg
from sqlalchemy import Connection, create_engine, event

from mac_actors.errors import StorageError
from mac_actors.storage.database import KEPT_OPEN, as_storage_error, said
from mac_actors.storage.postgres import migrations
from mac_actors.storage.postgres.address import Address, check_server
from mac_actors.storage.postgres.limited import ANSWER_SECONDS, LimitedConnection
from mac_actors.storage.postgres.writer import Writer
from mac_actors.storage.records import Record

READ_SECONDS = 60.0
"""How long a query of a database that has just answered may take: there are years of history in it."""

VACUUM_SECONDS = 600.0

# No beat follows, and so any server may take over from whoever has taken it like this.
_TAKE = """
WITH released AS (
    UPDATE beat SET epoch = epoch + 1, beat = 0, released = true, alone = false, at = clock_timestamp() WHERE part = 1
)
UPDATE part SET epoch = epoch + 1, incarnation = %s, owner = %s, batch = 0 WHERE part = 1 RETURNING epoch
"""
_READERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL
"""
_REWRITTEN = "journal, outbox, machine_state, slack_user, thread, addition, admin, board_session, reader_key"


class PostgresDatabase:
    """A :class:`~mac_actors.storage.database.Database` of PostgreSQL; it can only be read until :meth:`own`."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.writer = Writer(address)
        # One snapshot for all that is read together, as SQLite gives it; nothing of SQLAlchemy's looking around.
        self.engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: address.connect(ANSWER_SECONDS),
            isolation_level="REPEATABLE READ",
            pool_size=KEPT_OPEN,
            pool_pre_ping=True,
            use_native_hstore=False,
            execution_options={"postgresql_readonly": True},
        )
        event.listen(self.engine, "checkout", _may_take(READ_SECONDS))
        event.listen(self.engine, "reset", _may_take(ANSWER_SECONDS))  # the next thing is whether it answers

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the database at this address. Raises :class:`StorageError` when it has no tables, or older ones."""
        address = Address.parse(url)
        try:
            with address.connect(ANSWER_SECONDS) as connection:
                check_server(connection)
                migrations.check(connection)
        except psycopg.Error as error:
            raise StorageError(f"cannot read the database {address.where}: {said(error)}") from error
        return cls(address)

    def close(self) -> None:
        """Close all connections."""
        self.writer.close()
        self.engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to read with."""
        with self.engine.connect() as connection:
            yield connection

    def commit(self, records: Sequence[Record]) -> None:
        """Write all of ``records``."""
        self.writer.commit(records)

    def own(self, epoch: int, incarnation: str) -> None:
        """Write from now on as this owner.

        Raises :class:`~mac_actors.storage.database.Fenced` when there is another one by now, :class:`StorageError` when
        a newer version has changed the tables.
        """
        self.writer.own(epoch, incarnation)

    def warm_up(self) -> None:
        """Have the connections that the owner needs first."""
        self.writer.warm_up()
        with as_storage_error("reach the database"), self.engine.connect():
            pass

    def take_over(self, owner: str) -> None:
        """Own the database from now on, whoever did: for commands, which have made sure that nobody does."""
        incarnation = secrets.token_hex(8)
        with self.address.connect() as connection:
            [(epoch,)] = connection.execute(_TAKE, (incarnation, owner)).fetchall()
        self.own(epoch, incarnation)

    def displaced(self) -> str | None:
        """Return nothing: no file is ours."""
        return None

    def empty_log(self) -> bool:
        """Remove the rows that were written over; false while somebody reads who may still see them.

        docs/decisions/0032-engines.rst says where copies stay.
        """
        try:
            with self.address.connect(VACUUM_SECONDS) as connection:
                [(readers,)] = connection.execute(_READERS).fetchall()
                if readers:
                    return False
                connection.execute(f"VACUUM {_REWRITTEN}")
        except psycopg.Error as error:
            raise StorageError(f"cannot remove old rows: {said(error)}") from error
        return True

    def remove_leftovers(self) -> None:
        """Do nothing: no copies are made beside it."""


def _may_take(seconds: float) -> Callable[..., None]:
    def listener(connection: LimitedConnection, *_: object) -> None:
        connection.seconds = seconds

    return listener


def migrate(url: str) -> list[str]:
    """Bring the tables of the database at this address up to date; returns the steps that were missing.

    Raises :class:`StorageError`.
    """
    address = Address.parse(url)
    try:
        with address.connect() as connection:
            check_server(connection)
            return migrations.migrate(connection)
    except psycopg.Error as error:
        raise StorageError(f"cannot read the database {address.where}: {said(error)}") from error
