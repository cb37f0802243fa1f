"""``done NAME: what``: maintenance, as Slack has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from mac_actors.core.config import Maintenance
from tests.slack.shop import ADA_FOB, Shop
from tests.slack.standin.checks import elements
from tests.slack.standin.workspace import ADA, BOB, CONTROL, EVE


@contextmanager
def due(shop: Shop, *names: str) -> Iterator[None]:
    """These things are due at the mill, which runs."""
    old = shop.fleet.configuration
    mill = replace(old.machines["metal-mill"], maintenance=tuple(Maintenance(name, 0.001) for name in names))
    shop.begin()
    shop.fleet.reload(replace(old, machines={**old.machines, "metal-mill": mill}))
    try:
        shop.report("metal-mill")
        shop.report("metal-mill", ADA_FOB)
        shop.report("metal-mill", ADA_FOB)
        shop.drained()
        yield
    finally:
        shop.fleet.reload(old)


def test_the_button_says_that_what_is_due_was_done_once_whatever_it_is_called_by_now(shop: Shop) -> None:
    with due(shop, "Oil it", "Clean it"):
        oil, clean = [post for post in shop.posts(CONTROL) if "maintenance is due" in post.text]
        assert [e["text"]["text"] for post in (oil, clean) for _, e in elements(post.blocks)] == ["Done", "Done"]
        [refused] = shop.workspace.press("mac_done", message=oil, user=EVE).answered()
        assert refused.text == "Only members of the control channel may do this: nothing was changed."
        config = shop.fleet.configuration
        renamed = replace(
            config.machines["metal-mill"], maintenance=(Maintenance("Oil <it>", 0.001), Maintenance("Clean it", 0.001))
        )
        shop.fleet.reload(replace(config, machines={**config.machines, "metal-mill": renamed}))
        for user in (BOB, ADA):
            shop.workspace.press("mac_done", message=oil, user=user).acked()
            shop.settle()
        [told] = shop.wait_for_ephemerals()
        assert told.text == "This maintenance is not due any more: nothing was changed."
        assert shop.state("metal-mill").maintenance_due == ("Clean it",)
    done = [text for text in shop.texts(CONTROL) if "was done" in text]
    assert done == ["Metal Mill: maintenance was done after 0.0 h, by bob, from Slack: Oil &lt;it&gt;."]


def test_what_is_due_is_told_and_done_by_a_mention(shop: Shop) -> None:
    with due(shop, "Oil it"):
        shop.say("status Metal Mill")
        shop.settle()
        shop.say("done Metal Mill: paint it", user=BOB)
        shop.settle()
        shop.say("done Metal Mill: OIL it", user=BOB)
        shop.settle()
    texts = shop.texts(CONTROL)
    told = "Metal Mill: maintenance is due after 0 h: Oil it."
    assert told in texts
    assert "; MAINTENANCE DUE: Oil it" in texts[texts.index(told) + 1]
    assert texts[-2].startswith("Metal Mill has no such maintenance: say what was done")
    assert texts[-1] == "Metal Mill: maintenance was done after 0.0 h, by bob, from Slack: Oil it."
