"""Addresses take turns."""

from __future__ import annotations

from dataclasses import dataclass

from mac_actors.web.server.fair_queue import FairQueue


@dataclass
class Visit:
    """A connection, as far as the queue looks at it."""

    owner: str
    number: int


def test_a_flood_from_one_address_lets_the_others_take_their_turns() -> None:
    line = FairQueue[Visit]()
    flood = [Visit("192.0.2.66", n) for n in range(100)]
    others = [Visit(f"192.0.2.{n}", n) for n in range(3)]
    for visit in (*flood, *others):
        line.put(visit)
    assert line.size == 103
    first = [line.get() for _ in range(4)]
    assert first == [flood[0], *others]
    assert [line.get() for _ in range(99)] == flood[1:]
    assert line.size == 0


def test_one_address_is_served_in_its_own_order() -> None:
    line = FairQueue[Visit]()
    visits = [Visit("192.0.2.1" if n % 2 else "192.0.2.2", n) for n in range(20)]
    for visit in visits:
        line.put(visit)
    taken = [line.get() for _ in visits]
    for address in ("192.0.2.1", "192.0.2.2"):
        numbers = [visit.number for visit in taken if visit and visit.owner == address]
        assert numbers == sorted(numbers)


def test_the_sign_to_stop_has_no_address_and_comes_through() -> None:
    line = FairQueue[Visit]()
    line.put(Visit("192.0.2.1", 1))
    line.put(None)
    assert line.get() == Visit("192.0.2.1", 1)
    assert line.get() is None


def test_what_waits_can_be_withdrawn_the_last_of_an_address_first() -> None:
    line = FairQueue[Visit]()
    for number in range(3):
        line.put(Visit("192.0.2.66", number))
    line.put(Visit("192.0.2.1", 1))
    assert [line.withdraw("192.0.2.66") for _ in range(4)] == [*(Visit("192.0.2.66", n) for n in (2, 1, 0)), None]
    assert line.withdraw("192.0.2.2") is None
    assert line.size == 1
    assert line.get() == Visit("192.0.2.1", 1)
    line.put(Visit("192.0.2.66", 7))
    assert line.get() == Visit("192.0.2.66", 7)
    assert (line.size, line.taken) == (0, 2)
