"""A server that owns nothing looks for the owner before it holds: in the database, or by asking the other servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from mac_actors.cluster.looking import Looking
from mac_actors.core.inputs import Lock
from mac_actors.core.state import Source
from tests.cluster.two import ADMIN, Node, two
from tests.fakes import ANN, PATIENCE, wait_until

NOBODY_THERE = "http://127.0.0.1:1"
AGAIN = (False, "Remove card and\ninsert it again")


class Looks:
    """What a look came upon; the database is not reached, unless the test says so."""

    def __init__(self, node: Node, *others: str) -> None:
        self.node = node
        self.read = False
        self.followed: list[str] = []
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        ask = node.passing.ask

        def noted(owner: str, method: str, target: str, *more: Any) -> int:
            self.asked.append(owner)
            assert self.gate.wait(PATIENCE)
            return ask(owner, method, target, *more)

        node.passing.ask = noted  # type: ignore[assignment,method-assign]
        self.looking = Looking(lambda seconds: self.read, node.passing, lambda: others, self.follow)

    def follow(self, url: str) -> None:
        self.followed.append(url)
        self.node.standing.owner = url

    def __call__(self) -> None:
        self.looking(time.monotonic() + PATIENCE)


@pytest.fixture
def cell() -> Iterator[tuple[Node, Node]]:
    """An owner, and a server that knows none."""
    with two() as (owner, other):
        other.standing.owner = None
        yield owner, other


def test_whoever_says_that_it_owns_is_followed_by_a_server_that_can_not_read_the_database(
    cell: tuple[Node, Node],
) -> None:
    owner, other = cell
    third = Node()
    looks = Looks(other, NOBODY_THERE, third.url, owner.url)
    try:
        owner.standing.owns = False
        looks()
        assert looks.asked == [NOBODY_THERE, third.url, owner.url]
        assert not looks.followed, "its lease is over"
        owner.standing.owns = True
        looks.read = True
        looks()
        assert not looks.followed, "the database said who owns"
        looks.read = False
        other.look = looks.looking
        assert other.told("metal-mill", ANN) == (True, "Welcome,\nAnn")
        assert looks.followed == [owner.url]
        lock = other.request("POST", "/api/machine/locked_out/router", headers=ADMIN)
        assert "durable" not in lock.json
    finally:
        looks.looking.close()
        third.stop()


def test_requests_of_one_moment_share_one_question(cell: tuple[Node, Node]) -> None:
    owner, other = cell
    looks = Looks(other, owner.url)
    looks.gate.clear()
    with ThreadPoolExecutor(5) as aside:
        first = aside.submit(looks)
        wait_until(lambda: looks.asked)
        more = [aside.submit(looks) for _ in range(4)]
        wait_until(lambda: len(looks.looking._question._waiting) == 4)
        looks.gate.set()
        for one in (first, *more):
            one.result(PATIENCE)
    assert looks.asked == [owner.url] * 2
    looks.looking.close()


def test_one_request_alone_waits_for_a_server_that_did_not_answer_last(cell: tuple[Node, Node]) -> None:
    _, other = cell
    looks = Looks(other, NOBODY_THERE)
    looks()
    looks.gate.clear()
    with ThreadPoolExecutor(1) as aside:
        waiting = aside.submit(looks)
        wait_until(lambda: len(looks.asked) == 2)
        looks()
        assert not waiting.done()
        looks.gate.set()
        waiting.result(PATIENCE)
    assert len(looks.asked) == 2
    looks.looking.close()


def test_a_former_owner_that_learns_of_the_next_one_has_it_decide_and_tells_it_first_what_it_has_held(
    cell: tuple[Node, Node],
) -> None:
    """As one that was suspended for longer than its lease."""
    new, old = cell
    assert new.fleet
    fleet = old.own()
    assert old.told("metal-mill", ANN)[0]
    new.told("metal-mill", ANN)
    new.fleet.ask("metal-mill", Lock(datetime.now(UTC), Source.HTTP))
    old.standing.owns = False
    old.report("router", ANN, oops=True)

    def look(until: float) -> None:
        old.look = lambda until: None
        old.follow(new)
        threading.Thread(target=old.lose).start()

    old.look = look
    assert old.told("metal-mill", ANN) == (False, "Down for\nmaintenance")
    assert old.told("router", ANN) == (False, "Oops!! Please\ncheck/post Slack"), "the button is released"
    wait_until(lambda: fleet.supervisor.closed)


def test_while_what_it_had_is_not_dropped_it_holds_and_passes_no_report_on(cell: tuple[Node, Node]) -> None:
    new, _ = cell
    old = Node(budget=0.1)
    try:
        old.own()
        assert old.told("metal-mill", ANN)[0]
        old.standing.owns = False
        old.follow(new)
        assert old.told("metal-mill")[0] is False
        assert old.told("metal-mill", ANN) == AGAIN
        assert old.request("GET", "/api/machines").status == 200
        old.lose()
        assert old.told("metal-mill", ANN) == AGAIN
    finally:
        old.stop()
