"""Looking after a database on PostgreSQL, by way of SQLite files; and moving a shop there, and back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from mac_actors.errors import StorageError
from mac_actors.storage.postgres.address import Address
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.sqlite.files import hand_over, sync
from mac_actors.storage.store import Store
from mac_actors.storage.upkeep.backup import Restored, checked_copy, prepare, staging, writing
from mac_actors.storage.upkeep.transfer import export, fill
from mac_actors.storage.upkeep.verify import OnProgress, Verified, verify


def backup(url: str, file: Path, *, force: bool = False, progress: OnProgress = lambda done, total: None) -> int:
    """Write the database at ``url`` into ``file``, as :func:`mac_actors.storage.upkeep.backup.backup` does.

    ``progress`` is given rows.
    """
    with checked_copy(file, Address.parse(url).where, force=force) as partial:
        export(url, partial, progress)
    return file.stat().st_size


def verify_copy(url: str, found: Callable[[str], None], progress: OnProgress = lambda done, total: None) -> Verified:
    """Check the database at ``url`` as :func:`~mac_actors.storage.upkeep.verify.verify` does: a copy of one moment."""
    with tempfile.TemporaryDirectory() as name, writing(Path(name)):
        export(url, Path(name, DATABASE), progress)
        return verify(Path(name), found, progress)


def restore(url: str, file: Path, progress: OnProgress = lambda done, total: None) -> Restored:
    """Put the backup ``file`` into the empty database at ``url``: no machine starts by it. For its owner.

    The readers' keys and the personal logins are the backup's. Raises :class:`StorageError`: ``file`` is not
    a whole database of this version or an earlier one, the database at ``url`` is not empty.
    """
    if not file.is_file():
        raise StorageError(f"there is no file {file}: which backup is to be restored?")
    with tempfile.TemporaryDirectory() as name, writing(Path(name)):
        done = prepare(file, Path(name), progress)
        fill(url, Path(name, DATABASE), progress)
    return done


def copy_to(url: str, directory: Path, progress: OnProgress = lambda done, total: None) -> None:
    """Copy all that a state directory has into the empty database at ``url``. For its owner.

    Raises :class:`StorageError`: a server has the directory, there is nothing in it, the database is not empty.
    """
    if not (directory / DATABASE).is_file():
        raise StorageError(f"there is no database in {directory}: set MACHINE_STATE_DIR to what it is for the server")
    with closing(Store.open(directory)) as store:  # of this version from here on, and nobody's but ours
        store.empty_log()
        fill(url, directory / DATABASE, progress)


def copy_from(url: str, directory: Path, progress: OnProgress = lambda done, total: None) -> None:
    """Copy all that the database at ``url`` has into a state directory that has none, made if it is missing.

    Raises :class:`StorageError`: there is one, a server has the directory, disk full.
    """
    database = directory / DATABASE
    with staging(directory) as stage:
        if database.exists():
            raise StorageError(f"{database} is there already: set MACHINE_STATE_DIR to an empty directory")
        export(url, stage / DATABASE, progress)
        hand_over(stage / DATABASE, directory)
        sync(stage / DATABASE)
        (stage / DATABASE).replace(database)
        sync(directory)
