"""A commit on PostgreSQL: one owner writes, each batch is there once, and what is in doubt is sent again."""

from __future__ import annotations

import secrets
import signal
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from mac_actors.actors.journal import Journal
from mac_actors.core.notices import Channel, Notice, notices
from mac_actors.core.outcomes import OopsSet
from mac_actors.core.state import Flag, Source
from mac_actors.errors import StorageError
from mac_actors.storage.codec import journal_row
from mac_actors.storage.database import BadRecordError, Fenced
from mac_actors.storage.postgres.database import PostgresDatabase
from mac_actors.storage.postgres.writer import Writer
from mac_actors.storage.records import Record
from mac_actors.storage.store import Store
from tests.fakes import PATIENCE, open_fleet, report, wait_until, written
from tests.places import Place
from tests.postgres import Cluster, needs_postgres

pytestmark = needs_postgres

T0 = datetime(2026, 11, 24, 18, tzinfo=UTC)


def owned(url: str) -> tuple[Store, PostgresDatabase]:
    store = Place(url).open(Store)
    assert isinstance(store.database, PostgresDatabase)
    return store, store.database


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    opened, _ = owned(database)
    yield opened
    opened.close()


def oops(reason: str) -> Record:
    outcome = OopsSet(machine="mill", display_name="Mill", at=T0, flag=Flag(T0, Source.HTTP, None, reason), ended=None)
    return Record(rows=((journal_row(outcome), notices(outcome)),))


def reasons(store: Store) -> list[str | None]:
    outcomes = [entry.outcome for entry in reversed(store.page(limit=100).entries)]
    return [outcome.flag.reason for outcome in outcomes if isinstance(outcome, OopsSet)]


def batch_of(url: str) -> int:
    with psycopg.connect(url) as connection:
        [(number,)] = connection.execute("SELECT batch FROM part").fetchall()
        return int(number)


# one owner


def test_a_store_can_only_read_until_it_owns_the_database(database: str) -> None:
    with closing(Store.open(database)) as store:
        assert store.load_states() == {}
        with pytest.raises(Fenced, match="does not own"):
            store.commit([oops("a")])
        assert reasons(store) == []


def test_the_former_owner_writes_nothing_more(database: str) -> None:
    former, _ = owned(database)
    former.commit([oops("a")])
    with closing(former):
        present, _ = owned(database)
        with closing(present):
            for _ in range(2):
                with pytest.raises(Fenced):
                    former.commit([oops("too late")])
            present.commit([oops("b")])
            with pytest.raises(Fenced):
                former.commit([oops("too late")])
            assert reasons(present) == ["a", "b"]
            assert [entry.id for entry in present.page().entries] == [2, 1]


def test_who_has_lost_the_database_before_the_first_commit_is_told(database: str) -> None:
    present, _ = owned(database)
    with closing(present), closing(Store.open(database)) as late, pytest.raises(Fenced, match="another server"):
        late.own(1, "somebody else")


def test_a_commit_and_a_takeover_that_meet_are_one_after_the_other(database: str) -> None:
    former, _ = owned(database)
    with closing(former), psycopg.connect(database) as other, ThreadPoolExecutor(1) as aside:
        other.execute("UPDATE part SET epoch = epoch + 1, incarnation = 'other', batch = 0")
        committing = aside.submit(former.commit, [oops("too late")])
        _wait_for_a_lock(database)
        other.commit()
        with pytest.raises(Fenced):
            committing.result(PATIENCE)
        assert reasons(former) == []


def _wait_for_a_lock(url: str) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with psycopg.connect(url, autocommit=True) as looking:
        wait_until(lambda: looking.execute(waiting).fetchone() == (1,))


