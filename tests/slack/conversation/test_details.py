"""What is wrong, said after the stop by whoever knows: in a form, for the notice of an oops or a lock-out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mac_actors.core.state import Severity
from mac_actors.slack.notices import DETAILS_VIEW
from tests.slack.conftest import MakeShop
from tests.slack.shop import Shop
from tests.slack.standin.records import Post, View
from tests.slack.standin.workspace import ADA, BOB, CONTROL, EVE, OOPS, Workspace

from .notice import buttons, oops_notice, shown_text


def public(shop: Shop, notice: Post) -> Post:
    """The notice in the oops channel that belongs to one in the control channel."""
    return [post for post in shop.workspace.posts(OOPS) if post.blocks][-1]


def open_form(shop: Shop, notice: Post, user: str = EVE) -> View:
    before = len(shop.workspace.views)
    shop.workspace.press("mac_details", message=notice, user=user).acked()
    return shop.workspace.wait_for_views(before + 1)[-1]


def filled(text: str, severity: Severity = Severity.WITH_CARE) -> dict[str, Any]:
    return {
        "text": {"value": {"type": "plain_text_input", "value": text}},
        "severity": {"value": {"type": "radio_buttons", "selected_option": {"value": severity.value}}},
    }


def add(shop: Shop, notice: Post, text: str, severity: Severity = Severity.WITH_CARE, user: str = EVE) -> None:
    form = open_form(shop, notice, user)
    shop.workspace.submit_view(form, values=filled(text, severity)).acked()


def test_everybody_can_say_what_is_wrong_and_it_is_in_the_thread_and_in_the_notices(shop: Shop) -> None:
    notice = oops_notice(shop)
    seen = public(shop, notice)
    add(shop, seen, "bearing is\nloud & <hot>")
    shop.wait_for_updates(2)
    shop.settle()
    assert shop.texts(CONTROL) == [
        "Metal Mill: details, by eve, from Slack: bearing is loud &amp; &lt;hot&gt;. Usable with care."
    ]
    assert shop.texts(OOPS) == ["Metal Mill: details: bearing is loud &amp; &lt;hot&gt;. Usable with care."]
    assert {post.thread_ts for post in shop.posts()} == {notice.ts, seen.ts}
    assert not any(post.broadcast for post in shop.posts())
    assert shown_text(shop, notice) == (
        "Metal Mill is oopsed, by ada, from Slack: belt slips.\nUsable with care, by eve: bearing is loud & <hot>."
    )
    assert shown_text(shop, seen) == "Metal Mill is oopsed: belt slips.\nUsable with care: bearing is loud & <hot>."
    assert buttons(shop, notice) == ["Clear", "Lock out", "Add details"]
    assert buttons(shop, seen) == ["Add details"]
    assert not shop.ephemerals()
    machine = shop.state("metal-mill")
    assert machine.oops
    assert machine.details
    assert machine.details.by == "eve"
    [event] = shop.http.get("/api/machines/metal-mill/events?kind=details").json["events"]
    assert (event["by"], event["source"], event["reason"]) == (None, "slack", "bearing is loud & <hot>")
    shown = shop.http.get("/api/machines/metal-mill").json["details"]
    assert (shown["severity"], shown["reason"], shown["by"]) == ("usable with care", "bearing is loud & <hot>", None)


def test_status_has_the_last_details_without_a_name_outside_of_the_control_channel(shop: Shop) -> None:
    notice = oops_notice(shop)
    add(shop, notice, "first", Severity.UNUSABLE, BOB)
    shop.wait_for_updates(2)
    add(shop, notice, "second", Severity.WITH_CARE, BOB)
    shop.wait_for_updates(4)
    shop.say("status Metal Mill", channel=CONTROL)
    shop.say("status Metal Mill", channel=OOPS)
    shop.settle()
    told = [post.text.splitlines()[0] for post in shop.posts() if "power is" in post.text]
    assert [text.partition("; ")[2] for text in told] == [
        "usable with care, by bob: second",
        "usable with care: second",
    ]
    assert len([text for text in shop.texts(CONTROL) if "details" in text]) == 2


def test_details_are_gone_with_the_incident(shop: Shop) -> None:
    notice = oops_notice(shop)
    add(shop, notice, "belt")
    shop.wait_for_updates(2)
    shop.say("clear Metal Mill")
    shop.wait_for_updates(4)
    assert "usable" not in shown_text(shop, notice).casefold()
    assert shop.state("metal-mill").details is None
    assert "details" not in shop.http.get("/api/machines/metal-mill").json


def test_details_and_a_lock_out_are_both_in_the_notice(shop: Shop) -> None:
    notice = oops_notice(shop)
    shop.workspace.press("mac_lock", message=notice, user=BOB).acked()
    shop.wait_for_updates(2)
    add(shop, public(shop, notice), "belt", Severity.UNUSABLE)  # at the notice of the lock-out
    shop.wait_for_updates(6)
    assert shown_text(shop, notice).splitlines()[1:] == ["Unusable, by eve: belt.", "Locked out by bob."]
    assert buttons(shop, notice) == ["Clear", "Add details"]
    shop.begin()
    lock = [post for post in shop.workspace.posts(CONTROL) if post.blocks][-1]
    shop.workspace.press("mac_unlock", message=shop.workspace.message(CONTROL, lock.ts), user=ADA).acked()
    shop.wait_for_updates(4)
    assert shown_text(shop, notice).splitlines()[1:] == ["Unusable, by eve: belt."]
    assert buttons(shop, notice) == ["Clear", "Lock out", "Add details"]


def test_a_form_that_was_left_empty_says_so_and_adds_nothing(shop: Shop) -> None:
    form = open_form(shop, oops_notice(shop))
    ack = shop.workspace.submit_view(form, values=filled(" \n\u200b ")).acked()
    assert ack.payload == {
        "response_action": "errors",
        "errors": {"text": "Say in a few words what is wrong."},
    }
    shop.settle()
    assert shop.state("metal-mill").details is None


def test_the_form_of_a_matter_that_is_over_is_not_opened_and_not_taken(shop: Shop) -> None:
    notice = oops_notice(shop)
    seen = public(shop, notice)
    form = open_form(shop, seen)
    shop.say("clear Metal Mill", user=BOB)
    shop.settle()
    shop.workspace.submit_view(form, values=filled("late")).acked()
    [told] = shop.wait_for_ephemerals()
    assert (told.channel, told.user) == (OOPS, EVE)
    assert told.text.startswith("This oops is over already: nothing was changed. Cleared after ")
    pressed = shop.workspace.press("mac_details", message=seen, user=EVE)
    assert [answer.text for answer in pressed.answered()] == [told.text]
    pressed = shop.workspace.press("mac_details", message=notice, user=ADA)
    assert "Cleared by bob after " in pressed.answered()[0].text, "in the control channel"
    assert shop.state("metal-mill").details is None


def test_a_form_that_cannot_be_opened_says_so(shop: Shop) -> None:
    notice = oops_notice(shop)
    shop.workspace.fail("views.open", "expired_trigger_id")
    [answer] = shop.workspace.press("mac_details", message=notice, user=BOB).answered()
    assert answer.text == "The form could not be opened. Press the button again."


@pytest.mark.parametrize("key", ["gone oops 2026-03-02T12:00:00+00:00", "x"])
def test_a_machine_that_is_gone_is_said(shop: Shop, key: str) -> None:
    notice = oops_notice(shop)
    pressed = shop.workspace.press("mac_details", message=notice, user=BOB, value=key)
    pressed.acked()
    if key != "x":
        assert pressed.answered()[0].text.startswith("There is no machine called gone.")
        where = json.dumps({"channel": OOPS, "thread": None, "key": key})
        shop.workspace.submit_view(
            callback_id=DETAILS_VIEW, private_metadata=where, values=filled("it"), user=EVE
        ).acked()
        assert shop.wait_for_ephemerals()[0].text.startswith("There is no machine called gone.")
    shop.settle()
    assert not shop.posts()


def test_who_was_deactivated_adds_nothing(shop: Shop) -> None:
    notice = oops_notice(shop)
    form = open_form(shop, notice)
    shop.workspace.add_user("U0GONE", "gone", "Gone", deleted=True)
    shop.workspace.submit_view(form, values=filled("it"), user="U0GONE").acked()
    shop.settle()
    assert shop.state("metal-mill").details is None


def test_details_given_while_slack_is_down_are_in_thread_and_notice_after_a_restart(
    make_shop: MakeShop, workspace: Workspace
) -> None:
    shop = make_shop()
    notice = oops_notice(shop)
    form = open_form(shop, notice)
    workspace.fail("chat.postMessage", "internal_error")
    workspace.fail("chat.update", "internal_error")
    workspace.submit_view(form, values=filled("it smells")).acked()
    workspace.wait_for(lambda: shop.state("metal-mill").details is not None)
    shop.stop()
    workspace.mend()
    again = make_shop()
    workspace.wait_for_updates(CONTROL)
    workspace.wait_for_updates(OOPS)
    again.settle()
    assert shown_text(again, notice).splitlines()[1] == "Usable with care, by eve: it smells."
    assert [post.thread_ts for post in workspace.posts(CONTROL) if "details" in post.text] == [notice.ts]
