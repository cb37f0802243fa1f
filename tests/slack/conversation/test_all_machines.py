"""``lock all`` and ``clear all``, and the button that confirms them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mac_actors.core.state import Status
from tests.slack.conftest import MakeShop
from tests.slack.shop import ADA_FOB, Shop
from tests.slack.standin.checks import elements
from tests.slack.standin.records import Post
from tests.slack.standin.workspace import ADA, BOB, CONTROL, EVE, OOPS, Workspace


def question(shop: Shop, text: str) -> Post:
    """The post that asks whether it is meant."""
    shop.say(text)
    shop.wait_for_texts(1)
    post = shop.posts(CONTROL)[-1]
    shop.drained()
    return post


def answered(shop: Shop, post: Post) -> list[str]:
    """What that post says once it was answered."""
    shop.workspace.wait_for(lambda: not elements(shop.workspace.message(CONTROL, post.ts).blocks))
    return shop.workspace.message(CONTROL, post.ts).text.splitlines()


def test_all_machines_are_locked_once_somebody_has_confirmed_it(shop: Shop) -> None:
    shop.say("lock Table Saw")
    shop.report("metal-mill", ADA_FOB)
    shop.drained()
    shop.begin()
    asked = question(shop, "lock all: wet &lt;floor&gt;")
    others = len(shop.fleet) - 1
    assert asked.text.startswith(f"Lock {others} machines (Metal Mill, Wood Lathe, CO2 Laser, ")
    assert asked.text.endswith(
        "out for maintenance? Sessions that run end at once. Reason: wet &lt;floor&gt;. "
        "Wanted by ada; this can be confirmed for ten minutes."
    )
    assert [element["text"]["text"] for _, element in elements(asked.blocks)] == [
        f"Lock out {others} machines",
        "Cancel",
    ]
    assert shop.state("metal-mill").status is Status.IN_USE
    shop.workspace.press("mac_all", message=asked, user=BOB).acked()
    confirmed, locked = answered(shop, asked)
    assert confirmed == "Confirmed by bob."
    assert locked.startswith(f"Locked out: {others} machines (Metal Mill, ")
    shop.settle()
    assert {machine.status for machine in shop.fleet.snapshots()} == {Status.LOCKED_OUT}
    for channel in (CONTROL, OOPS):
        assert len([text for text in shop.texts(channel) if "is locked out for maintenance" in text]) == others
    shop.report("metal-mill")
    shop.begin()
    asked = question(shop, "clear all: dry again")
    assert asked.text.startswith(f"Lift oops and lock-out of {others + 1} machines (")
    shop.workspace.press("mac_all", message=asked, user=ADA).acked()
    assert answered(shop, asked)[1].startswith(f"Cleared: {others + 1} machines (")
    assert {machine.status for machine in shop.fleet.snapshots()} == {Status.IDLE}
    shop.settle()
    cleared = [
        text for text in shop.texts(CONTROL) if "is no longer locked out, by ada, from Slack: dry again." in text
    ]
    assert len(cleared) == others + 1


def test_two_who_press_at_once_do_it_once_and_both_see_who(shop: Shop) -> None:
    asked = question(shop, "lock all when free")
    shop.workspace.slow(60.0, "conversations.members")
    for press in [shop.workspace.press("mac_all", message=asked, user=user) for user in (ADA, BOB)]:
        press.acked()
    shop.workspace.slow(0, "conversations.members")
    [told] = shop.wait_for_ephemerals()
    first = "bob" if told.user == ADA else "ada"
    assert told.text == f"{first} has pressed a button of this already: it is done once."
    assert answered(shop, asked)[0] == f"Confirmed by {first}."
    shop.settle()
    assert len([text for text in shop.texts(CONTROL) if "is locked out" in text]) == len(shop.fleet)


def test_it_can_be_cancelled(shop: Shop) -> None:
    asked = question(shop, "lock all")
    shop.workspace.press("mac_all_cancel", message=asked, user=BOB).acked()
    assert answered(shop, asked) == ["Cancelled by bob: nothing was changed."]
    shop.workspace.press("mac_all", message=asked, user=ADA).acked()
    assert shop.wait_for_ephemerals()[0].text == "bob has pressed a button of this already: it is done once."
    assert {machine.status for machine in shop.fleet.snapshots()} == {Status.IDLE}


def test_who_is_no_member_of_the_control_channel_confirms_nothing(shop: Shop) -> None:
    asked = question(shop, "lock all")
    shop.workspace.press("mac_all", message=asked, user=EVE).acked()
    shop.settle()
    assert {machine.status for machine in shop.fleet.snapshots()} == {Status.IDLE}
    assert elements(shop.workspace.message(CONTROL, asked.ts).blocks)


def test_a_late_yes_changes_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mac_actors.slack.bulk.EXPIRES_AFTER", timedelta(0))
    asked = question(shop, "lock all")
    shop.workspace.press("mac_all", message=asked, user=BOB).acked()
    assert answered(shop, asked)[0].startswith("This was not confirmed within ten minutes: nothing was changed.")
    assert {machine.status for machine in shop.fleet.snapshots()} == {Status.IDLE}


def test_what_was_set_after_the_question_stays(shop: Shop) -> None:
    shop.say("oops Table Saw")
    shop.drained()
    shop.begin()
    asked = question(shop, "clear all")
    shop.say("oops Metal Mill: smoke")
    shop.drained()
    shop.workspace.press("mac_all", message=asked, user=BOB).acked()
    lines = answered(shop, asked)
    assert "Cleared: 1 machine (Table Saw)." in lines
    assert "NOT cleared, for an oops or lock-out was set after the question: 1 machine (Metal Mill)." in lines
    assert shop.state("metal-mill").status is Status.OOPSED


def test_nothing_to_do_is_said(shop: Shop) -> None:
    shop.say("clear all")
    assert shop.wait_for_texts(1) == ["No machine is oopsed or locked out."]


def test_after_a_restart_it_can_still_be_confirmed_and_only_once(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    asked = question(shop, "lock all")
    shop.stop()
    shop = make_shop()
    workspace.press("mac_all", message=asked, user=BOB).acked()
    assert answered(shop, asked)[0] == "Confirmed by bob."
    shop.settle()
    shop.stop()
    shop = make_shop()
    workspace.press("mac_all", message=asked, user=ADA).acked()
    [told] = shop.wait_for_ephemerals()
    assert told.text == "Somebody has pressed a button of this already: it is done once."
