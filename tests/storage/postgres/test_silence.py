"""A database that keeps its connections and says nothing: it is given up, and found on its other host."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from mac_actors.cluster.rows import Rows
from mac_actors.core.outcomes import OopsSet
from mac_actors.core.state import Flag, Source
from mac_actors.errors import StorageError
from mac_actors.storage.codec import journal_row
from mac_actors.storage.postgres import writer
from mac_actors.storage.postgres.address import Address
from mac_actors.storage.postgres.database import READ_SECONDS, PostgresDatabase
from mac_actors.storage.postgres.limited import ANSWER_SECONDS, LimitedConnection
from mac_actors.storage.records import Record
from mac_actors.storage.schema import journal
from mac_actors.storage.store import Store
from tests.cluster.cable import Cable
from tests.fakes import PATIENCE, wait_until
from tests.places import Place
from tests.postgres import Cluster, needs_postgres

pytestmark = needs_postgres

T0 = datetime(2026, 11, 24, 18, tzinfo=UTC)
NEVER = 100_000.0
COUNT = select(func.count()).select_from(journal)


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A server whose synchronous standby is away: who commits ``on`` waits for it."""
    running = Cluster("synchronous_standby_names=nobody", "synchronous_commit=local")
    yield running
    running.remove()


@dataclass
class Hosts:
    """A database by two addresses, of which the second is not there at first."""

    first: Cable
    second: Cable
    url: str


@pytest.fixture
def hosts(own_cluster: Cluster) -> Iterator[Hosts]:
    direct = own_cluster.tcp_url(own_cluster.create_with_tables())
    first, second = Cable(own_cluster.port), Cable(own_cluster.port)
    second.refuse()
    place = f"127.0.0.1:{own_cluster.port}"
    both = direct.replace(place, f"127.0.0.1:{first.port},127.0.0.1:{second.port}")
    assert both != direct
    yield Hosts(first, second, f"{both}?sslmode=disable&gssencmode=disable&connect_timeout=2")
    first.close()
    second.close()


