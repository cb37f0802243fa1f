"""``notify me NAME``: one direct message, when the machine is free or cleared."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.fakes import wait_until
from tests.slack.conftest import MakeShop
from tests.slack.shop import ADA_FOB, Shop
from tests.slack.standin.workspace import ADA, BOB, CONTROL, EVE, OTHER, Workspace


def whispered(shop: Shop, n: int) -> str:
    return shop.wait_for_ephemerals(n)[n - 1].text


def test_who_asked_is_told_once_when_the_session_ends(shop: Shop) -> None:
    shop.report("metal-mill", ADA_FOB)
    shop.say("notify me Metal Mill", user=EVE, channel=OTHER)
    assert whispered(shop, 1) == (
        "You will get a direct message, once, when Metal Mill is free. To be told no longer: notify me off Metal Mill"
    )
    shop.say("Notify me `metal mill`.", user=EVE, channel=OTHER)
    assert whispered(shop, 2).startswith("You will be told when Metal Mill is free: you have asked for that already.")
    for fob in ("", ADA_FOB, ""):
        shop.report("metal-mill", fob)
    [text] = shop.told(EVE)
    assert text.startswith("Metal Mill: a member's session ended after ")
    assert text.endswith(" Metal Mill is free now.")
    shop.settle()
    assert len(shop.told(EVE)) == 1
    assert not shop.posts(OTHER)


def test_several_are_told_when_it_is_cleared_and_not_before(shop: Shop) -> None:
    shop.say("oops Metal Mill: belt slips")
    shop.say("lock Metal Mill")
    for user in (ADA, BOB):
        shop.say("notify me Metal Mill", user=user)
    shop.fleet["metal-mill"].unoops().get(timeout=20)
    shop.drained()
    assert not shop.posts("D0ADA")
    shop.say("clear Metal Mill: new belt")
    for user in (ADA, BOB):
        assert shop.told(user) == ["Metal Mill is no longer locked out: new belt. Metal Mill is free now."]


def test_what_is_free_is_said_at_once_and_off_forgets(shop: Shop) -> None:
    shop.say("notify me Metal Mill", user=BOB)
    assert whispered(shop, 1) == "Metal Mill is free now."
    shop.say("notify me off Metal Mill", user=BOB)
    assert whispered(shop, 2) == "You have not asked to be told about Metal Mill, or have been told."
    shop.report("metal-mill", ADA_FOB)
    shop.say("notify me Metal Mill", user=BOB)
    shop.say("notify me off Metal Mill", user=BOB)
    assert whispered(shop, 4) == "You will not be told when Metal Mill is free."
    shop.report("metal-mill")
    shop.settle()
    assert not shop.posts("D0BOB")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("notify me", "Which machine? Its name comes after the command, for example: oops Metal Mill: belt slips"),
        ("notify me Metl Mill", "There is no machine called Metl Mill. Did you mean Metal Mill?"),
        ("notify me off Metl Mill", "There is no machine called Metl Mill. Did you mean Metal Mill?"),
    ],
)
def test_a_machine_that_is_not_there_is_said(shop: Shop, text: str, answer: str) -> None:
    shop.say(text, user=EVE, channel=OTHER)
    assert whispered(shop, 1) == answer


def test_who_waits_is_told_after_a_restart_and_an_outage(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    shop.report("metal-mill", ADA_FOB)
    shop.say("notify me Metal Mill", user=EVE, channel=OTHER)
    shop.wait_for_ephemerals()
    shop.stop()
    shop = make_shop()
    workspace.down()
    shop.report("metal-mill")
    wait_until(lambda: shop.fleet.store.count_waiting()[0] > 0)
    shop.stop()
    shop = make_shop(wait=False)
    workspace.up()
    assert shop.told(EVE)[0].endswith(" Metal Mill is free now.")
    shop.connected()
    shop.settle()
    assert len(shop.told(EVE)) == 1


def test_one_who_cannot_be_told_holds_up_nobody_and_is_told_once_it_is_mended(
    make_shop: MakeShop, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mac_actors.actors.notifiers.REFUSED_SECONDS", 0.2)
    shop = make_shop()
    workspace.disable_messages()
    shop.report("metal-mill", ADA_FOB)
    shop.say("notify me Metal Mill", user=BOB)
    shop.report("metal-mill")
    wait_until(lambda: "slack direct channel" in shop.service.shop.notes())
    assert "below App Home" in shop.service.shop.notes()["slack direct channel"]
    shop.say("oops Table Saw")
    shop.workspace.wait_for(lambda: any("Table Saw is oopsed" in post.text for post in shop.posts(CONTROL)))
    workspace.mend()
    assert shop.told(BOB)[0].endswith("is free now.")
    wait_until(lambda: "slack direct channel" not in shop.service.shop.notes())
    assert len([r for r in caplog.records if "a direct message can't be sent" in r.message]) == 1


def test_a_message_of_yesterday_is_given_up(
    make_shop: MakeShop, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mac_actors.actors.notifiers.REFUSED_SECONDS", 0.1)
    shop = make_shop()
    workspace.add_user(BOB, "bob", "Bob Ross", deleted=True)
    shop.report("metal-mill", ADA_FOB)
    shop.fleet.tell_when_free("metal-mill", BOB)
    shop.report("metal-mill")
    wait_until(lambda: "slack direct channel" in shop.service.shop.notes())
    monkeypatch.setattr("mac_actors.actors.notifiers.GIVEN_UP_AFTER", timedelta(0))
    shop.drained()
    wait_until(lambda: "slack direct channel" not in shop.service.shop.notes())
    assert not shop.posts("D0BOB")
