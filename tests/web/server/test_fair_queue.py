"""Addresses take turns."""

from __future__ import annotations

from dataclasses import dataclass

from mac_actors.web.server.fair_queue import FairQueue


@dataclass
class Visit:
    """A connection, as far as the queue looks at it."""

    remote_addr: str
    number: int


def test_a_flood_from_one_address_lets_the_others_take_their_turns() -> None:
    line = FairQueue()
    flood = [Visit("192.0.2.66", n) for n in range(100)]
    others = [Visit(f"192.0.2.{n}", n) for n in range(3)]
    for visit in (*flood, *others):
        line.put(visit)
    assert line.qsize() == 103
    first = [line.get() for _ in range(4)]
    assert first == [flood[0], *others]
    assert [line.get() for _ in range(99)] == flood[1:]
    assert line.qsize() == 0


def test_one_address_is_served_in_its_own_order() -> None:
    line = FairQueue()
    visits = [Visit("192.0.2.1" if n % 2 else "192.0.2.2", n) for n in range(20)]
    for visit in visits:
        line.put(visit)
    taken: list[Visit] = [line.get() for _ in visits]
    for address in ("192.0.2.1", "192.0.2.2"):
        numbers = [visit.number for visit in taken if visit.remote_addr == address]
        assert numbers == sorted(numbers)


def test_the_sign_to_stop_has_no_address_and_comes_through() -> None:
    line = FairQueue()
    stop = object()
    line.put(Visit("192.0.2.1", 1))
    line.put(stop)
    assert line.get() == Visit("192.0.2.1", 1)
    assert line.get() is stop
