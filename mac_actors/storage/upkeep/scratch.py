"""A store in memory that begins with the states of a state directory, which is only read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from mac_actors.errors import StorageError
from mac_actors.storage.records import Record
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.store import Store
from mac_actors.storage.upkeep.verify import reading


def scratch_store(directory: Path) -> Store:
    """Copy the machines' states, whoever uses the directory meanwhile; its journal is not copied.

    Without a database there it begins empty. Raises :class:`StorageError` when the database can't be read.
    """
    path = directory / DATABASE
    rows: list[tuple[str, str]] = []
    if path.exists():
        try:
            with reading(path) as connection:
                rows = connection.execute("SELECT name, state FROM machine_state").fetchall()
        except sqlite3.DatabaseError as error:
            raise StorageError(f"cannot read {path}: {error}. 'mac-actors verify' says more") from error
    store = Store.open(None)
    if rows:
        store.commit([Record(row) for row in rows])
    return store
