"""Copies of the database: made beside a running server, and put back."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Table

from mac_actors.core.outcomes import Ended, EndReason, LockSet, Outcome, Person, SessionEnded
from mac_actors.core.people.additions import Addition, Kind
from mac_actors.core.state import MachineState, session_seconds
from mac_actors.errors import StorageError
from mac_actors.storage.codec import journal_row
from mac_actors.storage.records import Record, Unreadable, record_state
from mac_actors.storage.schema import admin, board_session, machine_state, reader_key
from mac_actors.storage.sqlite.engine import BUSY_SECONDS, DATABASE
from mac_actors.storage.sqlite.files import (
    STAGE,
    hand_over,
    partial_copy,
    remove_leftovers,
    remove_partial_copies,
    sync,
    with_companions,
)
from mac_actors.storage.sqlite.lock import DirectoryLock
from mac_actors.storage.store import Store
from mac_actors.storage.upkeep.verify import (
    OnProgress,
    additions,
    damage_reported,
    integrity,
    is_damage,
    reading,
    schema,
    states,
)

PAGES = 256
"""Pages (of 4 KiB) in one step of a copy."""

SYNC_PAGES = 4096
"""Pages of a copy that may wait for the disk at the most."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did."""

    machines: int
    events: int
    last_event: str | None
    """When the last event of the backup was, ISO 8601 in UTC; ``None`` when it has none."""
    ended: tuple[str, ...]
    """The machines whose session ran when the backup was made, and is over."""
    kept: Path | None = None
    """Where the former database is; ``None``: there was none."""
    lifted: tuple[str, ...] | None = ()
    """The machines that were oopsed or locked in the former database, or were to be, and no longer are, and what was
    taken from users there and no longer is; ``None``: it is unreadable.
    """
    old_keys: int = 0
    """Readers whose keys are those of the backup, because the former database could not be asked for them."""
    revoked: tuple[str, ...] = ()
    """Whose personal logins of the backup count no more, because the former database did not have them."""
    old_logins: tuple[str, ...] = ()
    """Whose personal logins count because the backup has them: the former database could not be asked."""


def backup(directory: Path, file: Path, *, force: bool = False, progress: OnProgress = lambda done, total: None) -> int:
    """Copy the database in the state directory to ``file``, beside a running server; returns the copy's bytes.

    The copy is the database as it was when the backup began: whatever was acknowledged before is in it. It
    is checked, and under its name only when it is whole and on disk. A ``file`` that is there is replaced
    with ``force`` alone. ``progress`` is given pages. Raises :class:`StorageError`: no database, a damaged
    one, ``file`` there already or not writable, disk full.
    """
    source = directory / DATABASE
    if not source.is_file():
        with reading(source):  # says so
            pass
    if file.is_file() and any(path.exists() and file.samefile(path) for path in with_companions(source)):
        raise StorageError(f"{file} is the database itself: give another name")
    with checked_copy(file, str(source), force=force) as partial:
        _copy(source, partial, progress)
    return file.stat().st_size


@contextlib.contextmanager
def checked_copy(file: Path, source: str, *, force: bool) -> Iterator[Path]:
    """Give a file to write a copy of ``source`` into; it is ``file`` once it is whole, checked, and on disk."""
    if file.is_dir():
        raise StorageError(f"{file} is a directory: give the name of a file in it")
    if file.exists() and not force:
        raise StorageError(f"{file} is there already: give another name, or --force to replace it")
    with writing(file):
        remove_partial_copies(file.parent)
        with partial_copy(file) as partial:
            yield partial
            _check(partial, f"{source} is damaged (mac-actors verify lists where), and no backup was made")
            sync(partial)
            partial.replace(file)
        sync(file.parent)


def restore(directory: Path, file: Path, progress: OnProgress = lambda done, total: None) -> Restored:
    """Put the backup ``file`` in the place of the database; the former one is kept beside it.

    No machine starts by it: sessions that ran when the backup was made are over, and a card in a reader, as its next
    report says, must be taken out and put in again. If the former database can be read, the readers' keys stay as they
    are there (readers know no others), and personal logins that it no longer has stay revoked. Whatever fails, the
    former database stays. Raises :class:`StorageError`: a server has the directory, ``file`` is not a whole database of
    this version or an earlier one, disk full.
    """
    database = directory / DATABASE
    if not file.is_file():
        raise StorageError(f"there is no file {file}: which backup is to be restored?")
    if database.exists() and file.samefile(database):
        raise StorageError(f"{file} is the database itself: which backup is to be restored?")
    with staging(directory) as stage:
        done = prepare(file, stage, progress)
        done = _heed_former(database, stage, done)
        if not _checkpoint(stage / DATABASE):
            raise StorageError(
                f"the new database can't be written to its end in {directory}: nothing was changed. Look at the disk, "
                "and restore again."
            )
        hand_over(stage / DATABASE, database if database.exists() else directory)
        sync(stage / DATABASE)
        kept, lifted = _keep(database, stage / DATABASE)
        (stage / DATABASE).replace(database)
        sync(directory)
    return replace(done, kept=kept, lifted=lifted)


