"""A disk that refuses, hangs or falls behind: answers come within the budget, nothing is lost, nothing is reordered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mac_actors import clock
from mac_actors.actors.journal import Journal
from mac_actors.core.inputs import Clear, Lock, Oops, Report, Unlock, Unoops
from mac_actors.core.outcomes import OopsSet, Rebooted, SessionEnded, SessionRefused, SessionStarted
from mac_actors.core.state import MachineState, Refusal, Source, Status, Telemetry
from mac_actors.errors import MachineUnavailable
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.supervisor import Supervisor
from mac_actors.storage.database import BadRecordError
from mac_actors.storage.records import Record
from mac_actors.storage.store import Store
from tests.fakes import (
    ANN,
    BOB,
    NOBODY,
    OLGA,
    CrashingStore,
    HangingStore,
    RecordingChat,
    RefusingStore,
    open_fleet,
    report,
    wait_until,
    written,
)
from tests.places import Place

WAIT = 10.0
BUDGET = 0.05


@pytest.fixture
def refusing(place: Place) -> Iterator[tuple[MachineFleet, RefusingStore]]:
    """A fleet on a disk that refuses."""
    store = place.open(RefusingStore)
    with open_fleet(store, commit_budget=BUDGET) as fleet:
        written(fleet)
        store.refuse()
        yield fleet, store
        store.mend()


@pytest.fixture
def hanging(place: Place) -> Iterator[tuple[MachineFleet, HangingStore]]:
    """A fleet on a disk that hangs."""
    store = place.open(HangingStore)
    with open_fleet(store, commit_budget=BUDGET) as fleet:
        written(fleet)
        store.gate.clear()
        store.entered.clear()
        yield fleet, store
        store.gate.set()


@contextmanager
def mending(store: RefusingStore) -> Iterator[None]:
    """Mend the disk at the end, whatever happens: a fleet that closes waits for it."""
    try:
        yield
    finally:
        store.mend()


def history(fleet: MachineFleet, name: str) -> list[str | None]:
    """Return the reasons of a machine's oopses, oldest first."""
    entries = fleet.store.page(machine=name, limit=1000).entries
    return [e.outcome.flag.reason for e in reversed(entries) if isinstance(e.outcome, OopsSet)]


def test_a_refusing_disk_holds_up_no_answer_and_loses_nothing(
    refusing: tuple[MachineFleet, RefusingStore],
) -> None:
    fleet, store = refusing
    started = report(fleet, "metal-mill", ANN)
    assert [type(outcome) for outcome in started.outcomes] == [SessionStarted]
    assert started.outputs.relay
    assert started.durable is False
    for number in range(10):
        assert fleet["router"].oops(reason=str(number)).get(timeout=WAIT).durable is False
        assert fleet["router"].clear().get(timeout=WAIT).durable is False
    assert fleet["router"].lock().get(timeout=WAIT).durable is False
    assert fleet.snapshot("router").status is Status.LOCKED_OUT
    assert history(fleet, "router") == []
    assert "disk is full" in fleet.health()["store"]
    store.mend()
    written(fleet)
    assert history(fleet, "router") == [str(number) for number in range(10)]
    state = store.load_state("router")
    assert isinstance(state, MachineState)
    assert state.lock
    assert not state.oops
    assert fleet.health() == {}
    assert fleet["router"].unlock().get(timeout=WAIT).outcomes


def test_a_heartbeat_does_not_notice_the_disk(refusing: tuple[MachineFleet, RefusingStore]) -> None:
    fleet, _ = refusing
    assert report(fleet, "router").durable is True


def test_what_is_already_so_but_not_yet_on_disk_is_not_called_durable(
    refusing: tuple[MachineFleet, RefusingStore],
) -> None:
    fleet, _ = refusing
    assert fleet["router"].lock().get(timeout=WAIT).durable is False
    again = fleet["router"].lock().get(timeout=WAIT)
    assert again.already
    assert again.durable is False


def test_nor_is_it_after_its_actor_was_restarted(refusing: tuple[MachineFleet, RefusingStore]) -> None:
    fleet, _ = refusing
    assert fleet["router"].lock().get(timeout=WAIT).durable is False
    fleet.supervisor.find("router").stop(timeout=WAIT)
    again = fleet["router"].lock().get(timeout=WAIT)
    assert fleet.restarts["machine"] == 1
    assert again.already
    assert again.durable is False


