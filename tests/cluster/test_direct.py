"""The owner's way to answer reports without a worker, as long as its lease is valid, and when it is not any more."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cluster.two import Node
from tests.fakes import ANN, PATIENCE, wait_until, written
from tests.web.client import Raw, Reply, report_body
from tests.web.server.raw import report

AGAIN = (False, "Remove card and\ninsert it again")


@pytest.fixture
def owner() -> Iterator[Node]:
    node = Node(budget=60.0)
    node.own()
    yield node
    node.stop()


@pytest.fixture
def waiting(owner: Node, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], tuple[bool, str]]]:
    """Ann's card is in the mill, the disk hangs, and the answer waits for it; goes on when this is called."""
    assert owner.fleet
    written(owner.fleet)
    store, gate, replies = owner.fleet.store, threading.Event(), list[Reply]()
    commit, before = store.commit, owner.server.served
    monkeypatch.setattr(store, "commit", lambda records: gate.wait(PATIENCE) and commit(records))
    reader = threading.Thread(target=lambda: replies.append(owner.report("metal-mill", ANN)))
    reader.start()
    wait_until(lambda: owner.server.served > before)
    assert owner.server.taken == 0, "no worker has it"

    def answer() -> tuple[bool, str]:
        gate.set()
        reader.join(PATIENCE)
        assert replies[0].status == 200
        return replies[0].json["relay"], replies[0].json["display"]

    yield answer
    gate.set()
    reader.join(PATIENCE)


def test_an_owner_answers_without_a_worker(owner: Node, waiting: Callable[[], tuple[bool, str]]) -> None:
    assert waiting() == (True, "Welcome,\nAnn")
    assert owner.told("metal-mill") == (False, "Please Insert\nRFID Card")
    assert owner.server.taken == 0


def test_an_owner_whose_lease_is_over_turns_nothing_on(owner: Node) -> None:
    owner.standing.owns = False
    assert owner.told("metal-mill", ANN) == AGAIN
    assert owner.server.taken == 1


def test_what_was_begun_with_a_valid_lease_turns_nothing_on_after_it(
    owner: Node, waiting: Callable[[], tuple[bool, str]]
) -> None:
    owner.standing.owns = False
    assert waiting() == AGAIN
    owner.standing.owns = True
    assert owner.told("metal-mill", ANN) == AGAIN


def test_what_was_begun_is_answered_by_the_next_owner(owner: Node, waiting: Callable[[], tuple[bool, str]]) -> None:
    other = Node(budget=60.0)
    try:
        fleet = other.own()
        owner.standing.owns = False
        owner.follow(other)
        assert owner.fleet
        owner.holding.let_go(owner.fleet, owner.holding.configuration)
        owner._owned = None
        assert waiting() == (True, "Welcome,\nAnn")
        assert fleet.snapshot("metal-mill").session
    finally:
        other.stop()


def test_what_was_begun_by_a_fleet_that_is_gone_is_held(owner: Node, waiting: Callable[[], tuple[bool, str]]) -> None:
    fleet = owner.fleet
    assert fleet
    owner.standing.owns = False
    owner.holding.let_go(fleet, owner.holding.configuration)
    owner._owned = None
    assert waiting() == AGAIN
    assert owner.told("metal-mill", ANN) == AGAIN
    fleet.close()
    owner.fleet = None


def test_a_report_over_which_the_machines_are_lost_is_held(owner: Node) -> None:
    """Firmware keeps its relay on at an error, also when the card is out."""
    fleet, owned = owner.fleet, owner._owned
    assert fleet
    assert owned

    def lose(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        owner._owned = owner.fleet = None
        owner.standing.owns = False
        fleet.close()
        return owned.application(environ, start_response)

    no_reports = SimpleNamespace(takes=lambda request: False)
    owner._owned = replace(owned, application=lose, reports=no_reports)
    assert owner.told("metal-mill", ANN) == AGAIN


def test_what_is_due_by_the_disk_and_by_its_time_at_once_is_answered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    node, go, gate = Node(budget=0.05), threading.Event(), threading.Event()
    try:
        fleet = node.own()
        written(fleet)
        pending = node.server._connections._pending
        commit, take = fleet.store.commit, pending.take
        monkeypatch.setattr(fleet.store, "commit", lambda records: gate.wait(PATIENCE) and commit(records))
        monkeypatch.setattr(pending, "take", lambda now: take(now) if go.is_set() else iter(()))
        with closing(socket.create_connection(("127.0.0.1", node.port))) as sock:
            reader = Raw(sock)
            reader.send(report(body=json.dumps(report_body("metal-mill", ANN)).encode()))
            wait_until(lambda: fleet.journal.depth)
            node.standing.owns = False  # as after it was suspended
            gate.set()
            written(fleet)
            due = time.monotonic() + node.budget
            wait_until(lambda: time.monotonic() > due)
            go.set()
            for _ in range(2):
                assert reader.reply().json["relay"] is False
                reader.send(report(body=json.dumps(report_body("laser")).encode()))
        assert node.server.failure is None
    finally:
        gate.set()
        node.stop()
