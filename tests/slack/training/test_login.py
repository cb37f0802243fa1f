"""/mac login: a link to the board for one use."""

from __future__ import annotations

import re

import pytest

from mac_actors.slack.training.command import NO_ADDRESS, NO_LOGIN, USAGE
from tests.slack.conftest import MakeShop
from tests.slack.shop import Shop
from tests.slack.standin.workspace import ADA, BOB, CONTROL, EVE, OTHER

from .conftest import BASE


def login(shop: Shop, user: str, channel: str) -> str:
    """What the asker alone is answered."""
    [answer] = shop.workspace.slash("/mac", "login", user=user, channel=channel).answered()
    assert not answer.in_channel
    return answer.text


def follow(shop: Shop, text: str) -> tuple[int, str]:
    """Open the link of an answer in a browser; the status, and who is logged in then."""
    found = re.search(rf"{BASE}(/login/\S+)", text)
    assert found, text
    reply = shop.http.get(found[1], headers={"Accept": "text/html"})
    return reply.status, reply.headers.get("Set-Cookie", "")


@pytest.mark.parametrize("channel", [CONTROL, OTHER])
def test_members_of_the_control_channel_log_in_as_admins_once(shop: Shop, channel: str) -> None:
    text = login(shop, BOB, channel)
    assert text.startswith(f"This link logs you in on the board as an admin, once, within two minutes: {BASE}/login/")
    assert follow(shop, text)[0] == 200
    session = shop.fleet.logins.sessions()[0]
    assert (session.role, session.name, session.account_id) == ("admin", "bob", None)
    assert follow(shop, text)[0] == 403
    shop.settle()
    assert not shop.posts()


def test_a_trainer_who_is_linked_by_the_confirmed_address_logs_in_as_one(shop: Shop) -> None:
    text = login(shop, EVE, OTHER)
    assert text.startswith("This link logs you in on the board as a trainer, once, within two minutes: ")
    assert follow(shop, text)[0] == 200
    session = shop.fleet.logins.sessions()[0]
    assert (session.role, session.name, session.account_id) == ("trainer", "Chidi Placeholder", "1003")


@pytest.mark.parametrize(
    "changes", [{"email": "user3@example.org", "confirmed": False}, {"email": "user1@example.org"}, {}]
)
def test_others_are_told_for_whom_links_are(shop: Shop, changes: dict[str, str | bool]) -> None:
    user = f"U0NEW{len(shop.workspace.calls_to('users.info'))}"
    email, confirmed = str(changes.get("email", "")), bool(changes.get("confirmed", True))
    shop.workspace.add_user(user, "new", "New", email=email, confirmed=confirmed)
    shop.workspace.channel(OTHER).members.append(user)
    assert login(shop, user, OTHER) == NO_LOGIN


def test_whom_an_admin_has_linked_gets_no_link(shop: Shop) -> None:
    shop.workspace.add_user("U0SAID", "said", "Said")
    shop.say("link <@U0SAID> 1003", user=BOB)
    assert login(shop, "U0SAID", OTHER) == NO_LOGIN


def test_whoever_is_deactivated_gets_no_link(shop: Shop) -> None:
    shop.workspace.add_user("U0OFF", "off", "Off", deleted=True)
    assert login(shop, "U0OFF", OTHER).startswith("Slack can't say who you are")


def test_while_slack_does_not_say_who_is_a_member_that_is_said(shop: Shop) -> None:
    shop.workspace.fail("conversations.members", "internal_error")
    assert login(shop, BOB, OTHER).startswith("Slack can't say at the moment who is in the control channel: ")
    assert login(shop, EVE, OTHER).startswith("This link logs you in on the board as a trainer, ")


@pytest.mark.parametrize("text", ["", "help", "logins"])
def test_any_other_word_is_answered_with_what_there_is(shop: Shop, text: str) -> None:
    [answer] = shop.workspace.slash("/mac", text, user=ADA).answered()
    assert answer.text == USAGE


def test_a_server_that_does_not_know_the_boards_address_says_so(make_shop: MakeShop) -> None:
    assert login(make_shop(), BOB, CONTROL) == NO_ADDRESS
