"""Slack is down, slow, rate-limiting, wrongly set up: machines do not notice, nothing is lost or said twice."""

from __future__ import annotations

import logging
import re
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mac_actors.core.notices import Channel, Notice
from mac_actors.core.state import Status
from mac_actors.storage.records import Record
from mac_actors.storage.store import Store
from tests.fakes import PATIENCE, RefusingStore, wait_until

from .conftest import MakeShop
from .records import Post
from .shop import ADA_FOB, Shop
from .socket_mode import Drop
from .workspace import ADA, BOB, CONTROL, OOPS, OTHER, Workspace


def readyz(shop: Shop) -> dict[str, str]:
    """What /readyz notes; the server must be ready all the same."""
    reply = shop.http.get("/readyz")
    assert reply.status == 200, reply
    assert reply.json["ready"] is True
    notes: dict[str, str] = reply.json["notes"]
    return notes


def serves(shop: Shop) -> None:
    """Readers and admins are answered."""
    shop.report("metal-mill")
    assert shop.report("metal-mill", ADA_FOB)["relay"] is True
    assert shop.report("metal-mill")["relay"] is False
    assert shop.http.post("/api/machine/oops/welder", {"reason": "no gas"}).status == 200
    assert shop.http.post("/api/machine/clear/welder").status == 200


def served(shop: Shop, channel: str = CONTROL) -> None:
    """What :func:`serves` did is posted, once and in order."""
    control = ["logged in", "session ended", "is oopsed", "is no longer oopsed"]
    wanted = control if channel == CONTROL else control[2:]
    shop.workspace.wait_for(lambda: len(lines(shop.posts(channel))) >= len(wanted), PATIENCE)
    found = lines(shop.posts(channel))
    assert len(found) == len(wanted), found
    for line, part in zip(found, wanted, strict=True):
        assert part in line


def lines(posts: list[Post]) -> list[str]:
    return [line for post in posts for line in post.text.splitlines()]


def works(shop: Shop) -> None:
    """Commands are carried out."""
    shop.connected()
    shop.say("oops Table Saw")
    shop.say("clear Table Saw")
    assert shop.state("table-saw").status is Status.IDLE
    shop.workspace.wait_for(lambda: "Table Saw is no longer oopsed." in lines(shop.posts(OOPS)), PATIENCE)


# --- not there, or not as it must be ------------------------------------------------------------------


