"""What is said beside a notice: nothing changed, not on disk yet, no answer, a mistake in the server."""

from __future__ import annotations

import pytest

from mac_actors.core.state import Status
from tests.fakes import PATIENCE, HangingStore, RefusingStore, wait_until
from tests.slack.conftest import MakeShop
from tests.slack.shop import Shop
from tests.slack.standin.workspace import ADA, BOB, CONTROL, OOPS
from tests.slack.troubles import held, with_store

from .notice import oops_notice


def test_every_command_is_acknowledged_without_waiting_for_the_disk(make_shop: MakeShop) -> None:
    shop, store = with_store(make_shop, HangingStore)
    shop.drained()
    limit = shop.ack_limit()
    store.gate.clear()
    try:
        for _ in range(15):
            assert shop.workspace.mention("oops Metal Mill").acked().took < limit
        assert shop.workspace.slash("/oops-clear", "metal-mill").acked().took < limit
        assert shop.workspace.slash("/oops-clear").acked().took < limit
        assert shop.workspace.mention("status").acked().took < limit
        wait_until(lambda: "Server up for" in "".join(shop.texts()))
    finally:
        store.gate.set()


@pytest.mark.parametrize(
    ("before", "command", "answer"),
    [
        ("oops Metal Mill", "oops metal-mill: again", "Metal Mill is oopsed already: nothing was changed."),
        ("lock Metal Mill", "lock metal-mill", "Metal Mill is locked out already: nothing was changed."),
        (
            "status",
            "clear metal-mill",
            "Metal Mill is neither oopsed nor locked out: nothing was changed.",
        ),
    ],
)
def test_a_command_that_changes_nothing_is_answered_so(shop: Shop, before: str, command: str, answer: str) -> None:
    shop.say(before)
    shop.wait_for_texts(1)
    shop.drained()
    shop.begin()
    state = shop.state("metal-mill")
    shop.say(command, user=BOB)
    shop.settle()
    assert shop.texts(CONTROL) == [answer]
    assert not shop.texts(OOPS)
    after = shop.state("metal-mill")
    assert (after.oops, after.lock) == (state.oops, state.lock)


def test_clear_of_the_one_that_is_set_says_nothing_of_the_other(shop: Shop) -> None:
    shop.say("lock Metal Mill")
    shop.say("clear Metal Mill")
    shop.settle()
    assert shop.texts(CONTROL)[1:] == ["Metal Mill is no longer locked out, by ada, from Slack."]


def test_a_change_that_is_not_yet_on_disk_is_called_so_and_posted_once_it_is(make_shop: MakeShop) -> None:
    shop, store = with_store(make_shop, RefusingStore)
    shop.drained()
    store.refuse()
    try:
        shop.workspace.mention("oops Metal Mill").acked()
        assert shop.wait_for_texts(1) == [
            "Metal Mill: done, but not on disk yet (the server's disk is slow or failing)."
        ]
        assert shop.state("metal-mill").oops
        assert not shop.texts(OOPS)
    finally:
        store.mend()
    shop.wait_for_texts(1, OOPS)
    shop.settle()
    assert shop.texts(CONTROL)[1:] == ["Metal Mill is oopsed, by ada, from Slack."]


def test_oops_clear_and_buttons_say_too_that_a_change_is_not_yet_on_disk(make_shop: MakeShop) -> None:
    shop, store = with_store(make_shop, RefusingStore)
    notice = oops_notice(shop)
    store.refuse()
    try:
        shop.workspace.press("mac_lock", message=notice, user=BOB).acked()
        shop.wait_for_ephemerals(1)
        shop.workspace.slash("/oops-clear", "metal-mill", user=ADA).acked()
        told = shop.wait_for_ephemerals(2)
    finally:
        store.mend()
    assert [one.user for one in told] == [BOB, ADA]
    assert {one.text for one in told} == {
        "Metal Mill: done, but not on disk yet (the server's disk is slow or failing)."
    }
    shop.settle()
    assert len(shop.texts(CONTROL)) == 2
    assert len(shop.texts(OOPS)) == 2


def test_a_machine_whose_actor_has_died_obeys_all_the_same(shop: Shop) -> None:
    for command, status in (("oops", Status.OOPSED), ("clear", Status.IDLE)):
        shop.fleet["metal-mill"].actor_ref.stop(timeout=PATIENCE)
        shop.say(f"{command} Metal Mill")
        shop.settle()
        assert shop.state("metal-mill").status is status
    texts = shop.texts(CONTROL)
    assert sum("is oopsed" in text for text in texts) == 1
    assert sum("no longer oopsed" in text for text in texts) == 1
    assert sum("The actor of Metal Mill had stopped" in text for text in texts) == 2
    assert len(texts) == 4


def test_a_mistake_in_the_server_is_owned_up_to(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: object, **__: object) -> list[str]:
        raise RuntimeError("a mistake <in> the server")

    monkeypatch.setattr("mac_actors.slack.answers.history_text", mistaken)
    shop.say("history Metal Mill")
    shop.settle()
    [text] = shop.texts(CONTROL)
    assert "The server made a mistake" in text
    assert "a mistake <in>" not in text


def test_a_machine_that_does_not_answer_is_called_by_its_alias(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with held(monkeypatch, "table-saw") as gate:
        shop.say("oops Table Saw")
        [text] = shop.wait_for_texts(1)
        gate.set()
    shop.settle()
    assert "try again" in text
    assert "Table Saw" in text


def test_what_is_said_of_a_machine_that_does_not_answer_stays_true(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout does not cancel the work: "nothing was done" must not be said of a command that is done later."""
    with held(monkeypatch, "table-saw") as gate:
        shop.say("oops Table Saw")
        [text] = shop.wait_for_texts(1)
        gate.set()
    shop.settle()
    assert shop.state("table-saw").oops is None or "Nothing was done" not in text
