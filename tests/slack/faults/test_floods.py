"""Commands while Slack lets answers wait, or does not say who is who: what stops a machine stops it."""

from __future__ import annotations

import pytest

from mac_actors.slack.dispatcher import QUESTIONS
from tests.fakes import wait_until
from tests.slack.conftest import MakeShop
from tests.slack.standin.workspace import ADA, BOB, CONTROL, EVE, OTHER, Workspace


def test_no_command_waits_behind_questions_and_too_many_of_them_are_left_out(
    make_shop: MakeShop, workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    shop = make_shop()
    for method in ("chat.postMessage", "chat.postEphemeral"):
        workspace.rate_limit(method, retry_after=60, times=None)
    asked = ["status", "help", "notify me Metal Mill", "oops Metal Mill"] * (QUESTIONS // 4 + 5)
    for text in asked:
        workspace.mention(text, user=EVE, channel=OTHER).acked()
    wait_until(lambda: "they are left out until it is less" in caplog.text)
    workspace.mention("lock Metal Mill: smoke", user=ADA).acked()
    wait_until(lambda: shop.state("metal-mill").lock is not None)
    assert shop.state("metal-mill").oops is None, "by no member"
    workspace.slash("/oops-clear", "Metal Mill", user=BOB).acked()
    wait_until(lambda: shop.state("metal-mill").lock is None)


def test_an_answer_that_goes_wrong_is_logged_and_said(
    make_shop: MakeShop, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def mistake(*_: object) -> None:
        raise RuntimeError("a mistake")

    shop = make_shop()
    monkeypatch.setattr("mac_actors.slack.replies.Replies.post", mistake)
    workspace.mention("status", user=EVE, channel=OTHER).acked()
    [told] = shop.wait_for_ephemerals()
    assert (told.channel, told.user) == (OTHER, EVE)
    assert told.text.startswith("The server made a mistake")
    assert "RuntimeError: a mistake" in caplog.text


def test_an_oops_does_not_wait_for_names_that_slack_does_not_tell(
    make_shop: MakeShop, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mac_actors.slack.gateway.TIMEOUT_SECONDS", 60)
    for user in ("U0C1", "U0C2", "U0NEW"):
        workspace.add_user(user, user.lower(), user)
    shop = make_shop()
    shop.settle()
    workspace.channel(CONTROL).members.append("U0NEW")
    workspace.slow(60.0, "users.info")
    for text in ("oops Metal Mill", "lock Metal Mill"):
        workspace.mention(f"{text}: ask <@U0C1>, <@U0C2> or <@{ADA}>", user="U0NEW").acked()
    wait_until(lambda: shop.state("metal-mill").oops is not None and shop.state("metal-mill").lock is not None)
    for flag in (shop.state("metal-mill").oops, shop.state("metal-mill").lock):
        assert flag
        assert (flag.by, flag.reason) == ("U0NEW", "ask U0C1, U0C2 or ada"), "who is known is named"


def test_a_lock_by_its_button_does_not_wait_for_the_name_either(
    make_shop: MakeShop, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mac_actors.slack.gateway.TIMEOUT_SECONDS", 60)
    workspace.add_user("U0NEW", "new", "New Admin")
    shop = make_shop()
    shop.say("oops Metal Mill")
    shop.settle()
    workspace.channel(CONTROL).members.append("U0NEW")
    workspace.slow(60.0, "users.info")
    notice = next(post for post in shop.posts(CONTROL) if post.blocks)
    workspace.press("mac_lock", message=notice, user="U0NEW").acked()
    wait_until(lambda: shop.state("metal-mill").lock is not None)


@pytest.mark.parametrize("action", ["mac_clear", "mac_lock"])
def test_while_slack_does_not_say_who_is_a_member_a_button_does_nothing_and_says_why(
    make_shop: MakeShop, workspace: Workspace, action: str
) -> None:
    shop = make_shop()
    shop.say("oops Metal Mill")
    shop.settle()
    notice = next(post for post in shop.posts(CONTROL) if post.blocks)
    workspace.fail("conversations.members", "internal_error")
    [answer] = workspace.press(action, message=notice, user=ADA).answered()
    assert answer.text == (
        "Slack can't say at the moment who is in the control channel: nothing was changed. Try again in half a minute; "
        "commands that are written there work meanwhile."
    )
    assert shop.state("metal-mill").oops
    assert not shop.state("metal-mill").lock
    shop.say("lock Metal Mill")
    assert shop.state("metal-mill").lock
