"""The lease's statements on a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import psycopg
import pytest

from mac_actors.cluster.lease import Beat
from mac_actors.cluster.rows import NodeRow, Rows
from mac_actors.errors import StorageError
from mac_actors.storage.postgres.migrations import migrate
from tests.fakes import wait_until
from tests.postgres import Cluster, needs_postgres

pytestmark = needs_postgres

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'two' AND wait_event_type = 'Lock'"


@pytest.fixture
def rows(database: str) -> Iterator[Rows]:
    opened = Rows(database, 20.0, "one")
    yield opened
    opened.close()


@pytest.fixture
def others(database: str) -> Iterator[Rows]:
    opened = Rows(database, 20.0, "two")
    yield opened
    opened.close()


def beat(number: int, epoch: int = 1, *, alone: bool = False, sure: bool = False) -> Beat:
    return Beat(epoch, number, alone, 0.0, sure)


def row(url: str, incarnation: str) -> NodeRow:
    return NodeRow(url, "1.0", 3, 0.0, 0.25, incarnation)


def test_one_of_two_takes_the_lease_and_the_other_s_look_is_out_of_date(rows: Rows, others: Rows) -> None:
    seen = rows.look().seen
    assert (seen.epoch, seen.beat, seen.released) == (0, 0, True)
    assert others.look().seen == seen
    assert rows.take(seen, "http://a", "first", 3.0) == 1
    assert others.take(seen, "http://b", "second", 3.0) is None
    now = others.look().seen
    assert now == replace(seen, epoch=1, released=False, owner="http://a", incarnation="first", seconds=3.0)


def test_a_beat_after_the_last_look_keeps_a_standby_from_taking_over(rows: Rows, others: Rows) -> None:
    rows.take(rows.look().seen, "http://a", "first", 3.0)
    seen = others.look().seen
    assert rows.beat(beat(1), "http://a", "first")
    assert others.take(seen, "http://b", "second", 3.0) is None
    assert others.look().seen.owner == "http://a"


def test_a_beat_counts_the_other_nodes_and_says_what_the_database_s_clock_is(rows: Rows, others: Rows) -> None:
    rows.take(rows.look().seen, "http://a", "first", 3.0)
    assert rows.join(row("http://a", "first"), "")
    answer = rows.beat(beat(1), "http://a", "first")
    assert answer
    assert answer.others == 0
    assert not answer.asked
    assert answer.clock == pytest.approx(rows.look().clock, abs=20)
    assert others.join(row("http://b", "second"), "")
    answer = rows.beat(beat(2), "http://a", "first")
    assert answer
    assert answer.others == 1
    assert [(one.url, one.revision, one.skew) for one in rows.nodes()] == [("http://a", 3, 0.25), ("http://b", 3, 0.25)]
    assert rows.beat(beat(3, alone=True, sure=True), "http://a", "first")
    assert others.look().seen.alone
    rows.forget(1)
    assert len(rows.nodes()) == 2


def test_a_late_beat_and_one_of_an_earlier_epoch_or_after_the_release_change_nothing(rows: Rows, others: Rows) -> None:
    rows.take(rows.look().seen, "http://a", "first", 3.0)
    assert rows.beat(beat(2), "http://a", "first")
    assert rows.beat(beat(1), "http://a", "first") is None
    rows.release(1)
    assert rows.beat(beat(3), "http://a", "first") is None
    seen = others.look().seen
    assert (seen.beat, seen.released) == (2, True)
    assert others.take(seen, "http://b", "second", 3.0) == 2
    assert rows.beat(beat(4), "http://a", "first") is None
    rows.release(1)
    assert not others.look().seen.released


def test_an_epoch_that_the_database_has_lost_is_that_of_who_took_it_last_and_no_node_has_it_twice(
    rows: Rows, others: Rows, database: str
) -> None:
    rows.take(rows.look().seen, "http://a", "first", 3.0)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE part SET epoch = 0")
        connection.execute("UPDATE beat SET epoch = 0, released = true")
    assert others.take(others.look().seen, "http://b", "second", 3.0) == 1
    assert rows.beat(beat(1), "http://a", "first") is None
    assert others.beat(beat(1), "http://b", "second")
    seen = rows.look().seen
    assert (seen.epoch, seen.beat, seen.owner) == (1, 1, "http://b")
    assert rows.take(seen, "http://a", "first", 3.0, above=6) == 7
    assert rows.beat(beat(1, 7), "http://a", "first")
    assert rows.look().seen.epoch == 7


def test_a_second_process_cannot_have_a_node_s_url(rows: Rows) -> None:
    assert rows.join(row("http://a", "first"), "")
    assert rows.join(row("http://a", "first"), "")
    assert not rows.join(row("http://a", "second"), "")
    assert rows.join(row("http://a", "second"), "first")


def test_a_takeover_waits_for_a_commit_under_way_and_then_still_has_the_lease(
    rows: Rows, others: Rows, database: str
) -> None:
    rows.take(rows.look().seen, "http://a", "first", 3.0)
    seen = others.look().seen
    taken: list[int | None] = []
    with psycopg.connect(database) as writer:
        writer.execute("UPDATE part SET batch = batch + 1 WHERE part = 1")
        thread = threading.Thread(target=lambda: taken.append(others.take(seen, "http://b", "second", 3.0)))
        thread.start()
        with psycopg.connect(database) as looking:
            wait_until(lambda: looking.execute(WAITING).fetchone() == (1,))
    thread.join()
    assert taken == [2]


def test_what_is_not_answered_in_time_is_given_up_and_the_next_call_has_a_connection_of_its_own(
    rows: Rows, database: str
) -> None:
    rows.take(rows.look().seen, "http://a", "first", 3.0)
    quick = Rows(database, 0.2, "quick")
    with psycopg.connect(database) as writer:
        writer.execute("SELECT * FROM beat FOR UPDATE")
        with pytest.raises(StorageError, match="cannot renew the lease: the database does not answer"):
            quick.beat(beat(1), "http://a", "first")
    patient = Rows(database, 20.0, "patient")
    assert patient.beat(beat(7), "http://a", "first")
    assert quick.connections == patient.connections == 1
    quick.close()
    patient.close()


def test_what_the_database_refuses_is_a_storage_error(rows: Rows) -> None:
    with pytest.raises(StorageError, match='cannot read this: ERROR: relation "nothing" does not exist'):
        rows.ask("read this", "SELECT * FROM nothing")
    assert rows.look().seen.epoch == 0
    assert rows.connections == 2
    nobody = Rows(f"postgresql://nobody@/nothing?host={os.devnull}", 1.0, "nobody")
    with pytest.raises(StorageError, match="cannot look at the lease"):
        nobody.look()


def test_a_beat_does_not_wait_for_a_synchronous_standby_that_is_away_and_a_takeover_does() -> None:
    cluster = Cluster("synchronous_standby_names=nobody")
    try:
        name = cluster.create()
        with psycopg.connect(cluster.url(name), autocommit=True) as connection:
            migrate(connection)
            connection.execute("UPDATE part SET epoch = 1, incarnation = 'first'")
            connection.execute("UPDATE beat SET epoch = 1, released = false")
        rows = Rows(f"{cluster.url(name)}&options=-c%20synchronous_commit%3Don", 20.0, "one")
        assert rows.beat(beat(1), "http://a", "first")
        seen = rows.look().seen
        with pytest.raises(StorageError, match="cannot take the lease: the database does not answer"):
            rows.take(seen, "http://b", "second", 3.0, seconds=0.3)
        assert rows.look().seen == seen  # it waits on, and is not there for anybody yet
        rows.close()

        # After a crash beats that were answered may be lost: it counts as another server.
        with cluster.admin() as connection:
            (pid,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: connection.closed or not _alive(connection))
        wait_until(lambda: _server(rows) not in {None, seen.server})
        rows.close()
    finally:
        cluster.remove()


def _server(rows: Rows) -> str | None:
    with suppress(StorageError):
        return rows.look().seen.server
    return None


def _alive(connection: psycopg.Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True
