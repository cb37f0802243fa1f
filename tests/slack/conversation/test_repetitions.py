"""Slack delivers an event again: a command is carried out once."""

from __future__ import annotations

import pytest

from mac_actors.core.state import Status
from mac_actors.errors import StorageError
from mac_actors.storage.store import Store
from tests.fakes import wait_until
from tests.slack.conftest import MakeShop
from tests.slack.shop import Shop
from tests.slack.standin.workspace import CONTROL, OOPS
from tests.slack.troubles import with_store


class ForgetfulStore(Store):
    """A disk from which it can't be read, ``failing`` times, which events were seen."""

    failing = 0

    def has_seen(self, event_id: str) -> bool:
        """Look, or fail."""
        if self.failing:
            self.failing -= 1
            raise StorageError("cannot read the events seen: disk I/O error")
        return super().has_seen(event_id)


@pytest.mark.parametrize("command", ["oops Metal Mill", "status", "help", "clear Metal Mill", "oops nothing"])
def test_a_repeated_event_is_carried_out_once(shop: Shop, command: str) -> None:
    delivery = shop.say(command)
    for attempt in (1, 2, 3):
        shop.workspace.redeliver(delivery, attempt=attempt).acked()
    shop.settle()
    assert len(shop.texts(CONTROL)) == 1


def test_a_repetition_does_not_undo_what_was_done_since(shop: Shop) -> None:
    delivery = shop.say("oops Metal Mill")
    shop.say("clear Metal Mill")
    shop.workspace.redeliver(delivery).acked()
    shop.settle()
    assert shop.state("metal-mill").status is Status.IDLE
    assert len(shop.texts(CONTROL)) == 2


def test_repetitions_that_come_while_the_command_is_carried_out_change_nothing(shop: Shop) -> None:
    shop.workspace.add_user("U0SLOW", "slow", "Slow")
    shop.workspace.slow(60, "users.info")
    delivery = shop.workspace.mention("oops Metal Mill", user="U0SLOW")
    delivery.acked()
    shop.workspace.wait_for(
        lambda: any(c.params.get("user") == "U0SLOW" for c in shop.workspace.calls_to("users.info"))
    )
    for attempt in (1, 2):
        shop.workspace.redeliver(delivery, attempt=attempt).acked()
    shop.workspace.mend()
    shop.wait_for_texts(1)
    shop.settle()
    assert shop.texts(CONTROL) == ["Metal Mill is oopsed, by slow, from Slack."]


def test_a_repetition_after_a_restart_is_not_carried_out_again(make_shop: MakeShop) -> None:
    shop = make_shop()
    oops = shop.say("oops Metal Mill")
    clear = shop.say("clear Metal Mill")
    status = shop.say("status")
    shop.settle()
    shop.stop()
    again = make_shop()
    for delivery in (oops, clear, status):
        again.workspace.redeliver(delivery, attempt=2).acked()
    again.settle()
    assert not again.posts()
    assert again.state("metal-mill").status is Status.IDLE


def test_a_repetition_of_a_command_that_had_found_it_so_already_changes_nothing_after_a_restart(
    make_shop: MakeShop,
) -> None:
    shop = make_shop()
    shop.say("lock Metal Mill")
    second = shop.say("lock Metal Mill")
    shop.say("clear Metal Mill")
    shop.settle()
    shop.stop()
    again = make_shop()
    again.workspace.redeliver(second, attempt=2).acked()
    again.settle()
    assert not again.posts()
    assert again.state("metal-mill").status is Status.IDLE


def test_an_event_whose_first_delivery_was_lost_is_carried_out_when_it_is_repeated(make_shop: MakeShop) -> None:
    shop = make_shop()
    shop.stop()
    lost = shop.workspace.mention("oops Metal Mill", queued=False)
    assert lost.sent_at is None
    again = make_shop()
    again.workspace.redeliver(lost, attempt=1, reason="socket_mode_connection_error").acked()
    again.wait_for_texts(1, OOPS)
    again.settle()
    assert again.texts(CONTROL) == ["Metal Mill is oopsed, by ada, from Slack."]


def test_a_command_that_could_not_be_looked_up_on_disk_is_carried_out_when_it_is_repeated(make_shop: MakeShop) -> None:
    shop, store = with_store(make_shop, ForgetfulStore)
    store.failing = 1
    delivery = shop.workspace.mention("oops Metal Mill")
    delivery.acked()
    wait_until(lambda: store.failing == 0)
    shop.settle()
    if not shop.state("metal-mill").oops:
        shop.workspace.redeliver(delivery).acked()
        shop.settle()
    assert shop.state("metal-mill").oops
    assert len(shop.texts(OOPS)) == 1
