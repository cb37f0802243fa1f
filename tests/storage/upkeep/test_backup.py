"""Backup and restore: a whole copy or none, and never a machine that starts by it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import threading
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mac_actors.core.inputs import Lock, Oops, Report
from mac_actors.core.state import Flag, MachineState, Source, Telemetry
from mac_actors.errors import StorageError
from mac_actors.storage.records import Record, record_state
from mac_actors.storage.schema import admin
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.store import Store
from mac_actors.storage.upkeep import backup as module
from mac_actors.storage.upkeep.backup import backup, restore
from mac_actors.storage.upkeep.verify import verify
from tests.fakes import ANN, open_fleet


def now() -> datetime:
    return datetime.now(UTC)


def run_a_day(directory: Path) -> None:
    """Router oopsed, laser locked, Ann's session at the mill; then the server stops."""
    with open_fleet(Store.open(directory)) as fleet:
        fleet.ask("router", Oops(now(), Source.CLI, "me", "belt"))
        fleet.ask("laser", Lock(now(), Source.HTTP, "you"))
        for fob in (None, ANN):
            fleet.ask("metal-mill", Report(now(), fob, telemetry=Telemetry(uptime=100.0)))


def state_of(directory: Path, name: str) -> MachineState:
    with closing(Store.open(directory)) as store:
        state = store.load_state(name)
    assert isinstance(state, MachineState)
    return state


def findings(directory: Path) -> list[str]:
    found: list[str] = []
    verify(directory, found.append)
    return found


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def content(directory: Path) -> dict[str, bytes]:
    """All files but the lock, which any attempt to own the directory writes."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "lock"}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with a day in it."""
    run_a_day(tmp_path / "state")
    return tmp_path / "state"


@pytest.fixture
def copy(state: Path, tmp_path: Path) -> Path:
    """A backup of it."""
    file = tmp_path / "copy.sqlite3"
    backup(state, file)
    return file


# backup


def test_a_backup_is_one_file_with_everything_for_its_owner_alone(state: Path, copy: Path, tmp_path: Path) -> None:
    assert {path.name for path in tmp_path.iterdir()} == {"state", "copy.sqlite3"}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as one, closing(sqlite3.connect(state / DATABASE)) as two:
        assert list(one.iterdump()) == list(two.iterdump())


def test_a_backup_can_be_made_while_the_store_is_open_and_being_written(tmp_path: Path) -> None:
    acknowledged = 0
    steps: list[tuple[int, int]] = []
    stop, some = threading.Event(), threading.Event()

    def write(store: Store) -> None:
        nonlocal acknowledged
        while not stop.is_set():
            text = f"{acknowledged + 1} {'x' * 5000}"
            store.commit([Record(record_state("m", MachineState(now(), oops=Flag(now(), Source.CLI, None, text))))])
            acknowledged += 1
            if acknowledged == 50:
                some.set()

    with closing(Store.open(tmp_path)) as store:
        for number in range(400):
            store.commit(
                [Record(record_state(f"m{number}", MachineState(now(), lock=Flag(now(), Source.CLI, "x" * 5000))))]
            )
        writer = threading.Thread(target=write, args=(store,))
        writer.start()
        assert some.wait(20)
        before = acknowledged
        size = backup(tmp_path, tmp_path / "copy", progress=lambda done, total: steps.append((done, total)))
        stop.set()
        writer.join(20)
    assert size == (tmp_path / "copy").stat().st_size
    assert len(steps) > 1, "in more than one step"
    assert steps[-1][0] == steps[-1][1]
    restore(tmp_path / "other", tmp_path / "copy")
    oops = state_of(tmp_path / "other", "m").oops
    assert oops
    assert oops.reason
    assert before <= int(oops.reason.split()[0]) <= acknowledged


