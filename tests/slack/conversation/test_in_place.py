"""The first notice of an oops or a lock says how its matter ended, in its own place."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mac_actors.core.inputs import Oops
from mac_actors.core.state import Source
from tests.fakes import wait_until
from tests.slack.conftest import MakeShop
from tests.slack.shop import ADA_FOB, Shop
from tests.slack.standin.checks import elements
from tests.slack.standin.records import Post
from tests.slack.standin.workspace import BOB, CONTROL, OOPS, Workspace

from .test_routing import written

WHEN = r" after \d+ s, \d{4}-\d\d-\d\d \d\d:\d\d \w+"


def first(shop: Shop, channel: str) -> Post:
    """The first notice since the test began, as it is to be seen now."""
    return shop.workspace.message(channel, shop.posts(channel)[0].ts)


def settled(shop: Shop, channel: str) -> list[str]:
    """The lines of the first notice, once it says how its matter ended."""
    shop.workspace.wait_for(lambda: "\nCleared" in first(shop, channel).text)
    return first(shop, channel).text.splitlines()


def test_the_notice_of_an_oops_says_who_cleared_it_when_and_after_how_long(shop: Shop) -> None:
    shop.say("oops Metal Mill: belt &amp; 1 &lt; 2")
    shop.drained()
    assert elements(first(shop, CONTROL).blocks)
    shop.say("clear Metal Mill: mended", user=BOB)
    shop.drained()
    text, over = settled(shop, CONTROL)
    assert text == "Metal Mill is oopsed, by ada, from Slack: belt &amp; 1 &lt; 2."
    assert re.fullmatch(f"Cleared by bob{WHEN}: mended\\.", over)
    text, over = settled(shop, OOPS)
    assert text == "Metal Mill is oopsed: belt &amp; 1 &lt; 2."
    assert re.fullmatch(f"Cleared{WHEN}: mended\\.", over)
    for channel in (CONTROL, OOPS):
        assert not elements(first(shop, channel).blocks)
        assert [post.thread_ts for post in shop.posts(channel)] == [None, first(shop, channel).ts]
        assert "is no longer oopsed" in shop.posts(channel)[1].text
        assert len([update for update in shop.updates() if update.channel == channel]) == 1


def test_a_clear_of_both_is_said_in_the_notices_of_both_wherever_it_comes_from(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    shop.say("lock Metal Mill")
    shop.drained()
    shop.wait_for_updates(2)  # of the oops: that it is locked out, too
    shop.begin()
    assert shop.http.post("/api/machine/clear/metal-mill").status == 200
    shop.workspace.wait_for(lambda: len(shop.updates()) == 4)
    for channel, who in ((CONTROL, "Cleared from HTTP after"), (OOPS, "Cleared after")):
        changed = sorted(update.text for update in shop.updates() if update.channel == channel)
        assert [text.splitlines()[0].partition(",")[0].rstrip(".") for text in changed] == [
            "Metal Mill is locked out for maintenance",
            "Metal Mill is oopsed",
        ]
        assert all(text.splitlines()[1].startswith(who) for text in changed)


def test_a_notice_whose_matter_goes_on_stays_as_it_is(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    shop.say("oops Table Saw")
    shop.say("clear Table Saw")
    shop.drained()
    shop.workspace.wait_for(lambda: len(shop.updates()) == 2)
    shop.settle()
    assert {update.text.split(" is ")[0] for update in shop.updates()} == {"Table Saw"}
    assert elements(first(shop, CONTROL).blocks)


def test_a_long_reason_fits_and_an_address_in_it_is_left_alone(shop: Shop) -> None:
    by, reason = "ada", "https://example.org/a?b&c " + "&" * 950
    shop.fleet.ask("metal-mill", Oops(datetime.now(UTC), Source.HTTP, by, reason))
    shop.drained()
    shop.say("clear Metal Mill")
    shop.workspace.wait_for(lambda: len(shop.updates()) == 2)
    text = first(shop, CONTROL).text
    assert len(text) <= 4000
    assert "https://example.org/a?b&amp;c" in text
    assert "<" not in text
    assert re.search(r"&(amp;)?…?$|…$", text)
    assert "&am…" not in text


@pytest.mark.parametrize("error", ["message_not_found", "edit_window_closed", "cant_update_message"])
def test_a_notice_that_cannot_be_changed_any_more_holds_up_nothing(shop: Shop, error: str) -> None:
    shop.workspace.fail("chat.update", error)
    shop.say("oops Metal Mill")
    shop.say("clear Metal Mill")
    shop.say("oops Metal Mill")
    shop.settle()
    shop.workspace.mend()
    shop.say("clear Metal Mill")
    shop.workspace.wait_for(lambda: len(shop.updates()) == 2)
    shop.settle()
    assert len(shop.updates()) == 2  # the second oops alone, in both channels


def test_notices_go_out_while_none_can_be_changed_and_it_is_made_up_for_after_a_restart(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    workspace.fail("chat.update", "internal_error")
    shop.say("oops Metal Mill")
    shop.say("clear Metal Mill")
    shop.drained()
    workspace.wait_for(lambda: len(workspace.calls_to("chat.update")) >= 4)
    shop.say("oops Table Saw")
    shop.drained()
    assert shop.service.shop.notes() == {}
    shop.stop()
    assert not workspace.updates()
    workspace.mend()
    again = make_shop()
    workspace.wait_for(lambda: len(workspace.updates()) == 2)
    again.settle()
    assert {update.text.split(" is ")[0] for update in workspace.updates()} == {"Metal Mill"}


def test_a_change_that_slack_wants_later_is_made_then_though_a_digest_is_due_before(
    make_shop: MakeShop, workspace: Workspace, tmp_path: Path
) -> None:
    digest = {"lines": {"session_started": "digest"}, "digest_minutes": 1440}
    shop = make_shop(slack_config=written(tmp_path, digest))
    shop.report("metal-mill", ADA_FOB)
    shop.say("oops Wood Lathe")
    shop.settle()
    due = (datetime.now(UTC) + timedelta(seconds=1)).isoformat(timespec="microseconds")
    with shop.fleet.store.database.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE outbox SET due = '{due}' WHERE due IS NOT NULL")
    assert shop.fleet.notifier
    shop.fleet.notifier.wake()
    workspace.rate_limit("chat.update", retry_after=2, times=2)
    shop.say("clear Wood Lathe")
    for channel in (CONTROL, OOPS):
        assert len(settled(shop, channel)) == 2
    assert any("logged in" in text for text in shop.texts(CONTROL))


def test_a_notice_that_was_late_keeps_its_time_when_it_is_changed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mac_actors.slack.notices.LATE", timedelta(seconds=-60))
    shop.say("oops Metal Mill: &lt;b&gt;")
    shop.drained()
    posted = first(shop, OOPS).text
    assert re.fullmatch(r"\[[-\d]+ [:\d]+ \w+\] Metal Mill is oopsed: &lt;b&gt;\.", posted)
    shop.say("clear Metal Mill")
    text, over = settled(shop, OOPS)
    assert text == posted
    assert re.fullmatch(f"Cleared{WHEN}\\.", over)
    shown = first(shop, OOPS).blocks[0]["text"]["text"]
    assert shown == posted.replace("&lt;b&gt;", "<b>")


def test_a_post_of_several_notices_is_not_changed(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.down()
    for _ in range(20):
        shop.http.post("/api/machine/oops/metal-mill")
        shop.http.post("/api/machine/clear/metal-mill")
    shop.http.post("/api/machine/oops/table-saw")
    wait_until(lambda: shop.fleet.store.count_waiting()[0] == 82)
    workspace.up()
    shop.drained()
    bundle = next(post for post in workspace.posts(OOPS) if len(post.text.splitlines()) > 1)
    assert bundle.text.splitlines()[-1].startswith("Table Saw is oopsed")
    shop.say("clear Table Saw")
    shop.settle()
    assert bundle.ts not in {update.ts for update in workspace.updates()}
    assert workspace.posts(OOPS)[-1].thread_ts == bundle.ts
