"""A clear that Slack delivers late lifts nothing that was set since it was given."""

from __future__ import annotations

import re
import threading
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from mac_actors.core.inputs import Clear, Oops
from mac_actors.core.state import Source
from mac_actors.slack.connection import LISTENERS
from tests.fakes import wait_until
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


@pytest.mark.parametrize("seconds", [-1.1 * 86400, -660, 60])
def test_a_modal_that_was_left_open_or_is_from_before_the_clock_was_set_changes_nothing(
    shop: Shop, seconds: float
) -> None:
    shop.say("oops Metal Mill")
    views = len(shop.workspace.views)
    shop.workspace.slash("/oops-clear").acked()
    view = shop.workspace.wait_for_views(views + 1)[-1]
    view.view["private_metadata"] = str(time.time() + seconds)
    shop.drained()
    shop.begin()
    shop.workspace.submit_view(view, values={"machine": {"name": envelopes.chosen("metal-mill")}}).acked()
    [told] = shop.wait_for_ephemerals()
    assert told.text == (
        "This form was opened too long ago: nothing was changed, for more may have happened since. "
        "Open it anew: /oops-clear"
    )
    assert shop.state("metal-mill").oops


def test_a_slash_command_that_waits_for_a_thread_leaves_what_was_set_since_it_came(shop: Shop) -> None:
    assert shop.service.shop.slack
    slack, free = shop.service.shop.slack, threading.Event()
    shop.say("oops Metal Mill")
    shop.drained()
    shop.begin()
    for _ in range(LISTENERS):
        slack.commands.submit(free.wait)
    try:
        shop.workspace.slash("/oops-clear", "Metal Mill")
        wait_until(lambda: slack.commands.unfinished > LISTENERS)
        shop.fleet.ask("metal-mill", Clear(datetime.now(UTC), Source.BOARD, "bob"))
        shop.fleet.ask("metal-mill", Oops(datetime.now(UTC), Source.BUTTON))
    finally:
        free.set()
    [told] = shop.wait_for_ephemerals()
    assert STAYS.fullmatch(told.text)
    assert shop.state("metal-mill").oops
