"""One process owns a state directory: a lock file, held open."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from mac_actors.errors import DirectoryInUse, StorageError


class DirectoryLock:
    """Hold ``DIRECTORY/lock`` until :meth:`release` (or the end of the process, however it ends).

    Raises :class:`DirectoryInUse` with the pid of the process that has it.
    """

    NAME = "lock"

    def __init__(self, directory: Path) -> None:
        self.path = directory / self.NAME
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StorageError(
                f"cannot write in the state directory {directory}: {error.strerror}. "
                "Give it to the user that runs the server, or set MACHINE_STATE_DIR to another one."
            ) from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise DirectoryInUse(
                f"the state directory {directory} is in use by process {owner}: stop that server first, "
                "or set MACHINE_STATE_DIR to another directory.",
                owner,
            ) from error
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        except OSError:
            pass  # a full disk: the lock holds all the same, only its owner's number is missing

    def release(self) -> None:
        """Let another process have the directory."""
        os.close(self._fd)
