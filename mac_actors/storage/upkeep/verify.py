"""Checks a state directory, or one database file, without changing it: pages, tables, states, journal.

The journal is replayed: its last values of the oops, the lock and the session of each machine must be those of the
machine's stored state.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import create_engine

from mac_actors.core import outcomes as o
from mac_actors.core.outcomes import Outcome
from mac_actors.core.people.additions import Addition
from mac_actors.core.state import Flag, MachineState, Session, SessionKind, Source
from mac_actors.core.text import one_line
from mac_actors.core.wording import origin
from mac_actors.errors import StorageError
from mac_actors.storage import codec
from mac_actors.storage.records import Unreadable, read_state
from mac_actors.storage.sqlite.engine import BUSY_SECONDS, DATABASE
from mac_actors.storage.sqlite.migrations import MIGRATIONS

OnProgress = Callable[[int, int], None]
"""Is given how much is done and how much there is: pages of a copy, lines of the journal."""

CLOCK_SLACK = timedelta(minutes=1)
"""So much earlier than the line before may a line of the journal be: a report that had to wait keeps its time."""

_EVERY = 1000  # lines of the journal between two calls of OnProgress
_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")


@dataclass(slots=True)
class Verified:
    """What was looked at, in numbers: machines, lines of the journal, and what was found to be wrong."""

    machines: int = 0
    events: int = 0
    findings: int = 0


def verify(directory: Path, found: Callable[[str], None], progress: OnProgress = lambda done, total: None) -> Verified:
    """Check the state directory, beside a running server too; changes nothing, in memory that does not grow.

    ``found`` is called with one line for each thing that is wrong; ``progress`` with lines of the journal.
    Raises :class:`StorageError` when there is no database, or it can't be read for another reason than damage.
    """
    path = directory / DATABASE
    numbers = Verified()

    def one(finding: str) -> None:
        numbers.findings += 1
        found(finding)

    def report(findings: Iterator[str]) -> None:
        with damage_reported(path, one):
            for finding in findings:
                one(finding)

    replay = _Replay(numbers, progress)
    with damage_reported(path, one), reading(path) as connection:
        report(integrity(connection))
        report(schema(connection))
        report(_foreign(connection))
        report(replay.read_journal(connection))
        report(replay.compare(connection))
        report(_additions(connection))
    return numbers


@contextmanager
def damage_reported(path: Path, found: Callable[[str], None]) -> Iterator[None]:
    """Have damage that SQLite meets be a finding, anything else that it refuses a :class:`StorageError`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise _unreadable(path, error) from error
        found(f"the database is damaged: {error}")


# one file


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database to read it as it is at this moment, whoever writes meanwhile; no writer is held up.

    Raises :class:`StorageError` when there is none or it can't be opened, ``sqlite3.DatabaseError`` when it is
    none or damaged (:func:`is_damage`).
    """
    if not path.is_file():
        raise StorageError(
            f"there is no database {path}: set MACHINE_STATE_DIR to what it is for the server "
            "(as a service: /var/lib/mac-actors)"
        )
    connection = None
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None
        )
        connection.text_factory = lambda raw: raw.decode(errors="backslashreplace")
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on it stands still
    except sqlite3.DatabaseError as error:
        if connection is not None:
            connection.close()
        if is_damage(error):
            raise
        raise _unreadable(path, error) from error
    with closing(connection):
        yield connection


def _unreadable(path: Path, error: sqlite3.Error) -> StorageError:
    return StorageError(f"cannot read {path}: {error}. Run this as the server's user; if you do, look at the disk.")


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the database itself is at fault: damaged, or none at all."""
    return getattr(error, "sqlite_errorname", "").startswith(_DAMAGE)


def integrity(connection: sqlite3.Connection) -> Iterator[str]:
    """Say what is wrong with the pages; SQLite stops after 100 lines."""
    for (line,) in connection.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield one_line(line)


