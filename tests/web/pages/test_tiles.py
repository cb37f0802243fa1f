"""What the board shows of each machine, and how it counts changes."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import Details, Flag, Session, SessionKind, Severity, Source, Status, Telemetry
from mac_actors.web.pages.tiles import STATES, VIEW_SECONDS, Board, BoardView, Tile, TileContent

NOW = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)
FLAG = Flag(NOW - timedelta(hours=3), Source.SLACK, "Grace", "bent <b>")
SESSION = Session("1", "Ann Able", "Ann", SessionKind.AUTHORIZED, NOW - timedelta(minutes=5))
IDLE = Snapshot(
    name="mill",
    alias="Metal Mill",
    display_name="Metal Mill",
    status=Status.IDLE,
    status_since=NOW - timedelta(days=1),
    online=True,
    relay=False,
    second_relay=False,
    oops=None,
    lock=None,
    session=None,
    telemetry=Telemetry(),
    last_checkin=NOW - timedelta(seconds=4),
    last_update=NOW,
)
SILENT = replace(IDLE, online=False, last_checkin=NOW - timedelta(minutes=9))


@pytest.mark.parametrize(
    ("machine", "state", "word", "since"),
    [
        (IDLE, "free", "Free", IDLE.status_since),
        (replace(IDLE, session=SESSION), "in_use", "In use", SESSION.since),
        (SILENT, "offline", "Offline", SILENT.last_checkin),
        (replace(SILENT, last_checkin=None), "offline", "Offline", None),
        (replace(SILENT, session=SESSION), "offline", "Offline", SILENT.last_checkin),
        (replace(IDLE, lock=FLAG), "locked", "Locked out", FLAG.since),
        (replace(IDLE, oops=FLAG), "oopsed", "Oopsed", FLAG.since),
        (replace(SILENT, oops=FLAG, lock=replace(FLAG, since=NOW)), "oopsed", "Oopsed and locked out", FLAG.since),
    ],
)
def test_the_state_of_a_tile(machine: Snapshot, state: str, word: str, since: datetime | None) -> None:
    content = TileContent.of(machine)
    assert (content.state, content.word, content.since) == (state, word, since)


def html(machine: Snapshot, kind: str = "plain", *, names: bool = False) -> str:
    return Tile(TileContent.of(machine), 1).html(kind, names)


def test_what_a_tile_says() -> None:
    assert "Always on, no card needed" in html(replace(IDLE, relay=True))
    assert "Always on" not in html(IDLE)
    assert "never seen" in html(replace(SILENT, last_checkin=None))
    assert 'data-ago="last seen {} ago"' in html(SILENT)
    assert "In use when last seen<bdi></bdi>" in html(replace(SILENT, session=SESSION))
    assert "In use when last seen, by <bdi>Ann Able</bdi>" in html(replace(SILENT, session=SESSION), names=True)
    assert "Its reader is offline, <time" in html(replace(SILENT, oops=FLAG))
    assert "Its reader is offline</p>" in html(replace(SILENT, oops=FLAG, last_checkin=None))
    assert "bent &lt;b&gt;" in html(replace(IDLE, oops=FLAG))
    both = html(replace(IDLE, oops=FLAG, lock=replace(FLAG, reason=None)))
    assert re.findall(r"#shape-(\w+).*?<strong>(.*?)</strong>", both) == [
        ("oopsed", "Oopsed"),
        ("locked", "Locked out"),
    ]
    assert both.count("bent &lt;b&gt;</bdi>") == 1


def test_a_tile_says_what_is_wrong_and_how_bad_it_is() -> None:
    details = Details(NOW, Source.SLACK, "Eve", "ask Bob <b>", "ask a member", None, Severity.WITH_CARE)
    machine = replace(IDLE, oops=FLAG, details=details)
    assert "<b>Usable with care: </b>" in html(machine).replace("\n", "")
    assert "ask a member" in html(machine)
    assert "Bob" not in html(machine)
    assert "ask Bob &lt;b&gt;" in html(machine, "admin", names=True)
    assert "by Eve, from Slack" in html(machine, "admin", names=True)
    assert "Unusable</b>" in html(replace(IDLE, oops=FLAG, details=Details(NOW, Source.REPL)))


def test_no_name_is_in_a_tile_for_everybody() -> None:
    machine = replace(IDLE, oops=FLAG, session=SESSION)
    for kind in ("plain", "kiosk"):
        assert not {"Ann", "Grace"} & set(html(machine, kind).replace("<", " ").replace(">", " ").split())
    assert "Ann Able" in html(machine, names=True)
    assert "by Grace, from Slack" in html(machine, names=True)


@pytest.mark.parametrize(
    ("machine", "buttons"),
    [
        (IDLE, ["oops", "lock"]),
        (replace(IDLE, oops=FLAG), ["lock", "clear"]),
        (replace(IDLE, lock=FLAG), ["oops", "clear"]),
        (replace(IDLE, oops=FLAG, lock=FLAG), ["clear"]),
    ],
)
def test_admins_get_the_buttons_that_would_change_something(machine: Snapshot, buttons: list[str]) -> None:
    tile = html(machine, "admin")
    assert [button for button in ("oops", "lock", "clear") if f'value="{button}"' in tile] == buttons
    assert "<button" not in html(machine, "plain", names=True)


class Shop:
    """Machines and a clock, both moved by the test."""

    def __init__(self) -> None:
        self.machines = [IDLE, replace(IDLE, name="laser", display_name="Laser")]
        self.seconds = 100.0
        self.looks = 0
        self.board = Board(self._snapshots, lambda: self.seconds)

    def _snapshots(self) -> list[Snapshot]:
        self.looks += 1
        return self.machines

    def look(self) -> BoardView:
        self.seconds += VIEW_SECONDS
        return self.board.view()


def versions(look: BoardView) -> dict[str, int]:
    return {tile.content.machine.name: tile.version for tile in look.tiles}


def test_a_change_gets_the_next_version_and_leaves_the_other_tiles_alone() -> None:
    shop = Shop()
    first = shop.look()
    assert (first.version, first.ordered, versions(first)) == (1, 1, {"mill": 1, "laser": 1})
    shop.machines = [shop.machines[0], replace(shop.machines[1], session=SESSION)]
    second = shop.look()
    assert (second.version, second.ordered, versions(second)) == (2, 2, {"laser": 2, "mill": 1})
    shop.machines = [shop.machines[0], replace(shop.machines[1], session=replace(SESSION, since=NOW))]
    third = shop.look()
    assert (third.version, third.ordered, versions(third)) == (3, 2, {"laser": 3, "mill": 1})


def test_a_report_that_changes_nothing_is_no_change() -> None:
    shop = Shop()
    first = shop.look()
    shop.machines = [replace(m, last_checkin=NOW, telemetry=Telemetry(uptime=5.0)) for m in shop.machines]
    assert shop.look() is first


def test_machines_that_are_gone_are_a_change() -> None:
    shop = Shop()
    shop.look()
    shop.machines = shop.machines[1:]
    second = shop.look()
    assert (second.version, second.ordered, versions(second)) == (2, 2, {"laser": 1})
    shop.machines = []
    assert shop.look().summary == "none free"


def test_one_look_serves_all_who_ask_within_a_moment() -> None:
    shop = Shop()
    first = shop.look()
    shop.machines = shop.machines[:1]
    assert shop.board.view() is first
    assert shop.looks == 1
    shop.board.refresh()
    assert shop.board.view().version == 2


def test_what_needs_attention_comes_first_and_the_rest_stays_in_the_order_of_the_file() -> None:
    shop = Shop()
    named = [replace(IDLE, name=name) for name in "abcdefg"]
    shop.machines = [
        named[0],
        replace(named[1], session=SESSION),
        replace(named[2], online=False),
        replace(named[3], lock=FLAG),
        replace(named[4], oops=FLAG),
        named[5],
        replace(named[6], lock=FLAG),
    ]
    look = shop.look()
    assert [tile.content.machine.name for tile in look.tiles] == ["e", "d", "g", "c", "b", "a", "f"]
    assert look.summary == "2 free, 1 in use, 1 offline, 2 locked out, 1 oopsed"
    assert list(look.counts) == list(STATES)
