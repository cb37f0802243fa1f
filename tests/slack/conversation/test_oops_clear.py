"""The slash command /oops-clear, and its menu."""

from __future__ import annotations

import pytest

from mac_actors.core.state import Status
from tests.slack.shop import Shop
from tests.slack.standin import envelopes
from tests.slack.standin.workspace import ADA, BOB, CONTROL, EVE, OOPS, OTHER


def test_oops_clear_with_a_name_clears_like_the_command(shop: Shop) -> None:
    shop.say("oops Metal Mill: belt")
    shop.say("lock Metal Mill")
    shop.drained()
    shop.begin()
    shop.workspace.slash("/oops-clear", " “metal  mill”: mended ", user=BOB).acked()
    shop.wait_for_texts(1, OOPS)
    shop.settle()
    assert shop.state("metal-mill").status is Status.IDLE
    assert shop.texts(CONTROL) == ["Metal Mill is no longer oopsed and locked out, by bob, from Slack: mended."]
    assert not shop.ephemerals()
    assert not shop.answers()


def test_oops_clear_of_a_machine_that_is_fine_is_answered_to_the_asker(shop: Shop) -> None:
    shop.workspace.slash("/oops-clear", "Metal Mill").acked()
    [told] = shop.wait_for_ephemerals()
    assert told.text == "Metal Mill is neither oopsed nor locked out: nothing was changed."
    shop.settle()
    assert not shop.posts()


def test_oops_clear_of_a_name_that_fits_none_is_answered_with_the_nearest(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    shop.drained()
    shop.begin()
    shop.workspace.slash("/oops-clear", "Metal Mil").acked()
    [told] = shop.wait_for_ephemerals()
    shop.settle()
    assert told.text.startswith("There is no machine called Metal Mil. Did you mean ")
    assert told.user == ADA
    assert shop.state("metal-mill").oops
    assert not shop.posts()


@pytest.mark.parametrize("text", ["", "   "])
def test_oops_clear_without_a_name_and_nothing_to_clear_is_an_ephemeral_answer(shop: Shop, text: str) -> None:
    delivery = shop.workspace.slash("/oops-clear", text)
    delivery.acked()
    [answer] = delivery.answered()
    assert answer.text == "No machine is oopsed or locked out."
    assert not answer.in_channel
    assert not shop.workspace.views


@pytest.mark.parametrize("channel", [OOPS, OTHER])
@pytest.mark.parametrize("text", ["", "Metal Mill"])
def test_oops_clear_elsewhere_is_refused_to_the_asker_alone(shop: Shop, text: str, channel: str) -> None:
    shop.say("oops Metal Mill: belt")
    shop.drained()
    shop.begin()
    views = len(shop.workspace.views)
    delivery = shop.workspace.slash("/oops-clear", text, user=EVE, channel=channel)
    delivery.acked()
    [answer] = delivery.answered()
    shop.settle()
    assert "control channel" in answer.text
    assert "Metal Mill" not in answer.text
    assert not answer.in_channel
    assert shop.state("metal-mill").oops
    assert not shop.posts()
    assert len(shop.workspace.views) == views


def test_oops_clear_in_a_channel_without_the_bot_is_refused_too(shop: Shop) -> None:
    shop.workspace.add_channel("C0ALIEN", "alien", members=(EVE,))
    delivery = shop.workspace.slash("/oops-clear", "Metal Mill", user=EVE, channel="C0ALIEN")
    delivery.acked()
    [answer] = delivery.answered()
    assert "control channel" in answer.text


def test_oops_clear_without_a_name_opens_a_menu_of_what_can_be_cleared(shop: Shop) -> None:
    shop.say("oops MIG Welder: Bay 2: no gas")
    shop.say("lock Table Saw")
    shop.drained()
    shop.begin()
    views = len(shop.workspace.views)
    shop.workspace.slash("/oops-clear", user=BOB).acked()
    view = shop.workspace.wait_for_views(views + 1)[-1]
    assert view.user == BOB
    options = view.view["blocks"][0]["element"]["options"]
    assert [o["value"] for o in options] == ["table-saw", "welder"]
    assert [o["text"]["text"].partition(" for ")[0] for o in options] == [
        "Table Saw: LOCKED OUT",
        "MIG Welder: Bay 2: OOPSED",
    ]
    shop.workspace.submit_view(view, values={"machine": {"name": envelopes.chosen("welder")}}).acked()
    shop.wait_for_texts(1, OOPS)
    shop.settle()
    assert shop.texts(CONTROL) == ["MIG Welder: Bay 2 is no longer oopsed, by bob, from Slack."]
    assert shop.state("welder").status is Status.IDLE
    assert shop.state("table-saw").lock
    assert not shop.ephemerals()


def test_a_menu_that_is_submitted_too_late_says_that_nothing_was_changed(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    views = len(shop.workspace.views)
    shop.workspace.slash("/oops-clear").acked()
    view = shop.workspace.wait_for_views(views + 1)[-1]
    shop.say("clear Metal Mill", user=BOB)
    shop.drained()
    shop.begin()
    shop.workspace.submit_view(view, values={"machine": {"name": envelopes.chosen("metal-mill")}}).acked()
    [told] = shop.wait_for_ephemerals()
    shop.settle()
    assert "nothing was changed" in told.text
    assert not shop.posts()


def test_a_menu_that_slack_does_not_open_is_answered_with_another_way(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    shop.workspace.fail("views.open", "expired_trigger_id")
    delivery = shop.workspace.slash("/oops-clear")
    delivery.acked()
    [answer] = delivery.answered()
    assert "/oops-clear NAME" in answer.text
