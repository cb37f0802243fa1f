"""slack.json and slack_channel: what is posted where, and when."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mac_actors.core.inputs import Unoops
from mac_actors.core.state import Source
from mac_actors.settings.files import load
from mac_actors.storage.records import Record
from tests.fakes import PATIENCE, wait_until
from tests.slack.conftest import MakeShop
from tests.slack.shop import ADA_FOB, ETC, Shop
from tests.slack.standin.checks import elements
from tests.slack.standin.workspace import ADA, BOB, CONTROL, OOPS, Workspace

WOOD = "C0WOOD"

MakeRouted = Callable[..., Shop]


@pytest.fixture
def make_routed(make_shop: MakeShop, workspace: Workspace, tmp_path: Path) -> MakeRouted:
    """Start a server whose table saw has a channel of its own, with this slack.json."""
    workspace.add_channel(WOOD, "wood-oops", members=("UBOT", ADA, BOB))

    def make(slack: dict[str, Any], channel: str = WOOD, **more: Any) -> Shop:
        return make_shop(machines=machines(tmp_path, channel), slack_config=written(tmp_path, slack), **more)

    return make


def machines(directory: Path, channel: str | None) -> Path:
    entries = json.loads((ETC / "machines.json").read_text(encoding="utf-8"))
    if channel:
        entries["table-saw"]["slack_channel"] = channel
    (directory / "machines.json").write_text(json.dumps(entries), encoding="utf-8")
    return directory / "machines.json"


def written(directory: Path, slack: dict[str, Any]) -> Path:
    (directory / "quiet.json").write_text(json.dumps(slack), encoding="utf-8")
    return directory / "quiet.json"


def reload(shop: Shop) -> None:
    shop.fleet.reload(load(shop.service.settings))


def clock(minutes: float) -> str:
    """A time of the day so many minutes from now."""
    return f"{datetime.now().astimezone() + timedelta(minutes=minutes):%H:%M}"


def test_a_machine_with_a_channel_of_its_own_is_told_of_there(make_routed: MakeRouted) -> None:
    shop = make_routed({})
    for text in ("oops Table Saw: blade", "oops Metal Mill", "clear Table Saw", "clear Metal Mill"):
        shop.say(text)
    shop.settle()
    assert shop.texts(WOOD) == ["Table Saw is oopsed: blade.", "Table Saw is no longer oopsed."]
    assert shop.texts(OOPS) == ["Metal Mill is oopsed.", "Metal Mill is no longer oopsed."]
    first, clear = shop.posts(WOOD)
    assert clear.thread_ts == first.ts
    shop.workspace.wait_for(lambda: "\nCleared after" in shop.workspace.message(WOOD, first.ts).text)


def test_a_channel_that_is_not_there_is_said_and_holds_up_no_other(make_routed: MakeRouted, tmp_path: Path) -> None:
    shop = make_routed({}, channel="C0NOWHERE", wait=False)
    wait_until(lambda: "slack channels" in shop.service.shop.notes())
    assert "slack_channel of Table Saw C0NOWHERE: channel_not_found" in shop.service.shop.notes()["slack channels"]
    shop.connected()
    shop.say("oops Table Saw: blade")
    shop.say("oops Metal Mill")
    assert len(shop.wait_for_texts(2, CONTROL)) == 2
    assert shop.wait_for_texts(1, OOPS) == ["Metal Mill is oopsed."]
    wait_until(lambda: "slack oops channel C0NOWHERE" in shop.service.shop.notes())
    machines(tmp_path, None)
    reload(shop)
    assert shop.wait_for_texts(2, OOPS)[1].endswith("Table Saw is oopsed: blade.")
    shop.drained()
    shop.say("clear Table Saw")
    assert shop.wait_for_texts(3, OOPS)[2] == "Table Saw is no longer oopsed."
    assert shop.posts(OOPS)[2].thread_ts == shop.posts(OOPS)[1].ts
    wait_until(lambda: not {"slack channels", "slack oops channel C0NOWHERE"} & shop.service.shop.notes().keys())


def test_a_notice_in_a_former_channel_says_too_how_its_matter_ended(make_routed: MakeRouted, tmp_path: Path) -> None:
    shop = make_routed({})
    shop.say("oops Table Saw: blade")
    [first] = (shop.wait_for_texts(1, WOOD), shop.posts(WOOD))[1]
    shop.drained()
    machines(tmp_path, None)
    reload(shop)
    shop.say("clear Table Saw")
    assert shop.wait_for_texts(1, OOPS) == ["Table Saw is no longer oopsed."]
    shop.workspace.wait_for(lambda: "\nCleared after" in shop.workspace.message(WOOD, first.ts).text)


def test_lines_are_left_out_or_held_for_a_digest_and_none_is_lost_by_a_restart(make_routed: MakeRouted) -> None:
    lines = {"session_started": "digest", "session_ended": "digest", "session_refused": "off"}
    slack = {"lines": lines, "digest_minutes": 1440}
    shop = make_routed(slack)
    for fob in (ADA_FOB, "", "666", ""):
        shop.report("metal-mill", fob)
    shop.say("oops Metal Mill")
    shop.report("metal-mill", "666")
    shop.settle()
    told = shop.texts(CONTROL)
    assert [text for text in told if "logged in" in text or "session ended" in text] == []
    assert len([text for text in told if "was refused" in text]) == 1, "in the thread of the oops"
    shop.stop()
    shop = make_routed(slack)
    make_due(shop)
    [digest] = shop.wait_for_texts(1, CONTROL)
    login, logout = digest.splitlines()
    assert login.endswith("Metal Mill: Ada Example logged in.")
    assert "Metal Mill: Ada Example's session ended after" in logout
    shop.settle()
    assert len(shop.texts(CONTROL)) == 1


def make_due(shop: Shop) -> None:
    """Let what is held be due, as if the time had come."""
    with shop.fleet.store.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE outbox SET due = '2026-01-01T00:00:00.000000+00:00' WHERE due IS NOT NULL")
    assert shop.fleet.notifier
    shop.fleet.notifier.wake()


def test_in_quiet_hours_an_oops_is_told_and_a_session_is_not(make_routed: MakeRouted) -> None:
    shop = make_routed({"quiet_hours": {"from": clock(-60), "to": clock(60)}})
    shop.report("metal-mill", ADA_FOB)
    shop.say("oops Metal Mill")
    shop.settle()
    assert [text.partition(",")[0] for text in shop.texts(CONTROL)] == ["Metal Mill is oopsed"]
    assert shop.texts(OOPS) == ["Metal Mill is oopsed."]
    make_due(shop)
    assert "logged in" in shop.wait_for_texts(2, CONTROL)[1]


def test_in_quiet_hours_the_oops_channel_waits_if_the_file_says_so_in_order(make_routed: MakeRouted) -> None:
    shop = make_routed({"quiet_hours": {"from": clock(-60), "to": clock(60), "oops_channel": ["oops_set"]}})
    shop.say("oops Metal Mill")
    shop.say("clear Metal Mill")
    shop.settle()
    assert shop.texts(OOPS) == []
    assert len(shop.texts(CONTROL)) == 2
    make_due(shop)
    assert shop.wait_for_texts(2, OOPS) == ["Metal Mill is oopsed.", "Metal Mill is no longer oopsed."]
    first, clear = shop.posts(OOPS)
    assert clear.thread_ts == first.ts


def night(**held: list[str]) -> dict[str, Any]:
    """A slack.json with quiet hours now, in which these are held."""
    return {"quiet_hours": {"from": clock(-60), "to": clock(60), **held}}


@pytest.mark.parametrize("restart", [False, True])
def test_a_held_clear_is_posted_before_the_next_oops(make_routed: MakeRouted, restart: bool) -> None:
    slack = night(oops_channel=["oops_cleared"])
    shop = make_routed(slack)
    shop.say("oops Metal Mill: one")
    shop.say("oops Wood Lathe")
    for name in ("Metal Mill", "Wood Lathe"):
        shop.say(f"clear {name}")
    shop.settle()
    assert shop.texts(OOPS) == ["Metal Mill is oopsed: one.", "Wood Lathe is oopsed."]
    first = shop.posts(OOPS)[0]
    if restart:
        shop.stop()
        shop = make_routed(slack)
    shop.begin()
    shop.say("oops Metal Mill: two")
    assert shop.wait_for_texts(2, OOPS) == ["Metal Mill is no longer oopsed.", "Metal Mill is oopsed: two."]
    assert [post.thread_ts for post in shop.posts(OOPS)] == [first.ts, None]
    shop.settle()
    make_due(shop)
    assert shop.wait_for_texts(3, OOPS)[2] == "Wood Lathe is no longer oopsed."
    shop.settle()
    assert len(shop.texts(OOPS)) == 3


def test_a_held_lock_that_is_to_fall_is_posted_before_it_is_called_off(make_routed: MakeRouted) -> None:
    shop = make_routed(night(oops_channel=["lock_pending"]))
    shop.report("metal-mill", ADA_FOB)
    shop.say("lock Metal Mill when free: belt")
    shop.settle()
    assert shop.texts(OOPS) == []
    shop.say("clear Metal Mill")
    assert shop.wait_for_texts(2, OOPS) == [
        "Metal Mill will be locked out for maintenance once it is free: belt.",
        "Metal Mill will not be locked out for maintenance after all.",
    ]


def test_what_is_held_is_posted_first_also_when_the_file_holds_nothing_any_more(
    make_routed: MakeRouted, tmp_path: Path
) -> None:
    shop = make_routed(night(oops_channel=["oops_set"]))
    shop.say("oops Metal Mill: belt")
    shop.settle()
    assert shop.texts(OOPS) == []
    written(tmp_path, {})
    reload(shop)
    shop.say("clear Metal Mill")
    assert shop.wait_for_texts(2, OOPS) == ["Metal Mill is oopsed: belt.", "Metal Mill is no longer oopsed."]
    first, clear = shop.posts(OOPS)
    assert clear.thread_ts == first.ts
    shop.workspace.wait_for(lambda: "\nCleared after" in shop.workspace.message(OOPS, first.ts).text)


@pytest.mark.parametrize("restart", [False, True])
def test_in_the_control_channel_a_held_oops_is_answered_and_comes_before_what_belongs_to_it(
    make_routed: MakeRouted, restart: bool
) -> None:
    slack = night(control_channel=["oops_set"])
    shop = make_routed(slack)
    shop.say("oops Metal Mill: one")
    [answer] = shop.wait_for_texts(1, CONTROL)
    assert re.fullmatch(r"Metal Mill: done\. The notice of it is held until [-\d]+ [:\d]+ \w+: quiet hours\.", answer)
    shop.settle()
    assert shop.texts(OOPS) == ["Metal Mill is oopsed: one."]
    if restart:
        shop.stop()
        shop = make_routed(slack)
    shop.begin()
    shop.say("lock Metal Mill: two")
    assert [text.partition(",")[0] for text in shop.wait_for_texts(2, CONTROL)] == [
        "Metal Mill is oopsed",
        "Metal Mill is locked out for maintenance",
    ]
    oops, lock = shop.posts(CONTROL)
    assert lock.thread_ts == oops.ts
    pressed = [element["text"]["text"] for _, element in elements(oops.blocks)]
    assert pressed == ["Clear", "Lock out", "Add details"]
    shop.fleet.ask("metal-mill", Unoops(datetime.now(UTC), Source.REPL))
    assert len(shop.wait_for_texts(3, CONTROL)) == 3
    shop.settle()
    make_due(shop)
    shop.settle()
    assert len(shop.texts(CONTROL)) == 3
    shop.workspace.wait_for(lambda: "\nCleared" in shop.workspace.message(CONTROL, oops.ts).text)


def test_a_channel_that_was_taken_out_while_it_refused_and_is_put_back_gets_notices_again(
    make_shop: MakeShop, workspace: Workspace, tmp_path: Path
) -> None:
    shop = make_shop(machines=machines(tmp_path, WOOD), wait=False)
    shop.connected()
    shop.say("oops Table Saw: blade")
    wait_until(lambda: f"slack oops channel {WOOD}" in shop.service.shop.notes())
    machines(tmp_path, None)
    reload(shop)
    assert shop.wait_for_texts(1, OOPS)[0].endswith("Table Saw is oopsed: blade.")
    shop.drained()
    workspace.add_channel(WOOD, "wood-oops", members=("UBOT", ADA, BOB))
    machines(tmp_path, WOOD)
    reload(shop)
    shop.begin()
    shop.say("clear Table Saw")
    shop.say("oops Table Saw: new")
    assert shop.wait_for_texts(2, WOOD) == ["Table Saw is no longer oopsed.", "Table Saw is oopsed: new."]
    calls = [call.params for call in workspace.calls_to("chat.postMessage")]
    assert not [call for call in calls if call["channel"] == WOOD and call.get("thread_ts")], "the thread is elsewhere"
    assert shop.texts(OOPS) == []


def test_a_reminder_of_a_clock_that_was_years_ahead_is_none(make_routed: MakeRouted) -> None:
    shop = make_routed({"remind_after_days": {"oops": 1}})
    shop.say("oops Metal Mill: belt slips")
    remind(shop, days=3650)
    remind(shop, days=1.1)
    remind(shop, days=1.2)
    shop.settle()
    asked = [text for text in shop.texts(CONTROL) if "Keep it?" in text]
    assert asked[1:] == ["Metal Mill has been oopsed for 26 h 24 min, by ada, from Slack: belt slips. Keep it?"]


def test_an_old_oops_is_asked_about_in_its_thread_with_its_buttons_once_each_time(make_routed: MakeRouted) -> None:
    slack = {"remind_after_days": {"oops": 1}}
    shop = make_routed(slack)
    shop.say("oops Metal Mill: belt slips")
    shop.say("lock Table Saw")
    shop.drained()
    notice = shop.posts(CONTROL)[0]
    remind(shop, days=0.9)
    remind(shop, days=1.1)
    remind(shop, days=1.2)
    shop.settle()
    [*_, asked] = shop.texts(CONTROL)
    assert asked == "Metal Mill has been oopsed for 26 h 24 min, by ada, from Slack: belt slips. Keep it?"
    post = shop.posts(CONTROL)[-1]
    assert (post.thread_ts, post.broadcast) == (notice.ts, False)
    assert [element["text"]["text"] for _, element in elements(post.blocks)] == ["Clear", "Lock out", "Add details"]
    shop.stop()
    shop = make_routed(slack)
    remind(shop, days=1.5)
    remind(shop, days=2.3)
    assert len(shop.wait_for_texts(1, CONTROL)) == 1
    shop.begin()
    shop.workspace.press("mac_clear", message=post, user=BOB).acked()
    assert "Metal Mill is no longer oopsed, by bob, from Slack." in shop.wait_for_texts(1, CONTROL)[0]


def remind(shop: Shop, *, days: float) -> None:
    fleet = shop.fleet
    fleet._reminders.look(fleet.snapshots(), fleet.outgoing.routing, datetime.now(UTC) + timedelta(days=days))
    fleet.journal.write(Record(), PATIENCE)  # the next look finds what this one has asked
    shop.drained()
