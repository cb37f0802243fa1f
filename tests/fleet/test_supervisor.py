"""Actors that die come back, with what they knew; it is counted, and said once."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pykka
import pytest

from mac_actors import clock
from mac_actors.actors.machine import MachineActor
from mac_actors.actors.messages import SaveTelemetry
from mac_actors.actors.runtime import MacActor, prove_alive
from mac_actors.core.inputs import Clear, Oops, Report
from mac_actors.core.notices import Channel
from mac_actors.core.outcomes import SessionStarted
from mac_actors.core.state import MachineState, Source, Status, Telemetry
from mac_actors.errors import ChatError, MachineUnavailable
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.names import Names
from mac_actors.fleet.retention import Retention
from mac_actors.fleet.supervisor import SAVE_TURNS, Prepared, Supervisor
from mac_actors.settings.files import parse
from mac_actors.storage.records import Unreadable
from mac_actors.storage.store import Store
from tests.fakes import (
    ANN,
    TELEMETRY,
    RecordingChat,
    RecordingSubscriber,
    open_fleet,
    report,
    sample_machines,
    sample_users,
    wait_until,
    written,
)

WAIT = 10.0


@pytest.fixture
def chat() -> RecordingChat:
    """Where the fleet's notices go."""
    return RecordingChat()


@pytest.fixture
def fleet(tmp_path: Path, chat: RecordingChat) -> Iterator[MachineFleet]:
    """A fleet on disk, with a chat."""
    with open_fleet(Store.open(tmp_path), chat=chat) as fleet:
        written(fleet)
        yield fleet


def ref_of(fleet: MachineFleet, name: str) -> pykka.ActorRef[MachineActor]:
    """Return the ref of a machine's actor."""
    return fleet[name].actor_ref


def insert(fleet: MachineFleet, name: str, fob: str | None) -> bool:
    """Send a report; return whether the relay is on."""
    return report(fleet, name, fob).outputs.relay


def test_a_machine_whose_actor_was_stopped_comes_back_as_it_was(fleet: MachineFleet, chat: RecordingChat) -> None:
    insert(fleet, "metal-mill", ANN)
    fleet["router"].lock(by="me", reason="belt").get(timeout=WAIT)
    before = [fleet.snapshot("metal-mill"), fleet.snapshot("router")]
    for name in ("metal-mill", "router"):
        ref_of(fleet, name).stop(timeout=WAIT)
    wait_until(lambda: fleet.restarts["machine"] == 2)
    assert [fleet.snapshot("metal-mill"), fleet.snapshot("router")] == before
    assert [fleet[name].snapshot().get(timeout=WAIT) for name in ("metal-mill", "router")] == before
    assert insert(fleet, "metal-mill", ANN)
    assert fleet.health() == {}
    fleet.notify("the end")
    wait_until(lambda: "the end" in [post.text for post in chat.posts])
    texts = chat.texts(3)
    assert sum("Metal Mill had stopped and was restarted" in text for text in texts) == 1
    assert sum("router had stopped and was restarted" in text for text in texts) == 1


@pytest.mark.actor_dies
def test_a_machine_whose_actor_failed_comes_back_as_it_was(fleet: MachineFleet) -> None:
    fleet["router"].oops(reason="belt").get(timeout=WAIT)
    before = fleet.snapshot("router")
    ref = ref_of(fleet, "router")
    ref.tell("no event at all")
    wait_until(lambda: fleet.restarts["machine"] == 1)
    assert not ref.is_alive()
    assert fleet.snapshot("router") == before
    assert fleet["router"].clear().get(timeout=WAIT).outcomes


def test_a_machine_that_is_asked_while_it_is_dead_is_revived_for_it(fleet: MachineFleet) -> None:
    for round_ in range(1, 6):
        ref_of(fleet, "router").stop(timeout=WAIT)
        assert fleet["router"].oops(reason=str(round_)).get(timeout=WAIT).outcomes
        assert fleet["router"].clear().get(timeout=WAIT).outcomes
        assert fleet.restarts["machine"] == round_


