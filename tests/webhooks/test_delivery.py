"""Events on their way to webhooks: out of the outbox, in order for each machine, until they are taken or given up."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mac_actors.actors.webhooks import event_id
from mac_actors.core.inputs import Clear, Lock, Oops
from mac_actors.core.outcomes import OopsSet
from mac_actors.core.state import Flag, Source
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.settings.files import parse
from mac_actors.storage.codec import journal_row
from mac_actors.storage.records import Record
from mac_actors.storage.store import Store
from mac_actors.webhooks.sender import send
from tests.actors.office import FakeChat
from tests.fakes import ANN, PATIENT_BUDGET, report, sample_machines, sample_users, wait_until, written
from tests.webhooks.receiver import SECRET, Receiver, receiving

DEAD = "http://127.0.0.1:1/"


def machines() -> dict[str, Any]:
    """Two machines; neither has power at the start, which would be an event."""
    return {name: entry for name, entry in sample_machines().items() if name in {"metal-mill", "router"}}


def hooks(**urls: Any) -> dict[str, Any]:
    """Entries of the file: a URL each, or a receiver, or what differs."""
    entries = {}
    for name, given in urls.items():
        more = given if isinstance(given, dict) else {"url": given if isinstance(given, str) else given.url}
        entries[name] = {"secret": SECRET, **more}
    return entries


def fleet_with(webhooks: dict[str, Any], store: Store | None = None, **options: Any) -> MachineFleet:
    configuration = parse(machines(), sample_users(), webhooks)
    return MachineFleet(configuration, store or Store.open(None), commit_budget=PATIENT_BUDGET, send=send, **options)


def oops(fleet: MachineFleet, name: str = "metal-mill", reason: str | None = None) -> None:
    fleet.ask(name, Oops(datetime.now(UTC), Source.HTTP, "Ann Able", reason))


def clear(fleet: MachineFleet, name: str = "metal-mill") -> None:
    fleet.ask(name, Clear(datetime.now(UTC), Source.HTTP))


def emptied(fleet: MachineFleet) -> None:
    """Wait until nothing waits any more."""
    wait_until(lambda: fleet.store.count_waiting()[0] == 0)


def test_each_outcome_is_sent_once_in_order_without_a_chat(receiver: Receiver) -> None:
    with fleet_with(hooks(shop=receiver)) as fleet:
        report(fleet, "metal-mill", ANN)
        oops(fleet, reason="belt")
        clear(fleet)
        events = receiver.wait_for(3)
        emptied(fleet)
        assert fleet.webhooks is not None
        assert fleet.webhooks.notifiers["webhook shop"].posted == 3
    assert [event["kind"] for event in events] == ["session_started", "oops_set", "oops_cleared"]
    assert [event["id"] for event in events] == [1, 2, 3]
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 3


def test_only_a_webhook_that_says_so_gets_names(receiver: Receiver) -> None:
    with receiving() as admins:
        webhooks = hooks(shop=receiver, admins={"url": admins.url, "names": True})
        with fleet_with(webhooks) as fleet:
            report(fleet, "metal-mill", ANN)
            oops(fleet)
            public, full = receiver.wait_for(2), admins.wait_for(2)
    assert "Ann" not in str(public)
    assert "Able" not in str(public)
    assert [event["user"] for event in public] == [None, None]
    assert [event["user"] for event in full] == ["Ann Able", "Ann Able"]
    assert full[1]["by"] == "Ann Able"
    assert "Ann Able" in full[0]["text"]
    assert ANN not in str(full)


def test_what_comes_from_no_machines_actor_is_sent_too(receiver: Receiver) -> None:
    with fleet_with(hooks(shop=receiver)) as fleet:
        fleet.users.add("Una User", by="Ada Admin")
        fleet.report_problem("metal-mill", "the belt slips", "Una User")
        added, reported = receiver.wait_for(2)
    assert (added["kind"], added["machine"]) == ("user_added", None)
    assert (reported["kind"], reported["machine"]) == ("reported", "metal-mill")
    assert "Una" not in added["text"] + reported["text"]


def test_a_webhook_gets_the_kinds_that_it_asks_for_alone(receiver: Receiver) -> None:
    with fleet_with(hooks(shop={"url": receiver.url, "kinds": ["oops_set", "lock_set"]})) as fleet:
        report(fleet, "metal-mill", ANN)
        oops(fleet)
        clear(fleet)
        fleet.ask("metal-mill", Lock(datetime.now(UTC), Source.CLI))
        events = receiver.wait_for(2)
        emptied(fleet)
    assert [event["kind"] for event in events] == ["oops_set", "lock_set"]


def test_a_receiver_that_refuses_is_asked_again_with_the_same_id_until_it_takes(receiver: Receiver) -> None:
    answers = iter([503, 429, 302, 404])
    receiver.answer = lambda event: next(answers, 200)
    with fleet_with(hooks(shop=receiver)) as fleet:
        oops(fleet)
        clear(fleet)
        events = receiver.wait_for(2)
        emptied(fleet)
    assert [event["kind"] for event in events] == ["oops_set", "oops_cleared"]
    assert len({request.headers["webhook-id"] for request in receiver.requests[:5]}) == 1


def test_an_event_that_is_refused_holds_up_the_later_ones_of_its_machine_alone(receiver: Receiver) -> None:
    mended = threading.Event()
    receiver.answer = lambda event: 200 if event["machine"] != "router" or mended.is_set() else 422
    with fleet_with(hooks(shop=receiver)) as fleet:
        oops(fleet, "router")
        clear(fleet, "router")
        for _ in range(3):
            oops(fleet)
            clear(fleet)
        receiver.wait_for(6, machine="metal-mill")
        assert not receiver.events(machine="router")
        wait_until(lambda: "answered 422" in str(fleet.outgoing.outlets()["webhook shop"].error))
        mended.set()
        kinds = [event["kind"] for event in receiver.wait_for(2, machine="router")]
        emptied(fleet)
        assert fleet.outgoing.outlets()["webhook shop"].error is None
    assert kinds == ["oops_set", "oops_cleared"]
    assert {request.event["kind"] for request in receiver.requests if request.status == 422} == {"oops_set"}


def test_a_dead_receiver_holds_up_neither_other_webhooks_nor_the_chat(receiver: Receiver) -> None:
    chat = FakeChat()
    with fleet_with(hooks(dead=DEAD, shop=receiver), chat=chat) as fleet:
        oops(fleet)
        receiver.wait_for(1)
        chat.wait_for(1)
        wait_until(lambda: fleet.outgoing.outlets()["webhook dead"].error)
        assert fleet.store.waiting_by_channel()["webhook dead"][0] == 1
        assert "127.0.0.1:1" not in str(fleet.outgoing.outlets()["webhook dead"].error)


def test_what_was_not_taken_before_a_stop_is_sent_after_the_next_start(tmp_path: Path, receiver: Receiver) -> None:
    with fleet_with(hooks(shop=DEAD), Store.open(tmp_path)) as fleet:
        oops(fleet)
        wait_until(lambda: fleet.outgoing.outlets()["webhook shop"].error)
    with fleet_with(hooks(shop=receiver), Store.open(tmp_path)) as fleet:
        (event,) = receiver.wait_for(1)
        emptied(fleet)
    assert event["kind"] == "oops_set"


def old_event(fleet: MachineFleet, machine: str, age: timedelta) -> None:
    """Have an event of that age wait for the webhook."""
    outcome = OopsSet(
        machine=machine,
        display_name=machine,
        at=datetime.now(UTC) - age,
        flag=Flag(datetime.now(UTC), Source.HTTP),
        ended=None,
    )
    assert fleet.webhooks is not None
    fleet.journal.record(Record(rows=((journal_row(outcome), fleet.webhooks.notices(outcome)),)))
    written(fleet)


@pytest.mark.parametrize("status", [503, 422])
def test_what_was_not_taken_for_three_days_is_given_up_and_that_is_said_once(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr("mac_actors.actors.webhooks.TRIED_SECONDS", 0.1)
    receiver.answer = lambda event: status if event["machine"] == "router" else 200
    chat = FakeChat()
    with fleet_with(hooks(shop=receiver), chat=chat) as fleet:
        outlet = fleet.outgoing.outlets()["webhook shop"]
        old_event(fleet, "router", timedelta(days=3, hours=1))
        wait_until(lambda: outlet.given_up == 1)
        old_event(fleet, "router", timedelta(days=3, hours=1))
        wait_until(lambda: outlet.given_up == 2)
        oops(fleet)
        receiver.wait_for(1)
        emptied(fleet)
        told = [text for text in chat.texts() if "webhook shop" in text]
    assert len(told) == 1
    assert "has not taken events for 3 days" in told[0]


@pytest.mark.parametrize("status", [503, 422])
def test_what_is_old_is_not_given_up_by_a_server_that_has_just_begun_to_try(receiver: Receiver, status: int) -> None:
    """The shop was closed for days, and the router is not up yet."""
    answers = iter([status, status])
    receiver.answer = lambda event: next(answers, 200)
    with fleet_with(hooks(shop=receiver)) as fleet:
        old_event(fleet, "router", timedelta(days=4))
        receiver.wait_for(1)
        emptied(fleet)
        assert fleet.outgoing.outlets()["webhook shop"].given_up == 0


def test_what_is_old_but_was_never_tried_is_sent(receiver: Receiver) -> None:
    with fleet_with(hooks(shop=receiver)) as fleet:
        old_event(fleet, "router", timedelta(days=9))
        receiver.wait_for(1)
        emptied(fleet)
        assert fleet.outgoing.outlets()["webhook shop"].given_up == 0


def test_a_reload_mends_a_url_adds_a_webhook_and_drops_what_waits_for_one_that_is_gone(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with receiving() as other, fleet_with(hooks(shop=DEAD, gone=DEAD)) as fleet:
        oops(fleet)
        wait_until(lambda: fleet.outgoing.outlets()["webhook gone"].error)
        fleet.reload(parse(machines(), sample_users(), hooks(shop=receiver, more=other)))
        receiver.wait_for(1)
        clear(fleet)
        receiver.wait_for(2)
        other.wait_for(1)
        emptied(fleet)
        assert [*fleet.outgoing.outlets()] == ["webhook shop", "webhook more"]
        fleet.reload(parse(machines(), sample_users()), machines=False)  # the users alone
        assert [*fleet.outgoing.outlets()] == ["webhook shop", "webhook more"]
    assert "the webhook gone is no longer configured: 1 event for it dropped" in caplog.text
    assert SECRET not in caplog.text
    assert "in-the-url" not in caplog.text


def test_an_actor_that_died_is_started_again_on_what_waits(receiver: Receiver) -> None:
    with fleet_with(hooks(shop=receiver)) as fleet:
        fleet.outgoing.outlets()["webhook shop"].ref.stop()
        oops(fleet)
        receiver.wait_for(1)
        assert fleet.restarts["webhook shop notifier"] == 1


def test_the_id_of_an_event_is_its_line_and_its_time() -> None:
    with fleet_with({}) as fleet:
        oops(fleet)
        (entry,) = fleet.store.page().entries
    assert event_id(entry) == f"event_1_{entry.outcome.at:%Y%m%dT%H%M%S%f}"
