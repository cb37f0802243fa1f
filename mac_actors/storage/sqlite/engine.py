"""The engine: how the database file is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

from mac_actors.storage.database import KEPT_OPEN

DATABASE = "mac.sqlite3"
"""The database's file name in the state directory."""

BUSY_SECONDS = 5.0
"""How long a connection waits for another one that has the database."""


def open_engine(directory: Path | None) -> Engine:
    """Return the engine of the database in ``directory``; ``None``: in memory, on one connection for everybody."""
    if directory is None:
        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        event.listen(engine, "connect", _take_over_transactions)
    else:
        # rw: whoever removes the database under a running server must not get an empty one in its place.
        path = (directory / DATABASE).absolute().as_uri()
        url = URL.create("sqlite", database=path, query={"mode": "rw", "uri": "true"})
        engine = create_engine(url, pool_size=KEPT_OPEN, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _take_over_transactions)
        event.listen(engine, "connect", _durable)
    event.listen(engine, "begin", _begin)
    return engine


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