def test_a_removal_of_names_that_hangs_at_the_disk_holds_up_no_revival(monkeypatch: pytest.MonkeyPatch) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def hang(_: Retention) -> None:
        reached.set()
        go_on.wait(WAIT)

    monkeypatch.setattr(Retention, "step", hang)
    with open_fleet(retention_days=30) as fleet:
        assert reached.wait(WAIT)
        ref_of(fleet, "metal-mill").stop(timeout=WAIT)
        wait_until(lambda: fleet.restarts["machine"] == 1)
        go_on.set()


def test_an_exception_under_ask_goes_to_the_caller_and_the_actor_lives(fleet: MachineFleet) -> None:
    before = fleet.snapshot("router")
    ref = ref_of(fleet, "router")
    with pytest.raises(AttributeError):
        ref.ask("no event at all", timeout=WAIT)
    assert ref.is_alive()
    assert fleet.snapshot("router") == before
    assert fleet.restarts == {}


def test_text_that_can_not_be_stored_is_refused_and_changes_nothing(fleet: MachineFleet) -> None:
    before = fleet.snapshot("router")
    with pytest.raises(ValueError, match="surrogate"):
        fleet["router"].lock(reason="\ud800").get(timeout=WAIT)
    assert fleet.snapshot("router") == before
    assert fleet["router"].snapshot().get(timeout=WAIT).status is Status.IDLE
    assert fleet["router"].lock(reason="fine").get(timeout=WAIT).durable


def test_an_order_that_races_with_the_end_of_an_actor_is_carried_out_once_or_refused(fleet: MachineFleet) -> None:
    carried_out = 0
    for number in range(5):  # more would be a storm
        command = Clear if number % 2 else Oops
        event = command(datetime.now(UTC), Source.HTTP)
        ref_of(fleet, "router").stop(block=False)
        try:
            answer = fleet.ask("router", event)
        except MachineUnavailable:
            answer = fleet.ask("router", event)  # trying again is safe, and works at once
        carried_out += len(answer.outcomes)
    assert carried_out == 5
    written(fleet)
    assert len(fleet.store.page(machine="router", limit=1000).entries) == 5


def test_a_subscriber_that_ends_the_thread_ends_no_machine(fleet: MachineFleet) -> None:
    """pykka stops all actors of the process when one is ended by ``SystemExit``."""
    exits = ["once"]
    told = RecordingSubscriber()

    def leave(_outcome: object) -> None:
        if exits:
            exits.pop()
            sys.exit("a subscriber wants to leave")

    fleet["laser"].lock(reason="lens").get(timeout=WAIT)
    fleet.subscribe(leave)
    fleet.subscribe(told)
    fleet["router"].oops(reason="belt").get(timeout=WAIT)
    wait_until(lambda: not exits and fleet.health() == {} and fleet.publisher.ref.is_alive())
    wait_until(lambda: fleet.journal.ref.is_alive() is True)
    assert fleet.snapshot("router").status is Status.OOPSED
    assert fleet.snapshot("laser").status is Status.LOCKED_OUT
    wait_until(lambda: fleet["router"].clear().get(timeout=WAIT).durable)
    written(fleet)


def test_the_writer_comes_back_and_nothing_is_lost(fleet: MachineFleet) -> None:
    fleet.journal.ref.stop(timeout=WAIT)
    futures = [fleet[name].lock(reason="while the writer was dead") for name in fleet]
    answers = [future.get(timeout=WAIT) for future in futures]
    assert all(answer.outcomes for answer in answers)
    written(fleet)
    assert fleet.restarts["journal"] == 1
    assert len(fleet.store.page(kind="lock_set").entries) == 5


def test_the_writer_comes_back_for_what_was_waiting_alone(fleet: MachineFleet) -> None:
    fleet.journal.ref.stop(timeout=WAIT)
    answer = fleet["router"].lock().get(timeout=WAIT)
    written(fleet)
    assert answer.outcomes
    assert fleet.store.page(kind="lock_set").entries


