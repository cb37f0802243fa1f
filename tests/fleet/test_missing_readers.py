"""Silent readers: told of together, once, and once more when they are back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mac_actors.core.config import MachineConfig
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import MachineState
from mac_actors.fleet.missing_readers import MissingReaders, Watched

T0 = datetime(2026, 11, 24, 18, tzinfo=UTC)


def _after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


class Shop:
    """Machines by name, with the second of their last report (``None``: never), and what was told."""

    def __init__(self, watched: Watched = Watched.SEEN, **heard: float | None) -> None:
        self.heard: dict[str, float | None] = dict(heard)
        self._missing = MissingReaders(watched, T0)

    def look(self, seconds: float) -> list[str]:
        now = _after(seconds)
        machines = [
            Snapshot.of(
                MachineConfig(name, alias=name.title()),
                MachineState(T0, last_checkin=None if heard is None else _after(heard)),
                now,
            )
            for name, heard in self.heard.items()
        ]
        return self._missing.look(machines, now)


def test_readers_that_fall_silent_together_are_one_incident_told_once() -> None:
    shop = Shop(mill=0, saw=3, kiln=100)
    assert shop.look(59) == []
    assert shop.look(62) == []
    shop.heard["kiln"] = 110
    assert shop.look(100) == []
    assert shop.look(123) == ["Silent for 2 min: Mill, Saw (no report from the reader)."]
    shop.heard["kiln"] = 125
    assert shop.look(126) == []


def test_they_are_told_of_once_more_when_all_of_them_are_back() -> None:
    shop = Shop(mill=0, saw=0)
    shop.look(61)
    assert shop.look(122)
    shop.heard["mill"] = 300
    assert shop.look(301) == []
    shop.heard |= {"mill": 310, "saw": 312}
    assert shop.look(313) == ["Back after 5 min: Mill, Saw."]
    shop.heard |= {"mill": 320, "saw": 320}
    assert shop.look(321) == []


def test_one_that_is_back_before_anything_was_told_is_not_told_of() -> None:
    shop = Shop(mill=0, saw=0)
    shop.look(61)
    shop.heard["saw"] = 90
    assert shop.look(122) == ["Silent for 2 min: Mill (no report from the reader)."]
    shop.heard |= {"mill": 130, "saw": 130}
    assert shop.look(131) == ["Back after 2 min: Mill."]


def test_one_that_falls_silent_much_later_is_an_incident_of_its_own() -> None:
    shop = Shop(mill=0, saw=170)
    shop.look(61)
    assert shop.look(122) == ["Silent for 2 min: Mill (no report from the reader)."]
    assert shop.look(231) == []
    assert shop.look(292) == ["Silent for 2 min: Saw (no report from the reader)."]


def test_a_machine_that_was_never_seen_is_told_of_only_when_that_is_wanted() -> None:
    assert [Shop(mill=None).look(at) for at in (61, 130)] == [[], []]
    shop = Shop(Watched.ALL, mill=None)
    assert shop.look(61) == []
    assert shop.look(121) == ["Silent for 2 min: Mill (no report from the reader)."]


@pytest.mark.parametrize("at", [61, 130, 600])
def test_nothing_is_told_when_it_is_switched_off(at: float) -> None:
    assert Shop(Watched.OFF, mill=0).look(at) == []


def test_while_the_server_was_down_nobody_was_silent() -> None:
    shop = Shop(mill=-86_400)
    assert shop.look(30) == []
    shop.heard["mill"] = 31
    assert shop.look(61) == []
    assert shop.look(90) == []


def test_a_machine_that_was_removed_is_forgotten() -> None:
    shop = Shop(mill=0, saw=0)
    shop.look(61)
    assert shop.look(122)
    del shop.heard["saw"]
    shop.heard["mill"] = 130
    assert shop.look(131) == ["Back after 2 min: Mill."]
    shop = Shop(mill=0)
    shop.look(61)
    assert shop.look(122)
    del shop.heard["mill"]
    assert shop.look(131) == []
