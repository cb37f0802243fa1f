"""Verify finds what is wrong, and nothing where nothing is."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mac_actors.core.inputs import Clear, Input, Lock, Oops, Removed, Report, Unlock, Unoops
from mac_actors.core.state import Source, Telemetry
from mac_actors.errors import StorageError
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.store import Store
from mac_actors.storage.upkeep.verify import Verified, verify
from tests.fakes import ANN, BOB, EVE, NOBODY, OLGA, open_fleet

NOW = datetime.now(UTC)


def at(seconds: float) -> datetime:
    """Return a time after this module's start: later than what the fleet stamps itself at its start."""
    return NOW + timedelta(hours=1, seconds=seconds)


def card(fob: str | None, seconds: float) -> Report:
    return Report(at(seconds), fob, telemetry=Telemetry(uptime=1000 + seconds))


def findings(directory: Path) -> list[str]:
    found: list[str] = []
    numbers = verify(directory, found.append)
    assert numbers.findings == len(found)
    return found


def execute(directory: Path, *statements: str) -> None:
    with closing(sqlite3.connect(directory / DATABASE)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def edit(directory: Path, machine: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a machine's stored state by hand."""
    with closing(sqlite3.connect(directory / DATABASE)) as connection, connection:
        (text,) = connection.execute("SELECT state FROM machine_state WHERE name = ?", (machine,)).fetchone()
        state = json.loads(text)
        change(state)
        connection.execute("UPDATE machine_state SET state = ? WHERE name = ?", (json.dumps(state), machine))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Router oopsed, laser locked, a session at the mill, and one at the bandsaw that has ended."""
    events: list[tuple[str, Input]] = [
        ("metal-mill", card(None, 0)),
        ("bandsaw", card(BOB, 1)),
        ("bandsaw", card(None, 2)),
        ("router", Oops(at(3), Source.CLI, "me", "belt")),
        ("laser", Lock(at(4), Source.HTTP, "you")),
        ("metal-mill", card(ANN, 5)),
    ]
    with open_fleet(Store.open(tmp_path)) as fleet:
        for machine, event in events:
            fleet.ask(machine, event)
    return tmp_path


# nothing wrong


def test_a_clean_directory_passes_and_is_counted(state: Path) -> None:
    told: list[tuple[int, int]] = []
    before = (state / DATABASE).read_bytes()
    assert verify(state, pytest.fail, lambda done, total: told.append((done, total))) == Verified(5, 6, 0)
    assert told[-1] == (6, 6)
    assert (state / DATABASE).read_bytes() == before


def test_a_new_directory_passes(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    assert verify(tmp_path, pytest.fail) == Verified(0, 0, 0)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_the_states_are_what_the_journal_says(tmp_path: Path, seed: int) -> None:
    """Random events on all machines, with restarts of the server in between, and checked beside the open store."""
    chance = random.Random(seed)
    seconds = 0.0
    for _start in range(4):
        with open_fleet(Store.open(tmp_path)) as fleet:
            for _ in range(80):
                seconds += chance.choice([0.5, 1, 10, 300])
                uptime = chance.choice([seconds, seconds, seconds, 3.0])
                fob = chance.choice([None, ANN, BOB, OLGA, EVE, NOBODY])
                report = Report(at(seconds), fob, oops=chance.random() < 0.1, telemetry=Telemetry(uptime=uptime))
                admin = chance.choice([Oops, Lock, Unoops, Unlock, Clear])
                by = chance.choice([None, "me"]), chance.choice([None, "why"])
                command: Input = admin(at(seconds), chance.choice([Source.CLI, Source.SLACK]), *by)
                removed = Removed(at(seconds))
                event: Input = chance.choices([report, command, removed], [12, 4, 1])[0]
                fleet.ask(chance.choice(list(fleet)), event)
            assert findings(tmp_path) == []
    assert findings(tmp_path) == []


def test_a_machine_that_the_server_locked_is_no_mistake(state: Path) -> None:
    def mistakes() -> list[str]:
        # the lock is stamped with the real time, of which this test's events are an hour ahead
        return [line for line in findings(state) if "is earlier than" not in line]

    for name in ("metal-mill", "router", "laser"):
        execute(state, f"UPDATE machine_state SET state = 'gone' WHERE name = '{name}'")
    assert len(findings(state)) == 3
    later = (datetime.now(UTC) - NOW).total_seconds() + 10_000
    with open_fleet(Store.open(state)) as fleet:
        for number, name in enumerate(("metal-mill", "router", "laser")):
            fleet.ask(name, card(None, later + number))
    assert mistakes() == []
    with open_fleet(Store.open(state)) as fleet:
        fleet.ask("metal-mill", card(OLGA, later + 10))
        fleet.ask("router", Oops(at(later + 11), Source.CLI))
        fleet.ask("laser", Clear(at(later + 12), Source.CLI))
        fleet.ask("router", Unlock(at(later + 13), Source.CLI))
    assert mistakes() == []
    with open_fleet(Store.open(state)) as fleet:
        fleet.ask("metal-mill", Clear(at(later + 14), Source.CLI))
    assert mistakes() == []


def test_of_what_is_older_than_the_journal_nothing_is_said(state: Path) -> None:
    execute(state, "DELETE FROM journal WHERE machine <> 'metal-mill'")
    assert findings(state) == []
    execute(state, "DELETE FROM journal")
    assert findings(state) == []


# something wrong


@pytest.mark.parametrize(
    ("machine", "change", "said"),
    [
        ("router", lambda s: s.update(oops=None), "router: its state is not oopsed, event"),
        ("router", lambda s: s["oops"].update(by="you"), "by you, .*by me"),
        ("router", lambda s: s["oops"].update(reason=None), r"says oopsed since .*: belt"),
        ("router", lambda s: s["oops"].update(source="slack"), "from Slack.*from the command line"),
        ("router", lambda s: s["oops"].update(since="2020-01-01T00:00:00Z"), "since 2020-01-01.*event"),
        ("router", lambda s: s.update(lock=s["oops"]), "router: its state is locked out .*the journal has nothing"),
        ("laser", lambda s: s.update(lock=None), "laser: its state is not locked out, event"),
        ("metal-mill", lambda s: s.update(session=None), "metal-mill: its state is not in use, event .* by Ann Able"),
        ("metal-mill", lambda s: s["session"].update(full_name="Eve"), "by Eve .*by Ann Able"),
        ("metal-mill", lambda s: s["session"].update(kind="override"), "override.*authorized"),
        ("metal-mill", lambda s: s["session"].update(second="granted"), "second relay: granted.*second relay: none"),
    ],
)
def test_a_state_that_was_edited_by_hand_is_found(
    state: Path, machine: str, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    edit(state, machine, change)
    (finding,) = findings(state)
    assert pytest.raises(AssertionError, match=said).matches(AssertionError(finding)), finding


def test_a_session_that_is_over_is_found_when_the_state_still_has_it(state: Path) -> None:
    edit(state, "bandsaw", lambda s: s.update(session=None))
    assert findings(state) == []
    sessions: list[Any] = []
    edit(state, "metal-mill", lambda s: sessions.append(s["session"]))
    edit(state, "bandsaw", lambda s: s.update(session=sessions[0]))
    (finding,) = findings(state)
    assert finding.startswith("bandsaw: its state is in use")
    assert finding.endswith("says not in use")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE machine_state SET state = substr(state, 1, 40) WHERE name = 'router'",
            "state of router can't be read",
        ),
        (
            "UPDATE machine_state SET state = CAST(x'fffe' AS TEXT) WHERE name = 'router'",
            "state of router can't be read",
        ),
        ("UPDATE machine_state SET state = 5 WHERE name = 'router'", "state of router can't be read"),
        ("DELETE FROM machine_state WHERE name = 'router'", "router is in the journal, but its state is missing"),
        ("UPDATE journal SET data = '{}' WHERE id = 1", "event 1 can't be read"),
        ("UPDATE journal SET kind = 'from_2031' WHERE id = 1", "event 1 can't be read: unknown kind"),
        ("UPDATE journal SET data = CAST(x'fffe' AS TEXT) WHERE id = 1", "event 1 can't be read"),
        ("UPDATE journal SET machine = 'x' WHERE id = 1", "event 1: its machine is 'x', in its data 'vent'"),
        ("UPDATE journal SET seconds = 7 WHERE seconds IS NOT NULL", "its seconds is 7.0, in its data 1.0"),
        ("UPDATE journal SET at = '2020' WHERE id = 1", "event 1: its at is '2020'"),
        ("UPDATE journal SET id = 0 WHERE id = 6", "event 1 .* is earlier than the one before it"),
        ("CREATE TABLE recipes (name TEXT)", "the table recipes is not one of mac-actors"),
        ("DROP INDEX journal_at", "the index journal_at is missing"),
        ("INSERT INTO migration VALUES ('9999_future', '2031-01-01')", "newer mac-actors .*9999_future"),
        ("DELETE FROM migration", "not a database of mac-actors"),
    ],
)
def test_what_is_not_as_the_server_writes_it_is_found(state: Path, statement: str, said: str) -> None:
    execute(state, statement)
    (finding,) = findings(state)
    assert pytest.raises(AssertionError, match=said).matches(AssertionError(finding)), finding


def test_a_table_that_is_missing_is_found(state: Path) -> None:
    execute(state, "DROP TABLE outbox")
    assert findings(state) == ["the table outbox is missing", "the index outbox_channel is missing"]


def test_everything_wrong_is_said_not_only_the_first(state: Path) -> None:
    execute(state, "UPDATE journal SET data = '{}' WHERE id = 1", "CREATE TABLE recipes (name TEXT)")
    edit(state, "router", lambda s: s.update(oops=None))
    edit(state, "laser", lambda s: s.update(lock=None))
    assert len(findings(state)) == 4


def test_a_damaged_page_is_found_wherever_it_is(state: Path) -> None:
    whole = (state / DATABASE).read_bytes()
    with closing(sqlite3.connect(state / DATABASE)) as connection:
        used = connection.execute("SELECT name, rootpage FROM sqlite_master WHERE rootpage > 0").fetchall()
    assert len(used) > 8
    for name, page in used:
        broken = bytearray(whole)
        broken[(page - 1) * 4096 : (page - 1) * 4096 + 4000] = b"\xa5" * 4000
        (state / DATABASE).write_bytes(broken)
        assert findings(state), name


@pytest.mark.parametrize("garbage", [b"nonsense" * 1000, b"SQLite format 3\x00" + b"\xff" * 4000])
def test_what_is_no_database_is_a_finding(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / DATABASE).write_bytes(garbage)
    (finding,) = findings(tmp_path)
    assert finding.startswith("the database is damaged")


def test_a_directory_without_a_database_can_not_be_checked(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="MACHINE_STATE_DIR"):
        verify(tmp_path, pytest.fail)
