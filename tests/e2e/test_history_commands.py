"""``usage``, ``forget`` and retention, as installed commands against a server in a process of its own."""

from __future__ import annotations

import csv
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mac_actors.cli import main
from mac_actors.core import outcomes as o
from mac_actors.core.outcomes import Person
from mac_actors.core.state import MachineState, SecondDecision, SessionKind
from mac_actors.core.usage_csv import cell
from mac_actors.storage.codec import journal_row
from mac_actors.storage.records import Record, record_state
from mac_actors.storage.redaction import CLOCK_NOTE
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.store import Store
from tests.e2e.processes import PATIENCE, ServerProcess, run

ADMIN = {"MAC_ADMIN_TOKEN": "secret"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("shop"), **ADMIN) as running:
        for fob in ("1000001", "9"):
            running.report("metal-mill", fob)
            running.report("metal-mill", "")
        yield running


def test_usage_is_a_table_for_people(server: ServerProcess, tmp_path: Path) -> None:
    done = run("usage", cwd=tmp_path, MAC_URL=server.url, **ADMIN)
    assert (done.returncode, done.stderr) == (0, "")
    today = date.today()
    assert f"From {today - timedelta(29)} to {today}:" in done.stdout
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "Machine Sessions Hours Refusals" in lines
    assert "Metal Mill 1 0.0 1" in lines
    assert "unknown fobs 0 0.0 1" in lines
    hidden = run("usage", cwd=tmp_path, MAC_URL=server.url)
    assert (
        "Users are shown with the admins' token alone: set MAC_ADMIN_TOKEN, for the server and here." in hidden.stdout
    )


def test_usage_is_one_flat_table_for_a_spreadsheet(server: ServerProcess, tmp_path: Path) -> None:
    done = run("usage", "--format", "csv", cwd=tmp_path, MAC_URL=server.url, **ADMIN)
    rows = list(csv.DictReader(done.stdout.splitlines()))
    assert {row["what"] for row in rows} == {"machine", "user"}
    mill = next(row for row in rows if row["id"] == "metal-mill")
    assert (mill["name"], mill["sessions"], mill["hours"], mill["refusals"]) == ("Metal Mill", "1", "0.00", "1")
    assert all(None not in row.values() for row in rows)


def test_usage_is_what_the_api_says_for_programs(server: ServerProcess, tmp_path: Path) -> None:
    done = run(
        "usage", "--format", "json", "--from", "2020-01-01", "--to", "2020-01-31", cwd=tmp_path, MAC_URL=server.url
    )
    status, answer = server.call("GET", "/api/usage?from=2020-01-01&to=2020-01-31")
    assert (status, json.loads(done.stdout)) == (200, answer)
    assert (
        "No user put in a fob." in run("usage", "--to", "2020-01-01", cwd=tmp_path, MAC_URL=server.url, **ADMIN).stdout
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "1/7/2026"), "'1/7/2026' can be 7 January or 1 July: write 2026-01-07 or 2026-07-01."),
        (("--from", "2026-11-02", "--to", "2026-11-01"), "'--from': it is after --to (2026-11-01)"),
        (("--format", "xml"), "'xml' is not one of"),
    ],
)
def test_wrong_options_are_said(options: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(main, ["usage", *options])
    assert done.exit_code == 2
    assert said in done.output


def test_a_day_that_the_server_refuses_is_said(server: ServerProcess, tmp_path: Path) -> None:
    done = run("usage", "--from", "2099-01-01", cwd=tmp_path, MAC_URL=server.url)
    assert done.returncode == 1
    assert done.stderr == f"Error: from: expected a day that is not after to ({date.today()})\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", " =1", "\t=1", "\rx"])
def test_no_name_is_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["Ann", "CO2 Laser", "", "a=b"])
def test_other_names_stay_as_they_are(text: str) -> None:
    assert cell(text) == text


# forget


def test_forget_asks_does_it_and_says_what_is_left_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ServerProcess(tmp_path, **ADMIN) as server:
        server.report("metal-mill", "1000001")
        server.report("metal-mill", "")
        server.report("metal-mill", "1000001")
        name = server.call("GET", "/api/events", headers={"Authorization": "Bearer secret"})[1]["events"][0]["user"]
        url = ["--url", server.url]
        monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
        asked = CliRunner().invoke(main, ["forget", name, *url], input="n\n", env=ADMIN)
        monkeypatch.undo()
        assert asked.exit_code == 1
        assert f"Forget {name} (" in asked.output
        assert asked.output.endswith("Error: nothing was changed\n")
        done = run("forget", name.upper(), "--yes", *url, cwd=tmp_path, **ADMIN)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert lines[0].endswith("is forgotten: 2 events changed.")
        assert lines[1].startswith("Not done: 1 event of what is so now")
        assert lines[2].startswith("Still to do: take the user out of users.json")
        assert lines[3] == "What this can't reach: backups, the server's log, posts in Slack."
        server.report("metal-mill", "")
        assert "2 events changed" in run("forget", name, "--yes", *url, cwd=tmp_path, **ADMIN).stdout
        content = b"".join(path.read_bytes() for path in (tmp_path / "machine_state").glob(f"{DATABASE}*"))
        assert name.encode() not in content
        verified = run("verify", cwd=tmp_path)
        assert verified.returncode == 0, verified.stdout