def schema(connection: sqlite3.Connection) -> Iterator[str]:
    """Say why this is no database of this version (or an earlier one): no or unknown migrations, tables missing."""
    there = _things(connection)
    applied: set[str] = set()
    if there.get("migration") == "table":
        applied = {str(name) for (name,) in connection.execute("SELECT name FROM migration")}
    if not applied:
        yield "it is not a database of mac-actors: it has no list of migrations"
        return
    unknown = applied - MIGRATIONS.keys()
    if unknown:
        yield f"it was written by a newer mac-actors (it has {', '.join(sorted(unknown))}): install that version"
        return
    for name, kind in _made_by(applied).items():
        if there.get(name) != kind:
            yield f"the {kind} {name} is missing"


def states(connection: sqlite3.Connection) -> Iterator[tuple[str, MachineState | Unreadable]]:
    """Read the machines' states, one by one."""
    for name, text in connection.execute("SELECT name, state FROM machine_state ORDER BY name"):
        yield name, read_state(text)


def _foreign(connection: sqlite3.Connection) -> Iterator[str]:
    """Say which tables, views and triggers are not ours (an index is nobody's harm)."""
    ours = _made_by(MIGRATIONS)
    for name, kind in _things(connection).items():
        if name not in ours and kind != "index":
            yield f"the {kind} {name} is not one of mac-actors"


def _things(connection: sqlite3.Connection) -> dict[str, str]:
    query = "SELECT name, type FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    return dict(connection.execute(query).fetchall())


def _made_by(migrations: Collection[str]) -> dict[str, str]:
    engine = create_engine("sqlite://")
    try:
        with engine.connect() as connection:
            for name, upgrade in MIGRATIONS.items():
                if name in migrations:
                    upgrade(connection)
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            return _things(driver)
    finally:
        engine.dispose()


def additions(connection: sqlite3.Connection) -> Iterator[Addition | str]:
    """Read the changes of users, one by one; of one that can't be read it is said why. None in an earlier version."""
    if _things(connection).get("addition") != "table":
        return
    for number, *row in connection.execute("SELECT id, account_id, counts, data FROM addition ORDER BY id"):
        try:
            yield codec.load_addition(number, *row)
        except ValueError as error:
            yield f"addition {number} can't be read: {one_line(error)[:200]}"


def _additions(connection: sqlite3.Connection) -> Iterator[str]:
    """Say which changes of users are not in the journal, and which of the journal are not among them."""
    words = "'user_added', 'fob_given', 'fob_taken', 'authorization_granted', 'authorization_withdrawn'"
    query = f"SELECT id, kind, at, account_id FROM journal WHERE kind IN ({words})"  # noqa: S608 - words of ours
    lines = {(kind, at): (number, account) for number, kind, at, account in connection.execute(query)}
    there = set()
    for addition in additions(connection):
        if isinstance(addition, str):
            yield addition
            continue
        key = (addition.word, codec.timestamp(addition.author.at))
        there.add(key)
        if key not in lines:
            yield f"addition {addition.id} ({addition.word}) is not in the journal"
    for key, (number, account) in lines.items():
        if account and key not in there:  # without an account they were forgotten
            yield f"event {number} ({key[0]}) is not among the additions"


# journal against states


@dataclass(frozen=True, slots=True)
class _Last:
    """The journal's last value of one part of a machine's state, and its event; ``None``: it is not set."""

    event: int
    value: Flag | Session | None


_PARTS = {
    "oops": "oopsed",
    "lock": "locked out",
    "lock_pending": "to be locked out",
    "details": "with details",
    "session": "in use",
}