def test_a_file_that_is_there_is_replaced_only_by_force(state: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("precious")
    with pytest.raises(StorageError, match="--force"):
        backup(state, tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "precious"
    backup(state, tmp_path / "copy", force=True)
    assert (tmp_path / "copy").read_bytes().startswith(b"SQLite format 3")


def test_the_database_itself_is_never_replaced(state: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(state / DATABASE)
    for file in (state / DATABASE, tmp_path / "link"):
        with pytest.raises(StorageError, match="the database itself"):
            backup(state, file, force=True)
    assert findings(state) == []


def test_without_a_database_no_backup_is_made_and_none_appears(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="MACHINE_STATE_DIR"):
        backup(tmp_path, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_can_not_be_written_is_said(state: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot write .*No such file or directory"):
        backup(state, tmp_path / "nowhere" / "copy")
    with pytest.raises(StorageError, match="is a directory"):
        backup(state, tmp_path)


@pytest.mark.parametrize("damage", [slice(0, 100), slice(4096 * 2, 4096 * 2 + 50)], ids=["header", "page"])
def test_a_damaged_database_does_not_replace_a_good_backup(
    state: Path, copy: Path, tmp_path: Path, damage: slice
) -> None:
    good = copy.read_bytes()
    broken = bytearray((state / DATABASE).read_bytes())
    broken[damage] = b"\xa5" * (damage.stop - damage.start)
    (state / DATABASE).write_bytes(broken)
    with pytest.raises(StorageError, match="damaged"):
        backup(state, copy, force=True)
    assert copy.read_bytes() == good
    assert {path.name for path in tmp_path.iterdir()} == {"state", "copy.sqlite3"}


# restore


def test_a_restore_brings_oops_and_lock_back_but_no_session(copy: Path, tmp_path: Path) -> None:
    done = restore(tmp_path / "new", copy)
    assert (done.machines, done.events, done.kept, done.lifted, done.ended) == (5, 4, None, (), ("metal-mill",))
    assert {path.name for path in (tmp_path / "new").iterdir()} == {DATABASE, "lock"}
    oops, lock = state_of(tmp_path / "new", "router").oops, state_of(tmp_path / "new", "laser").lock
    assert oops
    assert lock
    assert (oops.source, oops.by, oops.reason, lock.by) == (Source.CLI, "me", "belt", "you")
    assert findings(tmp_path / "new") == []
    with open_fleet(Store.open(tmp_path / "new")) as fleet:
        answer = fleet.ask("metal-mill", Report(now(), ANN, telemetry=Telemetry(uptime=110.0)))
        assert not answer.outputs.relay, "no machine starts by a restore"
        fleet.ask("metal-mill", Report(now(), None, telemetry=Telemetry(uptime=111.0)))
        assert fleet.ask("metal-mill", Report(now(), ANN, telemetry=Telemetry(uptime=112.0))).outputs.relay
        ended = [entry.outcome.display_name for entry in fleet.store.page(kind="session_ended").entries]
        assert ended == ["Metal Mill"]
    assert findings(tmp_path / "new") == []


@pytest.mark.parametrize("more", [{}, {"firmware": "mac 1", "boot": 7}], ids=["in the field", "new"])
@pytest.mark.parametrize("knows", ["a report", "no report", "no such machine"])
def test_a_card_that_is_in_the_reader_all_the_time_starts_nothing_by_a_restore(
    state: Path, tmp_path: Path, knows: str, more: dict[str, Any]
) -> None:
    def relay(fob: str | None, uptime: float) -> bool:
        with open_fleet(Store.open(state)) as fleet:
            telemetry = Telemetry(uptime=uptime, **more)
            return fleet.ask("bandsaw", Report(now(), fob, telemetry=telemetry)).outputs.relay

    if knows == "a report":
        relay(None, 100.0)
    backup(state, tmp_path / "copy")
    if knows == "no such machine":
        execute(tmp_path / "copy", "DELETE FROM machine_state WHERE name = 'bandsaw'")
    relay(None, 3600.0)
    with open_fleet(Store.open(state)) as fleet:
        fleet.ask("bandsaw", Lock(now(), Source.CLI, "me", "belt torn"))
    assert not relay(ANN, 3610.0)
    assert restore(state, tmp_path / "copy").lifted == ("bandsaw (locked out)",)
    assert not relay(ANN, 3640.0), "nobody has touched it"
    assert not relay(None, 3650.0)
    assert relay(ANN, 3660.0)
    assert findings(state) == []


def test_a_lock_that_waits_for_the_end_of_a_session_is_told_too_unless_it_has_fallen(
    state: Path, copy: Path, tmp_path: Path
) -> None:
    with open_fleet(Store.open(state)) as fleet:
        fleet.ask("metal-mill", Lock(now(), Source.CLI, "me", when_free=True))
    backup(state, tmp_path / "later")
    assert restore(state, copy).lifted == ("metal-mill (to be locked out)",)
    shutil.copy(tmp_path / "later", state / DATABASE)
    assert restore(state, tmp_path / "later").lifted == ()
    assert state_of(state, "metal-mill").lock


def add_login(path: Path, name: str, token: str) -> None:
    execute(path, f"INSERT OR REPLACE INTO admin VALUES ('{name}', '{token}', '2026-11-24', NULL)")


def logins(directory: Path) -> set[tuple[str, str]]:
    with closing(Store.open(directory)) as store:
        return {(row["name"], row["token"]) for row in store.rows(admin)}


def test_a_login_that_was_revoked_since_stays_revoked(state: Path, copy: Path) -> None:
    for name in ("Ann", "Bob", "Eve"):
        add_login(copy, name, f"of {name}")
    add_login(state / DATABASE, "Ann", "of Ann")
    add_login(state / DATABASE, "Bob", "another of Bob")
    done = restore(state, copy)
    assert (done.revoked, done.old_logins) == (("Bob", "Eve"), ())
    assert logins(state) == {("Ann", "of Ann")}


@pytest.mark.parametrize("damage", ["no database", "damaged", "of an earlier version"])
def test_logins_are_the_backups_where_the_former_database_can_not_tell(state: Path, copy: Path, damage: str) -> None:
    add_login(copy, "Eve", "hers")
    match damage:
        case "no database":
            (state / DATABASE).unlink()
        case "damaged":
            (state / DATABASE).write_bytes(b"nonsense" * 1000)
        case _:
            execute(state / DATABASE, "DROP TABLE admin")
    done = restore(state, copy)
    assert (done.revoked, done.old_logins) == ((), ("Eve",))
    assert logins(state) == {("Eve", "hers")}


def test_what_sqlite_leaves_beside_the_new_database_is_not_lost(
    state: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does so, and says nothing, where the disk is full when a database is closed."""

    class Full(Store):
        def close(self) -> None:
            before = {
                path: path.read_bytes() for path in state.glob(f"restoring-*/{DATABASE}*") if "shm" not in path.name
            }
            super().close()
            for path, content in before.items():
                path.write_bytes(content)

    monkeypatch.setattr(module, "Store", Full)
    assert restore(state, copy).ended == ("metal-mill",)
    assert state_of(state, "metal-mill").session is None
    assert findings(state) == []


@pytest.mark.parametrize("error", [sqlite3.OperationalError("database or disk is full"), None])
def test_a_new_database_that_the_disk_does_not_take_to_its_end_changes_nothing(
    state: Path, copy: Path, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    def checkpoint(_database: Path) -> bool:
        if error:
            raise error
        return False

    monkeypatch.setattr(module, "_checkpoint", checkpoint)
    before = content(state)
    with pytest.raises(StorageError, match=r"(?i)nothing was changed"):
        restore(state, copy)
    assert content(state) == before


def test_a_disk_that_gets_full_while_the_backup_is_made_ready_changes_nothing(
    state: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(Store):
        def commit(self, records: Sequence[Record]) -> None:
            raise StorageError("cannot write: database or disk is full")

    monkeypatch.setattr(module, "Store", Full)
    before = content(state)
    with pytest.raises(StorageError, match=r"made ready \(cannot write: .* full\), and nothing was changed"):
        restore(state, copy)
    assert content(state) == before


def test_the_former_database_is_kept_and_what_it_alone_had_oopsed_is_told(
    state: Path, copy: Path, tmp_path: Path
) -> None:
    with open_fleet(Store.open(state)) as fleet:
        fleet.ask("bandsaw", Oops(now(), Source.CLI, "me"))
        fleet.ask("router", Lock(now(), Source.CLI, "me"))
    done = restore(state, copy)
    assert done.lifted == ("bandsaw (oopsed)", "router (locked out)")
    assert done.kept
    assert {path.name for path in state.iterdir()} == {DATABASE, "lock", done.kept.name}
    assert state_of(state, "bandsaw").oops is None
    assert restore(state, done.kept).lifted == ()
    assert state_of(state, "bandsaw").oops


def test_what_only_the_wal_has_is_in_the_former_database_that_is_kept(copy: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    with closing(Store.open(tmp_path / "live")) as store:
        store.commit([Record(record_state("m", MachineState(now(), oops=Flag(now(), Source.CLI))))])
        shutil.copytree(tmp_path / "live", killed)  # as after kill -9
    assert (killed / f"{DATABASE}-wal").stat().st_size
    done = restore(killed, copy)
    assert done.lifted == ("m (oopsed)",)
    assert done.kept
    assert {path.name for path in killed.iterdir()} == {DATABASE, "lock", done.kept.name}
    with closing(sqlite3.connect(done.kept)) as connection:
        assert connection.execute("SELECT name FROM machine_state").fetchall() == [("m",)]


def test_a_damaged_database_is_kept_with_its_wal_and_replaced(state: Path, copy: Path) -> None:
    (state / DATABASE).write_bytes(b"nonsense" * 1000)
    (state / f"{DATABASE}-wal").write_bytes(b"and its wal")
    done = restore(state, copy)
    assert done.lifted is None
    assert done.kept
    assert done.kept.read_bytes() == b"nonsense" * 1000
    assert done.kept.with_name(f"{done.kept.name}-wal").read_bytes() == b"and its wal"
    assert not (state / f"{DATABASE}-wal").exists()
    assert findings(state) == []


def test_a_wal_without_its_database_is_not_taken_for_that_of_the_backup(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / f"{DATABASE}-wal").write_bytes(b"stale")
    assert restore(tmp_path / "new", copy).kept is None
    assert not (tmp_path / "new" / f"{DATABASE}-wal").exists()
    assert findings(tmp_path / "new") == []


def spoil(copy: Path, how: str) -> None:
    match how:
        case "garbage":
            copy.write_bytes(b"nonsense" * 2000)
        case "empty":
            copy.write_bytes(b"")
        case "truncated":
            copy.write_bytes(copy.read_bytes()[:-4096])
        case "damaged":
            pages = copy.read_bytes()
            copy.write_bytes(pages[:8192] + b"\xa5" * 50 + pages[8242:])
        case "newer":
            execute(copy, "INSERT INTO migration VALUES ('9999_future', '2031-01-01')")
        case "foreign":
            copy.unlink()
            execute(copy, "CREATE TABLE recipes (name TEXT)")
        case "incomplete":
            execute(copy, "DROP TABLE thread")
        case "unreadable":
            execute(copy, "UPDATE machine_state SET state = substr(state, 1, 40) WHERE name = 'router'")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("garbage", "no database"),
        ("empty", "not a database of mac-actors"),
        ("truncated", "damaged"),
        ("damaged", "can't be restored"),
        ("newer", "newer mac-actors .*9999_future"),
        ("foreign", "not a database of mac-actors"),
        ("incomplete", "table thread is missing"),
        ("unreadable", "state of router can't be read"),
    ],
)
def test_a_file_that_is_no_good_backup_changes_nothing(state: Path, copy: Path, how: str, said: str) -> None:
    spoil(copy, how)
    before = content(state)
    with pytest.raises(StorageError, match=said) as raised:
        restore(state, copy)
    assert "nothing was changed" in str(raised.value)
    assert content(state) == before


def test_a_file_that_is_not_there_or_the_database_itself_is_not_restored(state: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no file"):
        restore(tmp_path / "new", tmp_path / "copy")
    assert not (tmp_path / "new").exists()
    with pytest.raises(StorageError, match="the database itself"):
        restore(state, state / DATABASE)


def test_a_restore_into_a_directory_in_use_is_refused_with_the_pid(state: Path, copy: Path) -> None:
    with closing(Store.open(state)), pytest.raises(StorageError, match=f"in use by process {os.getpid()}"):
        restore(state, copy)
    assert findings(state) == []


def test_a_restore_waits_for_no_reader_for_ever(state: Path, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads the former database would, at its end, take away the files of the new one."""
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.01)
    with closing(sqlite3.connect(state / DATABASE)) as reader:
        reader.execute("SELECT * FROM machine_state").fetchone()
        with pytest.raises(StorageError, match="another process reads"):
            restore(state, copy)
    assert findings(state) == []
    assert restore(state, copy).kept


def test_what_a_killed_restore_left_is_tidied_up(state: Path, copy: Path) -> None:
    (state / "restoring-abc").mkdir()
    (state / "restoring-abc" / DATABASE).write_bytes(b"half")
    restore(state, copy)
    assert not list(state.glob("restoring-*"))


def test_the_restored_database_belongs_to_whom_the_former_one_did(state: Path, copy: Path, tmp_path: Path) -> None:
    user = 54321 if os.geteuid() == 0 else os.geteuid()
    (tmp_path / "new").mkdir()
    os.chown(tmp_path / "new", user, -1)
    os.chown(state / DATABASE, user, -1)
    (state / DATABASE).chmod(0o640)
    restore(state, copy)
    restore(tmp_path / "new", copy)
    found = (state / DATABASE).stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (user, 0o640)
    assert {path.stat().st_uid for path in (tmp_path / "new").iterdir()} == {user}