def test_forget_without_the_token_or_of_nobody_changes_nothing(server: ServerProcess, tmp_path: Path) -> None:
    refused = run("forget", "1001", "--yes", cwd=tmp_path, MAC_URL=server.url)
    assert (refused.returncode, "Set MAC_ADMIN_TOKEN" in refused.stderr) == (1, True)
    nobody = run("forget", "Nobody At All", "--yes", cwd=tmp_path, MAC_URL=server.url, **ADMIN)
    assert nobody.returncode == 1
    assert "nobody is called Nobody At All" in nobody.stderr


# retention


def _old_journal(state: Path, lines: int) -> None:
    start = datetime.now(UTC) - timedelta(days=60)
    with closing(Store.open(state)) as store:
        records = []
        for number in range(lines // 2):
            at = start + timedelta(minutes=number)
            common: dict[str, Any] = {"machine": "table-saw", "display_name": "Table Saw"}
            ended = o.Ended(Person("9999", "Olive Longago"), SessionKind.AUTHORIZED, at, 30.0, o.EndReason.CARD_REMOVED)
            begun = o.SessionStarted(
                user=ended.user, session=ended.kind, second=SecondDecision.NONE, fob="0123123123", at=at, **common
            )
            over = o.SessionEnded(ended=ended, at=at + timedelta(seconds=30), **common)
            rows = tuple((journal_row(one), ()) for one in (begun, over))
            records.append(Record(record_state("table-saw", MachineState(at)), rows))
        store.commit(records)


def _through(state: Path) -> int:
    with closing(sqlite3.connect(f"file:{state / DATABASE}?mode=ro", uri=True)) as connection:
        row = connection.execute("SELECT value FROM note WHERE name = 'retention'").fetchone()
    return int(json.loads(row[0])["through"]) if row else 0


def _wait(what: Any) -> None:
    until = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < until


def test_retention_that_is_killed_again_and_again_comes_to_its_end(tmp_path: Path) -> None:
    state = tmp_path / "machine_state"
    _old_journal(state, 2400)
    reached = 0
    for _ in range(3):
        with ServerProcess(tmp_path, MAC_RETENTION_DAYS="30") as server:
            _wait(lambda before=reached: _through(state) > before)
            server.kill()
        assert _through(state) >= reached, "it goes on where it was"
        reached = _through(state)
        verified = run("verify", cwd=tmp_path)
        assert verified.returncode == 0, verified.stdout
    assert reached < 2400
    with ServerProcess(tmp_path, MAC_RETENTION_DAYS="30") as server:
        server.wait_for("names and fobs were removed from .* over 30 days old")
        usage = server.call("GET", f"/api/usage?from={date.today() - timedelta(90)}")[1]
        assert next(m for m in usage["machines"] if m["machine"] == "table-saw")["sessions"] == 1200
        content = b"".join(path.read_bytes() for path in state.glob(f"{DATABASE}*"))
        assert not [needle for needle in (b"Olive Longago", b"0123123123") if needle in content]
    assert run("verify", cwd=tmp_path).returncode == 0


def test_names_are_not_removed_by_a_clock_that_is_far_ahead_until_somebody_says_that_it_is_right(
    tmp_path: Path,
) -> None:
    state = tmp_path / "machine_state"
    _old_journal(state, 20)
    with closing(Store.open(state)) as store:  # as if the clock had been put forward since
        store.commit([Record(notes=((CLOCK_NOTE, "2020-01-01T00:00:00+00:00"),))])
    with ServerProcess(tmp_path, MAC_RETENTION_DAYS="30", **ADMIN) as server:
        server.wait_for("no names are removed from old events")
        assert _through(state) == 0
        for arguments in ((), ("somebody", "--old")):
            assert run("forget", *arguments, cwd=tmp_path, MAC_URL=server.url, **ADMIN).returncode == 2
        assert run("forget", "--old", "--yes", cwd=tmp_path, MAC_URL=server.url, **ADMIN).returncode == 0
        server.wait_for("names and fobs were removed from .* over 30 days old")
        again = run("forget", "--old", "--yes", cwd=tmp_path, MAC_URL=server.url, **ADMIN)
        assert (again.returncode, "not in doubt" in again.stderr) == (1, True)
