"""Threads: the end of an oops or lock is told below its beginning."""

from __future__ import annotations

import re

import pytest

from mac_actors.core.state import Status
from tests.slack.conftest import MakeShop
from tests.slack.shop import ADA_FOB, Shop
from tests.slack.standin.workspace import BOB, CONTROL, OOPS

from .notice import oops_notice


@pytest.mark.parametrize("command", ["oops", "lock"])
def test_the_end_of_an_oops_or_lock_is_in_the_thread_of_its_notice_and_in_the_channel(shop: Shop, command: str) -> None:
    shop.say(f"{command} Metal Mill")
    shop.say(f"{command} Table Saw")
    shop.say("clear Metal Mill")
    shop.say("clear Table Saw")
    shop.settle()
    for channel in (CONTROL, OOPS):
        mill, saw, no_mill, no_saw = shop.posts(channel)
        assert mill.thread_ts is saw.thread_ts is None
        assert (no_mill.thread_ts, no_mill.broadcast) == (mill.ts, True)
        assert (no_saw.thread_ts, no_saw.broadcast) == (saw.ts, True)


@pytest.mark.parametrize("commands", [("oops", "lock"), ("lock", "oops")])
def test_the_end_of_both_is_in_the_thread_of_the_older(shop: Shop, commands: tuple[str, str]) -> None:
    for command in commands:
        shop.say(f"{command} Metal Mill")
    shop.say("clear Metal Mill")
    shop.settle()
    for channel in (CONTROL, OOPS):
        older, newer, end = shop.posts(channel)
        assert (newer.thread_ts, newer.broadcast) == (older.ts, True)
        assert (end.thread_ts, end.broadcast) == (older.ts, True)


def test_each_oops_has_a_thread_of_its_own(shop: Shop) -> None:
    for _ in range(3):
        shop.say("oops Metal Mill")
        shop.say("clear Metal Mill")
    shop.settle()
    for channel in (CONTROL, OOPS):
        posts = shop.posts(channel)
        assert [post.thread_ts for post in posts[1::2]] == [post.ts for post in posts[::2]]


def test_the_end_of_one_of_two_is_in_the_thread_of_both(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    shop.say("lock Metal Mill")
    assert shop.http.delete("/api/machine/locked_out/metal-mill").status == 200
    shop.settle()
    for channel in (CONTROL, OOPS):
        oops, _lock, end = shop.posts(channel)
        assert (end.thread_ts, end.broadcast) == (oops.ts, True)


def test_an_incident_has_one_thread_that_survives_a_restart_and_ends_with_a_summary(make_shop: MakeShop) -> None:
    shop = make_shop()
    shop.say("oops Metal Mill: belt slips")
    shop.say("lock Metal Mill: new belt", user=BOB)
    shop.drained()
    first = {channel: shop.posts(channel)[0].ts for channel in (CONTROL, OOPS)}
    assert shop.http.delete("/api/machine/oops/metal-mill").status == 200
    shop.drained()
    shop.stop()
    shop = make_shop()
    shop.report("metal-mill")
    shop.report("metal-mill", ADA_FOB)  # refused
    shop.report("metal-mill")
    shop.say("clear Metal Mill: mended")
    shop.settle()
    refused, end = shop.posts(CONTROL)
    assert (refused.thread_ts, refused.broadcast) == (first[CONTROL], False)
    assert (end.thread_ts, end.broadcast) == (first[CONTROL], True)
    assert re.fullmatch(
        r"Metal Mill is no longer locked out, by ada, from Slack: mended\. "
        r"Out of use for \d+ s: locked out, by bob, from Slack: new belt\.",
        end.text,
    )
    [end] = shop.posts(OOPS)
    assert (end.thread_ts, end.broadcast) == (first[OOPS], True)
    assert re.search(r": mended\. Out of use for \d+ s: locked out: new belt\.$", end.text)
    shop.begin()
    shop.report("metal-mill", ADA_FOB)
    shop.settle()
    assert shop.posts(CONTROL)[0].thread_ts is None


def test_the_end_of_an_oops_by_its_button_is_in_its_thread(shop: Shop) -> None:
    notice = oops_notice(shop)
    shop.workspace.press("mac_clear", message=notice).acked()
    shop.wait_for_texts(1, OOPS)
    shop.settle()
    [end] = shop.posts(CONTROL)
    assert (end.thread_ts, end.broadcast) == (notice.ts, True)


def test_threads_outlive_the_server(make_shop: MakeShop) -> None:
    first = make_shop()
    first.say("oops Metal Mill")
    first.say("lock Metal Mill")
    first.drained()
    notices = {channel: first.posts(channel)[0].ts for channel in (CONTROL, OOPS)}
    first.stop()
    second = make_shop()
    second.say("clear Metal Mill", user=BOB)
    second.settle()
    for channel, ts in notices.items():
        [end] = second.posts(channel)
        assert (end.thread_ts, end.broadcast) == (ts, True)


def test_a_button_works_after_the_server_was_restarted(make_shop: MakeShop) -> None:
    notice = oops_notice(first := make_shop())
    first.stop()
    second = make_shop()
    second.workspace.press("mac_clear", message=notice, user=BOB).acked()
    second.wait_for_updates()
    second.settle()
    assert second.state("metal-mill").status is Status.IDLE
    assert second.texts(CONTROL) == ["Metal Mill is no longer oopsed, by bob, from Slack."]


def test_a_thread_whose_notice_was_deleted_is_no_obstacle(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    shop.drained()
    shop.begin()
    shop.workspace.fail("chat.postMessage", "thread_not_found", times=1, channel=OOPS)
    shop.say("clear Metal Mill")
    shop.settle()
    assert shop.texts(OOPS) == ["Metal Mill is no longer oopsed."]
    assert shop.texts(CONTROL) == ["Metal Mill is no longer oopsed, by ada, from Slack."]