def test_the_journal_of_who_is_fenced_lets_everybody_go_and_never_writes_again(database: str) -> None:
    former, _ = owned(database)
    told = threading.Event()
    with closing(former):
        journal = Journal(former)
        journal.on_fenced = told.set
        assert journal.record(oops("a")).wait(PATIENCE)
        present, _ = owned(database)
        with closing(present):
            for _ in range(3):
                latch = journal.record(oops("too late"))
                assert latch.wait(PATIENCE)
                assert not latch.durable
            assert (journal.fenced, told.is_set(), journal.depth) == (True, True, 0)
            with pytest.raises(StorageError):
                journal.write(oops("too late"), PATIENCE)
            journal.close()
            assert reasons(present) == ["a"]


# doubt


@pytest.mark.parametrize("landed", [True, False], ids=["landed", "lost"])
def test_what_is_in_doubt_is_there_once(store: Store, landed: bool) -> None:
    store.commit([oops("before")])
    _break(store, landed)
    first = [oops("a"), oops("b")]
    with pytest.raises(StorageError, match="cannot write"):
        store.commit(first)
    store.commit([*first, oops("c")])
    store.commit([oops("d")])
    assert reasons(store) == ["before", "a", "b", "c", "d"]
    texts = [notice.text.rpartition(": ")[2] for notice in store.waiting(Channel.OOPS)]
    assert texts == ["before.", "a.", "b.", "c.", "d."]
    ids = [entry.id for entry in store.page().entries]
    assert ids == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("landed", [True, False], ids=["landed", "lost"])
def test_it_may_be_given_again_one_by_one(store: Store, landed: bool) -> None:
    records = [oops("a"), oops("b"), oops("c")]
    _break(store, landed)
    with pytest.raises(StorageError):
        store.commit(records)
    for record in records:
        store.commit([record])
    store.commit([oops("d")])
    assert reasons(store) == ["a", "b", "c", "d"]


def test_a_notice_that_belongs_to_no_outcome_is_there_once(store: Store) -> None:
    told = Record(notices=((T0, Notice(Channel.CONTROL, "the disk is slow")),))
    _break(store, landed=True)
    with pytest.raises(StorageError):
        store.commit([told])
    store.commit([told])
    assert [notice.text for notice in store.waiting(Channel.CONTROL)] == ["the disk is slow"]


def test_what_is_in_doubt_is_not_written_by_who_lost_the_database_meanwhile(database: str) -> None:
    former, _ = owned(database)
    with closing(former):
        _break(former, landed=False)
        with pytest.raises(StorageError):
            former.commit([oops("a")])
        present, _ = owned(database)
        with closing(present):
            with pytest.raises(Fenced):
                former.commit([oops("a")])
            assert reasons(present) == []


class _Breaking(Writer):
    """Loses the connection in its next commit: behind it (``landed``), or before it is carried out."""

    landed: bool | None = None

    def _call(self, epoch: int, incarnation: str, sent: Any) -> None:
        landed, self.landed = self.landed, None
        if landed is not False:
            super()._call(epoch, incarnation, sent)
        if landed is not None:
            raise psycopg.OperationalError("the connection is lost")


def _break(store: Store, landed: bool) -> None:
    assert isinstance(store.database, PostgresDatabase)
    store.database.writer.__class__ = _Breaking
    store.database.writer.landed = landed  # type: ignore[attr-defined]


# what PostgreSQL refuses


def test_a_record_that_is_wrong_in_itself_is_told_from_a_database_that_is_away(store: Store) -> None:
    bad = Record(
        rows=(
            (
                {
                    **journal_row(
                        OopsSet(machine="m", display_name="m", at=T0, flag=Flag(T0, Source.HTTP), ended=None)
                    ),
                    "kind": None,
                },
                (),
            ),
        )
    )
    with pytest.raises(BadRecordError, match="null value in column"):
        store.commit([oops("a"), bad])
    store.commit([oops("b")])
    assert reasons(store) == ["b"]


def test_a_text_that_postgresql_does_not_know_is_a_bad_record(store: Store) -> None:
    with pytest.raises(BadRecordError, match="Unicode"):
        store.commit([Record(notices=((T0, Notice(Channel.CONTROL, "a\x00b")),))])
    store.commit([oops("b")])
    assert reasons(store) == ["b"]


