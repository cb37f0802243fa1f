"""Slack refuses for a while, or takes its time."""

from __future__ import annotations

from collections import Counter

import pytest

from mac_actors.slack.connection import ANSWERING
from tests.fakes import wait_until
from tests.slack.conftest import MakeShop
from tests.slack.standin.workspace import CONTROL, OOPS, OTHER, Workspace

from .serving import first, lines, readyz, served, serves, works


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


def test_readers_and_admins_are_answered_while_slack_takes_its_time(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    limit = shop.ack_limit()
    workspace.slow(60, "chat.postMessage")
    assert shop.http.post("/api/machine/oops/co2-laser").status == 200
    workspace.wait_for(lambda: len(workspace.calls_to("chat.postMessage")) >= 2)
    serves(shop)
    assert readyz(shop) == {}
    assert workspace.mention("lock Table Saw").acked().took < limit
    assert workspace.mention("status").acked().took < limit
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
    limit = shop.ack_limit()
    workspace.slow(60, "chat.postMessage")
    deliveries = [workspace.mention("status") for _ in range(10)]
    for delivery in deliveries:
        assert delivery.acked().took < limit
    workspace.wait_for(lambda: len(workspace.calls_to("chat.postMessage")) >= ANSWERING)
    assert workspace.slash("/oops-clear", "Metal Mill").acked().took < limit
    assert workspace.mention("lock Metal Mill").acked().took < limit
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
