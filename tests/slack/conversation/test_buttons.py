"""The buttons of an oops notice."""

from __future__ import annotations

import pytest

from mac_actors.core.state import Status
from tests.slack.shop import Shop
from tests.slack.standin.checks import elements
from tests.slack.standin.records import Post
from tests.slack.standin.workspace import ADA, BOB, CONTROL, EVE, OOPS, OTHER
from tests.slack.troubles import held

from .notice import buttons, oops_notice, shown_text


def test_notices_of_oops_and_lock_alone_have_buttons_in_the_oops_channel_one_for_everybody(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    shop.say("lock Metal Mill")
    shop.say("clear Metal Mill")
    shop.settle()
    oops, lock, clear = shop.posts(CONTROL)
    assert [element["text"]["text"] for _, element in elements(oops.blocks)] == ["Clear", "Lock out", "Add details"]
    assert [element["text"]["text"] for _, element in elements(lock.blocks)] == ["Clear", "Unlock", "Add details"]
    assert not clear.blocks
    *noticed, over = shop.posts(OOPS)
    assert [[e["text"]["text"] for _, e in elements(post.blocks)] for post in noticed] == [["Add details"]] * 2
    assert not over.blocks


def test_the_unlock_button_lifts_the_lock_out_alone(shop: Shop) -> None:
    shop.say("oops Metal Mill: belt slips")
    shop.say("lock Metal Mill: new belt")
    shop.drained()
    lock = shop.posts(CONTROL)[1]
    shop.begin()
    shop.workspace.press("mac_unlock", message=lock, user=BOB).acked()
    shop.wait_for_updates(2)
    shop.settle()
    assert shop.state("metal-mill").status is Status.OOPSED
    assert shop.texts(CONTROL) == ["Metal Mill is no longer locked out, by bob, from Slack. It is still oopsed."]
    assert shown_text(shop, lock).splitlines()[1].startswith("Cleared by bob after ")
    assert buttons(shop, lock) == []
    shop.workspace.press("mac_unlock", message=lock, user=ADA).acked()
    [told] = shop.wait_for_ephemerals()
    assert told.text.startswith("This lock-out is over already: nothing was changed. Cleared by bob after ")
    assert shop.workspace.calls_to("chat.postEphemeral")[-1].params["thread_ts"] == lock.thread_ts
    assert shop.state("metal-mill").status is Status.OOPSED


def test_the_clear_button_clears_and_the_notice_shows_by_whom(shop: Shop) -> None:
    notice = oops_notice(shop)
    shop.workspace.press("mac_clear", message=notice, user=BOB).acked()
    shop.wait_for_updates(2)
    shop.settle()
    assert shop.state("metal-mill").status is Status.IDLE
    assert shop.texts(CONTROL) == ["Metal Mill is no longer oopsed, by bob, from Slack."]
    assert shop.texts(OOPS) == ["Metal Mill is no longer oopsed."]
    assert sorted(update.channel for update in shop.updates()) == [CONTROL, OOPS]
    assert shown_text(shop, notice).startswith(
        "Metal Mill is oopsed, by ada, from Slack: belt slips.\nCleared by bob after "
    )
    assert buttons(shop, notice) == []
    assert not shop.ephemerals()


def test_the_lock_out_button_locks_and_leaves_the_clear_button(shop: Shop) -> None:
    notice = oops_notice(shop)
    shop.workspace.press("mac_lock", message=notice, user=BOB).acked()
    shop.wait_for_updates(2)
    shop.settle()
    assert shop.state("metal-mill").status is Status.OOPSED_LOCKED_OUT
    assert shop.texts(CONTROL) == ["Metal Mill is locked out for maintenance, by bob, from Slack."]
    assert shown_text(shop, notice).endswith("\nLocked out by bob.")
    assert buttons(shop, notice) == ["Clear", "Add details"]
    shop.begin()
    shop.workspace.press("mac_clear", message=shop.workspace.message(CONTROL, notice.ts), user=ADA).acked()
    shop.wait_for_updates(4)
    shop.settle()
    assert shop.state("metal-mill").status is Status.IDLE
    assert shop.texts(CONTROL) == ["Metal Mill is no longer oopsed and locked out, by ada, from Slack."]
    assert buttons(shop, notice) == []
    assert "Cleared by ada after" in shown_text(shop, notice)


@pytest.mark.parametrize("action", ["mac_clear", "mac_lock"])
def test_the_button_of_an_old_notice_does_nothing_to_a_newer_oops(shop: Shop, action: str) -> None:
    old = oops_notice(shop)
    shop.say("clear Metal Mill")
    new = oops_notice(shop)
    assert new.ts != old.ts
    shop.workspace.press(action, message=old, user=BOB).acked()
    [told] = shop.wait_for_ephemerals()
    shop.settle()
    assert told.user == BOB
    assert "nothing was changed" in told.text
    assert shop.state("metal-mill").status is Status.OOPSED
    assert not shop.posts()
    assert buttons(shop, old) == []
    assert buttons(shop, new) == ["Clear", "Lock out", "Add details"]


def test_two_who_press_clear_at_once_clear_once_and_the_notice_shows_who_did(shop: Shop) -> None:
    notice = oops_notice(shop)
    shop.workspace.press("mac_clear", message=notice, user=BOB).acked()
    shop.wait_for_updates(1)
    shop.workspace.press("mac_clear", message=notice, user=ADA).acked()
    shop.wait_for_ephemerals()
    shop.settle()
    assert shop.texts(CONTROL) == ["Metal Mill is no longer oopsed, by bob, from Slack."]
    assert "Cleared by bob after" in shown_text(shop, notice)


def test_two_who_press_clear_at_the_same_moment_clear_once_and_the_second_is_told_who_did(shop: Shop) -> None:
    notice = oops_notice(shop)
    presses = [shop.workspace.press("mac_clear", message=notice, user=user) for user in (ADA, BOB)]
    for pressed in presses:
        pressed.acked()
    [told] = shop.wait_for_ephemerals()
    shop.wait_for_updates(2)
    shop.settle()
    assert len(shop.texts(CONTROL)) == len(shop.texts(OOPS)) == 1
    first = {ADA: "bob", BOB: "ada"}[told.user]
    assert told.text.startswith(f"This oops is over already: nothing was changed. Cleared by {first} after ")
    assert f"Cleared by {first} after " in shown_text(shop, notice)


def test_a_press_that_changes_nothing_is_not_shown_as_done_by_whoever_pressed(shop: Shop) -> None:
    notice = oops_notice(shop)
    shop.say("lock Metal Mill", user=ADA)
    shop.workspace.press("mac_lock", message=notice, user=BOB).acked()
    [told] = shop.wait_for_ephemerals()
    shop.settle()
    assert told.text == "Metal Mill is locked out already: nothing was changed."
    assert "Locked out by bob" not in shown_text(shop, notice)


def test_a_press_that_is_not_answered_by_the_machine_is_not_shown_as_done(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = oops_notice(shop, "Table Saw")
    with held(monkeypatch, "table-saw"):
        shop.workspace.press("mac_lock", message=notice, user=BOB).acked()
        [told] = shop.wait_for_ephemerals()
    assert told.user == BOB
    assert "try again" in told.text
    assert "Locked out by bob" not in shown_text(shop, notice)


def test_a_button_pressed_from_another_channel_does_nothing(shop: Shop) -> None:
    notice = oops_notice(shop)
    forged = Post(OTHER, notice.ts, notice.text, notice.blocks, None, False, notice.at, {})
    shop.workspace.press("mac_clear", message=forged, user=EVE).acked()
    shop.workspace.press("mac_lock", message=forged, user=EVE).acked()
    shop.settle()
    assert shop.state("metal-mill").status is Status.OOPSED
    assert not shop.posts()
    assert not shop.updates()


@pytest.mark.parametrize("action", ["mac_clear", "mac_lock"])
def test_a_button_pressed_by_somebody_who_is_no_member_is_refused(shop: Shop, action: str) -> None:
    notice = oops_notice(shop)
    pressed = shop.workspace.press(action, message=notice, user=EVE)
    pressed.acked()
    [answer] = pressed.answered()
    assert answer.text == "Only members of the control channel may do this: nothing was changed."
    assert not answer.in_channel
    shop.settle()
    assert shop.state("metal-mill").status is Status.OOPSED
    assert not shop.posts()
    assert not shop.updates()


def test_a_button_pressed_by_a_deactivated_user_does_nothing(shop: Shop) -> None:
    shop.workspace.add_user("U0FIRED", "fired", "Fired", deleted=True)
    shop.workspace.channel(CONTROL).members.append("U0FIRED")
    notice = oops_notice(shop)
    shop.workspace.press("mac_clear", message=notice, user="U0FIRED").acked()
    shop.settle()
    assert shop.state("metal-mill").oops
    assert not shop.updates()


@pytest.mark.parametrize("value", ["", "x", "metal-mill", "metal-mill oops ", "nothing oops 2026", "metal-mill lock x"])
def test_a_button_with_a_forged_value_changes_nothing(shop: Shop, value: str) -> None:
    notice = oops_notice(shop)
    shop.workspace.press("mac_clear", message=notice, value=value).acked()
    shop.settle()
    assert shop.state("metal-mill").status is Status.OOPSED
    assert not shop.posts()