def test_the_publisher_comes_back_and_subscribers_go_on_being_told(fleet: MachineFleet) -> None:
    told = RecordingSubscriber()
    fleet.subscribe(told)
    fleet.publisher.ref.stop(timeout=WAIT)
    wait_until(lambda: fleet.restarts["publisher"] == 1)
    fleet["router"].oops().get(timeout=WAIT)
    assert len(told.wait_for(1)) == 1


@pytest.mark.actor_dies
def test_a_publisher_that_failed_comes_back(fleet: MachineFleet) -> None:
    told = RecordingSubscriber()
    fleet.subscribe(told)
    fleet.publisher.ref.tell(5)
    wait_until(lambda: fleet.restarts["publisher"] == 1)
    fleet["router"].oops().get(timeout=WAIT)
    assert len(told.wait_for(1)) == 1


def test_outcomes_while_the_publisher_is_dead_harm_nobody(fleet: MachineFleet) -> None:
    fleet.subscribe(RecordingSubscriber())
    fleet.publisher.ref.stop(timeout=WAIT)
    assert fleet["router"].oops().get(timeout=WAIT).durable


def test_the_notifier_comes_back_and_posts_what_waited_once_and_in_order(
    fleet: MachineFleet, chat: RecordingChat
) -> None:
    fleet.notify("one")
    chat.texts(1)
    assert fleet.notifier
    fleet.notifier.channels[Channel.CONTROL].ref.stop(timeout=WAIT)
    fleet.notify("two")
    fleet.notify("three")
    texts = chat.texts(4)
    assert [text for text in texts if text in {"one", "two", "three"}] == ["one", "two", "three"]
    assert sum("notifier" in text for text in texts) == 1
    assert fleet.restarts["control notifier"] == 1
    written(fleet)
    wait_until(lambda: fleet.store.count_waiting()[0] == 0)
    assert len(chat.posts) == 4, "nothing was posted twice"


@pytest.mark.actor_dies
def test_a_mistake_in_the_chat_kills_the_notifier_and_loses_no_notice(fleet: MachineFleet, chat: RecordingChat) -> None:
    chat.errors.append(RuntimeError("a mistake in the chat"))
    fleet.notify("one")
    fleet.notify("two")
    texts = chat.texts(3)
    assert texts[:2] == ["one", "two"]
    assert fleet.restarts["control notifier"] == 1


def test_a_chat_that_refuses_is_asked_again_in_order(fleet: MachineFleet, chat: RecordingChat) -> None:
    for _ in range(3):
        chat.refuse_once()
    for number in range(5):
        fleet.notify(str(number))
    assert chat.texts(5) == [str(number) for number in range(5)]
    assert fleet.restarts == {}
    assert fleet.notifier
    notifier = fleet.notifier
    wait_until(lambda: notifier.troubles() == {})


def test_notices_that_were_not_posted_are_posted_after_the_next_start(tmp_path: Path) -> None:
    class DeadChat(RecordingChat):
        def post(self, *_: object) -> str | None:
            raise ChatError("no network", retry_after=60)

    with open_fleet(Store.open(tmp_path), chat=DeadChat()) as fleet:
        fleet["router"].oops(by="me", reason="belt").get(timeout=WAIT)
        fleet.notify("the last words")
        written(fleet)
        waiting = len(fleet.store.waiting(Channel.CONTROL))
        assert waiting >= 2
        assert fleet.store.waiting(Channel.OOPS)
        assert fleet.health() == {}, "the chat's troubles keep nobody from working"
    chat = RecordingChat()
    with open_fleet(Store.open(tmp_path), chat=chat):
        texts = chat.texts(waiting)
        assert "belt" in chat.texts(1, Channel.OOPS)[0]
    assert "belt" in texts[0]
    assert texts[-1] == "the last words"


def test_a_slow_chat_holds_up_no_machine(tmp_path: Path) -> None:
    gate = threading.Event()

    class SlowChat(RecordingChat):
        def post(self, *_: object) -> str | None:
            assert gate.wait(30)
            return None

    with open_fleet(Store.open(tmp_path), chat=SlowChat()) as fleet:
        for _ in range(20):
            assert fleet["router"].oops().get(timeout=WAIT).durable
            assert fleet["router"].clear().get(timeout=WAIT).durable
        gate.set()


