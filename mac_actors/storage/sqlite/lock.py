"""One process owns a state directory: a lock file and the database, both held open and locked."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from mac_actors.errors import DirectoryInUse, StorageError
from mac_actors.storage.sqlite.engine import DATABASE

_WHAT_TO_DO = {
    "lock": "nothing counts as on disk until the server is restarted, which makes it anew",
    DATABASE: "what changes from now on may be lost. Put back what was moved away; if it is gone, stop the server, "
    "restore the newest backup and start it again",
}


class DirectoryLock:
    """Hold ``DIRECTORY/lock``, and the database, until :meth:`release` (or the end of the process, however it ends).

    The lock file says who has the directory. The database is locked too, because whoever removes the lock file must
    not let a second server in. That is ``flock``, which SQLite's own locks (``fcntl``) have nothing to do with; but
    closing a file drops all of SQLite's locks on it, so it stays open as long as the database is in use.

    Raises :class:`DirectoryInUse` with the pid of the process that has it.
    """

    NAME = "lock"

    def __init__(self, directory: Path) -> None:
        self.path = directory / self.NAME
        self._directory = directory
        self._held: dict[Path, int] = {}
        number = self._hold(self.path)
        with suppress(OSError):  # a full disk: the lock holds all the same, only its owner's number is missing
            os.ftruncate(number, 0)
            os.pwrite(number, f"{os.getpid()}\n".encode(), 0)
        if (directory / DATABASE).exists():
            self.hold_database()

    def hold_database(self) -> None:
        """Lock the database, too; an empty file is made if there is none. Raises as the making does."""
        if (path := self._directory / DATABASE) not in self._held:
            try:
                self._hold(path)
            except StorageError:
                self.release()
                raise

    def displaced(self) -> str | None:
        """Return which file is no longer in its place, and what to do; ``None``: all that is open is what is there."""
        for path, number in reversed(self._held.items()):
            try:
                same = os.path.samestat(path.stat(), os.fstat(number))
            except OSError:
                same = False
            if not same:
                return f"{path} was removed, or replaced by another file, under the server: {_WHAT_TO_DO[path.name]}"
        return None

    def release(self) -> None:
        """Let another process have the directory."""
        while self._held:
            os.close(self._held.popitem()[1])

    def _hold(self, path: Path) -> int:
        try:
            number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(
                f"cannot write in the state directory {self._directory}: {error.strerror}. "
                "Give it to the user that runs the server, or set MACHINE_STATE_DIR to another one."
            ) from error
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(number, 20, 0).decode("ascii", "replace").strip() if path == self.path else ""
            os.close(number)
            whose = f"process {owner}" if owner else f"another process ('fuser {path}' says which)"
            raise DirectoryInUse(
                f"the state directory {self._directory} is in use by {whose}: stop that server first, "
                "or set MACHINE_STATE_DIR to another directory.",
                owner or "unknown",
            ) from error
        self._held[path] = number
        return number
