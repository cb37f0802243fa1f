"""Where a test's database is: on either engine."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psycopg

from mac_actors.storage.postgres.database import PostgresDatabase
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.store import Store

AnyStore = TypeVar("AnyStore", bound=Store)


@dataclass(frozen=True)
class Place:
    """A state directory, or the address of a PostgreSQL database."""

    where: Path | str

    def open(self, kind: type[AnyStore]) -> AnyStore:
        """Open a store there, as its owner."""
        store = kind.open(self.where)
        if isinstance(store.database, PostgresDatabase):
            store.database.take_over("test")
        return store

    def change(self, statement: str, *values: object) -> None:
        """Change something past the store; ``?`` stand for the values."""
        if isinstance(self.where, Path):
            with closing(sqlite3.connect(self.where / DATABASE)) as connection, connection:
                connection.execute(statement, values)
        else:
            with psycopg.connect(self.where) as other:
                other.execute(statement.replace("?", "%s").encode(), values)
