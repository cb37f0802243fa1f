"""``lock NAME when free``: what is said of it from the command to the lock."""

from __future__ import annotations

import re

from mac_actors.core.state import Status
from tests.slack.shop import ADA_FOB, Shop
from tests.slack.standin.workspace import BOB, CONTROL, OOPS


def test_a_lock_waits_for_the_session_and_then_falls_like_any_other(shop: Shop) -> None:
    shop.report("metal-mill", ADA_FOB)
    shop.drained()
    shop.begin()
    shop.say("lock Metal Mill when free: new belt", user=BOB)
    shop.drained()
    shop.say("status Metal Mill")
    shop.settle()
    pending, status = shop.texts(CONTROL)
    assert pending == (
        "Metal Mill will be locked out for maintenance once it is free, by bob, from Slack: new belt. "
        "Ada Example's session goes on."
    )
    line = status.splitlines()[0]
    told = r"; TO BE LOCKED OUT once it is free for \d+ s, by bob, from Slack: new belt"
    assert re.fullmatch(rf"Metal Mill: in use by Ada Example for \d+ s{told}", line)
    shop.say("lock Metal Mill when free")
    shop.settle()
    assert shop.texts(CONTROL)[2:] == ["Metal Mill is to be locked out already, once it is free: nothing was changed."]
    shop.report("metal-mill")
    shop.settle()
    ended, locked = shop.texts(CONTROL)[3:]
    assert ended.startswith("Metal Mill: Ada Example's session ended after ")
    assert locked == "Metal Mill is locked out for maintenance, by bob, from Slack: new belt."
    assert shop.texts(OOPS) == [
        "Metal Mill will be locked out for maintenance once it is free: new belt.",
        "Metal Mill is locked out for maintenance: new belt.",
    ]
    assert shop.posts(CONTROL)[-1].blocks, "it has the buttons of any lock"
    assert shop.state("metal-mill").status is Status.LOCKED_OUT


def test_clear_lifts_one_that_waits_also_from_the_modal(shop: Shop) -> None:
    shop.report("metal-mill", ADA_FOB)
    shop.say("lock Metal Mill when free")
    shop.drained()
    shop.begin()
    shop.say("clear Metal Mill", user=BOB)
    shop.settle()
    assert shop.texts(CONTROL) == ["Metal Mill will not be locked out for maintenance after all, by bob, from Slack."]
    shop.report("metal-mill")
    assert shop.state("metal-mill").status is Status.IDLE
