"""Backup, restore and verify with the installed command, beside servers that are used and killed."""

from __future__ import annotations

import json
import os
import pty
import signal
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path

import pytest

from mac_actors.core.outcomes import PowerChanged
from mac_actors.core.state import MachineState
from mac_actors.storage.codec import journal_row
from mac_actors.storage.records import Record, record_state
from mac_actors.storage.store import Store
from tests.e2e.processes import COMMAND, PATIENCE, SAMPLES, ServerProcess, environment, run
from tests.fakes import wait_until

DATABASE = Path("machine_state/mac.sqlite3")
PATIENT = {"MAC_COMMIT_BUDGET": "4"}
"""However busy the disk is, an answer waits until the change is on it: that is what is acknowledged here."""

NAMES = sorted(json.loads(Path(SAMPLES["MACHINES_CONFIG"]).read_text()))


@contextmanager
def load(server: ServerProcess) -> Iterator[Counter[str]]:
    """Oops and clear all machines in turn, each by a writer of its own; yields what was acknowledged so far."""
    acknowledged: Counter[str] = Counter()
    stop = threading.Event()

    def write(name: str) -> None:
        while not stop.is_set():
            method = "DELETE" if acknowledged[name] % 2 else "POST"
            try:
                status, answer = server.call(method, f"/api/machine/oops/{name}")
            except (OSError, HTTPException):
                server.process.wait(PATIENCE)  # only a killed one does not answer
                return
            assert (status, answer) == (200, {"success": True})
            acknowledged[name] += 1

    with ThreadPoolExecutor(len(NAMES)) as pool:
        jobs = [pool.submit(write, name) for name in NAMES]
        try:
            wait_until(lambda: all(acknowledged[name] >= 3 for name in NAMES) or any(job.done() for job in jobs))
            yield acknowledged
        finally:
            stop.set()
            for job in jobs:
                job.result()


def journaled(database: Path) -> Counter[str]:
    query = "SELECT machine, count(*) FROM journal WHERE kind IN ('oops_set', 'oops_cleared') GROUP BY machine"
    with closing(sqlite3.connect(database)) as connection:
        return Counter(dict(connection.execute(query).fetchall()))


def enlarge(directory: Path, rows: int) -> None:
    """Write a long journal, so that a backup takes its time."""
    outcome = PowerChanged(machine="metal-mill", display_name="x" * 1000, at=datetime.now(UTC), on=True)
    with closing(Store.open(directory / "machine_state")) as store:
        store.commit(
            [Record(record_state("metal-mill", MachineState(outcome.at)), ((journal_row(outcome), ()),) * rows)]
        )


def assert_well(directory: Path, **variables: str) -> None:
    checked = run("verify", cwd=directory, **variables)
    assert checked.returncode == 0, checked
    assert checked.stdout.endswith("all is well.\n")


