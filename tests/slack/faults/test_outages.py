"""Outages, and notices that wait meanwhile."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mac_actors.core.notices import Channel, Notice
from mac_actors.core.text import local_time
from mac_actors.slack import notices
from mac_actors.storage.records import Record
from mac_actors.storage.store import Store
from tests.fakes import RefusingStore, wait_until
from tests.slack.conftest import MakeShop
from tests.slack.standin.workspace import CONTROL, OOPS, OTHER, Workspace
from tests.slack.troubles import with_store

from .serving import first, lines, served, serves, works


def test_200_changes_while_slack_is_down_are_all_posted_in_order_and_once(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    workspace.down()
    for number in range(100):
        assert shop.http.post("/api/machine/oops/metal-mill", {"reason": f"change {number}"}).status == 200
        assert shop.http.post("/api/machine/clear/metal-mill", {"reason": f"change {number}"}).status == 200
    wait_until(lambda: shop.fleet.store.count_waiting()[0] == 400)
    assert not shop.posts()
    workspace.up()
    shop.drained()
    for channel, origin in ((CONTROL, ", from HTTP"), (OOPS, "")):
        assert lines(shop.posts(channel)) == [
            f"Metal Mill is {word}{origin}: change {number}."
            for number in range(100)
            for word in ("oopsed", "no longer oopsed")
        ]
        assert len(shop.posts(channel)) < 30
        assert all(len(post.text) < 4000 for post in shop.posts(channel))
    works(shop)


def test_one_change_while_slack_is_down_has_its_buttons_and_its_thread(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    workspace.down()
    assert shop.http.post("/api/machine/oops/metal-mill").status == 200
    assert shop.http.post("/api/machine/clear/metal-mill").status == 200
    workspace.up()
    shop.drained()
    for channel in (CONTROL, OOPS):
        oops, clear = shop.posts(channel)
        assert oops.blocks
        assert (clear.thread_ts, clear.broadcast) == (oops.ts, True)


def test_a_clear_whose_oops_was_posted_before_the_outage_is_in_its_thread(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    shop.say("oops Metal Mill")
    shop.drained()
    workspace.down()
    assert shop.http.post("/api/machine/clear/metal-mill").status == 200
    workspace.up()
    shop.drained()
    for channel in (CONTROL, OOPS):
        oops, clear = shop.posts(channel)
        assert (clear.thread_ts, clear.broadcast) == (oops.ts, True)


def wait_in_outbox(directory: Path, *texts: str, minutes: float, channel: Channel = Channel.CONTROL) -> datetime:
    """Leave notices in the outbox of a server that is not running."""
    at = datetime.now(UTC) - timedelta(minutes=minutes)
    with closing(Store.open(directory / "state")) as store:
        store.commit([Record(notices=tuple((at, Notice(channel, text)) for text in texts))])
    return at


def test_a_notice_that_is_posted_late_has_the_time_at_which_it_happened(make_shop: MakeShop, tmp_path: Path) -> None:
    """A minute late, that is; an hour here, because what is not late must not become so on a busy computer."""
    assert notices.LATE.total_seconds() == 60
    old = wait_in_outbox(tmp_path, "the mill <stops>", minutes=90)
    wait_in_outbox(tmp_path, "the mill runs", minutes=30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notices, "LATE", timedelta(hours=1))
        shop = make_shop()
        shop.drained()
    texts = [post.text for post in shop.workspace.posts(CONTROL)]
    assert texts == [f"[{local_time(old)}] the mill &lt;stops&gt;", "the mill runs"]


def test_status_tells_admins_that_notices_wait(make_shop: MakeShop, workspace: Workspace, tmp_path: Path) -> None:
    wait_in_outbox(tmp_path, "a", "b", minutes=5, channel=Channel.OOPS)
    workspace.fail("chat.postMessage", "internal_error", channel=OOPS)
    shop = make_shop()
    shop.say("status")
    [text] = shop.wait_for_texts(1)
    assert text.splitlines()[-1] == "Waiting to be posted: 2 notices, the oldest for 5 min."
    workspace.mention("status", channel=OTHER).acked()
    [text] = shop.wait_for_texts(1, OTHER)
    assert "Waiting" not in text


def test_notices_that_are_delayed_are_said_in_the_control_channel_once(
    make_shop: MakeShop, workspace: Workspace, tmp_path: Path
) -> None:
    wait_in_outbox(tmp_path, *(str(number) for number in range(3)), minutes=30, channel=Channel.OOPS)
    workspace.fail("chat.postMessage", "not_in_channel", channel=OOPS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mac_actors.fleet.health.DELAYED_SECONDS", 0.2)
        patch.setattr("mac_actors.fleet.watch.WATCH_SECONDS", 0.02)
        shop = make_shop()
        [text] = shop.wait_for_texts(1)
        assert re.search("oops channel .*delayed.*not_in_channel", text)
        tries = len(workspace.calls_to("chat.postMessage"))
        workspace.wait_for(lambda: len(workspace.calls_to("chat.postMessage")) >= tries + 4)
        workspace.mend()
        shop.drained()
    shop.say("help")
    assert len(shop.wait_for_texts(2)) == 2
    assert len(lines(shop.posts(OOPS))) == 3


def test_a_disk_that_fails_is_said_in_the_control_channel_once_though_it_fails(make_shop: MakeShop) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mac_actors.fleet.watch.WATCH_SECONDS", 0.02)
        shop, store = with_store(make_shop, RefusingStore)
        shop.drained()
        store.refuse()
        try:
            assert shop.http.post("/api/machine/oops/metal-mill").json == {"success": True, "durable": False}
            wait_until(lambda: shop.fleet.journal.error)  # on a busy computer even a refusal takes its time
            patch.setattr("mac_actors.fleet.health.SLOW_SECONDS", 0.3)
            [said] = shop.wait_for_texts(1)
            assert "disk is full" in said
            assert shop.http.post("/api/machine/oops/welder").status == 200
        finally:
            store.mend()
        shop.wait_for_texts(4)
        shop.drained()
    texts = shop.texts()
    assert sum("not taking changes" in text for text in texts) == 1
    assert sum("takes changes again" in text for text in texts) == 1
    assert sum("is oopsed" in text for text in texts) == 2
    assert len(texts) == 4
    assert len(shop.texts(OOPS)) == 2


def test_a_stop_while_slack_is_down_loses_nothing(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.down()
    serves(shop)
    shop.stop()
    workspace.up()
    again = make_shop()
    served(again, CONTROL)
    served(again, OOPS)


def test_a_stop_while_slack_takes_its_time_ends_and_loses_nothing(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.slow(60, "chat.postMessage")
    serves(shop)
    workspace.wait_for(lambda: len(workspace.calls_to("chat.postMessage")) >= 2)
    shop.stop()
    workspace.mend()
    again = make_shop()
    again.drained()
    assert set(map(first(again, CONTROL), lines(workspace.posts(CONTROL)))) == {0, 1, 2, 3}
    assert set(map(first(again, OOPS), lines(workspace.posts(OOPS)))) == {2, 3}


def test_a_stop_waits_for_the_post_under_way_so_that_it_is_there_once(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    workspace.slow(0.5, "chat.postMessage")
    assert shop.http.post("/api/machine/oops/metal-mill").status == 200
    workspace.wait_for(lambda: len(workspace.calls_to("chat.postMessage")) >= 2)
    shop.stop()
    workspace.mend()
    again = make_shop()
    again.settle()
    for channel in (CONTROL, OOPS):
        assert sum("is oopsed" in post.text for post in workspace.posts(channel)) == 1