def limit_commits(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Set for how long a commit is waited for."""
    monkeypatch.setattr(writer, "COMMIT_SECONDS", seconds)


def owned(url: str) -> tuple[Store, PostgresDatabase]:
    store = Place(url).open(Store)
    assert isinstance(store.database, PostgresDatabase)
    return store, store.database


def oops(reason: str) -> Record:
    outcome = OopsSet(machine="mill", display_name="Mill", at=T0, flag=Flag(T0, Source.HTTP, None, reason), ended=None)
    return Record(rows=((journal_row(outcome), ()),))


def reasons(store: Store) -> list[str | None]:
    outcomes = [entry.outcome for entry in reversed(store.page(limit=100).entries)]
    return [outcome.flag.reason for outcome in outcomes if isinstance(outcome, OopsSet)]


def test_it_is_read_and_written_at_its_other_host(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    store, _ = owned(hosts.url)
    with closing(store):
        store.commit([oops("a")])
        assert reasons(store) == ["a"]
        hosts.first.hold()
        hosts.second.mend()
        limit_commits(monkeypatch, 0.2)
        with pytest.raises(StorageError, match="does not answer"):
            store.commit([oops("b")])
        limit_commits(monkeypatch, NEVER)
        store.commit([oops("b"), oops("c")])
        assert reasons(store) == ["a", "b", "c"], "also the connections to read with were given up"
        hosts.first.mend()
        wait_until(lambda: not hosts.first.wires)
        store.commit([oops("d")])
        assert reasons(store) == ["a", "b", "c", "d"], "what was on its way arrives, and changes nothing"


def test_what_a_standby_has_ready_is_made_anew_where_it_hangs(hosts: Hosts) -> None:
    with closing(Store.open(hosts.url)) as store:
        store.warm_up()
        hosts.first.hold()
        hosts.second.mend()
        store.warm_up()
        assert not store.load_states()


def test_where_it_is_on_no_other_host_that_is_said(hosts: Hosts) -> None:
    store, _ = owned(hosts.url)
    with closing(store):
        store.warm_up()
        hosts.first.hold()
        with pytest.raises(StorageError, match="cannot connect to the database"):
            store.load_states()


def test_a_query_of_a_database_that_answers_may_take_longer_than_the_answer(hosts: Hosts) -> None:
    store, opened = owned(hosts.url)
    with closing(store):
        for _ in range(2):
            with opened.reading() as reading:
                connection = reading.connection.driver_connection
                assert isinstance(connection, LimitedConnection)
                assert connection.seconds == READ_SECONDS
            assert connection.seconds == ANSWER_SECONDS, "it is asked for that before the next one"


def test_whoever_finds_it_elsewhere_ends_the_waiting_of_all_others(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_commits(monkeypatch, NEVER)
    store, opened = owned(hosts.url)
    with ThreadPoolExecutor(2) as aside, ExitStack() as ends, closing(store), closing(Rows(hosts.url, 0.5, "")) as rows:
        ends.callback(hosts.first.refuse)  # whoever waits yet need not be waited for
        store.commit([oops("a")])
        with opened.reading() as reading:
            hosts.first.hold()
            committing, counting = aside.submit(store.commit, [oops("b")]), aside.submit(reading.scalar, COUNT)
            hosts.second.mend()
            rows.look()
            with pytest.raises(StorageError, match="does not answer"):
                committing.result(PATIENCE)
            with pytest.raises(OperationalError, match="does not answer"):
                counting.result(PATIENCE)
        store.commit([oops("b")])
        assert reasons(store) == ["a", "b"]


def test_a_host_that_answers_is_left_for_no_other(hosts: Hosts) -> None:
    store, opened = owned(hosts.url)
    with closing(store):
        store.commit([oops("a")])
        there = opened.writer._connection
        hosts.second.mend()
        hosts.first.refuse(b"aside")
        with closing(opened.address.reach(application_name="aside")) as aside:
            assert aside.info.port == hosts.second.port
            store.commit([oops("b")])
            assert opened.writer._connection is there


def test_the_host_that_was_reached_last_is_asked_first(hosts: Hosts) -> None:
    address, rows = Address.parse(hosts.url), Rows(hosts.url, 5.0, "lease")
    hosts.second.mend()
    for dead, alive in ((hosts.first, hosts.second), (hosts.second, hosts.first)):
        dead.refuse()
        with closing(address.connect()) as connection:
            assert connection.info.port == alive.port
        dead.mend()
        for parsed in (address, Address.parse(hosts.url)):
            with closing(parsed.connect()) as connection:
                assert connection.info.port == alive.port
        rows.close()
        rows.look()
        assert rows._connection
        assert rows._connection.info.port == alive.port
    rows.close()


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("postgresql://u:p@a/x", (("a", "", ""),)),
        ("postgresql://u:p@a,b/x", (("a", "", ""), ("b", "", ""))),
        ("postgresql://u:p@a:1,b/x", (("a", "", "1"), ("b", "", ""))),
        (
            "postgresql:///x?host=a,b&hostaddr=192.0.2.1,192.0.2.2&port=1",
            (("a", "192.0.2.1", "1"), ("b", "192.0.2.2", "1")),
        ),
        ("postgresql:///x?host=/a,/b", (("/a", "", ""), ("/b", "", ""))),
        ("postgresql:///x", (("", "", ""),)),
    ],
)
def test_hosts_are_told_apart_however_they_are_written(written: str, parts: tuple[tuple[str, ...], ...]) -> None:
    assert Address.parse(written)._hosts() == parts


@pytest.mark.parametrize("both", ["nowhere,{directory}", "{directory},nowhere"])
def test_hosts_that_are_directories_are_told_apart(own_cluster: Cluster, both: str) -> None:
    both = both.replace("nowhere", "/nowhere").format(directory=own_cluster.directory)
    address = Address.parse(f"postgresql://postgres@/postgres?host={both}&port={own_cluster.port}")
    for _ in range(2):
        with closing(address.connect()) as connection:
            assert connection.info.host == str(own_cluster.directory)
            assert not connection.superseded()


def test_a_port_too_many_is_refused_as_ever() -> None:
    with pytest.raises(StorageError, match="port"):
        Address.parse("postgresql://u@/x?host=127.0.0.1,127.0.0.1&port=1,2,3").connect()


COMMITS = (
    "SELECT pid, wait_event_type, wait_event FROM pg_stat_activity WHERE state = 'active' AND query ~ '[m]ac_commit'"
)


def test_a_commit_that_waits_for_the_standby_is_given_up_but_never_cancelled(
    own_cluster: Cluster, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, opened = owned(hosts.url)
    opened.address.given["options"] = "-csynchronous_commit=on"
    opened.writer.close()  # it connects anew, with them
    away = "is its synchronous standby away"
    with closing(store), closing(own_cluster.admin()) as admin, ThreadPoolExecutor(1) as aside:

        def commits() -> list[tuple[int, str]]:
            return [(pid, event if kind == "IPC" else kind) for pid, kind, event in admin.execute(COMMITS).fetchall()]

        limit_commits(monkeypatch, 1.0)
        with pytest.raises(StorageError, match=away):
            store.commit([oops("a")])
        wait_until(lambda: [event for _, event in commits()] == ["SyncRep"])
        [first] = commits()
        for _ in range(3):
            with pytest.raises(StorageError, match=away):
                store.commit([oops("a")])
        wait_until(lambda: commits() == [first])  # whoever waits behind it does not for ever
        assert reasons(store) == [], "it was not cancelled: it would be there"
        limit_commits(monkeypatch, NEVER)
        again = aside.submit(store.commit, [oops("a"), oops("b")])
        wait_until(lambda: "Lock" in [event for _, event in commits()])
        admin.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
        admin.execute("SELECT pg_reload_conf()")
        again.result(PATIENCE)
        assert reasons(store) == ["a", "b"]


def test_a_connection_is_closed_by_the_thread_that_waits_on_it(
    hosts: Hosts, own_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    closers: list[str] = []

    def close(connection: psycopg.Connection) -> None:
        closers.append(threading.current_thread().name)
        real(connection)

    real = psycopg.Connection.close
    monkeypatch.setattr(psycopg.Connection, "close", close)
    connection = Address.parse(hosts.url).connect(NEVER)
    running = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1000)'"
    with ThreadPoolExecutor(1, "the waiting thread") as aside, closing(own_cluster.admin()) as admin:
        waiting = aside.submit(connection.execute, "SELECT pg_sleep(1000)")
        wait_until(lambda: (admin.execute(running).fetchone() or (0,))[0] == 1)
        connection.close()
        with pytest.raises(psycopg.OperationalError):
            waiting.result(PATIENCE)
        assert connection.closed
        assert {name.partition("_")[0] for name in closers} == {"the waiting thread"}
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