def test_a_backup_under_load_has_all_that_was_acknowledged_before_and_serves_again(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    copy = tmp_path / "copy.sqlite3"
    with ServerProcess(tmp_path, **PATIENT) as server:
        server.report("metal-mill", uptime=10)
        with load(server) as acknowledged:
            for _ in range(3):
                before = Counter(acknowledged)
                made = run("backup", "--force", str(copy), cwd=tmp_path)
                assert (made.returncode, made.stderr) == (0, ""), made
            assert_well(tmp_path)
        assert sum(before.values()) < sum(acknowledged.values()), "the server went on meanwhile"
        assert server.terminate() == 0
    restored = run("restore", str(copy), cwd=tmp_path / "other")
    assert restored.returncode == 0, restored
    assert "Start the server now" in restored.stdout
    there = journaled(tmp_path / "other" / DATABASE)
    assert all(before[name] <= there[name] <= acknowledged[name] for name in NAMES)
    assert_well(tmp_path / "other")
    with ServerProcess(tmp_path / "other", **PATIENT) as server:
        for name in NAMES:
            assert bool(server.machine(name)["oops"]) == bool(there[name] % 2), name
        with load(server):
            assert_well(tmp_path / "other")
    assert_well(tmp_path / "other")


def test_after_kill_9_under_load_verify_finds_nothing(tmp_path: Path) -> None:
    for _ in range(3):
        with ServerProcess(tmp_path, **PATIENT) as server:
            for name in NAMES:
                server.call("DELETE", f"/api/machine/oops/{name}")
            with load(server):
                server.kill()
        assert_well(tmp_path)


def test_a_restore_beside_a_server_is_refused_with_its_pid_and_the_server_goes_on(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        assert run("backup", "copy", cwd=tmp_path).returncode == 0
        server.call("POST", "/api/machine/oops/metal-mill")
        refused = run("restore", "copy", cwd=tmp_path)
        assert refused.returncode == 1
        assert f"in use by process {server.process.pid}" in refused.stderr
        assert server.machine("metal-mill")["oops"]
        assert server.terminate() == 0
    restored = run("restore", "copy", cwd=tmp_path)
    assert restored.returncode == 0
    assert "The former database is kept as machine_state/mac.sqlite3.before-restore-" in restored.stdout
    assert "No longer as in the former database: metal-mill (oopsed)" in restored.stdout
    assert_well(tmp_path)


def test_a_restore_says_whose_logins_stay_revoked_and_whose_count_again(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        server.call("POST", "/api/admins", {"name": "Eve"})
        assert run("backup", "copy", cwd=tmp_path).returncode == 0
        server.call("DELETE", "/api/admins/Eve")
        assert server.terminate() == 0
    assert "no longer had stay revoked: Eve. mac-actors admins add" in run("restore", "copy", cwd=tmp_path).stdout
    (tmp_path / DATABASE).write_bytes(b"nonsense" * 1000)
    restored = run("restore", "copy", cwd=tmp_path)
    assert restored.returncode == 0
    assert "also ones that were revoked since: Eve. Revoke once more (mac-actors admins revoke)" in restored.stdout
    assert_well(tmp_path)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory whose journal is so long that a backup can be killed in its middle."""
    directory = tmp_path_factory.mktemp("large")
    enlarge(directory, 80_000)
    return directory


@pytest.mark.parametrize("former", [None, b"yesterday's"])
def test_kill_9_during_a_backup_leaves_no_half_file_under_its_name(
    large: Path, tmp_path: Path, former: bytes | None
) -> None:
    copy = tmp_path / "copy"
    if former:
        copy.write_bytes(former)
    with subprocess.Popen([*COMMAND, "backup", "--force", str(copy)], cwd=large, env=environment()) as backup:
        wait_until(lambda: any(path.stat().st_size for path in tmp_path.glob(".copy.*.partial")))
        backup.kill()
        assert backup.wait(PATIENCE) == -signal.SIGKILL
    assert (copy.read_bytes() if copy.exists() else None) == former
    assert_well(large)
    assert run("backup", "--force", str(copy), cwd=large).returncode == 0
    assert run("restore", "copy", cwd=tmp_path).returncode == 0


def test_a_disk_that_takes_no_more_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    enlarge(tmp_path, 3000)
    (tmp_path / "far").mkdir()
    script = 'ulimit -f 1000; exec "$@" backup far/copy'
    full = subprocess.run(
        ["bash", "-c", script, "bash", *COMMAND],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert full.returncode == 1, full
    assert full.stderr.startswith("Error: cannot write far/copy: ")
    assert "room on the disk" in full.stderr
    assert list((tmp_path / "far").iterdir()) == []


def test_verify_lists_what_is_wrong_and_fails(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        server.call("POST", "/api/machine/oops/metal-mill", {"by": "me", "reason": "belt"})
        server.call("POST", "/api/machine/locked_out/table-saw")
        assert server.terminate() == 0
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("UPDATE machine_state SET state = json_set(state, '$.oops', NULL) WHERE name = 'metal-mill'")
        connection.execute("UPDATE machine_state SET state = 'gone' WHERE name = 'table-saw'")
    checked = run("verify", cwd=tmp_path)
    assert checked.returncode == 1
    *lines, last = checked.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["metal-mill", "the state of table-saw can't be read"]
    assert "2 things wrong" in last


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("backup", "copy"), "there is no database machine_state/mac.sqlite3"),
        (("verify",), "there is no database machine_state/mac.sqlite3"),
        (("restore", "copy"), "there is no file copy"),
    ],
)
def test_what_is_not_there_is_one_line_with_what_to_do(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    failed = run(*arguments, cwd=tmp_path)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert said in failed.stderr
    assert len(failed.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_progress_is_shown_on_a_terminal(tmp_path: Path) -> None:
    enlarge(tmp_path, 3000)
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [*COMMAND, "backup", "copy"],
            cwd=tmp_path,
            env=environment(TERM="xterm"),
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
        shown = os.read(ours, 100_000).decode(errors="replace")  # its end may be within a character
    finally:
        os.close(ours)
        os.close(theirs)
    assert "copying" in shown
    assert done.stdout.startswith("copy is a whole copy")
