"""A cell whose PostgreSQL has a synchronous standby, which is lost and comes back, or a disk that is full."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.cluster.cell import MACHINE, Cell
from tests.fakes import wait_until
from tests.faults.disk import Mode
from tests.postgres import Cluster, needs_postgres

pytestmark = needs_postgres

LEASE = 2
WAITING = "SELECT pid, query_start FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL of the test's own."""
    running = Cluster()
    yield running
    running.remove()


@pytest.fixture
def cell(postgres: Cluster, tmp_path: Path) -> Iterator[Cell]:
    """Two servers on it, of which a owns the machines."""
    cell = Cell(tmp_path, postgres.tcp_url(postgres.create_with_tables()), LEASE, "0.25")
    try:
        cell.begin()
        yield cell
    finally:
        cell.end()


def commands(cell: Cell) -> Callable[[], bool]:
    """Return what has the owner lock and clear a machine in turn, and says whether the answer was durable."""
    number = 0

    def command() -> bool:
        nonlocal number
        number += 1
        path = f"/api/machine/{'locked_out' if number % 2 else 'clear'}/{MACHINE}"
        status, answer = cell.ask("ab"[number // 2 % 2], path, f"reason {number}")
        assert status == 200, answer
        assert answer["outcomes"], answer
        return answer.get("durable", True) is True

    return command


def beats(cell: Cell) -> None:
    """Wait until the lease has been renewed for as long as it is."""
    with closing(psycopg.connect(cell.database, autocommit=True)) as connection:
        look: Callable[[], int] = lambda: connection.execute("SELECT beat FROM beat").fetchone()[0]  # type: ignore[index] # noqa: E731
        there = look()
        wait_until(lambda: look() > there + 12)
    assert cell.row()[:2] == (1, cell.url("a"))


def test_while_the_synchronous_standby_is_away_nothing_is_durable_and_when_it_is_back_all_is_there_once(
    postgres: Cluster, cell: Cell
) -> None:
    standby, command = postgres.standby(), commands(cell)
    try:
        wait_until(command)
        standby.stop()
        wait_until(lambda: not command())
        for _ in range(4):
            assert not command()
        beats(cell)
        with closing(postgres.admin()) as admin:

            def waiting() -> set[Any]:
                return set(admin.execute(WAITING).fetchall())

            for how in ("pg_cancel_backend", "pg_terminate_backend"):
                wait_until(waiting)
                before = waiting()
                for pid, _ in before:
                    admin.execute(f"SELECT {how}({pid})".encode())
                wait_until(lambda: waiting() - before)  # noqa: B023 - it was sent again
                assert not command(), "what was cancelled can be seen, and could be lost all the same"
            assert len(waiting()) == 1, "nobody but the journal waits for the standby"
            cell.servers["a"].wait_for("cannot write: somebody cancelled the wait for the synchronous standby")
        assert cell.row()[:2] == (1, cell.url("a"))
        count = len(cell.reasons())
        standby.start()
        wait_until(command)
        wait_until(lambda: cell.servers["a"].call("GET", "/readyz")[0] == 200)
        reasons = cell.reasons()
        assert len(reasons) > count
        assert reasons == [f"reason {number}" for number in range(1, len(reasons) + 1)]
        there = standby.url(cell.database.rpartition("/")[2])
        wait_until(lambda: cell.reasons(there) == reasons)
    finally:
        standby.remove()


def test_while_the_database_s_disk_is_full_it_is_as_one_that_hangs_and_says_what_to_do(
    postgres: Cluster, cell: Cell
) -> None:
    knobs, command = postgres.break_disk(), commands(cell)
    wait_until(command)
    with knobs.disk(Mode.FULL):
        wait_until(lambda: not command())  # when the last page of a table is full
        begun = time.monotonic()
        assert not command()
        assert (time.monotonic() - begun) / 0.25 < 8, "within the budget, more or less"
        beats(cell)
        status, answer = cell.servers["a"].call("GET", "/readyz")
        assert status == 503
        assert "No space left on device" in answer["problems"]["store"]
        assert "Make room on the database's disk" in answer["problems"]["store"]
    wait_until(command)
    cell.servers["a"].wait_for("the disk works again")
    reasons = cell.reasons()
    assert reasons == [f"reason {number}" for number in range(1, len(reasons) + 1)]
    assert cell.row()[:2] == (1, cell.url("a"))
    knobs.close()
