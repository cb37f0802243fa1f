"""``done NAME: what``: maintenance, as Slack has it."""

from __future__ import annotations

from dataclasses import replace

from mac_actors.core.config import Maintenance
from tests.slack.shop import ADA_FOB, Shop
from tests.slack.standin.workspace import BOB, CONTROL


def test_what_is_due_is_told_and_done_by_a_mention(shop: Shop) -> None:
    old = shop.fleet.configuration
    mill = replace(old.machines["metal-mill"], maintenance=(Maintenance("Oil it", 0.001),))
    shop.begin()
    shop.fleet.reload(replace(old, machines={**old.machines, "metal-mill": mill}))
    try:
        shop.report("metal-mill")
        shop.report("metal-mill", ADA_FOB)
        shop.report("metal-mill", ADA_FOB)
        shop.drained()
        shop.say("status Metal Mill")
        shop.settle()
        shop.say("done Metal Mill: paint it", user=BOB)
        shop.settle()
        shop.say("done Metal Mill: OIL it", user=BOB)
        shop.settle()
    finally:
        shop.fleet.reload(old)
    texts = shop.texts(CONTROL)
    due = "Metal Mill: maintenance is due after 0 h: Oil it."
    assert due in texts
    assert "; MAINTENANCE DUE: Oil it" in texts[texts.index(due) + 1]
    assert texts[-2].startswith("Metal Mill has no such maintenance: say what was done")
    assert texts[-1] == "Metal Mill: maintenance was done after 0.0 h, by bob, from Slack: Oil it."