def test_the_server_works_while_slack_is_down_and_connects_by_itself_later(
    make_shop: MakeShop, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    workspace.down()
    shop = make_shop(wait=False)
    wait_until(lambda: "can't be reached" in readyz(shop).get("slack", ""))
    serves(shop)
    wait_until(lambda: "slack oops channel" in readyz(shop))
    workspace.up()
    served(shop, CONTROL)
    served(shop, OOPS)
    works(shop)
    shop.settle()
    wait_until(lambda: readyz(shop) == {})
    said = [r for r in caplog.records if "Slack is not connected" in r.getMessage()]
    assert len(said) == 1
    assert said[0].levelno == logging.ERROR


def test_a_wrong_bot_token_is_said_once_and_slack_connects_once_it_is_mended(
    make_shop: MakeShop, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop(wait=False, bot_token="xoxb-wrong")
    wait_until(lambda: "SLACK_BOT_TOKEN" in readyz(shop).get("slack", ""))
    serves(shop)
    tries = len(workspace.calls_to("auth.test"))
    workspace.wait_for(lambda: len(workspace.calls_to("auth.test")) >= tries + 4)
    wait_until(lambda: {"slack", "slack control channel", "slack oops channel"} <= set(readyz(shop)))
    said = [r.getMessage() for r in caplog.records if "Slack is not connected" in r.getMessage()]
    assert len(said) == 1
    waiting = [r.getMessage() for r in caplog.records if r.getMessage().startswith("notices for the")]
    assert len(waiting) == 2, waiting
    workspace.bot_token = "xoxb-wrong"
    served(shop, CONTROL)
    served(shop, OOPS)
    works(shop)
    shop.settle()
    wait_until(lambda: readyz(shop) == {})
    assert "xoxb-wrong" not in caplog.text


def test_a_wrong_app_token_is_said_notices_go_out_and_commands_work_once_it_is_mended(
    make_shop: MakeShop, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop(wait=False, app_token="xapp-wrong")
    wait_until(lambda: "SLACK_APP_TOKEN" in readyz(shop).get("slack", ""))
    serves(shop)
    served(shop, CONTROL)
    served(shop, OOPS)
    tries = len(workspace.calls_to("apps.connections.open"))
    workspace.wait_for(lambda: len(workspace.calls_to("apps.connections.open")) >= tries + 3)
    said = [r.getMessage() for r in caplog.records if "Slack is not connected" in r.getMessage()]
    assert len(said) == 1
    workspace.app_token = "xapp-wrong"
    works(shop)
    wait_until(lambda: readyz(shop) == {})
    assert "xapp-wrong" not in caplog.text


def test_a_channel_that_does_not_exist_holds_up_no_other_and_is_picked_up_once_it_does(
    make_shop: MakeShop, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop(wait=False, control_channel="C0WRONG")
    shop.connected()
    serves(shop)
    served(shop, OOPS)
    wait_until(lambda: "channel_not_found" in readyz(shop).get("slack control channel", ""))
    tries = len(workspace.calls_to("chat.postMessage"))
    workspace.wait_for(lambda: len(workspace.calls_to("chat.postMessage")) >= tries + 3)
    said = [r for r in caplog.records if "notices for the control channel wait" in r.getMessage()]
    assert len(said) == 1
    workspace.add_channel("C0WRONG", "mended", members=(workspace.bot_user_id, ADA, BOB))
    workspace.wait_for(lambda: len(lines(shop.posts("C0WRONG"))) == 4, PATIENCE)
    shop.drained()
    wait_until(lambda: "slack control channel" not in readyz(shop))
    assert len(lines(shop.posts("C0WRONG"))) == 4


def leave(workspace: Workspace, channel: str) -> None:
    workspace.channel(channel).members.remove(workspace.bot_user_id)


@pytest.mark.parametrize(("channel", "other"), [(CONTROL, OOPS), (OOPS, CONTROL)])
def test_a_channel_without_the_bot_is_picked_up_when_it_is_invited(
    make_shop: MakeShop, workspace: Workspace, channel: str, other: str
) -> None:
    leave(workspace, channel)
    shop = make_shop(wait=False)
    shop.connected()
    serves(shop)
    served(shop, other)
    name = "control" if channel == CONTROL else "oops"
    wait_until(lambda: "invite" in readyz(shop).get(f"slack {name} channel", ""))
    workspace.channel(channel).members.append(workspace.bot_user_id)
    served(shop, channel)
    wait_until(lambda: f"slack {name} channel" not in readyz(shop))


def test_a_channel_that_was_mended_is_no_longer_noted_in_readyz(make_shop: MakeShop, workspace: Workspace) -> None:
    leave(workspace, OOPS)
    shop = make_shop(wait=False)
    shop.connected()
    wait_until(lambda: "invite" in " ".join(readyz(shop).values()))
    workspace.channel(OOPS).members.append(workspace.bot_user_id)
    serves(shop)
    served(shop, OOPS)
    shop.drained()
    wait_until(lambda: readyz(shop) == {})


def test_a_channel_that_is_archived_while_the_server_runs_is_picked_up_when_it_is_back(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    workspace.channel(OOPS).archived = True
    serves(shop)
    served(shop, CONTROL)
    wait_until(lambda: "is_archived" in readyz(shop).get("slack oops channel", ""))
    workspace.channel(OOPS).archived = False
    served(shop, OOPS)
    wait_until(lambda: readyz(shop) == {})


# --- refusals that pass -------------------------------------------------------------------------------


def test_a_rate_limit_is_waited_out_and_nothing_is_posted_twice(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.rate_limit("chat.postMessage", retry_after=1, times=2)
    serves(shop)
    served(shop, CONTROL)
    served(shop, OOPS)
    shop.settle()
    served(shop, CONTROL)


@pytest.mark.parametrize("fault", ["page", "internal_error", "ratelimited"])
def test_an_answer_that_is_none_is_tried_again_and_nothing_is_posted_twice(
    make_shop: MakeShop, workspace: Workspace, fault: str
) -> None:
    shop = make_shop()
    if fault == "page":
        workspace.http_error(503, 4, "chat.postMessage")
    else:
        workspace.fail("chat.postMessage", fault, 4)
    serves(shop)
    served(shop, CONTROL)
    served(shop, OOPS)
    shop.settle()
    served(shop, CONTROL)


def test_an_answer_that_was_cut_may_repeat_a_post_and_loses_none(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.cut_answers("chat.postMessage", times=2)
    serves(shop)
    shop.drained()
    workspace.mend()
    for channel, count in ((CONTROL, 4), (OOPS, 2)):
        found = Counter(lines(shop.posts(channel)))
        assert len(found) == count, found
        assert sum(found.values()) <= count + 2
        assert list(dict.fromkeys(lines(shop.posts(channel)))) == sorted(found, key=first(shop, channel))
    assert sum(len(shop.posts(channel)) for channel in (CONTROL, OOPS)) == 8


def first(shop: Shop, channel: str) -> Any:
    order = ["logged in", "session ended", "is oopsed", "no longer oopsed"]
    return lambda line: next(number for number, part in enumerate(order) if part in line)


@pytest.mark.parametrize("error", ["invalid_blocks", "msg_too_long"])
def test_a_notice_that_slack_does_not_take_as_it_is_is_posted_more_plainly(
    make_shop: MakeShop, workspace: Workspace, error: str
) -> None:
    shop = make_shop()
    workspace.fail("chat.postMessage", error, 1, CONTROL)
    serves(shop)
    served(shop, CONTROL)
    served(shop, OOPS)


def test_an_answer_that_slack_does_not_take_is_no_obstacle_to_the_next_command(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    workspace.fail("chat.postMessage", "internal_error", 1)
    workspace.fail("chat.postEphemeral", "internal_error", 1)
    workspace.mention("help", channel=OTHER).acked()
    shop.say("status")
    works(shop)


# --- slow ---------------------------------------------------------------------------------------------


def test_readers_and_admins_are_answered_while_slack_takes_its_time(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.slow(60, "chat.postMessage")
    assert shop.http.post("/api/machine/oops/co2-laser").status == 200
    workspace.wait_for(lambda: len(workspace.calls_to("chat.postMessage")) >= 2)
    serves(shop)
    assert readyz(shop) == {}
    assert workspace.mention("lock Table Saw").acked().took < 3
    assert workspace.mention("status").acked().took < 3
    wait_until(lambda: shop.state("table-saw").lock)
    assert not shop.posts()
    workspace.mend()
    shop.drained()
    shop.workspace.wait_for(lambda: any("Server up" in line for line in lines(shop.posts(CONTROL))))
    found = Counter(lines(shop.posts(OOPS)))
    assert set(found.values()) == {1}, found
    assert len(found) == 4


def test_commands_are_acknowledged_in_time_while_slack_takes_its_time_with_many_answers(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    workspace.slow(60, "chat.postMessage")
    deliveries = [workspace.mention("status") for _ in range(10)]
    for delivery in deliveries:
        assert delivery.acked().took < 3
    workspace.wait_for(lambda: len(workspace.calls_to("chat.postMessage")) >= 10)
    assert workspace.slash("/oops-clear", "Metal Mill").acked().took < 3
    assert workspace.mention("lock Metal Mill").acked().took < 3
    wait_until(lambda: shop.state("metal-mill").lock)
    workspace.mend()
    shop.drained()
    workspace.wait_for(lambda: len(workspace.posts(CONTROL)) == 11)


def test_a_call_that_was_given_up_is_made_again_and_nothing_is_lost(
    make_shop: MakeShop, workspace: Workspace, quick: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mac_actors.slack.gateway.TIMEOUT_SECONDS", 1)
        shop = make_shop()
    workspace.slow(60, "chat.postMessage")
    serves(shop)
    wait_until(lambda: {"slack control channel", "slack oops channel"} <= set(readyz(shop)))
    workspace.mend()
    served(shop, CONTROL)
    served(shop, OOPS)
    wait_until(lambda: readyz(shop) == {})


# --- sockets that break -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["reset", "fin", "close"])
def test_commands_work_again_after_the_socket_was_dropped(make_shop: MakeShop, workspace: Workspace, how: Drop) -> None:
    shop = make_shop()
    for number in (2, 3):
        workspace.drop_socket(how)
        workspace.wait_connected(number, PATIENCE)
        works(shop)


def test_commands_work_again_after_the_socket_fell_silent(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.silence_socket()
    workspace.wait_connected(2, 30)
    works(shop)


def test_commands_work_while_slack_asks_for_a_new_socket(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.refresh_socket()
    works(shop)
    workspace.wait_connected(2, PATIENCE)
    works(shop)


def test_a_socket_that_cannot_be_made_again_at_once_is_noted_and_made_later(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    workspace.refuse_sockets()
    workspace.drop_socket()
    wait_until(lambda: "slack" in readyz(shop))
    tries = len(workspace.calls_to("apps.connections.open"))
    workspace.wait_for(lambda: len(workspace.calls_to("apps.connections.open")) >= tries + 2, PATIENCE)
    serves(shop)
    served(shop, CONTROL)
    workspace.refuse_sockets(False)
    works(shop)
    wait_until(lambda: readyz(shop) == {})


def test_an_event_that_waited_for_a_socket_is_carried_out(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.refuse_sockets()
    workspace.drop_socket()
    lost = workspace.mention("oops Metal Mill", queued=False)
    assert lost.sent_at is None
    workspace.refuse_sockets(False)
    workspace.wait_connected(2, PATIENCE)
    workspace.redeliver(lost, attempt=1, reason="socket_mode_connection_error").acked(PATIENCE)
    wait_until(lambda: shop.state("metal-mill").oops)


# --- outages ------------------------------------------------------------------------------------------


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
        assert bool(oops.blocks) is (channel == CONTROL)
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
    old = wait_in_outbox(tmp_path, "the mill <stops>", minutes=90)
    wait_in_outbox(tmp_path, "the mill runs", minutes=0.5)
    shop = make_shop()
    shop.drained()
    texts = [post.text for post in shop.workspace.posts(CONTROL)]
    assert texts == [f"[{old.astimezone():%Y-%m-%d %H:%M}] the mill &lt;stops&gt;", "the mill runs"]


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
    assert len(shop.texts()) == 2
    assert len(lines(shop.posts(OOPS))) == 3


def test_a_disk_that_fails_is_said_in_the_control_channel_once_though_it_fails(make_shop: MakeShop) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mac_actors.fleet.health.SLOW_SECONDS", 0.3)
        patch.setattr("mac_actors.fleet.watch.WATCH_SECONDS", 0.02)
        patch.setattr("mac_actors.service.service.Store", RefusingStore)
        shop = make_shop()
        store = shop.fleet.store
        assert isinstance(store, RefusingStore)
        store.refuse()
        try:
            assert shop.http.post("/api/machine/oops/metal-mill").json == {"success": True, "durable": False}
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
