"""A store in memory that begins with the states of a database, which is only read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mac_actors.errors import StorageError
from mac_actors.storage.records import Record
from mac_actors.storage.schema import machine_state
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.store import Store
from mac_actors.storage.upkeep.verify import reading


def scratch_store(place: Path | str) -> Store:
    """Copy the machines' states, whoever uses the database meanwhile; its journal is not copied.

    Without a database in a directory it begins empty. Raises :class:`StorageError` when it can't be read.
    """
    rows = _read(place) if isinstance(place, Path) else _ask(place)
    store = Store.open(None)
    if rows:
        store.commit([Record(row) for row in rows])
    return store


def _read(directory: Path) -> list[tuple[str, str]]:
    path = directory / DATABASE
    if not path.exists():
        return []
    try:
        with reading(path) as connection:
            return connection.execute("SELECT name, state FROM machine_state").fetchall()
    except sqlite3.DatabaseError as error:
        raise StorageError(f"cannot read {path}: {error}. 'mac-actors verify' says more") from error


def _ask(url: str) -> list[tuple[str, str]]:
    with closing(Store.open(url)) as store:
        return [(row["name"], row["state"]) for row in store.rows(machine_state)]
