"""Files that others rely on: on disk for good, and owned by whom they are for."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite may keep beside a database; it belongs to that one alone."""

STAGE = "restoring-"
"""How the directories begin in which a restore prepares the new database."""

_BEGINNINGS = (b"", bytes(16), b"SQLite format 3\0")
"""What a copy begins with: SQLite writes the first page last."""


def sync(path: Path) -> None:
    """Have a file, or the names in a directory, on disk when this returns."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def with_companions(path: Path) -> tuple[Path, ...]:
    """Return the path of a database, and of what SQLite may keep beside it."""
    return (path, *(path.with_name(path.name + suffix) for suffix in COMPANIONS))


@contextmanager
def partial_copy(file: Path) -> Iterator[Path]:
    """Give a new file beside ``file``, to be renamed to it when it is whole; what is left of it is removed.

    It is locked meanwhile, so that nobody takes it for what a killed process has left.
    """
    number, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".partial", dir=file.parent)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield Path(name)
    finally:
        for leftover in with_companions(Path(name)):
            leftover.unlink(missing_ok=True)
        os.close(number)


def remove_partial_copies(directory: Path) -> None:
    """Remove what killed backups have left in this directory: names and fobs are in it, and nobody looks for them."""
    for path in directory.glob(".*.*.partial"):
        with suppress(OSError), path.open("rb") as copy:
            fcntl.flock(copy, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while a backup is at work on it
            if copy.read(16) in _BEGINNINGS:
                for leftover in with_companions(path):
                    leftover.unlink(missing_ok=True)


def remove_leftovers(directory: Path) -> None:
    """Remove copies that killed backups and restores have left in a state directory; for who has its lock."""
    remove_partial_copies(directory)
    for stage in directory.glob(f"{STAGE}*"):
        shutil.rmtree(stage, ignore_errors=True)


def hand_over(path: Path, like: Path) -> None:
    """Let the user that runs the server have what root has made; with a file as model it has that one's mode too."""
    model = like.stat()
    if os.geteuid() == 0:
        os.chown(path, model.st_uid, model.st_gid)
    if like.is_file():
        path.chmod(stat.S_IMODE(model.st_mode))