def test_a_text_that_cannot_be_sent_is_a_bad_record_and_holds_up_no_other(store: Store) -> None:
    with pytest.raises(BadRecordError, match="surrogates not allowed"):
        store.commit([oops("a"), Record(notes=(("half of a character", "\ud800"),))])
    store.commit([Record(notes=(("whole", "\U0001f600"),))])
    store.commit([oops("b")])
    assert store.note("whole") == "\U0001f600"
    assert reasons(store) == ["b"]


def test_what_it_refuses_is_said_without_the_row(store: Store) -> None:
    token = secrets.token_hex()
    with pytest.raises(BadRecordError) as refused:
        store.commit([Record(put=(("admin", {"name": None, "token": token, "at": "now", "by": None}),))])
    assert token not in "".join(traceback.format_exception(refused.value))


def test_tables_that_are_gone_are_waited_for(database: str) -> None:
    """Whoever mends them loses no change for it."""
    store, _ = owned(database)
    with closing(store), psycopg.connect(database, autocommit=True) as other:
        other.execute("ALTER TABLE journal RENAME TO elsewhere")
        try:
            with pytest.raises(StorageError) as refused:
                store.commit([oops("a")])
            assert not isinstance(refused.value, BadRecordError)
        finally:
            other.execute("ALTER TABLE elsewhere RENAME TO journal")
        store.commit([oops("a")])
        assert reasons(store) == ["a"]


# a server with a life of its own


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A server that may be stopped, and whose synchronous standby is away: who commits ``on`` waits for it."""
    running = Cluster("synchronous_standby_names=nobody", "synchronous_commit=local")
    yield running
    running.remove()


@pytest.fixture
def own_database(own_cluster: Cluster) -> str:
    from mac_actors.storage.postgres.migrations import migrate

    url = own_cluster.url(own_cluster.create())
    with psycopg.connect(url, autocommit=True) as connection:
        migrate(connection)
    return url


def test_a_server_that_is_restarted_costs_nothing_but_time(own_cluster: Cluster, own_database: str) -> None:
    store, _ = owned(own_database)
    with open_fleet(store) as fleet:
        report(fleet, "metal-mill", "0001234567")
        written(fleet)
        own_cluster.stop(signal.SIGQUIT)
        answer = report(fleet, "metal-mill")
        assert not answer.durable
        own_cluster.start()
        wait_until(lambda: fleet.journal.depth == 0)
        assert len(store.page(machine="metal-mill").entries) == 2
        assert report(fleet, "metal-mill", "0001234567").durable


def test_a_wait_for_the_standby_that_is_cancelled_is_no_success(own_cluster: Cluster, own_database: str) -> None:
    store, opened = owned(own_database)
    opened.address.given["options"] = "-csynchronous_commit=on"
    opened.writer.close()  # it connects anew, with them
    with closing(store), closing(own_cluster.admin()) as admin, ThreadPoolExecutor(1) as aside:
        committing = aside.submit(store.commit, [oops("a")])
        admin.execute("SELECT pg_cancel_backend(%s)", (_waiting(admin),))
        with pytest.raises(StorageError, match="cancelled"):
            committing.result(PATIENCE)
        assert reasons(store) == ["a"], "it can be seen, and could be lost all the same"
        again = aside.submit(store.commit, [oops("a"), oops("b")])
        _waiting(admin)
        admin.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
        admin.execute("SELECT pg_reload_conf()")
        again.result(PATIENCE)
        assert reasons(store) == ["a", "b"]


def _waiting(admin: psycopg.Connection) -> int:
    """Wait until a commit waits for the standby, and return whose it is."""
    waiting = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    wait_until(lambda: admin.execute(waiting).fetchone())
    [(pid,)] = admin.execute(waiting).fetchall()
    return int(pid)
