"""Who holds how much."""

from __future__ import annotations

import socket
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mac_actors.web.server import open_connections, request_buffer
from mac_actors.web.server.budget import Budget, owner_of
from mac_actors.web.server.connection import READ_BYTES, Connection
from mac_actors.web.server.fair_queue import FairQueue
from mac_actors.web.server.open_connections import OpenConnections
from mac_actors.web.server.request_buffer import RequestBuffer
from mac_actors.web.server.server import Server


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 100_000), st.booleans())))
def test_who_holds_most_is_known_to_a_factor_of_two(changes: list[tuple[str, int, bool]]) -> None:
    budget, held = Budget(), Counter[str]()
    for owner, amount, back in changes:
        by = -min(amount, held[owner]) if back else amount
        budget.change(owner, by)
        held[owner] += by
        assert budget.total == held.total()
        assert budget.held(owner) == held[owner]
        greediest = budget.greediest()
        assert (greediest is None) == (not held.total())
        assert greediest is None or held[greediest] * 2 > max(held.values())


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.2", "::ffff:192.0.2.1", False),
        ("2001:db8::1", "2001:db8::ffff:1:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_a_network_of_ipv6_is_one_client(one: str, other: str, same: bool) -> None:
    assert (owner_of(one) == owner_of(other)) is same


@dataclass(eq=False)
class Conn:
    """What is counted of a connection."""

    owner: str
    held: int
    busy: bool = False
    counted: int = 0


def test_who_has_a_slow_answer_loses_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_connections, "MAX_BYTES", 20)
    waiting = FairQueue[Any]()
    conns: Any = OpenConnections(waiting)
    slow, queued, old, new = Conn("a", 1, busy=True), Conn("a", 1, busy=True), Conn("a", 8), Conn("a", 8)
    for conn in (slow, queued, old, new):
        conns.add(conn)
        conns.recount(conn)
    waiting.put(queued)
    for victim in (queued, old):
        assert conns.over_budget("a") is victim
        conns.remove(victim)
    assert conns.over_budget("a") is None


def test_all_addresses_that_are_ready_come_before_one_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_buffer, "EVENTS", 4)
    read: list[str] = []

    def look(conn: Connection, _: object) -> tuple[bool, int]:
        read.append(conn.remote_addr)
        return False, READ_BYTES

    monkeypatch.setattr(Connection, "read", look)
    server = Server(lambda *_: [b""], "127.0.0.1", 0)
    server.open()
    buffer: RequestBuffer = server._connections
    with ExitStack() as stack:
        for number in (*[1] * 32, 2):
            sock = stack.enter_context(socket.socket())
            sock.bind((f"127.0.1.{number}", 0))
            sock.connect(server.bind_addr)
            sock.send(b"x")
        while buffer.open.count < 33:
            buffer._turn()
        read.clear()
        while "127.0.1.2" not in read:
            buffer._turn()
        assert len(read) <= 2 * (request_buffer.ROUND_BYTES // READ_BYTES) + 1
    server.stop()
