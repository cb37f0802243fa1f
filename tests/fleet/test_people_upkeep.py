"""What verify, backup, restore, forget and retention know of changes of users."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from mac_actors.core.outcomes import kind
from mac_actors.core.people.additions import Author, Kind
from mac_actors.core.redaction import Redaction
from mac_actors.core.state import Source
from mac_actors.errors import StorageError
from mac_actors.fleet import erasure
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.people import users as module
from mac_actors.fleet.people.logins import Role
from mac_actors.fleet.retention import Retention
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.store import Store
from mac_actors.storage.upkeep.backup import backup, restore
from mac_actors.storage.upkeep.verify import verify
from tests.fakes import ANN, BOB, RefusingStore, open_fleet, report, wait_until, written

ZOE_FOB = "K7Q3Z9XW41"


def findings(directory: Path) -> list[str]:
    found: list[str] = []
    verify(directory, found.append)
    return found


def forget(fleet: MachineFleet, who: str) -> erasure.Forgotten:
    directory = fleet.configuration.directory
    written(fleet)
    return erasure.carry_out(erasure.find(who, directory, fleet.journal), directory, fleet.journal, fleet.users)


def files(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(directory.glob(f"{DATABASE}*")))


def test_who_is_forgotten_has_no_addition_and_no_unknown_fob(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        report(fleet, "router", ZOE_FOB)
        report(fleet, "router")
        zoe = fleet.users.add("Zoe Zimmermann", email="zoe@nowhere.example", fob=ZOE_FOB).user
        fleet.users.authorize(zoe.account_id, "mill", reason="Zoe Zimmermann's course")
        fleet.users.authorize("2", "mill", by="Zoe Zimmermann", reason="asked by Zoe Zimmermann")
        key, _ = fleet.logins.open(Role.TRAINER, "Zoe Zimmermann", zoe.account_id)
        done = forget(fleet, "Zoe Zimmermann")
        fleet.logins.forget(zoe.account_id)
        assert not done.configured
        assert fleet.users.find("zoe") == []
        assert fleet.users.unknown() == []
        assert fleet.logins.find(key) is None
        assert [one.account_id for one in fleet.store.load_additions(everything=True)] == ["2"]
        assert fleet.users.show("2").authorizations[-1].by == ""
        assert [kind(outcome) for outcome in fleet.events()][:3] == ["authorization_granted"] * 2 + ["fob_given"]
        written(fleet)
        assert fleet.store.empty_log()
        for secret in (b"Zimmermann", ZOE_FOB.encode(), b"nowhere.example", zoe.account_id.encode()):
            assert secret not in files(tmp_path)
    assert findings(tmp_path) == []
    with open_fleet(Store.open(tmp_path)) as fleet:
        assert fleet.users.unknown() == []
        assert [one.value for one in fleet.users.show("2").authorizations] == ["laser", "mill"]


def test_what_was_taken_from_somebody_who_is_still_in_the_file_stays_taken(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        fleet.users.take_fob("1", ANN)
        fleet.users.withdraw("1", "mill")
        fleet.users.authorize("1", "router")
        assert forget(fleet, "Ann Able").configured
        view = fleet.users.show("1")
        assert [one.value for one in (*view.fobs_taken, *view.withdrawn)] == [ANN, "mill"]
        assert [one.value for one in view.authorizations] == ["laser", "tube"]


def test_what_somebody_who_is_forgotten_did_to_others_stays_in_its_order(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        day = datetime.now(UTC).date()
        fleet.users.authorize("2", "mill", until=day + timedelta(days=30), by="Ann Able")
        fleet.users.withdraw("2", "mill", until=day + timedelta(days=10), by="Olga")
        forget(fleet, "Ann Able")
        assert [one.author.by for one in fleet.users.people.of_user("2", Kind.AUTHORIZATION)] == ["", "Olga"]
        assert [one.value for one in fleet.users.show("2").withdrawn] == ["mill"]
    with open_fleet(Store.open(tmp_path)) as fleet:
        assert [one.value for one in fleet.users.show("2").withdrawn] == ["mill"]


def test_who_is_forgotten_while_the_disk_refuses_leaves_what_was_withdrawn_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = RefusingStore.open(tmp_path)
    assert isinstance(store, RefusingStore)
    with open_fleet(store, commit_budget=0.05) as fleet:
        fleet.users.authorize("2", "mill", by="Ann Able")
        fleet.users.give_fob("2", ZOE_FOB, by="Ann Able")
        written(fleet)
        store.refuse()
        fleet.users.withdraw("2", "mill")
        fleet.users.take_fob("2", ZOE_FOB)
        ann = Redaction(frozenset({"1"}), frozenset({"Ann Able"}))
        with monkeypatch.context() as patch, pytest.raises(StorageError):
            patch.setattr(module, "ANSWER_SECONDS", 0.05)
            fleet.users.forget(ann)
        store.mend()
        written(fleet)
        fleet.users.forget(ann)
        view = fleet.users.show("2")
        assert [one.value for one in (*view.fobs, *view.authorizations)] == [BOB, "laser"]
    with open_fleet(Store.open(tmp_path)) as fleet:
        assert fleet.users.show("2") == view


def test_verify_finds_what_is_in_one_of_journal_and_additions_alone(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        fleet.users.authorize("2", "mill")
        fleet.users.take_fob("2", BOB)
    assert findings(tmp_path) == []
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("DELETE FROM journal WHERE kind = 'fob_taken'")
        connection.execute("DELETE FROM addition WHERE id = 1")
        connection.execute("INSERT INTO addition VALUES (7, '2', 1, '{}')")
    (missing, unreadable, unknown) = findings(tmp_path)
    assert missing == "addition 2 (fob_taken) is not in the journal"
    assert unreadable.startswith("addition 7 can't be read: ")
    assert unknown.endswith("(authorization_granted) is not among the additions")


def test_a_restore_says_what_was_taken_since_and_ends_the_sessions_of_the_board(tmp_path: Path) -> None:
    state, copy = tmp_path / "state", tmp_path / "copy"
    with open_fleet(Store.open(state)) as fleet:
        fleet.users.authorize("2", "mill")
        fleet.users.withdraw("1", "mill")
        fleet.logins.open(Role.TOKEN, "Max")
        token, latch = fleet.logins.add_admin("Olga", None)
        assert latch.wait(20)
        backup(state, copy)
        fleet.users.take_fob("2", BOB)
        fleet.users.withdraw("1", "laser", until=date(2099, 1, 1))
    done = restore(state, copy)
    assert done.lifted == ("1 (authorization_withdrawn: laser)", "2 (fob_taken: …2222)")
    assert findings(state) == []
    with open_fleet(Store.open(state)) as fleet:
        assert fleet.users.show("2").fobs_taken == ()
        assert fleet.users.show("2").authorizations[-1].value == "mill"
        assert fleet.logins.sessions() == []
        assert fleet.logins.admin(token) == "Olga"


def test_a_database_without_additions_is_whole(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)):
        pass
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        for table in ("addition", "admin", "board_session"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("DELETE FROM migration WHERE name = '0009_people'")
    assert findings(tmp_path) == []


def test_what_has_passed_its_last_day_long_ago_goes_too(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    old = Author(now - timedelta(days=90), Source.REPL, "Tina")
    with open_fleet(Store.open(tmp_path)) as fleet:
        fleet.users.authorize("2", "mill", until=now.date() - timedelta(days=50), author=old)
        fleet.users.authorize("2", "router", until=now.date() - timedelta(days=20), author=old)
        written(fleet)
        retention = Retention(fleet.journal, 30)

        def gone() -> bool:
            retention.step()
            return [one.value for one in fleet.store.load_additions("2")] == ["router"]

        wait_until(gone)
    assert [line for line in findings(tmp_path) if "earlier than the one before" not in line] == []


def test_what_is_over_and_old_goes_with_the_names_of_the_journal(tmp_path: Path) -> None:
    old = Author(datetime.now(UTC) - timedelta(days=40), Source.REPL, "Tina")
    with open_fleet(Store.open(tmp_path)) as fleet:
        fleet.users.authorize("2", "mill", author=old)
        fleet.users.authorize("2", "router", author=old)
        fleet.users.withdraw("2", "mill")
        written(fleet)
        retention = Retention(fleet.journal, 30)
        retention.step()

        def gone() -> bool:
            retention.step()
            return len(fleet.store.load_additions(everything=True)) == 2

        wait_until(gone)
        assert [one.value for one in fleet.store.load_additions("2")] == ["router", "mill"]
        assert [one.by for one in fleet.users.show("2").authorizations] == [None, "Tina"]
    assert [line for line in findings(tmp_path) if "earlier than the one before" not in line] == []