@dataclass(slots=True)
class _Replay:
    """The journal's last values, machine by machine; they take no more memory for a longer journal."""

    numbers: Verified
    progress: OnProgress
    last: dict[str, dict[str, _Last]] = field(default_factory=dict)
    first_at: datetime | None = None
    """The journal knows everything from here on."""

    def read_journal(self, connection: sqlite3.Connection) -> Iterator[str]:
        (total,) = connection.execute("SELECT count(*) FROM journal").fetchone()
        last: datetime | None = None
        columns = ("at", "machine", "kind", "account_id", "seconds")
        query = f"SELECT id, data, {', '.join(columns)} FROM journal ORDER BY id"  # noqa: S608 - names of ours
        for number, data, *row in connection.execute(query):
            if self.numbers.events % _EVERY == 0:
                self.progress(self.numbers.events, total)
            self.numbers.events += 1
            stored = dict(zip(columns, row, strict=True))
            try:
                outcome = codec.load_outcome(stored["kind"], data)
                expected = codec.journal_row(outcome)
                at = outcome.at.astimezone(UTC)
            except (ValueError, OverflowError) as error:
                yield f"event {number} can't be read: {one_line(error)[:200]}"
                continue
            for column in columns:
                if stored[column] != expected[column]:
                    yield f"event {number}: its {column} is {stored[column]!r}, in its data {expected[column]!r}"
            if (ended := outcome.ended_session) and ended.kind is SessionKind.OFFLINE:
                continue  # told of later, and not part of the machine's state
            if last is not None and at < last - CLOCK_SLACK:
                yield f"event {number} ({at}) is earlier than the one before it ({last})"
            last = at
            self.first_at = self.first_at or at
            self._take(number, outcome)
        self.progress(total, total)

    def _take(self, event: int, outcome: Outcome) -> None:
        values: dict[str, Flag | Session | None] = {}
        match outcome:
            case o.SessionStarted(user=user, session=kind, second=second):
                values["session"] = Session(user.account_id, user.full_name, "", kind, outcome.at, second)
            case o.SessionEnded() | o.SessionRefused() | o.CardSeen() | o.Rebooted():
                values["session"] = None
            case o.OopsSet(flag=flag):
                values = {"oops": flag, "session": None}
            case o.LockSet(flag=flag):
                values = {"lock": flag, "lock_pending": None, "session": None}
                if flag.source is Source.SERVER:
                    values |= {"oops": None, "details": None}  # the state could not be read, and was made anew
            case o.LockPending(flag=flag):
                values["lock_pending"] = flag
            case o.DetailsAdded(details=details):
                values["details"] = details
            case o.Cleared(still_oopsed=oopsed, still_locked=locked, pending=pending):
                parts = {"oops": oopsed, "lock": locked, "lock_pending": pending is None, "details": oopsed or locked}
                values = {part: None for part, still in parts.items() if not still}
        if outcome.machine is None:
            return
        last = self.last.setdefault(outcome.machine, {})
        last.update({part: _Last(event, value) for part, value in values.items()})

    def compare(self, connection: sqlite3.Connection) -> Iterator[str]:
        without_state = set(self.last)
        for name, state in states(connection):
            self.numbers.machines += 1
            without_state.discard(name)
            if isinstance(state, Unreadable):
                yield f"the state of {name} can't be read: {state.why}"
            else:
                yield from self._compare(name, state)
        for name in sorted(without_state):
            yield f"{name} is in the journal, but its state is missing"

    def _compare(self, name: str, state: MachineState) -> Iterator[str]:
        journal = self.last.get(name, {})
        for part, adjective in _PARTS.items():
            stored: Flag | Session | None = getattr(state, part)
            if isinstance(stored, Session):
                stored = replace(stored, lcd_name="")  # the journal does not have it
            last = journal.get(part)
            if last is None:
                if stored and self.first_at and stored.since.astimezone(UTC) >= self.first_at:
                    yield f"{name}: its state is {_describe(stored, adjective)}, of which the journal has nothing"
            elif stored != last.value:
                expected = f"event {last.event} says {_describe(last.value, adjective)}"
                yield f"{name}: its state is {_describe(stored, adjective)}, {expected}"


def _describe(value: Flag | Session | None, adjective: str) -> str:
    if value is None:
        return f"not {adjective}"
    if isinstance(value, Session):
        return f"{adjective} since {value.since} by {value.full_name} ({value.kind}, second relay: {value.second})"
    reason = f": {value.reason}" if value.reason else ""
    return f"{adjective} since {value.since}{origin(value.source, value.by)}{reason}"
