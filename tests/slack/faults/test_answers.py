"""Answers when Slack does not take them as they are given, and when the server makes a mistake."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mac_actors.slack import answers
from tests.fakes import wait_until
from tests.slack.shop import Shop
from tests.slack.standin import envelopes
from tests.slack.standin.socket_mode import Delivery
from tests.slack.standin.workspace import ADA, CONTROL, EVE, OOPS, OTHER

ELSEWHERE = answers.elsewhere_text("/oops-clear")


def test_a_response_url_that_asks_to_wait_is_answered_afterwards(shop: Shop) -> None:
    shop.workspace.rate_limit("response_url", retry_after=1)
    [answer] = shop.workspace.slash("/oops-clear", channel=OTHER).answered()
    assert answer.text == ELSEWHERE
    assert not shop.ephemerals()


@pytest.mark.parametrize("status", [404, 500])
def test_a_response_url_that_does_not_serve_is_done_without(shop: Shop, status: int) -> None:
    shop.workspace.http_error(status, None, "response_url")
    shop.workspace.slash("/oops-clear", channel=OTHER)
    [told] = shop.wait_for_ephemerals()
    assert (told.channel, told.user, told.text) == (OTHER, ADA, ELSEWHERE)


def test_an_answer_that_can_be_given_in_no_way_is_logged(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    shop.workspace.http_error(500, None, "response_url")
    shop.workspace.fail("chat.postEphemeral", "user_not_in_channel")
    shop.workspace.slash("/oops-clear", user=EVE, channel=OTHER)
    wait_until(lambda: "user_not_in_channel" in caplog.text)
    assert "Slack answered with status 500" in caplog.text


def slash(shop: Shop) -> Delivery:
    return shop.workspace.slash("/oops-clear")


def named(shop: Shop) -> Delivery:
    return shop.workspace.slash("/oops-clear", "Metal Mill")


def modal(shop: Shop) -> Delivery:
    values = {"machine": {"name": envelopes.chosen("metal-mill")}}
    return shop.workspace.submit_view(callback_id="mac_clear_modal", values=values)


def button(shop: Shop) -> Delivery:
    return shop.workspace.press("mac_clear", message=shop.posts(CONTROL)[0])


@pytest.mark.parametrize("use", [slash, named, modal, button])
def test_a_mistake_of_the_server_is_acknowledged_logged_and_said_to_whoever_asked(
    shop: Shop, use: Callable[[Shop], Delivery], caplog: pytest.LogCaptureFixture
) -> None:
    shop.say("oops Metal Mill")
    shop.drained()

    def mistake(*_: object) -> None:
        raise RuntimeError("a mistake")

    with pytest.MonkeyPatch.context() as patch:
        for what in ("snapshot", "snapshots", "find", "ask"):
            patch.setattr(shop.fleet, what, mistake)
        use(shop).acked()
        [told] = shop.wait_for_ephemerals()
    assert (told.channel, told.user, told.text) == (CONTROL, ADA, answers.MISTAKE)
    assert "RuntimeError: a mistake" in caplog.text
    assert shop.state("metal-mill").oops


def test_the_clear_of_an_oops_in_a_locked_thread_is_posted_without_it(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    shop.drained()
    for channel in (CONTROL, OOPS):
        shop.workspace.lock_thread(shop.posts(channel)[0])
    shop.say("clear Metal Mill")
    shop.drained()
    for channel in (CONTROL, OOPS):
        assert [post.thread_ts for post in shop.posts(channel)] == [None, None]
