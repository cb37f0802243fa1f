"""What one server of a cell builds and drops, in one process: leases lost, released and taken again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from mac_actors import clock
from mac_actors.cluster.node import Standing
from mac_actors.cluster.rows import Rows
from mac_actors.core.inputs import Oops, Report
from mac_actors.core.outcomes import OopsSet
from mac_actors.core.state import Source
from mac_actors.errors import FleetClosed, StorageError
from mac_actors.service.cell import Member
from mac_actors.service.shop import Shop
from mac_actors.settings import Settings, Tokens
from mac_actors.settings.cell import Cell
from tests.cluster.cable import Cable
from tests.fakes import ANN, PATIENCE, TELEMETRY, report, sample_machines, sample_users, wait_until, written
from tests.postgres import Cluster, needs_postgres

pytestmark = needs_postgres

MILL = "metal-mill"


def made(directory: Path, database: str, url: str = "http://127.0.0.1:1") -> Member:
    (directory / "machines.json").write_text(json.dumps(sample_machines()))
    (directory / "users.json").write_text(json.dumps(sample_users()))
    settings = Settings(
        directory / "machines.json",
        directory / "users.json",
        tokens=Tokens("token"),
        cell=Cell(database, url, "the-secret-of-the-cell", 20),
    )
    return Member(settings, chat=None, subscribers=(), adopt=lambda shop: None, on_end=lambda why: None)


@pytest.fixture
def member(tmp_path: Path, database: str) -> Iterator[Member]:
    """A server that owns the machines."""
    member = made(tmp_path, database)
    member.start()
    wait_until(lambda: member.shop)
    yield member
    member.stop()


def shop_of(member: Member, epoch: int) -> Shop:
    wait_until(lambda: member.shop and member.node.lease.epoch == epoch and member.shop.fleet.owns)
    assert member.shop
    return member.shop


def test_what_is_left_of_an_older_epoch_decides_nothing_and_ends_no_newer_one(member: Member) -> None:
    old, hangs = shop_of(member, 1), threading.Event()

    def hang() -> None:
        hangs.wait(PATIENCE)

    member.node._jobs.put(hang)
    member.node.lost("tried", 1)
    wait_until(lambda: member.node.standing().owns)
    assert member.shop is old
    assert not old.fleet.owns
    assert not old.fleet.report(MILL, Report(datetime.now(UTC), ANN), clock.seconds()).outputs.relay
    assert member.door._owned() is None
    old.fleet.journal.on_fenced()
    assert member.node.owns(2)
    hangs.set()
    assert shop_of(member, 2) is not old


def test_an_owner_that_was_suspended_looks_whether_it_is_one_yet(
    member: Member, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop_of(member, 1)
    suspended, lease = threading.Event(), member.node.lease
    monkeypatch.setattr(member.node._rows, "beat", lambda *_: suspended.wait(PATIENCE) and None)
    held = lease._held
    assert held
    lease._held = replace(held, until=0.0)
    member._looking(time.monotonic() + PATIENCE)
    assert member.node.standing() == Standing(owns=False), "nobody has taken over yet"
    assert lease.epoch == 1
    rows = Rows(database, PATIENCE, "the next owner")
    rows.take(rows.look().seen, "http://127.0.0.1:9", "another", lease.seconds)
    rows.close()
    member._looking(time.monotonic() + PATIENCE)
    assert member.node.standing() == Standing(owns=False, owner="http://127.0.0.1:9")
    wait_until(lambda: member.shop is None)
    suspended.set()


def test_what_could_not_be_dropped_is_before_anything_new_is_built(member: Member) -> None:
    old = shop_of(member, 1)
    member.node._drop = lambda: None
    member.node.lost("tried", 1)
    assert shop_of(member, 2) is not old
    with pytest.raises(FleetClosed):
        old.fleet.report(MILL, Report(datetime.now(UTC), ANN), clock.seconds())


def test_what_comes_to_machines_until_they_are_closed_is_told_to_the_next_owner(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = shop_of(member, 1)
    monkeypatch.setattr(
        old, "disconnect", lambda: old.fleet.ask("router", Oops(datetime.now(UTC), Source.HTTP, "Ada")) and None
    )
    member.node.lost("tried", 1)
    fleet = shop_of(member, 2).fleet
    wait_until(lambda: any(isinstance(one, OopsSet) and one.flag.by == "Ada" for one in fleet.events("router")))


def test_a_session_that_is_not_on_disk_turns_nothing_on_once_the_machines_are_lost_and_one_that_is_goes_on(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = shop_of(member, 1).fleet
    assert report(fleet, "router", ANN).outputs.relay
    written(fleet)
    monkeypatch.setattr(fleet.store, "commit", _refuse)
    monkeypatch.setattr(member._warm, "refresh", _refuse)
    assert report(fleet, MILL, ANN).outputs.relay
    member._drop()

    def told(machine: str) -> tuple[bool, str]:
        given = Report(datetime.now(UTC), ANN, telemetry=TELEMETRY)
        outputs = member._holding.report(machine, given, clock.seconds()).outputs
        return outputs.relay, outputs.display

    assert [told(MILL) for _ in range(2)] == [(False, "Remove card and\ninsert it again")] * 2
    assert len(member._holding._held[MILL].inputs) == 2, "the next owner is told that the card is not put in again"
    assert told("router") == (True, "Welcome,\nAnn")


def _refuse(*_: object) -> None:
    raise StorageError("no disk")


def test_states_are_read_anew_as_soon_as_the_machines_are_lost(
    member: Member, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = shop_of(member, 1).fleet
    fleet.reader_keys.add(fleet.configuration.machines[MILL], "")
    report(fleet, MILL, ANN)
    written(fleet)
    monkeypatch.setattr(member, "_prepare", lambda: None)
    member._drop()
    with closing(psycopg.connect(database, autocommit=True)) as connection:
        connection.execute("DELETE FROM machine_state")  # as if another owner had ended the session
    assert member._fresh.wait(PATIENCE)
    assert not member._holding.report(MILL, Report(datetime.now(UTC), ANN), clock.seconds()).outputs.relay
    assert not member._holding.known.states
    assert list(member._holding.known.keys) == [MILL], "these are known from before"


def test_a_shop_that_can_not_leave_its_chat_is_closed_all_the_same(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = shop_of(member, 1)

    def fail() -> None:
        raise OSError("no network")

    monkeypatch.setattr(old, "disconnect", fail)
    member.node.lost("tried", 1)
    assert shop_of(member, 2) is not old
    assert old.fleet.supervisor.closed


def test_readers_are_known_by_their_keys_where_nobody_owns_the_machines(
    member: Member, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = shop_of(member, 1).fleet
    fleet.reader_keys.add(fleet.configuration.machines[MILL], "")
    other = made(tmp_path, database, "http://127.0.0.1:2")
    monkeypatch.setattr(other.node, "start", lambda: None)
    other.start()
    assert list(other._holding.known.keys) == [MILL]
    other.node.membership.close()
    other.stop()
    member._drop()
    assert list(member._holding.known.keys) == [MILL]


def test_who_takes_over_waits_for_no_connection_to_a_database_that_hangs(
    member: Member, tmp_path: Path, cluster: Cluster, database: str
) -> None:
    """It is on another of its hosts by now: what the next owner has ready for a takeover is with the one that hangs."""
    shop_of(member, 1)
    first, second = Cable(cluster.port), Cable(cluster.port)
    second.refuse()
    here, both = f"127.0.0.1:{cluster.port}", f"127.0.0.1:{first.port},127.0.0.1:{second.port}"
    direct = cluster.tcp_url(urlsplit(database).path[1:])
    assert here in direct
    url = f"{direct.replace(here, both)}?sslmode=disable&gssencmode=disable&connect_timeout=2"
    other = made(tmp_path, url, "http://127.0.0.1:2")
    other.node._rows._seconds = 0.5
    other.start()
    try:
        other._prepare()
        first.hold()
        second.mend()
        member.release()
        fleet = shop_of(other, 2).fleet
        fleet.ask("router", Oops(datetime.now(UTC), Source.HTTP, "Ada"))
        written(fleet)
    finally:
        other.stop()
        first.close()
        second.close()
