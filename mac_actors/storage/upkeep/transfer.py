"""All that a shop has, from PostgreSQL into a SQLite file and back: each time of one moment, whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Table, create_engine

from mac_actors.errors import StorageError
from mac_actors.storage.database import said
from mac_actors.storage.postgres import migrations
from mac_actors.storage.postgres.address import Address, check_server
from mac_actors.storage.schema import metadata, migration
from mac_actors.storage.sqlite.migrations import migrate
from mac_actors.storage.upkeep.verify import OnProgress, reading

_TABLES = [table for table in metadata.sorted_tables if table is not migration]
_ROWS = 1000
"""So many rows are in memory at once."""


def export(url: str, file: Path, progress: OnProgress = lambda done, total: None) -> None:
    """Write all that the database at ``url`` has, as it is at this moment, into ``file`` as a SQLite database.

    Whoever owns it goes on meanwhile. What is in ``file`` is written over; it is not synced. Raises
    :class:`StorageError`.
    """
    address = Address.parse(url)
    file.write_bytes(b"")
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(file))
    migrate(engine)
    engine.dispose()
    try:
        with address.connect() as source, closing(sqlite3.connect(file, isolation_level=None)) as target:
            check_server(source)
            migrations.check(source)
            if why := migrations.newer(migrations.applied(source)):
                raise StorageError(why)
            target.execute("PRAGMA journal_mode=OFF")
            target.execute("PRAGMA synchronous=OFF")
            source.autocommit = False
            source.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            source.read_only = True
            counts = {table: _count(source, table) for table in _TABLES}
            done, total = 0, sum(counts.values())
            target.execute("BEGIN")
            for table in _TABLES:
                places = ", ".join("?" * len(table.columns))
                insert = f"INSERT INTO {table.name} ({_columns(table)}) VALUES ({places})"  # noqa: S608 - names of ours
                with source.cursor(name="export") as rows:
                    rows.itersize = _ROWS
                    rows.execute(f"SELECT {_columns(table)} FROM {table.name} ORDER BY {_key(table)}".encode())  # noqa: S608
                    for batch in _batches(rows):
                        target.executemany(insert, batch)
                        progress(done := done + len(batch), total)
            target.execute("COMMIT")
            target.execute("PRAGMA journal_mode=DELETE")
    except psycopg.Error as error:
        raise StorageError(f"cannot read the database {address.where}: {said(error)}") from error


def fill(url: str, file: Path, progress: OnProgress = lambda done, total: None) -> None:
    """Put all that the SQLite database ``file``, one of this version, has into the empty database at ``url``.

    For who owns it. Raises :class:`StorageError` when it is not empty, or has no tables yet; nothing is changed then.
    """
    address = Address.parse(url)
    table = _TABLES[0]
    try:
        with address.connect() as target, reading(file) as source, target.transaction():
            check_server(target)
            migrations.check(target)
            target.execute("SELECT FROM part FOR UPDATE")  # nobody writes meanwhile
            if there := [table.name for table in _TABLES if _count(target, table)]:
                raise StorageError(
                    f"the database {address.where} is not empty: there is something in {', '.join(there)}. Nothing was "
                    "changed; give an empty one (createdb, mac-actors migrate)"
                )
            query = "SELECT count(*) FROM {}"
            done, total = 0, sum(source.execute(query.format(table.name)).fetchone()[0] for table in _TABLES)
            for table in _TABLES:
                rows = source.execute(f"SELECT {_columns(table)} FROM {table.name} ORDER BY {_key(table)}")  # noqa: S608
                columns = sql.SQL(", ").join(map(sql.Identifier, table.columns.keys()))
                statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), columns)
                with target.cursor() as cursor, cursor.copy(statement) as copy:
                    for batch in _batches(rows):
                        for row in batch:
                            copy.write_row(row)
                        progress(done := done + len(batch), total)
    except (psycopg.Error, sqlite3.DatabaseError) as error:
        raise StorageError(f"cannot copy {file} ({table.name}), and nothing was changed: {said(error)}") from error


def _batches(rows: Iterator[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    while batch := list(islice(rows, _ROWS)):
        yield batch


def _columns(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.columns)


def _key(table: Table) -> str:
    return ", ".join(f'"{column.name}"' for column in table.primary_key)


def _count(connection: psycopg.Connection, table: Table) -> int:
    [(number,)] = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table.name))).fetchall()
    return int(number)