def test_an_actor_that_does_not_start_is_noticed() -> None:
    class Stillborn(MacActor):
        def on_start(self) -> None:
            self.stop()

    ref = Stillborn.start()
    with pytest.raises(MachineUnavailable, match="Stillborn"):
        prove_alive(ref, timeout=WAIT)


def test_a_future_that_is_never_set_times_out() -> None:
    future = MacActor._create_future()
    with pytest.raises(pykka.Timeout):
        future.get(timeout=0.01)


def test_heartbeats_are_saved_by_the_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mac_actors.fleet.watch.WATCH_SECONDS", 0.01)
    monkeypatch.setattr("mac_actors.fleet.supervisor.SAVE_TURNS", 5)
    with open_fleet(Store.open(tmp_path)) as fleet:
        at = datetime.now(UTC)
        fleet.report("router", Report(at, telemetry=Telemetry(uptime=7.0)), clock.seconds())

        def saved() -> bool:
            state = fleet.store.load_state("router")
            return isinstance(state, MachineState) and state.last_checkin == at

        wait_until(saved)


def test_telemetry_of_all_machines_is_written_at_once(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        report(fleet, "metal-mill", ANN)
        for name in fleet:
            report(fleet, name, ANN if name == "metal-mill" else None)
        written(fleet)
        batches = fleet.journal.batches
        for _ in range(SAVE_TURNS):
            fleet.supervisor.save_telemetry()
        seen = {name: state.last_checkin for name, (_, state) in fleet.supervisor.published.items()}
        wait_until(lambda: {n: getattr(s, "last_checkin", 0) for n, s in fleet.store.load_states().items()} == seen)
        assert fleet.journal.batches <= batches + 2, "the fleet's own watch has its turns, too"


def test_telemetry_that_waits_to_be_written_is_never_put_in_the_place_of_a_later_change(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        report(fleet, "metal-mill")
        written(fleet)
        report(fleet, "metal-mill")
        fleet.supervisor.begin("metal-mill", SaveTelemetry())
        report(fleet, "metal-mill", ANN)
        written(fleet)
        state = fleet.store.load_state("metal-mill")
        assert isinstance(state, MachineState)
        assert state.session is not None


def test_a_machine_whose_state_can_not_be_read_never_says_that_it_is_on() -> None:
    """Also where its actor starts with the first report, which does not count: its reader has just come here."""
    configuration = parse(sample_machines(), sample_users())
    prepared = Prepared({"vent": Unreadable("torn")}, Names(configuration.machines.values()))
    with open_fleet(prepared=prepared) as fleet:
        told = fleet.kept_outputs("vent", Report(datetime.now(UTC), None, False, TELEMETRY, clock.seconds()))
        assert not told.relay
        assert told.display == "Down for\nmaintenance"
        assert report(fleet, "bandsaw").outputs.display == "Please Insert\nRFID Card"


def test_a_report_is_begun_and_answered_while_a_reload_waits_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread begins those of all readers: it waits for nothing, also where actors are yet to be started."""
    monkeypatch.setattr(Supervisor, "start_waiting", lambda self: None)
    names = Names(parse(sample_machines(), sample_users()).machines.values())
    inside, over = threading.Event(), threading.Event()
    with open_fleet(prepared=Prepared({}, names)) as fleet:
        given = Report(datetime.now(UTC), ANN, False, TELEMETRY, clock.seconds())

        def reload() -> None:
            with fleet.supervisor.lock:
                inside.set()
                over.wait(WAIT)

        thread = threading.Thread(target=reload)
        thread.start()
        assert inside.wait(WAIT)
        try:
            sent = fleet.begin("metal-mill", given, None, lambda: False)
            assert fleet.due(sent) == math.inf, "whoever may wait is to answer it"
            assert not fleet.kept_outputs("router", given).relay
            assert not over.is_set()
            assert thread.is_alive()
        finally:
            over.set()
            thread.join()
        assert fleet.finish(sent).outputs.relay
        assert [type(outcome) for outcome in fleet.events("metal-mill")] == [SessionStarted]