def test_a_hanging_disk_holds_up_no_answer_and_loses_nothing(hanging: tuple[MachineFleet, HangingStore]) -> None:
    fleet, store = hanging
    assert fleet["router"].oops(reason="0").get(timeout=WAIT).durable is False
    assert store.entered.wait(WAIT)
    assert report(fleet, "metal-mill", ANN).outputs.relay
    assert not report(fleet, "metal-mill").outputs.relay
    assert report(fleet, "laser", ANN, oops=True).outputs.oops_led
    for number in range(1, 10):
        fleet["router"].clear().get(timeout=WAIT)
        assert fleet["router"].oops(reason=str(number)).get(timeout=WAIT).durable is False
    assert fleet.journal.depth >= 21
    store.gate.set()
    written(fleet)
    assert history(fleet, "router") == [str(number) for number in range(10)]
    mill = [type(entry.outcome) for entry in store.page(machine="metal-mill").entries]
    assert mill == [SessionEnded, SessionStarted]
    assert fleet["router"].clear().get(timeout=WAIT).outcomes


def test_an_answer_is_durable_once_the_disk_is_quick_enough(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        assert fleet["router"].oops().get(timeout=WAIT).durable is True
        state = fleet.store.load_state("router")
        assert isinstance(state, MachineState)
        assert state.oops


def test_a_budget_of_nothing_waits_for_nothing(hanging: tuple[MachineFleet, HangingStore], tmp_path: Path) -> None:
    with open_fleet(commit_budget=0.0) as fleet:
        assert fleet["router"].oops().get(timeout=WAIT).outcomes


def test_a_login_whose_answer_waits_is_told_off_where_the_machine_was_stopped_meanwhile(
    hanging: tuple[MachineFleet, HangingStore],
) -> None:
    fleet, _ = hanging
    given = Report(datetime.now(UTC), ANN, False, Telemetry(uptime=1000.0), clock.seconds())
    assert not fleet.report("metal-mill", replace(given, fob=None), clock.seconds()).outputs.relay
    login = fleet.begin("metal-mill", given, None, lambda: False)
    stop = fleet["metal-mill"].oops()
    told = fleet.finish(login)
    assert [type(outcome) for outcome in told.outcomes] == [SessionStarted]
    assert not told.outputs.relay
    assert told.outputs.oops_led
    assert stop.get(timeout=WAIT).outcomes


def test_changes_that_gather_are_written_in_one_transaction(
    hanging: tuple[MachineFleet, HangingStore],
) -> None:
    fleet, store = hanging
    fleet["router"].oops(reason="first")
    assert store.entered.wait(WAIT)
    before = fleet.journal.batches
    futures = [fleet[name].lock() for name in ("laser", "bandsaw", "vent", "metal-mill")]
    wait_until(lambda: fleet.journal.depth == 5)
    store.gate.set()
    for future in futures:
        assert future.get(timeout=WAIT).outcomes
    written(fleet)
    assert fleet.journal.batches - before <= 3


@pytest.mark.parametrize("event", [Oops, Lock, Unoops, Unlock, Clear])
def test_with_a_full_backlog_orders_are_refused(
    refusing: tuple[MachineFleet, RefusingStore], monkeypatch: pytest.MonkeyPatch, event: type[Oops]
) -> None:
    fleet, store = refusing
    monkeypatch.setattr("mac_actors.actors.journal.BACKLOG_LIMIT", 3)
    for name in ("laser", "bandsaw", "vent"):
        fleet[name].lock().get(timeout=WAIT)
    before = fleet.snapshot("router")
    with pytest.raises(MachineUnavailable, match="disk"):
        fleet.ask("router", event(datetime.now(UTC), Source.HTTP))
    with pytest.raises(MachineUnavailable, match="disk"):
        fleet["router"].oops().get(timeout=WAIT)
    assert fleet.snapshot("router") == before
    store.mend()
    written(fleet)
    assert fleet["router"].oops().get(timeout=WAIT).outcomes


@pytest.mark.parametrize("fob", [ANN, OLGA])
def test_with_a_full_backlog_no_session_starts(
    refusing: tuple[MachineFleet, RefusingStore], monkeypatch: pytest.MonkeyPatch, fob: str
) -> None:
    fleet, store = refusing
    report(fleet, "laser", ANN)
    fleet["metal-mill"].oops().get(timeout=WAIT)
    fleet["metal-mill"].lock().get(timeout=WAIT)
    monkeypatch.setattr("mac_actors.actors.journal.BACKLOG_LIMIT", 3)
    name = "router" if fob == ANN else "metal-mill"
    [refused] = report(fleet, name, fob).outcomes
    assert isinstance(refused, SessionRefused)
    assert refused.refusal is Refusal.STORAGE
    assert not report(fleet, name, fob).outputs.relay
    assert report(fleet, "laser", ANN).outputs.relay, "a session that runs goes on"
    assert [type(o) for o in report(fleet, "laser").outcomes] == [SessionEnded], "and ends as ever"
    assert report(fleet, "bandsaw", oops=True).outputs.oops_led, "the button works"
    store.mend()
    written(fleet)
    assert not report(fleet, name, fob).outputs.relay, "its card must be put in again"
    report(fleet, name)
    assert report(fleet, name, fob).outputs.relay


@pytest.fixture
def full(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[MachineFleet, RefusingStore]]:
    """A fleet whose journal is full: Bob's session on the laser is in it, and a refused card of the mill."""
    monkeypatch.setattr(Supervisor, "save_telemetry", lambda self: None)  # so that nothing else is recorded
    store = place.open(RefusingStore)
    with open_fleet(store, commit_budget=BUDGET) as fleet, mending(store):
        written(fleet)
        store.refuse()
        report(fleet, "laser", BOB)
        monkeypatch.setattr("mac_actors.actors.journal.BACKLOG_LIMIT", 1)
        assert [type(outcome) for outcome in report(fleet, "metal-mill", ANN).outcomes] == [SessionRefused]
        yield fleet, store


def on_disk(store: Store, name: str) -> MachineState:
    """Return a machine's state on disk."""
    state = store.load_state(name)
    assert isinstance(state, MachineState)
    return state


def test_a_full_backlog_does_not_grow_by_what_stops_nothing(full: tuple[MachineFleet, RefusingStore]) -> None:
    fleet, store = full
    depth = fleet.journal.depth
    for number in range(20):
        report(fleet, "metal-mill", telemetry=Telemetry(1000.0 - number))  # restarts each time
        report(fleet, "metal-mill", NOBODY, telemetry=Telemetry(1000.0 - number))
        assert not report(fleet, "metal-mill", ANN, telemetry=Telemetry(1000.0 - number)).outputs.relay
    assert fleet.journal.depth == depth
    store.mend()
    wait_until(lambda: on_disk(store, "metal-mill").telemetry.uptime == 981.0)
    card = on_disk(store, "metal-mill").card
    assert card
    assert card.blocked, "also after a restart of the server it must be put in again"
    entries = fleet.store.page(machine="metal-mill").entries
    assert [type(entry.outcome) for entry in entries] == [SessionRefused]


def test_a_full_backlog_takes_all_that_stops_a_machine(full: tuple[MachineFleet, RefusingStore]) -> None:
    fleet, store = full
    report(fleet, "metal-mill")
    report(fleet, "metal-mill", oops=True)
    report(fleet, "laser", telemetry=Telemetry(1.0))
    depth = fleet.journal.depth
    report(fleet, "metal-mill", ANN)
    report(fleet, "laser", BOB, telemetry=Telemetry(2.0))
    assert fleet.journal.depth == depth
    store.mend()
    written(fleet)
    laser = [type(entry.outcome) for entry in reversed(store.page(machine="laser").entries)]
    assert laser == [SessionStarted, Rebooted]
    assert on_disk(store, "laser").session is None
    mill = [type(entry.outcome) for entry in reversed(store.page(machine="metal-mill").entries)]
    assert mill == [SessionRefused, OopsSet]
    assert on_disk(store, "metal-mill").oops


def test_what_a_full_backlog_did_without_is_written_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = HangingStore.open(tmp_path)
    assert isinstance(store, HangingStore)
    fleet = open_fleet(store, commit_budget=BUDGET)
    written(fleet)
    store.gate.clear()
    monkeypatch.setattr("mac_actors.actors.journal.BACKLOG_LIMIT", 0)
    for fob in (NOBODY, None, ANN):
        report(fleet, "metal-mill", fob)
    fleet.supervisor.stop_all(WAIT)
    store.gate.set()
    fleet.close()
    with closing(Store.open(tmp_path)) as again:
        card = on_disk(again, "metal-mill").card
    assert card
    assert (card.fob, card.blocked) == (ANN, True)


def test_a_disk_that_is_slow_for_long_is_said_once_and_so_is_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = RecordingChat()
    store = RefusingStore.open(tmp_path / "chatty")
    assert isinstance(store, RefusingStore)
    with open_fleet(store, commit_budget=BUDGET, chat=chat) as fleet, mending(store):
        written(fleet)
        store.refuse()
        fleet["router"].oops().get(timeout=WAIT)
        wait_until(lambda: fleet.journal.error)  # on a busy computer even a refusal takes its time
        monkeypatch.setattr("mac_actors.fleet.health.SLOW_SECONDS", 0.3)
        said = chat.texts(1)[0]
        assert "not taking changes" in said, "this is said though the disk refuses"
        assert "disk is full" in said
        store.mend()
        texts = chat.texts(3)
        assert sum("not taking changes" in text for text in texts) == 1
        assert sum("takes changes again" in text for text in texts) == 1
        assert sum("oopsed" in text for text in texts) == 1


@pytest.mark.actor_dies
def test_a_mistake_in_the_store_loses_nothing(tmp_path: Path) -> None:
    store = CrashingStore.open(tmp_path)
    assert isinstance(store, CrashingStore)
    with open_fleet(store, commit_budget=BUDGET) as fleet:
        written(fleet)
        store.crashes = 1
        fleet["router"].oops(reason="0").get(timeout=WAIT)
        fleet["router"].clear().get(timeout=WAIT)
        fleet["router"].oops(reason="1").get(timeout=WAIT)
        written(fleet)
        assert store.crashes == 0
        assert history(fleet, "router") == ["0", "1"]
        wait_until(lambda: fleet.health() == {})


def test_after_a_record_that_can_not_be_written_changes_are_written_together_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if there always is something that waits."""
    monkeypatch.setattr("mac_actors.actors.journal.TRIES", 1)
    store, bad = HangingStore.open(tmp_path), Record(notes=(("bad", ""),))
    assert isinstance(store, HangingStore)
    with closing(store):
        commit, sizes = store.commit, []

        def picky(records: Sequence[Record]) -> None:
            if bad in records:
                raise BadRecordError("not this one")
            commit(records)
            sizes.append(len(records))
            if len(sizes) < 10:
                journal.record(Record())
                journal.record(Record())

        monkeypatch.setattr(store, "commit", picky)
        store.gate.clear()
        journal = Journal(store)
        journal.record(Record())
        assert store.entered.wait(WAIT)
        latches = [journal.record(record) for record in (Record(), Record(), bad, Record())]
        store.gate.set()
        journal.close()
    assert journal.lost == 1
    assert [latch.is_open for latch in latches] == [True] * 4, "nobody waits for it any more"
    assert [latch.durable for latch in latches] == [True, True, False, True]
    assert sizes[:3] == [1, 1, 1], "those before it, one by one"
    assert max(sizes) > 1


def test_what_waits_at_the_end_is_written_before_the_end(tmp_path: Path) -> None:
    store = HangingStore.open(tmp_path)
    assert isinstance(store, HangingStore)
    fleet = open_fleet(store, commit_budget=BUDGET)
    written(fleet)
    store.gate.clear()
    fleet["router"].oops().get(timeout=WAIT)
    fleet["laser"].lock().get(timeout=WAIT)
    store.gate.set()
    fleet.close()
    with closing(Store.open(tmp_path)) as again:
        router, laser = again.load_state("router"), again.load_state("laser")
    assert isinstance(router, MachineState)
    assert router.oops
    assert isinstance(laser, MachineState)
    assert laser.lock


def test_an_end_on_a_disk_that_never_mends_says_what_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = RefusingStore.open(tmp_path)
    assert isinstance(store, RefusingStore)
    store.refuse()
    journal = Journal(store)
    journal.record(Record())
    wait_until(lambda: store.attempts > 0)
    journal.close(timeout=0.1)
    wait_until(lambda: not journal.ref.is_alive())
    store.close()
    assert "2 changes could not be written" in caplog.text
    assert "disk is full" in caplog.text


def test_what_waits_is_written_at_the_end_though_the_journal_actor_has_died(tmp_path: Path) -> None:
    with closing(Store.open(tmp_path)) as store:
        journal = Journal(store)
        journal.ref.stop()
        waiting = journal.record(Record())
        journal.close()
        assert waiting.wait(0)