@contextlib.contextmanager
def staging(directory: Path) -> Iterator[Path]:
    """Give a directory within a state directory, for what is to be its database; the latter is made and locked.

    Raises :class:`StorageError`: a server has it, or it can't be written.
    """
    with writing(directory):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = DirectoryLock(directory)
        try:
            hand_over(lock.path, directory)
            remove_leftovers(directory)
            stage = Path(tempfile.mkdtemp(prefix=STAGE, dir=directory))
            try:
                yield stage
            finally:
                shutil.rmtree(stage)
        finally:
            lock.release()


def prepare(file: Path, stage: Path, progress: OnProgress) -> Restored:
    """Put a copy of the backup ``file`` into the directory ``stage``, of this version, with its sessions at an end.

    The readers' keys and the personal logins are the backup's.
    """
    _copy(file, stage / DATABASE, progress)
    _check(stage / DATABASE, f"{file} can't be restored, and nothing was changed", ours=True)
    return _end_sessions(stage)


@contextlib.contextmanager
def writing(where: Path) -> Iterator[None]:
    """Say what went wrong with ``where``, and what to do."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise StorageError(
            f"cannot write {where}: {why}. Is there room on the disk, and may this user write there? "
            "Nothing was changed; free some room, or give another place."
        ) from error


def _copy(source: Path, target: Path, progress: OnProgress) -> None:
    # We read the source in one transaction, so that a writer does not make the copy begin again; in WAL mode that holds
    # up nobody. The target needs neither journal nor syncs of SQLite: it counts only once it is whole and synced. We
    # sync it little by little, so that a server's commits never wait for hundreds of megabytes of ours.
    try:
        with reading(source) as ours, target.open("wb") as made, closing(sqlite3.connect(target)) as copy:

            def stepped(_status: int, left: int, total: int) -> None:
                if left % SYNC_PAGES < PAGES:
                    os.fdatasync(made.fileno())
                progress(total - left, total)

            copy.execute("PRAGMA journal_mode=OFF")
            copy.execute("PRAGMA synchronous=OFF")
            ours.backup(copy, pages=PAGES, progress=stepped)
        with closing(sqlite3.connect(target)) as copy:
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, readable from a read-only disk too
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise StorageError(f"{source} is damaged, or no database ({error}): nothing was changed") from error
        raise


def _check(path: Path, refusal: str, *, ours: bool = False) -> None:
    findings: list[str] = []
    with damage_reported(path, findings.append), reading(path) as connection:
        findings += integrity(connection)
        if ours and not findings:
            findings += schema(connection)
        if ours and not findings:
            findings += [
                f"the state of {name} can't be read: {state.why}"
                for name, state in states(connection)
                if isinstance(state, Unreadable)
            ]
    if findings:
        raise StorageError(f"{refusal}: {'; '.join(findings[:5])}")


def _end_sessions(stage: Path) -> Restored:
    """Bring the copy to this version, and end its sessions: nobody knows what happened at the readers since."""
    now = datetime.now(UTC)
    with reading(stage / DATABASE) as connection:
        events, last = connection.execute("SELECT count(*), max(at) FROM journal").fetchone()
    with _opened(stage) as store:
        stored = {n: s for n, s in store.load_states().items() if isinstance(s, MachineState)}
        in_use = tuple(name for name, state in stored.items() if state.session)
        logins = tuple(("board_session", row["id"]) for row in store.rows(board_session))  # some may have ended since
        records = [_end_session(name, state, _display_name(store, name), now) for name, state in stored.items()]
        store.commit([*records, Record(drop=logins)])
        admins = tuple(row["name"] for row in store.rows(admin))
        return Restored(
            len(stored), events, last, in_use, old_keys=len(store.reader_keys()), old_logins=tuple(sorted(admins))
        )


@contextlib.contextmanager
def _opened(stage: Path) -> Iterator[Store]:
    """Open the copy, to write into it."""
    try:
        with closing(Store.open(stage)) as store:
            yield store
    except StorageError as error:
        raise StorageError(
            f"the backup can't be made ready ({error}), and nothing was changed. Is there room on the disk? Free some, "
            "and restore again."
        ) from error


def _end_session(name: str, state: MachineState, display_name: str, now: datetime) -> Record:
    card = replace(state.card, blocked=True) if state.card else None
    session = state.session
    if session is None:
        return Record(record_state(name, replace(state, card=card, restored=True)))
    person = Person.of(session)
    ended = Ended(person, session.kind, session.since, session_seconds(state), EndReason.RESTORED)
    outcomes: list[Outcome] = [SessionEnded(machine=name, display_name=display_name, at=now, ended=ended)]
    after = replace(state, card=card, session=None, last_update=now, restored=True)
    if flag := after.due_lock(now):
        after = replace(after, lock=flag, lock_pending=None)
        outcomes.append(LockSet(machine=name, display_name=display_name, at=now, flag=flag, ended=None))
    if after.status is not state.status:
        after = replace(after, status_since=now)
    return Record(record_state(name, after), tuple((journal_row(outcome), ()) for outcome in outcomes))


def _heed_former(former: Path, stage: Path, done: Restored) -> Restored:
    """Have the copy heed what the former database says of readers and logins, as far as that can be read."""
    machines, keys, logins = (_rows(former, table) for table in (machine_state, reader_key, admin))
    with _opened(stage) as store:
        fresh = MachineState(datetime.now(UTC), restored=True)
        unknown = {row["name"] for row in machines or ()} - store.load_states().keys()
        records = [Record(record_state(name, fresh)) for name in sorted(unknown)]
        if keys is not None:
            gone = tuple((machine, None) for machine in store.reader_keys())
            records.append(Record(keys=(*gone, *((str(row.pop("machine")), row) for row in keys))))
            done = replace(done, old_keys=0)
        if logins is not None:
            there = {row["token"] for row in logins}
            revoked = tuple(sorted(row["name"] for row in store.rows(admin) if row["token"] not in there))
            records.append(Record(drop=tuple(("admin", name) for name in revoked)))
            done = replace(done, revoked=revoked, old_logins=())
        store.commit(records)
    return done


def _rows(former: Path, table: Table) -> list[dict[str, Any]] | None:
    """Return a table of the former database; ``None``: it, or the table, is not there, or damaged."""
    try:
        with reading(former) as connection:
            cursor = connection.execute(f"SELECT * FROM {table.name}")  # noqa: S608 - a name of ours
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]
    except (StorageError, sqlite3.DatabaseError):
        return None


def _display_name(store: Store, name: str) -> str:
    entries = store.page(machine=name, limit=1).entries
    return entries[0].outcome.display_name if entries else name


def _flagged(path: Path) -> dict[tuple[str, str], str]:
    """Return what is out of use, or is to be, and what was taken from users: in words, by what it is."""
    found: dict[tuple[str, str], str] = {}
    with reading(path) as connection:
        for name, state in states(connection):
            if isinstance(state, Unreadable):
                continue
            if state.oops:
                found[name, "oops"] = f"{name} (oopsed)"
            if state.lock or state.lock_pending:
                found[name, "lock"] = f"{name} ({'locked out' if state.lock else 'to be locked out'})"
        for one in _withdrawals(connection):
            text = f"{one.account_id} ({one.word}: {_label(one)})"
            found["", text] = text
    return found


def _withdrawals(connection: sqlite3.Connection) -> Iterator[Addition]:
    """Return the fobs and authorizations that count no more."""
    return (one for one in additions(connection) if isinstance(one, Addition) and one.counts and not one.given)


def _label(addition: Addition) -> str:
    return f"…{addition.value[-4:]}" if addition.kind is Kind.FOB else addition.value


def _keep(database: Path, new: Path) -> tuple[Path | None, tuple[str, ...] | None]:
    """Give the former database a second name; it stays in place under its first. Returns that name, and what lifts.

    Its companions go from their places: a database must never be found with the -wal of another one.
    """
    kept = database.with_name(f"{DATABASE}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    lifted: tuple[str, ...] | None = ()
    try:
        for path, name in zip(with_companions(database), with_companions(kept), strict=True):
            if path.exists():
                name.hardlink_to(path)  # at first: what SQLite finds to be damaged it may throw away
        if database.exists():
            lifted = None
            if _checkpoint(database):
                for name in with_companions(kept)[1:]:
                    name.unlink(missing_ok=True)
                with contextlib.suppress(StorageError, sqlite3.DatabaseError):
                    still = _flagged(new)
                    lifted = tuple(sorted(text for what, text in _flagged(kept).items() if what not in still))
        sync(database.parent)
    except BaseException:
        for name in with_companions(kept):
            name.unlink(missing_ok=True)
        raise
    for path in with_companions(database)[1:]:
        path.unlink(missing_ok=True)
    return (kept if kept.exists() else None), lifted


def _checkpoint(database: Path) -> bool:
    """Put the content of the -wal into the database itself; a damaged one can't be, and needs it beside it."""
    try:
        with closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as connection:
            return bool(connection.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",))
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise StorageError(
                f"another process reads {database}, a backup perhaps: nothing was changed; try again when it has ended"
            ) from error
        if not is_damage(error) and not error.sqlite_errorname.startswith("SQLITE_IOERR"):
            raise
        return False
