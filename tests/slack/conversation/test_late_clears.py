"""A clear that Slack delivers late lifts nothing that was set since it was given."""

from __future__ import annotations

import re
import time
from types import SimpleNamespace

import pytest

from tests.slack.shop import Shop
from tests.slack.standin import envelopes
from tests.slack.standin.workspace import BOB, CONTROL

from .notice import oops_notice

STAYS = re.compile(
    r"Nothing was changed: an oops or lock-out was set after this clear was given\. "
    r"Metal Mill: OOPSED for \d+ s, from the button at the machine\. Look at the machine first; then clear it\."
)


def test_a_late_mention_leaves_a_newer_oops_and_says_so(shop: Shop) -> None:
    given = f"{time.time() - 300:.6f}"
    shop.report("metal-mill", oops=True)
    shop.drained()
    shop.begin()
    late = shop.say("clear Metal Mill", ts=given)
    shop.workspace.redeliver(late, attempt=3).acked()
    shop.settle()
    [told] = shop.texts(CONTROL)
    assert STAYS.fullmatch(told)
    assert shop.state("metal-mill").oops


def test_a_late_mention_lifts_what_was_set_before(shop: Shop) -> None:
    shop.report("metal-mill", oops=True)
    given = f"{time.time():.6f}"
    shop.say("lock Table Saw")
    shop.drained()
    shop.say("clear Metal Mill", ts=given)
    assert not shop.state("metal-mill").oops


def test_a_late_press_leaves_a_newer_lock(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    notice = oops_notice(shop)
    with monkeypatch.context() as past:
        past.setattr(envelopes, "time", SimpleNamespace(time=lambda: time.time() - 300))
        pressed = shop.workspace.press("mac_clear", message=notice, user=BOB)
    pressed.acked()
    [told] = shop.wait_for_ephemerals()
    assert told.text.startswith("Nothing was changed: an oops or lock-out was set after this clear was given.")
    assert shop.state("metal-mill").oops


def test_a_modal_leaves_what_was_set_since_it_was_opened(shop: Shop) -> None:
    shop.say("oops Metal Mill")
    views = len(shop.workspace.views)
    shop.workspace.slash("/oops-clear").acked()
    view = shop.workspace.wait_for_views(views + 1)[-1]
    shop.say("clear Metal Mill")
    shop.report("metal-mill", oops=True)
    shop.drained()
    shop.begin()
    shop.workspace.submit_view(view, values={"machine": {"name": envelopes.chosen("metal-mill")}}).acked()
    [told] = shop.wait_for_ephemerals()
    assert STAYS.fullmatch(told.text)
    assert shop.state("metal-mill").oops
    assert not shop.posts()
