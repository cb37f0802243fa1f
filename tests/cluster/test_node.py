"""Nodes on a real PostgreSQL: takeover, handover, loss; several in one process."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from types import SimpleNamespace

import psycopg
import pytest

from mac_actors import clock
from mac_actors.cluster.node import Node, Standing, _refuses
from mac_actors.cluster.rows import Look, NodeRow, Rows
from mac_actors.errors import DirectoryInUse, StorageError
from tests.fakes import wait_until
from tests.postgres import needs_postgres

pytestmark = needs_postgres

SECONDS = 4.0


class Owner:
    """What a node builds and drops: here the epoch in which it did. A busy computer may lose a lease in between."""

    def __init__(self, database: str, url: str | None, seconds: float = SECONDS) -> None:
        self.database = database
        self.epoch: int | None = None
        self.epochs: list[int] = []
        self.prepared = threading.Event()
        self.prepare: Callable[[], None] = self.prepared.set
        self.revisions: list[int] = []
        self.why: str | None = None
        self.node = Node(
            database,
            url,
            seconds,
            take=self.take,
            drop=self.drop,
            prepare=self.make_ready,
            each_second=self.revisions.append,
            unfit=lambda steps: self.why if steps else None,
        )

    def take(self, epoch: int, incarnation: str) -> None:
        assert incarnation == self.node.incarnation
        self.epoch = epoch
        self.epochs.append(epoch)

    def make_ready(self) -> None:
        self.prepare()

    def drop(self) -> None:
        self.epoch = None

    def nodes(self) -> tuple[Look, list[NodeRow]]:
        """Ask the database for the lease and all nodes."""
        with closing(Rows(self.database, 20.0, "test")) as rows:
            return rows.look(), rows.nodes()

    def kill(self) -> None:
        """Stop it as a kill does: nothing is released."""
        self.node.stop()


Make = Callable[..., Owner]


@pytest.fixture
def make(database: str) -> Iterator[Make]:
    made = []

    def start(url: str | None, seconds: float = SECONDS) -> Owner:
        owner = Owner(database, url, seconds)
        made.append(owner)
        owner.node.claim()
        owner.node.start()
        return owner

    yield start
    for owner in made:
        owner.node.stop()


def owner_and_standby(make: Make, seconds: float = SECONDS) -> tuple[Owner, Owner]:
    """Start two nodes; the owner knows that it is not alone, and the standby who owns."""
    a = make("http://127.0.0.1:1", seconds)
    wait_until(lambda: a.epoch)
    b = make("http://127.0.0.1:2", seconds)
    wait_until(lambda: not b.nodes()[0].seen.alone and b.node.standing().owner == a.node.url)
    return a, b


def test_a_node_that_has_handed_over_takes_over_again_at_once_where_the_next_one_hands_over(make: Make) -> None:
    a, b = owner_and_standby(make, 30.0)
    assert a.node.release()
    wait_until(lambda: b.epoch == 2)
    assert b.node.release()
    wait_until(lambda: a.epoch == 3)
    assert b.epochs == [2]


def test_the_first_node_owns_and_the_others_know_where_it_is(make: Make) -> None:
    a = make("http://127.0.0.1:1")
    wait_until(lambda: a.epoch)
    wait_until(a.node.valid)
    wait_until(lambda: a.node.standing().owns)
    b = make("http://127.0.0.1:2")
    wait_until(lambda: b.node.standing().owner == a.node.url)
    assert not b.node.standing().owns
    look, nodes = b.nodes()
    assert look.seen.owner == a.node.url
    assert [one.url for one in nodes] == [a.node.url, b.node.url]
    wait_until(lambda: bool(a.revisions and b.revisions))


def test_a_killed_owner_is_followed_by_the_next_one_after_its_lease(make: Make) -> None:
    a, b = owner_and_standby(make)
    a.kill()
    wait_until(lambda: b.epoch)
    assert b.prepared.is_set()
    wait_until(b.node.valid)
    wait_until(lambda: b.node.standing().owns)


def test_a_released_lease_is_taken_by_another_node_once_all_is_settled(make: Make) -> None:
    a = make("http://127.0.0.1:1", 20.0)
    wait_until(lambda: a.epoch)
    b = make("http://127.0.0.1:2", 20.0)
    wait_until(lambda: b.node.standing().owner == a.node.url)
    settled = []

    def settle() -> None:
        assert not a.node.valid()
        assert not a.nodes()[0].seen.released
        settled.append(True)

    assert a.node.release(settle)
    assert settled
    wait_until(lambda: b.epoch)
    wait_until(lambda: a.epoch is None)
    assert not a.node.release()
    wait_until(lambda: a.node.standing().owner == b.node.url)


def test_a_lease_that_is_released_without_all_being_settled_is_dropped_too(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    a = make("http://127.0.0.1:1", 20.0)
    wait_until(lambda: a.epoch)

    def settle() -> None:
        raise StorageError("the disk hangs")

    assert a.node.release(settle)
    assert a.nodes()[0].seen.released
    wait_until(lambda: a.epoch is None)
    assert "the disk hangs: the machines are handed over without what is not written yet" in caplog.text


def test_nothing_is_taken_again_before_what_was_released_is_dropped(make: Make) -> None:
    a = make("http://127.0.0.1:1", 1.0)

    def settle() -> None:
        until = time.monotonic() + 3
        wait_until(lambda: time.monotonic() > until)

    wait_until(lambda: a.epoch is not None and a.node.release(settle))
    epochs = list(a.epochs)
    wait_until(lambda: a.epoch is None)
    assert a.epochs == epochs
    wait_until(lambda: a.epoch)


def test_what_is_heard_of_another_epoch_ends_no_lease(make: Make) -> None:
    a = make("http://127.0.0.1:1", 20.0)
    wait_until(lambda: a.epoch)
    assert not a.node.owns(0)
    a.node.lost("it is late", 0)
    assert not a.node.release(epoch=7)
    assert a.node.owns(1)
    a.node.lost("it is so", 1)
    assert not a.node.owns(1)
    wait_until(lambda: a.epochs == [1, 2])
    wait_until(lambda: a.epoch == 2)


def test_a_lease_is_kept_though_what_a_takeover_needs_was_not_made_ready(make: Make) -> None:
    a = make("http://127.0.0.1:1")
    wait_until(lambda: a.epoch)
    b = make("http://127.0.0.1:2")

    def prepare() -> None:
        wait_until(lambda: b.node.lease.epoch)
        raise StorageError("the connection is dead")

    b.prepare = prepare
    wait_until(lambda: b.node.standing().owner == a.node.url)
    a.kill()
    wait_until(lambda: b.epochs)
    assert not b.nodes()[0].seen.released


def test_an_owner_that_another_has_followed_drops_what_it_has(make: Make, database: str) -> None:
    a = make("http://127.0.0.1:1", 20.0)
    wait_until(lambda: a.epoch)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE beat SET epoch = 70")
        connection.execute("UPDATE part SET epoch = 70, owner = 'http://c', incarnation = 'c'")
    wait_until(lambda: a.epoch is None)


def test_an_epoch_that_the_database_has_lost_never_comes_back_to_who_had_it(make: Make, database: str) -> None:
    a = make("http://127.0.0.1:1", 20.0)
    wait_until(lambda: a.epoch)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE beat SET epoch = 0, released = true")
        connection.execute("UPDATE part SET epoch = 0, owner = '', incarnation = ''")
    wait_until(lambda: a.epochs == [1, 2])
    assert not a.node.owns(1)


def test_a_node_that_may_not_own_does_not(make: Make, database: str, caplog: pytest.LogCaptureFixture) -> None:
    a = Owner(database, "http://127.0.0.1:1")
    a.why = "the tables are of a newer version"
    a.node.claim()
    a.node.start()
    wait_until(lambda: "this server can't own the machines: the tables are of a newer version" in caplog.text)
    b = make("http://127.0.0.1:2")
    wait_until(lambda: b.epoch)
    assert a.epochs == []
    a.why = None
    b.kill()
    wait_until(lambda: a.epoch)
    a.node.stop()


def test_a_node_whose_clock_is_half_a_minute_off_does_not_own(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = time.time
    clock = SimpleNamespace(time=lambda: real() + 40, monotonic=time.monotonic, sleep=time.sleep)
    with monkeypatch.context() as wrong:
        wrong.setattr("mac_actors.cluster.node.time", clock)
        a = make("http://127.0.0.1:1")
        wait_until(lambda: "this server can't own the machines: its clock is 40 s off the database's" in caplog.text)
        assert re.search(r"this computer's clock is (39|40)\.\d s off the database's: set it", caplog.text)
        assert a.node.skew_noted == pytest.approx(40, abs=1)
        assert "its clock is 40 s off" in a.node.problems()["owner"]
        assert a.epochs == []
        clock.time = real
        wait_until(lambda: a.epoch)
        wait_until(lambda: a.node.problems() == {})


def test_a_standby_whose_clock_was_set_right_is_ready_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    a, real = make("http://127.0.0.1:1"), time.time
    wait_until(lambda: a.epoch)
    with monkeypatch.context() as wrong:
        off = SimpleNamespace(time=lambda: real() + 40, monotonic=time.monotonic, sleep=time.sleep)
        wrong.setattr("mac_actors.cluster.node.time", off)
        wait_until(lambda: abs(a.node.skew) > 30)
        b = make("http://127.0.0.1:2")
        wait_until(lambda: "its clock is 40 s off" in b.node.problems().get("owner", ""))
        off.time = real
        wait_until(lambda: b.node.problems() == {})


def test_a_second_server_with_the_address_of_one_that_runs_is_refused(make: Make) -> None:
    a = make("http://127.0.0.1:1")
    with pytest.raises(DirectoryInUse, match=r"another server runs with the address http://127\.0\.0\.1:1: give"):
        make("http://127.0.0.1:1")
    a.kill()
    again = make("http://127.0.0.1:1")
    wait_until(lambda: again.epoch is not None)


def test_an_owner_whose_lease_is_longer_is_waited_for_and_the_difference_is_said(make: Make) -> None:
    a = make("http://127.0.0.1:1", 8.0)
    wait_until(lambda: a.epoch)
    b = make("http://127.0.0.1:2", 1.0)
    said = {"lease": "this server's MAC_LEASE_SECONDS is 1, the owner's 8: set the same on both"}
    wait_until(lambda: b.node.problems() == said)
    wait_until(lambda: not b.nodes()[0].seen.alone)
    begun, beat = time.monotonic(), b.nodes()[0].seen.beat
    wait_until(lambda: b.nodes()[0].seen.beat > beat)
    a.kill()
    wait_until(lambda: b.epoch)
    assert time.monotonic() - begun >= 8
    wait_until(lambda: b.node.problems() == {})
    assert b.nodes()[0].seen.seconds == 1


def test_a_row_that_a_crashed_database_gave_back_to_the_server_before_is_written_again(
    make: Make, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = make("http://127.0.0.1:1")
    before.kill()
    after = make("http://127.0.0.1:1")
    wait_until(lambda: after.epoch)

    def has(incarnation: str) -> bool:
        return [row.incarnation for row in after.nodes()[1]] == [incarnation]

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE node SET incarnation = %s", [before.node.incarnation])
        wait_until(lambda: has(after.node.incarnation))
        assert not after.node.membership.claimed
        connection.execute("UPDATE node SET incarnation = 'of somebody else'")
        wait_until(lambda: after.node.membership.claimed)
    assert has("of somebody else")
    assert caplog.text.count("another server runs with this one's address") == 1


def test_a_row_of_long_ago_that_a_database_shows_again_is_taken_back_once_nobody_else_writes_it(
    make: Make, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = make("http://127.0.0.1:1")
    wait_until(lambda: a.epoch)
    membership, looks = a.node.membership, []
    nodes = membership._rows.nodes

    def after_another_one_has_written_it() -> list[NodeRow]:
        later = "UPDATE node SET seen = seen + interval '1 minute' WHERE incarnation = 'of another one'"
        looks.append(connection.execute(later).rowcount)
        return nodes()

    with psycopg.connect(database, autocommit=True) as connection:
        with monkeypatch.context() as written:
            written.setattr(membership._rows, "nodes", after_another_one_has_written_it)
            connection.execute("UPDATE node SET incarnation = 'of another one'")
            wait_until(lambda: len(looks) >= 5)
            assert set(looks) == {1}
            assert membership.claimed
        wait_until(lambda: not membership.claimed)
        assert [row.incarnation for row in a.nodes()[1]] == [a.node.incarnation]


def test_an_owner_that_was_asked_to_hand_over_and_could_begin_no_thread_for_it_does_with_a_later_beat(
    make: Make, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = make("http://127.0.0.1:1", 20.0)
    wait_until(lambda: a.epoch)
    b = make("http://127.0.0.1:2", 20.0)
    wait_until(lambda: b.node.standing().owner == a.node.url)
    start = threading.Thread.start
    failed: list[threading.Thread] = []

    def no_more(thread: threading.Thread) -> None:
        if thread.name == "handover" and not failed:
            failed.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", no_more)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE beat SET asked = epoch")
    wait_until(lambda: b.epoch)
    assert failed


def test_a_server_without_an_address_is_refused_where_it_may_not_own(make: Make, database: str) -> None:
    newer = Owner(database, None, 1.0)
    newer.why = "the tables are of a newer version"
    with pytest.raises(StorageError, match="the tables are of a newer version"):
        newer.node.claim()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        a = make(f"http://127.0.0.1:{listening.getsockname()[1]}", 1.0)
        wait_until(lambda: a.nodes()[0].seen.alone)
        with psycopg.connect(database, autocommit=True) as connection:
            a.kill()
            connection.execute("UPDATE beat SET alone = true")
        with pytest.raises(
            DirectoryInUse, match=f"{a.node.url} was the only node, .* If its computer is off, 'mac-act"
        ):
            make(None, 1.0)
    b = make(None, 1.0)
    wait_until(lambda: b.epoch)


def test_of_servers_without_an_address_the_second_is_refused_until_the_first_is_gone(make: Make) -> None:
    a = make(None)
    wait_until(lambda: a.epoch)
    with pytest.raises(DirectoryInUse, match="the database is in use by another server: stop that server first"):
        make(None)
    assert a.node.release()
    a.kill()
    begun = time.monotonic()
    b = make(None, 20.0)
    assert time.monotonic() - begun < 20
    wait_until(lambda: b.epoch)


def test_a_database_that_is_away_ends_the_lease_of_one_of_two_and_not_that_of_the_only_node(
    make: Make, database: str
) -> None:
    only = make("http://127.0.0.1:1")
    wait_until(lambda: only.nodes()[0].seen.alone)
    with closing(psycopg.connect(database)) as holder:  # nothing gets through to the lease
        holder.execute("SELECT * FROM beat FOR UPDATE")
        wait_until(lambda: only.node.error is not None)
        until = time.monotonic() + 2 * SECONDS
        wait_until(lambda: time.monotonic() > until)
        assert only.node.valid()
    second = make("http://127.0.0.1:2")
    wait_until(lambda: not only.nodes()[0].seen.alone)
    with closing(psycopg.connect(database)) as holder:
        holder.execute("SELECT * FROM beat FOR UPDATE")
        wait_until(lambda: not only.node.valid())
    wait_until(lambda: only.node.valid() or second.node.valid())


def test_an_owner_whose_lease_is_over_while_the_database_is_away_names_nobody_also_not_whom_it_has_followed(
    make: Make, database: str
) -> None:
    a, b = owner_and_standby(make)
    a.kill()
    wait_until(lambda: b.epoch)
    with closing(psycopg.connect(database)) as holder:
        holder.execute("SELECT * FROM beat FOR UPDATE")
        wait_until(lambda: b.node.error is not None and not b.node.valid())
        assert b.node.standing() == Standing(owns=False)
        b.node.lost("it is tried", b.epoch or 0)
        assert b.node.standing() == Standing(owns=False)


def test_a_look_that_is_under_way_is_no_silence_of_the_owner(
    make: Make, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = make("http://127.0.0.1:1")
    wait_until(lambda: a.epoch)
    b = make("http://127.0.0.1:2")
    wait_until(lambda: b.node.standing().owner == a.node.url)
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with psycopg.connect(database) as holder, psycopg.connect(database, autocommit=True) as other:
        holder.execute("LOCK TABLE beat IN ACCESS EXCLUSIVE MODE")
        wait_until(lambda: (other.execute(waiting).fetchone() or (0,))[0] >= 2)  # a's beat, and b's look
        later = SimpleNamespace(seconds=lambda: clock.seconds() + 10 * SECONDS)
        monkeypatch.setattr("mac_actors.cluster.node.clock", later)
        assert b.node.standing().owner == a.node.url
        monkeypatch.undo()


def test_a_lone_owner_that_is_silent_is_followed_only_when_its_computer_says_that_no_server_is_there(
    make: Make, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        a = make(f"http://127.0.0.1:{listening.getsockname()[1]}")
        wait_until(lambda: a.nodes()[0].seen.alone)
        with psycopg.connect(database, autocommit=True) as connection:
            a.kill()
            connection.execute("UPDATE beat SET alone = true")
        b = make("http://127.0.0.1:2")
        wait_until(lambda: "was the only node, and neither beats nor says that it is gone" in caplog.text)
        assert b.epochs == []
    wait_until(lambda: b.epoch)


def test_whether_a_server_is_there_is_asked_at_the_port_of_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(address: tuple[str, int], timeout: float) -> None:
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("mac_actors.cluster.node.socket", SimpleNamespace(create_connection=refuse))
    for url in ("https://192.0.2.11", "http://192.0.2.11", "https://192.0.2.11:5000", "http://[2001:db8::1]:5000"):
        assert _refuses(url)
    assert asked == [("192.0.2.11", 443), ("192.0.2.11", 80), ("192.0.2.11", 5000), ("2001:db8::1", 5000)]
