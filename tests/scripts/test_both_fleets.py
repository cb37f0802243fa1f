"""Fleet and RemoteFleet: the same calls, the same results, the same errors."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pykka
import pytest

from mac_actors import Answer, AnyFleet, FleetClosed, MachineUnavailable, Snapshot, Source, Status, UnknownMachine
from mac_actors.core.outcomes import (
    Cleared,
    LockPending,
    LockSet,
    MaintenanceDone,
    OopsSet,
    Outcome,
    SessionEnded,
    SessionStarted,
)
from tests.conftest import write_sample
from tests.fakes import ANN, ODD_ALIAS, RecordingSubscriber, wait_until
from tests.scripts.shop import TOKEN, Shop, maintained_machines, serving, shop_here, shop_remote
from tests.web.client import Running

WAIT = 20.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("server")
    write_sample(directory)
    (directory / "machines.json").write_text(json.dumps(maintained_machines()))
    with serving(directory, token=TOKEN) as server:
        yield server


@pytest.fixture(params=["here", "remote"])
def shop(request: pytest.FixtureRequest, server: Running) -> Iterator[Shop]:
    if request.param == "here":
        with shop_here() as shop:
            yield shop
        return
    with shop_remote(server) as shop:
        yield shop
    with shop_remote(server) as cleaner:
        for machine in cleaner.fleet.snapshots():
            cleaner.report(machine.name, "")
            if machine.oops or machine.lock:
                cleaner.fleet[machine.name].clear().get()


@pytest.fixture
def fleet(shop: Shop) -> AnyFleet:
    return shop.fleet


def test_a_lock_may_wait_for_the_end_of_a_session(shop: Shop) -> None:
    mill = shop.fleet["Metal Mill"]
    shop.report("metal-mill", ANN)
    (pending,) = mill.lock(by="me", reason="belt", when_free=True).get(timeout=WAIT).outcomes
    assert isinstance(pending, LockPending)
    shown = mill.snapshot().get(timeout=WAIT)
    assert (shown.status, shown.lock) == (Status.IN_USE, None)
    assert shown.lock_pending
    assert shown.lock_pending.reason == "belt"
    assert mill.lock(when_free=True).get(timeout=WAIT).already == ("lock_pending",)
    shop.report("metal-mill", "")
    locked = mill.snapshot().get(timeout=WAIT)
    assert (locked.status, locked.lock_pending) == (Status.LOCKED_OUT, None)


def test_maintenance_is_said_to_be_done(fleet: AnyFleet) -> None:
    router = fleet["router"]
    (done,) = router.done("change THE bit", by="Grace").get(timeout=WAIT).outcomes
    assert isinstance(done, MaintenanceDone)
    assert (done.what, done.flag.by, done.flag.source) == ("Change the bit", "Grace", Source.REPL)
    assert isinstance(router.done().get(timeout=WAIT).outcomes[0], MaintenanceDone)
    for answer in (router.done("paint it"), fleet["laser"].done()):
        assert answer.get(timeout=WAIT).already == ("no_such_maintenance",)
    assert router.snapshot().get(timeout=WAIT).maintenance[0].what == "Change the bit"


def test_all_machines_are_there_in_order_by_name_and_by_alias(fleet: AnyFleet) -> None:
    assert list(fleet) == ["metal-mill", "laser", "bandsaw", "vent", "router"]
    assert len(fleet) == 5
    assert [machine.name for machine in fleet.snapshots()] == list(fleet)
    assert fleet.find("METAL  mill") == "metal-mill"
    assert ODD_ALIAS in fleet
    assert "nope" not in fleet
    assert 5 not in fleet
    assert fleet.snapshot(ODD_ALIAS).name == "laser"
    assert fleet["Metal Mill"] == fleet["metal-mill"]
    assert len({fleet["Metal Mill"], fleet["metal-mill"], fleet["laser"]}) == 2


@pytest.mark.parametrize("look", ["fleet[n]", "fleet.find(n)", "fleet.snapshot(n)", "list(fleet.events(n))"])
def test_an_unknown_name_is_an_unknown_machine_with_the_nearest_names(fleet: AnyFleet, look: str) -> None:
    with pytest.raises(UnknownMachine) as caught:
        eval(look, {"fleet": fleet, "n": "Metl Mill"})
    assert isinstance(caught.value, LookupError)
    assert str(caught.value) == "No such machine: Metl Mill. Did you mean Metal Mill?"
    assert caught.value.suggestions == ("Metal Mill",)


def test_each_command_answers_with_what_came_of_it(fleet: AnyFleet) -> None:
    machine = fleet["Metal Mill"]
    answer: Answer = machine.oops(by="Grace", reason="belt").get()
    [oops] = answer.outcomes
    assert answer.durable is True
    assert isinstance(oops, OopsSet)
    assert (oops.machine, oops.display_name) == ("metal-mill", "Metal Mill")
    assert (oops.flag.source, oops.flag.by, oops.flag.reason) == (Source.REPL, "Grace", "belt")
    assert (answer.outputs.relay, answer.outputs.oops_led) == (False, True)
    assert machine.oops().get().already == ("oopsed",)
    assert machine.oops().get().outcomes == ()
    assert isinstance(machine.lock(reason="grease").get().outcomes[0], LockSet)
    assert machine.snapshot().get().status is Status.OOPSED_LOCKED_OUT
    assert machine.unoops().get().outcomes
    assert machine.snapshot().get().status is Status.LOCKED_OUT
    assert machine.unlock().get().outcomes
    assert machine.unlock().get().already == ("not_locked_out",)
    machine.oops().get()
    [cleared] = machine.clear(by="Grace").get().outcomes
    assert isinstance(cleared, Cleared)
    assert (cleared.by, cleared.still_locked) == ("Grace", False)
    assert machine.snapshot().get().status is Status.IDLE


def test_a_command_is_on_its_way_without_get_and_in_order(fleet: AnyFleet) -> None:
    machine = fleet["router"]
    for _ in range(5):
        machine.lock()
        machine.unlock()
    last = machine.lock()
    assert machine.snapshot().get(timeout=WAIT).lock
    assert last.get(timeout=WAIT).outcomes
    assert "get()" in repr(last)
    assert last.map(lambda answer: answer.durable).get(timeout=WAIT) is True


def test_a_session_is_seen_with_its_member(shop: Shop) -> None:
    shop.report("metal-mill", ANN)
    seen = shop.fleet["metal-mill"].snapshot().get()
    assert isinstance(seen, Snapshot)
    assert (seen.status, seen.relay, seen.online) == (Status.IN_USE, True, True)
    assert seen.session
    assert (seen.session.full_name, seen.session.kind) == ("Ann Able", "authorized")
    assert datetime.now(UTC) - seen.session.since < timedelta(minutes=1)
    assert seen == dataclasses.replace(
        next(s for s in shop.fleet.snapshots() if s.name == "metal-mill"), online=seen.online
    )
    [lock] = shop.fleet["metal-mill"].lock().get().outcomes
    assert isinstance(lock, LockSet)
    assert lock.ended
    assert (lock.ended.user.full_name, lock.ended.user.account_id) == ("Ann Able", "1")


def test_subscribers_are_told_each_outcome_once_in_order(shop: Shop) -> None:
    first, second = RecordingSubscriber(), RecordingSubscriber()
    shop.fleet.subscribe(first)
    end = shop.fleet.subscribe(second)
    assert "call it to end it" in repr(end)
    shop.report("metal-mill", ANN)
    shop.report("metal-mill", "")
    shop.fleet["router"].oops(reason="belt").get()
    told = first.wait_for(3)
    assert [type(outcome) for outcome in told] == [SessionStarted, SessionEnded, OopsSet]
    assert [outcome.machine for outcome in told] == ["metal-mill", "metal-mill", "router"]
    assert second.wait_for(3) == told
    end()
    shop.fleet["router"].clear().get()
    assert len(first.wait_for(4)) == 4
    assert len(second.outcomes) == 3


def test_a_subscriber_that_fails_is_said_once_and_goes_on_being_told(
    fleet: AnyFleet, caplog: pytest.LogCaptureFixture
) -> None:
    told = RecordingSubscriber()

    def fail(outcome: Outcome) -> None:
        told(outcome)
        raise RuntimeError("a mistake in the subscriber")

    fleet.subscribe(fail)
    for _ in range(2):
        fleet["router"].lock().get()
        fleet["router"].unlock().get()
    assert len(told.wait_for(4)) == 4
    fleet.close()
    [said] = [record for record in caplog.records if "a mistake in the subscriber" in (record.exc_text or "")]
    assert "fail" in said.getMessage()
    assert "said once" in said.getMessage()


def test_what_can_not_be_told_is_refused_with_an_example(fleet: AnyFleet) -> None:
    with pytest.raises(TypeError, match=r"fleet\.subscribe\(print\)"):
        fleet.subscribe("print")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"fleet\.start\("):
        fleet.start(cast(Any, print))


class Listener(pykka.ThreadingActor):
    """An custom actor as a script has it."""

    def __init__(self, told: RecordingSubscriber, word: str) -> None:
        super().__init__()
        self._told = told
        self.word = word

    def on_receive(self, message: Any) -> None:
        self._told(message)
        if getattr(message, "reason", None) == "die":
            raise RuntimeError("a mistake in the actor")


@pytest.mark.actor_dies
def test_an_own_actor_is_told_of_outcomes_and_comes_back_when_it_dies(fleet: AnyFleet) -> None:
    told = RecordingSubscriber()
    custom = fleet.start(Listener, told, word="hello")
    assert isinstance(custom, pykka.ActorRef)
    assert custom.proxy().word.get(timeout=WAIT) == "hello"
    before = custom.actor_urn
    fleet["router"].lock().get()
    fleet["router"].unlock(reason="die").get()
    fleet["router"].lock().get()
    assert len(told.wait_for(3)) == 3, "what waited when it died is told to its successor"
    assert custom.is_alive()
    assert custom.actor_urn != before
    assert custom.proxy().word.get(timeout=WAIT) == "hello"
    assert custom.stop() is True
    fleet["router"].unlock().get()
    assert len(told.outcomes) == 3


def test_an_actor_started_elsewhere_can_subscribe(fleet: AnyFleet) -> None:
    told = RecordingSubscriber()
    ref = Listener.start(told, "mine")
    fleet.subscribe(ref)
    fleet["router"].lock().get()
    assert isinstance(told.wait_for(1)[0], LockSet)
    ref.stop()
    fleet["router"].unlock().get()


def test_the_journal_is_read_newest_first(shop: Shop) -> None:
    begun = datetime.now(UTC)
    shop.report("metal-mill", ANN)
    shop.report("metal-mill", "")
    shop.fleet["router"].oops(by="Grace", reason="belt").get()
    events = list(shop.fleet.events(since=begun))
    assert [type(event) for event in events] == [OopsSet, SessionEnded, SessionStarted]
    assert list(shop.fleet.events("Metal Mill", since=begun)) == events[1:]
    assert not list(shop.fleet.events("bandsaw", since=begun))


def test_many_events_come_page_by_page(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mac_actors.fleet.fleet.EVENTS_AT_ONCE", 3)
    monkeypatch.setattr("mac_actors.client.remote.EVENTS_AT_ONCE", 3)
    begun = datetime.now(UTC)
    for number in range(4):
        shop.fleet["router"].lock(reason=str(number)).get()
        shop.fleet["router"].unlock().get()
    events = list(shop.fleet.events("router", since=begun))
    assert [event.flag.reason for event in events if isinstance(event, LockSet)] == ["3", "2", "1", "0"]
    assert len(events) == 8


class Deadly:
    """What no listener survives."""

    reason = "die"


@pytest.mark.actor_dies
def test_what_is_wrong_is_said(fleet: AnyFleet) -> None:
    assert fleet.health() == {}
    custom = fleet.start(Listener, RecordingSubscriber(), "x")
    deaths = 0
    while "actors" not in fleet.health():
        died, deaths = custom.ref.actor_urn, deaths + 1
        custom.tell(Deadly())
        wait_until(lambda: custom.actor_urn != died or "actors" in fleet.health())  # noqa: B023 - called at once
    assert fleet.health() == {"actors": "failing again and again (the log says why): custom actor Listener"}
    assert deaths == 6
    fleet.close()
    assert fleet.health()["fleet"] == "stopping"


def test_a_closed_fleet_says_so_and_may_be_closed_again(fleet: AnyFleet) -> None:
    machine = fleet["router"]
    fleet.close()
    fleet.close()
    calls: list[Callable[[], object]] = [
        machine.lock,
        fleet.snapshots,
        lambda: fleet.snapshot("router"),
        lambda: fleet.subscribe(print),
        lambda: fleet.start(Listener, RecordingSubscriber(), "x"),
        lambda: list(fleet.events()),
    ]
    for call in calls:
        with pytest.raises(FleetClosed, match="the fleet is closed: open it anew"):
            call()
    with pytest.raises(MachineUnavailable):
        machine.snapshot()
    assert "closed" in repr(fleet)


def test_each_shows_itself_in_a_few_words(fleet: AnyFleet) -> None:
    assert len(repr(fleet)) < 60
    assert "router" in repr(fleet["router"])
    assert [word for word in dir(fleet["router"]) if word != "actor_ref"] == [
        "clear",
        "done",
        "lock",
        "oops",
        "snapshot",
        "unlock",
        "unoops",
    ]


def test_threads_share_a_fleet(fleet: AnyFleet) -> None:
    answers: list[Answer] = []

    def work(name: str) -> None:
        answers.extend(
            call(reason=name).get(timeout=WAIT) for _ in range(5) for call in (fleet[name].lock, fleet[name].unlock)
        )

    threads = [threading.Thread(target=work, args=(name,)) for name in fleet if name != "vent"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    assert len(answers) == 40
    assert all(len(answer.outcomes) == 1 for answer in answers)
