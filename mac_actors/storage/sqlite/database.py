"""The database in a state directory, or in memory: one file, one process that owns it, one writer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, Engine

from mac_actors.errors import StorageError
from mac_actors.storage.database import KEPT_OPEN, as_storage_error
from mac_actors.storage.records import Record
from mac_actors.storage.sqlite.engine import BUSY_SECONDS, DATABASE, open_engine
from mac_actors.storage.sqlite.files import remove_leftovers
from mac_actors.storage.sqlite.lock import DirectoryLock
from mac_actors.storage.sqlite.migrations import migrate
from mac_actors.storage.sqlite.writer import Writer


class SqliteDatabase:
    """A :class:`~mac_actors.storage.database.Database` of SQLite; without a lock it is in memory."""

    def __init__(self, engine: Engine, lock: DirectoryLock | None) -> None:
        self.engine = engine
        self._lock = lock
        # In memory there is one connection for everybody, and so one user at a time.
        self._alone = threading.RLock() if lock is None else None
        with as_storage_error("open the database"):
            migrate(engine)
            self.writer = Writer(engine, self._alone)

    @classmethod
    def open(cls, directory: Path | None) -> Self:
        """Open (or make) the database in ``directory``; ``None``: in memory, gone with the process."""
        if directory is None:
            return cls(open_engine(None), None)
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"cannot make the state directory {directory}: {error.strerror}. "
                "Make it, or set MACHINE_STATE_DIR to another one."
            ) from error
        lock = DirectoryLock(directory)
        lock.hold_database()
        remove_leftovers(directory)
        engine = open_engine(directory)
        try:
            database = cls(engine, lock)
            database._open_connections()
            if displaced := database.displaced():
                raise StorageError(displaced)
            return database
        except StorageError as error:
            engine.dispose()
            lock.release()
            raise StorageError(
                f"{directory / DATABASE}: {error}. Look first whether the disk is full (df -h) or failing (dmesg), and "
                "start again once that is mended. If the database itself is damaged, 'mac-actors restore FILE' puts "
                "a backup in its place; moving it away begins anew, and forgets every oops, lock-out and event."
            ) from error

    def _open_connections(self) -> None:
        with as_storage_error("open the database"), contextlib.ExitStack() as all_at_once:
            for _ in range(KEPT_OPEN):
                raw = self.engine.raw_connection()
                all_at_once.callback(raw.close)
                raw.cursor().execute("SELECT count(*) FROM sqlite_master")  # opens the write-ahead log, too

    def close(self) -> None:
        """Close all connections and let the directory go."""
        self.writer.close()
        self.engine.dispose()
        if self._lock is not None:
            self._lock.release()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to read with."""
        with self._alone or contextlib.nullcontext(), self.engine.connect() as connection:
            yield connection

    def commit(self, records: Sequence[Record]) -> None:
        """Write all of ``records``."""
        self.writer.commit(records)

    def own(self, epoch: int, incarnation: str) -> None:
        """Do nothing: the lock file says whose the database is."""

    def warm_up(self) -> None:
        """Do nothing: all is on this computer."""

    def displaced(self) -> str | None:
        """Return which file is no longer in its place. Looks at the disk, and so may hang with it."""
        return self._lock.displaced() if self._lock else None

    def empty_log(self) -> bool:
        """Move the write-ahead log into the database and empty its file; false while somebody is reading or writing.

        Never waits. Whatever was written over is then in neither file.
        """
        if self._lock is None:
            return True
        with as_storage_error("empty the write-ahead log"):
            raw = self.engine.raw_connection()
            try:
                cursor = raw.cursor()
                cursor.execute("PRAGMA busy_timeout=0")
                busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")
                return not busy
            finally:
                raw.close()

    def remove_leftovers(self) -> None:
        """Remove whole copies of the database that killed backups and restores have left in the state directory."""
        if self._lock is not None:
            remove_leftovers(self._lock.path.parent)
