"""Which account a Slack user is: by the confirmed e-mail address or by an admin's word, and never by a guess."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from mac_actors.errors import ChatError
from mac_actors.fleet import erasure
from mac_actors.slack.home.links import Links, Switch
from mac_actors.storage.records import Record
from mac_actors.storage.slack_users import all_links
from tests.fakes import PATIENCE
from tests.slack.conftest import MakeShop
from tests.slack.shop import Shop
from tests.slack.standin.workspace import ADA, BOB, CONTROL, EVE, OTHER, Workspace


@pytest.fixture
def links(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Links]:
    """Nobody is linked; Ada has the address of the first user, confirmed."""
    monkeypatch.setattr("mac_actors.slack.home.links.AGAIN_SECONDS", 0.0)
    shop.workspace.add_user(ADA, "ada", "Ada Lovelace", email="User1@example.org")
    assert shop.service.shop.slack
    links = Links(shop.fleet, shop.service.shop.slack._client)
    _forget_all(shop)
    yield links
    _forget_all(shop)
    shop.workspace.add_user(ADA, "ada", "Ada Lovelace")


def _forget_all(shop: Shop) -> None:
    ids = tuple(link.id for link in all_links(shop.fleet.store))
    assert shop.fleet.journal.record(Record(unlinked=ids)).wait(PATIENCE)


def account_of(links: Links, slack_id: str) -> str | None:
    user = links.user_of(slack_id)
    return user.account_id if user else None


def test_a_confirmed_address_links_a_slack_user_once(shop: Shop, links: Links) -> None:
    assert [account_of(links, ADA) for _ in range(2)] == ["1001", "1001"]
    [link] = all_links(shop.fleet.store)
    assert (link.id, link.account_id, link.how, link.switched_off) == (ADA, "1001", "e-mail", ())
    asked = len(shop.workspace.calls_to("users.lookupByEmail"))
    assert links.slack_id_of("1001") == ADA
    assert len(shop.workspace.calls_to("users.lookupByEmail")) == asked


def test_an_account_finds_its_slack_user_by_the_address(shop: Shop, links: Links) -> None:
    assert links.slack_id_of("1001") == ADA
    assert links.slack_id_of("1002") is None
    assert links.slack_id_of("none") is None
    assert account_of(links, ADA) == "1001"


@pytest.mark.parametrize("change", [{"confirmed": False}, {"deleted": True}, {"stranger": True}, {"email": ""}])
def test_who_has_no_confirmed_address_is_not_linked(shop: Shop, links: Links, change: dict[str, object]) -> None:
    shop.workspace.add_user(ADA, "ada", "Ada Lovelace", **{"email": "user1@example.org"} | change)  # type: ignore[arg-type]
    assert account_of(links, ADA) is None
    assert links.slack_id_of("1001") is None
    assert not all_links(shop.fleet.store)


def test_without_the_scope_nobody_is_linked_by_the_address(shop: Shop, links: Links) -> None:
    scopes = shop.workspace.scopes
    shop.workspace.scopes = [scope for scope in scopes if scope != "users:read.email"]
    assert account_of(links, ADA) is None
    assert links.slack_id_of("1001") is None
    shop.workspace.scopes = scopes


def test_an_address_that_two_users_have_links_nobody(make_shop: MakeShop, workspace: Workspace) -> None:
    shop = make_shop()
    workspace.add_user(ADA, "ada", "Ada Lovelace", email="user1@example.org")
    assert shop.service.shop.slack
    links = Links(shop.fleet, shop.service.shop.slack._client)
    first, *others = shop.fleet.configuration.directory.users
    twin = type(first)("2001", "Twin", "Twin", "Twin", email="USER1@example.org")
    configuration = shop.fleet.configuration
    directory = replace(configuration.directory, users=(first, twin, *others))
    shop.fleet.supervisor.configuration = replace(configuration, directory=directory)
    assert account_of(links, ADA) is None
    assert links.slack_id_of("1001") is links.slack_id_of("2001") is None
    assert not all_links(shop.fleet.store)


def test_while_slack_cannot_say_it_is_an_error_and_not_nobody(shop: Shop, links: Links) -> None:
    shop.workspace.fail("users.lookupByEmail", "internal_error")
    with pytest.raises(ChatError):
        links.user_of(ADA)
    with pytest.raises(ChatError):
        links.slack_id_of("1001")
    shop.workspace.mend()
    assert account_of(links, ADA) == "1001"


def test_nobody_is_asked_for_again_at_once(shop: Shop, links: Links, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mac_actors.slack.home.links.AGAIN_SECONDS", 60.0)
    asked = len(shop.workspace.calls_to("users.lookupByEmail"))
    assert [links.slack_id_of("1002") for _ in range(3)] == [None] * 3
    assert len(shop.workspace.calls_to("users.lookupByEmail")) == asked + 1


@pytest.mark.parametrize("who", ["1006", "user6@example.org", "frøya  MADE-UP"])
def test_an_admin_links_a_member(shop: Shop, links: Links, who: str) -> None:
    shop.say(f"link <@{BOB}|bob> {who}", user=ADA)
    assert shop.wait_for_texts(1) == ["bob is Frøya Made-Up (account 1006) from now on."]
    assert links.slack_id_of("1006") == BOB
    assert account_of(links, BOB) == "1006"
    shop.say(f"link <@{EVE}> 1006")
    assert shop.wait_for_texts(2)[1] == "eve is Frøya Made-Up (account 1006) from now on."
    assert (links.slack_id_of("1006"), account_of(links, BOB)) == (EVE, None)


def test_an_admins_word_counts_more_than_the_address(shop: Shop, links: Links) -> None:
    assert account_of(links, ADA) == "1001"
    shop.say(f"unlink <@{ADA}>")
    assert shop.wait_for_texts(1) == [
        "ada is linked with nobody from now on, whatever the e-mail address; 'link' changes that."
    ]
    assert account_of(links, ADA) is None
    assert links.slack_id_of("1001") is None
    shop.say(f"link <@{ADA}> 1002")
    shop.wait_for_texts(2)
    assert account_of(links, ADA) == "1002"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (
            "link",
            "Mention the member, then say who it is: link @MEMBER ACCOUNT, or unlink @MEMBER. Nothing was changed.",
        ),
        (f"link <@{BOB}>", "Mention the member, then"),
        ("unlink bob", "Mention the member, then"),
        (
            f"link <@{BOB}> Nobody &amp; Co",
            "Nobody in users.json has the account id, e-mail address or full name Nobody &amp; Co.",
        ),
        ("link <@U0GONE> 1001", "gone is a bot or deactivated, and can't be linked: nothing was changed."),
    ],
)
def test_what_is_not_clear_links_nobody(shop: Shop, links: Links, text: str, answer: str) -> None:
    shop.workspace.add_user("U0GONE", "gone", "Gone", deleted=True)
    shop.say(text)
    [told] = shop.wait_for_texts(1)
    assert told.startswith(answer)
    assert not all_links(shop.fleet.store)


def test_members_are_linked_in_the_control_channel_alone(shop: Shop, links: Links) -> None:
    shop.workspace.mention(f"link <@{EVE}> 1001", user=EVE, channel=OTHER).acked()
    [told] = shop.wait_for_ephemerals()
    assert "control channel alone" in told.text
    assert not all_links(shop.fleet.store)


def test_nobody_is_linked_by_somebody_whom_slack_does_not_know(shop: Shop, links: Links) -> None:
    shop.workspace.fail("users.info", "internal_error")
    shop.say(f"link <@{BOB}> 1001", user="U0NEW", channel=CONTROL)
    assert shop.wait_for_texts(1)[0].startswith("Slack can't say who you are at the moment: nothing was changed.")
    assert not all_links(shop.fleet.store)


def test_switches_are_on_until_they_are_switched_off_and_belong_to_the_link(shop: Shop, links: Links) -> None:
    links.switch(BOB, set())
    assert links.is_on(BOB, Switch.MISSING)  # not linked: nothing to remember
    links.link(BOB, "1002")
    links.switch(BOB, set())
    assert not links.is_on(BOB, Switch.MISSING)
    links.link(BOB, "1002")
    assert not links.is_on(BOB, Switch.MISSING)
    links.switch(BOB, {Switch.MISSING})
    assert links.is_on(BOB, Switch.MISSING)
    links.switch(BOB, set())
    links.link(BOB, "1003")
    assert links.is_on(BOB, Switch.MISSING)


def test_a_link_survives_a_restart_and_is_forgotten_with_the_person(make_shop: MakeShop) -> None:
    shop = make_shop()
    shop.say(f"link <@{BOB}> 1002")
    shop.stop()
    shop = make_shop()
    assert [link.id for link in all_links(shop.fleet.store)] == [BOB]
    directory = shop.fleet.configuration.directory
    erasure.carry_out(erasure.find("1002", directory, shop.fleet.journal), directory, shop.fleet.journal)
    assert not all_links(shop.fleet.store)
