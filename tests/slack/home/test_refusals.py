"""A linked member who was refused is told which authorization is missing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mac_actors.slack.home.links import Links, Switch
from tests.slack.shop import Shop
from tests.slack.standin.workspace import ADA, BOB

REFUSED_FOB = "1000002"


@pytest.fixture
def links(shop: Shop) -> Iterator[Links]:
    assert shop.service.shop.slack
    links = Links(shop.fleet, shop.service.shop.slack._client)
    yield links
    links.link(BOB, "")


def test_they_learn_what_is_missing_unless_they_switched_it_off(shop: Shop, links: Links) -> None:
    user = shop.fleet.configuration.directory.by_fob[f"000{REFUSED_FOB}"]
    links.link(BOB, user.account_id)
    wanted = "CO2 Laser did not start with your fob. It needs the authorization Laser, which you don't have yet."
    shop.report("co2-laser", REFUSED_FOB)
    assert shop.told(BOB) == [wanted]
    links.switch(BOB, set())
    shop.report("co2-laser")
    shop.report("co2-laser", REFUSED_FOB)
    shop.settle()
    assert len(shop.told(BOB)) == 1
    links.switch(BOB, {Switch.MISSING})
    shop.report("co2-laser")
    shop.report("co2-laser", REFUSED_FOB)
    assert shop.told(BOB, 2) == [wanted] * 2
    shop.report("co2-laser")


def test_nobody_who_is_not_linked_and_nobody_for_another_reason_is_told(shop: Shop, links: Links) -> None:
    shop.report("co2-laser", REFUSED_FOB)
    shop.report("co2-laser")
    shop.settle()  # whose fob it was is looked up when the message is sent
    links.link(BOB, shop.fleet.configuration.directory.by_fob[f"000{REFUSED_FOB}"].account_id)
    shop.say("oops CO2 Laser", user=ADA)
    shop.report("co2-laser", REFUSED_FOB)
    shop.report("co2-laser")
    shop.settle()
    assert not shop.posts("D0BOB")
