"""The fleet: finding machines, commands by proxy, subscribers, restarts, the end."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pykka
import pytest

from mac_actors import clock
from mac_actors.actors.replies import Answer
from mac_actors.core.decision import Already
from mac_actors.core.inputs import Clear, Lock, Oops, Report, Unlock, Unoops
from mac_actors.core.notices import Channel
from mac_actors.core.outcomes import (
    Cleared,
    LockSet,
    OopsSet,
    Outcome,
    PowerChanged,
    Rebooted,
    SessionEnded,
    SessionRefused,
    SessionStarted,
)
from mac_actors.core.state import MachineState, Refusal, Source, Status, Telemetry
from mac_actors.errors import MacError, MachineUnavailable, StorageError, UnknownMachine
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.settings.files import parse
from mac_actors.storage.records import Unreadable, Waiting
from mac_actors.storage.store import Store
from tests.fakes import (
    ANN,
    BOB,
    ODD_ALIAS,
    OLGA,
    TELEMETRY,
    Clock,
    RecordingChat,
    RecordingSubscriber,
    open_fleet,
    report,
    sample_users,
    wait_until,
    written,
)

WAIT = 10.0


@pytest.fixture
def fleet() -> Iterator[MachineFleet]:
    """A fleet in memory."""
    with open_fleet() as fleet:
        yield fleet


def kinds(answer: Answer) -> list[type[Outcome]]:
    """Return the types of the outcomes."""
    return [type(outcome) for outcome in answer.outcomes]


# finding


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("metal-mill", "metal-mill"),
        ("METAL-MILL", "metal-mill"),
        ("Metal Mill", "metal-mill"),
        ("metal mill", "metal-mill"),
        ("  Metal Mill ", "metal-mill"),
        (ODD_ALIAS, "laser"),
        (ODD_ALIAS.upper(), "laser"),
        ("router", "router"),
    ],
)
def test_a_machine_is_found_by_name_or_alias_without_regard_to_case(
    fleet: MachineFleet, called: str, name: str
) -> None:
    assert fleet.find(called) == name
    assert fleet.snapshot(called).name == name
    assert fleet[called].snapshot().get(timeout=WAIT).name == name


@pytest.mark.parametrize("called", ["", " ", "metal", "metal-mil", "metal_mill", "Tube", "x" * 100_000, "\x00", "🦆"])
def test_a_near_miss_is_no_hit(fleet: MachineFleet, called: str) -> None:
    with pytest.raises(UnknownMachine) as error:
        fleet.find(called)
    with pytest.raises(LookupError):
        fleet[called]
    with pytest.raises(MacError):
        fleet.snapshot(called)
    assert error.value.name == called
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("called", "suggested"), [("metalmill", "Metal Mill"), ("routr", "router"), ("band saw", "bandsaw")]
)
def test_an_unknown_name_comes_with_the_nearest_ones(fleet: MachineFleet, called: str, suggested: str) -> None:
    with pytest.raises(UnknownMachine, match="Did you mean") as error:
        fleet.find(called)
    assert suggested.casefold().replace(" ", "-") in [s.casefold().replace(" ", "-") for s in error.value.suggestions]


def test_an_alias_in_white_space_is_found(tmp_path: Path) -> None:
    """The configuration takes such an alias, so it must work; or it must not be taken."""
    with MachineFleet(parse({"m": {"authorizations_or": [], "alias": " Mill "}}, []), Store.open(None)) as fleet:
        assert fleet.find("Mill") == "m"
        assert fleet.find(" Mill ") == "m"


def test_a_fleet_that_can_not_read_its_store_leaves_nothing_running(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise StorageError("cannot read a table")

    before = set(pykka.ActorRegistry.get_all())
    for what in ("mac_actors.fleet.fleet.Logins", "mac_actors.fleet.fleet.Reminders"):
        with monkeypatch.context() as patched:
            patched.setattr(what, away)
            with pytest.raises(StorageError):
                open_fleet(chat=RecordingChat())
    assert set(pykka.ActorRegistry.get_all()) == before


def test_a_fleet_has_its_machines_in_the_order_of_the_file(fleet: MachineFleet) -> None:
    assert list(fleet) == ["metal-mill", "laser", "bandsaw", "vent", "router"]
    assert len(fleet) == 5
    assert [snapshot.name for snapshot in fleet.snapshots()] == list(fleet)


def test_events_go_to_the_exact_name_alone(fleet: MachineFleet) -> None:
    with pytest.raises(UnknownMachine):
        report(fleet, "Metal Mill")


# commands


def test_oops_lock_and_clear_by_proxy_answer_with_what_came_of_it(fleet: MachineFleet) -> None:
    mill = fleet["Metal Mill"]
    answer = mill.oops(by="me", reason="belt").get(timeout=WAIT)
    assert answer.durable
    [oopsed] = answer.outcomes
    assert isinstance(oopsed, OopsSet)
    assert (oopsed.machine, oopsed.display_name, oopsed.ended) == ("metal-mill", "Metal Mill", None)
    assert (oopsed.flag.by, oopsed.flag.reason, oopsed.flag.source) == ("me", "belt", Source.REPL)
    assert answer.outputs.oops_led

    assert kinds(mill.lock().get(timeout=WAIT)) == [LockSet]
    assert fleet.snapshot("metal-mill").status is Status.OOPSED_LOCKED_OUT
    assert kinds(mill.unoops().get(timeout=WAIT)) == [Cleared]
    assert fleet.snapshot("metal-mill").status is Status.LOCKED_OUT
    assert kinds(mill.unlock().get(timeout=WAIT)) == [Cleared]
    mill.oops().get(timeout=WAIT)
    mill.lock().get(timeout=WAIT)
    [cleared] = mill.clear(by="me").get(timeout=WAIT).outcomes
    assert isinstance(cleared, Cleared)
    assert cleared.oops
    assert cleared.lock
    assert fleet.snapshot("metal-mill").status is Status.IDLE


@pytest.mark.parametrize("command", [Oops, Lock, Unoops, Unlock, Clear])
def test_what_is_so_already_is_a_value_and_changes_nothing(fleet: MachineFleet, command: type[Oops]) -> None:
    event = command(datetime.now(UTC), Source.HTTP)
    first = fleet.ask("router", event)
    before = fleet.snapshot("router")
    again = fleet.ask("router", event)
    assert again.outcomes == ()
    assert again.already
    assert set(again.already) <= set(Already)
    assert again.durable
    assert again.outputs == first.outputs
    assert fleet.snapshot("router").oops == before.oops
    assert fleet.snapshot("router").lock == before.lock


def test_an_order_ends_the_session_at_once(fleet: MachineFleet) -> None:
    assert kinds(report(fleet, "metal-mill", ANN)) == [SessionStarted]
    [oopsed] = fleet["metal-mill"].oops().get(timeout=WAIT).outcomes
    assert isinstance(oopsed, OopsSet)
    assert oopsed.ended
    assert oopsed.ended.user.full_name == "Ann Able"
    assert not report(fleet, "metal-mill", ANN).outputs.relay


def test_orders_given_at_the_same_time_take_effect_one_by_one(fleet: MachineFleet) -> None:
    futures = [fleet["router"].oops(by=str(number)) for number in range(50)]
    answers = [future.get(timeout=WAIT) for future in futures]
    assert sum(len(answer.outcomes) for answer in answers) == 1
    assert sum(len(answer.already) for answer in answers) == 49


def test_a_late_report_starts_no_session_and_blocks_the_card(fleet: MachineFleet) -> None:
    [refused] = report(fleet, "metal-mill", ANN, ago=5.5).outcomes
    assert isinstance(refused, SessionRefused)
    assert refused.refusal is Refusal.LATE
    again = report(fleet, "metal-mill", ANN)
    assert again.outcomes == ()
    assert not again.outputs.relay
    assert again.outputs.display == "Remove card and\ninsert it again"
    report(fleet, "metal-mill")
    assert report(fleet, "metal-mill", ANN).outputs.relay


def test_a_report_that_is_nearly_late_is_decided_as_usual(fleet: MachineFleet) -> None:
    assert report(fleet, "metal-mill", ANN, ago=3.0).outputs.relay


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The server's clock, moved by the test."""
    now = Clock()
    monkeypatch.setattr(clock, "seconds", now)
    return now


def test_a_late_report_still_ends_a_session_and_still_oopses(fleet: MachineFleet, now: Clock) -> None:
    report(fleet, "metal-mill", ANN)
    report(fleet, "laser", ANN)
    now.now += 60
    assert kinds(report(fleet, "metal-mill", ago=50)) == [SessionEnded]
    assert kinds(report(fleet, "laser", ANN, ago=50, oops=True)) == [OopsSet]


def test_reports_are_decided_in_the_order_in_which_they_came_or_change_nothing(fleet: MachineFleet, now: Clock) -> None:
    report(fleet, "metal-mill", ANN)
    now.now += 10
    assert kinds(report(fleet, "metal-mill", ago=2)) == [SessionEnded]
    for older in (
        report(fleet, "metal-mill", ANN, ago=3),
        report(fleet, "metal-mill", ANN, ago=3, oops=True),
        report(fleet, "metal-mill", ago=3, telemetry=Telemetry(uptime=None)),
    ):
        assert kinds(older) == []
        assert older.outputs.display == "Please Insert\nRFID Card"
    assert report(fleet, "metal-mill", ANN).outputs.relay


def test_older_reports_are_not_taken_for_another_readers(fleet: MachineFleet, now: Clock) -> None:
    for _ in range(8):
        now.now += 10
        report(fleet, "metal-mill", telemetry=Telemetry(uptime=now.now))
        report(fleet, "metal-mill", telemetry=Telemetry(uptime=now.now - 300), ago=300)
    assert report(fleet, "metal-mill", ANN, telemetry=Telemetry(uptime=now.now)).outputs.relay


def test_a_reader_that_lost_power_while_the_servers_computer_slept_has_restarted(
    fleet: MachineFleet, now: Clock
) -> None:
    report(fleet, "metal-mill", ANN, telemetry=Telemetry(uptime=500.0))
    now.now += 3600
    answer = report(fleet, "metal-mill", ANN, telemetry=Telemetry(uptime=3000.0))
    assert kinds(answer) == [Rebooted]
    assert not answer.outputs.relay


def test_a_report_whose_client_has_hung_up_starts_nothing(fleet: MachineFleet) -> None:
    event = Report(datetime.now(UTC), ANN, telemetry=TELEMETRY)
    [refused] = fleet.report("metal-mill", event, clock.seconds(), gone=lambda: True).outcomes
    assert isinstance(refused, SessionRefused)
    assert refused.refusal is Refusal.LATE
    report(fleet, "metal-mill")
    assert fleet.report("metal-mill", event, clock.seconds(), gone=lambda: False).outputs.relay


def test_a_session_is_as_long_as_both_servers_were_there_and_shown_from_its_start(tmp_path: Path, now: Clock) -> None:
    with open_at(tmp_path) as fleet:
        report(fleet, "metal-mill", ANN)
        since = fleet.snapshot("metal-mill").session
        now.now += 30
        report(fleet, "metal-mill", ANN)
        now.now += 5
    now.now = 3.0  # the computer was started anew
    with open_at(tmp_path) as fleet:
        assert fleet.snapshot("metal-mill").session == since
        now.now += 12
        report(fleet, "metal-mill", ANN)
        [ended] = report(fleet, "metal-mill").outcomes
        assert isinstance(ended, SessionEnded)
        assert ended.ended.seconds == 42


def test_a_late_override_card_is_blocked_too(fleet: MachineFleet) -> None:
    fleet["metal-mill"].oops().get(timeout=WAIT)
    assert not report(fleet, "metal-mill", OLGA, ago=6).outputs.relay


def test_a_late_heartbeat_leaves_a_running_session_alone(fleet: MachineFleet, now: Clock) -> None:
    report(fleet, "metal-mill", ANN)
    now.now += 60
    assert report(fleet, "metal-mill", ANN, ago=50).outputs.relay


# subscribers


def test_subscribers_are_told_every_outcome_in_order(fleet: MachineFleet) -> None:
    first, second = RecordingSubscriber(), RecordingSubscriber()
    fleet.subscribe(first)
    end = fleet.subscribe(second)
    told: list[Outcome] = []
    for number in range(20):
        told += fleet["router"].oops(reason=str(number)).get(timeout=WAIT).outcomes
        told += fleet["router"].clear().get(timeout=WAIT).outcomes
    assert first.wait_for(40) == told
    assert second.wait_for(40) == told
    end()
    fleet["router"].oops().get(timeout=WAIT)
    first.wait_for(41)
    assert len(second.outcomes) == 40


def test_a_subscriber_that_fails_harms_nobody_and_goes_on_being_told(fleet: MachineFleet) -> None:
    failing, fine = RecordingSubscriber(), RecordingSubscriber()

    def fail(outcome: Outcome) -> None:
        failing(outcome)
        raise RuntimeError("a mistake in the subscriber")

    fleet.subscribe(fail)
    fleet.subscribe(fine)
    fleet["router"].oops().get(timeout=WAIT)
    fleet["router"].clear().get(timeout=WAIT)
    assert len(fine.wait_for(2)) == 2
    assert len(failing.wait_for(2)) == 2
    assert fleet.restarts["publisher"] == 0


def test_a_heartbeat_is_no_outcome(fleet: MachineFleet) -> None:
    told = RecordingSubscriber()
    fleet.subscribe(told)
    assert report(fleet, "router").outcomes == ()
    report(fleet, "metal-mill", BOB)
    assert [type(outcome) for outcome in told.wait_for(1)] == [SessionRefused]


# the end, and the next beginning


def open_at(directory: Path) -> MachineFleet:
    """Open a fleet on a state directory."""
    return open_fleet(Store.open(directory))


def stored(directory: Path) -> dict[str, MachineState | Unreadable]:
    """Return what is on disk."""
    with closing(Store.open(directory)) as store:
        return store.load_states()


def test_a_restart_brings_back_the_same_state(tmp_path: Path) -> None:
    with open_at(tmp_path) as fleet:
        report(fleet, "metal-mill", ANN)
        report(fleet, "laser", BOB)
        fleet["laser"].lock(by="me", reason="lens").get(timeout=WAIT)
        fleet["router"].oops(by="me").get(timeout=WAIT)
        report(fleet, "bandsaw", "9999999999")
        report(fleet, "vent", ANN)
        before = fleet.snapshots()
    with open_at(tmp_path) as fleet:
        assert fleet.snapshots() == before
        assert fleet.restarts == {}
        answer = report(fleet, "metal-mill", ANN)
        assert answer.outcomes == ()
        assert answer.outputs.relay
        assert not report(fleet, "laser", BOB).outputs.relay


def test_close_writes_everything_heartbeats_too(tmp_path: Path) -> None:
    with open_at(tmp_path) as fleet:
        for number in range(100):
            fleet["router"].oops(reason=str(number))
            fleet["router"].clear()
        last = fleet["router"].lock(reason="last")
        event = Report(datetime.now(UTC), telemetry=Telemetry(uptime=5.0, amps=2.5))
        fleet.report("metal-mill", event, clock.seconds())
        assert last.get(timeout=WAIT).outcomes
    states = stored(tmp_path)
    router, mill = states["router"], states["metal-mill"]
    assert isinstance(router, MachineState)
    assert router.lock
    assert router.lock.reason == "last"
    assert isinstance(mill, MachineState)
    assert mill.telemetry.amps == 2.5
    assert mill.last_checkin == event.at
    with closing(Store.open(tmp_path)) as store:
        assert len(store.page(machine="router", limit=1000).entries) == 201


def test_close_twice_is_once(tmp_path: Path) -> None:
    fleet = open_at(tmp_path)
    fleet.close()
    fleet.close()
    assert isinstance(stored(tmp_path)["vent"], MachineState)


class SlowChat(RecordingChat):
    """A chat that takes a while for each post."""

    posting = threading.Event()

    def post(self, channel: str, notices: Sequence[Waiting], thread: str | None) -> str | None:
        self.posting.set()
        threading.Event().wait(0.3)
        return super().post(channel, notices, thread)


def test_when_close_returns_the_last_actor_has_ended() -> None:
    before = set(pykka.ActorRegistry.get_all())
    with open_fleet(chat=SlowChat()) as fleet:
        fleet["router"].oops().get(timeout=WAIT)
        assert SlowChat.posting.wait(WAIT)
    assert set(pykka.ActorRegistry.get_all()) - before == set()


def test_a_closed_fleet_refuses_orders(tmp_path: Path) -> None:
    fleet = open_at(tmp_path)
    fleet.close()
    for command in (lambda: fleet["router"], lambda: fleet.ask("router", Oops(datetime.now(UTC), Source.HTTP))):
        with pytest.raises(MachineUnavailable):
            command()
    assert fleet.health()["fleet"] == "stopping"


def test_a_machine_that_became_always_enabled_while_the_server_was_down_says_so(tmp_path: Path) -> None:
    machines = {"m": {"authorizations_or": ["mill"]}}
    with MachineFleet(parse(machines, sample_users()), Store.open(tmp_path)) as fleet:
        assert not fleet.snapshot("m").relay
    machines["m"]["always_enabled"] = True  # type: ignore[assignment]
    with MachineFleet(parse(machines, sample_users()), Store.open(tmp_path)) as fleet:
        written(fleet)
        assert fleet.snapshot("m").relay
        [entry] = fleet.store.page().entries
        assert isinstance(entry.outcome, PowerChanged)
        assert entry.outcome.on


@pytest.mark.parametrize("text", ["", "garbage", "{}", "null", "[]", '{"status_since": 5, "lock": "yes"}', "\x00"])
def test_a_machine_whose_stored_state_can_not_be_read_comes_back_locked_out(tmp_path: Path, text: str) -> None:
    chat = RecordingChat()
    with open_at(tmp_path) as fleet:
        report(fleet, "metal-mill", ANN)
        fleet["router"].oops().get(timeout=WAIT)
    with closing(sqlite3.connect(tmp_path / "mac.sqlite3")) as connection, connection:
        connection.execute("UPDATE machine_state SET state = ? WHERE name IN ('metal-mill', 'vent')", (text,))
    with open_fleet(Store.open(tmp_path), chat=chat) as fleet:
        for name in ("metal-mill", "vent"):
            snapshot = fleet.snapshot(name)
            assert snapshot.status is Status.LOCKED_OUT
            assert not snapshot.relay
            assert snapshot.lock
            assert snapshot.lock.reason
        assert fleet.snapshot("router").status is Status.OOPSED
        assert any("Metal Mill" in text for text in chat.texts(2))
        assert not report(fleet, "metal-mill", ANN).outputs.relay
    with open_at(tmp_path) as fleet:
        assert fleet.snapshot("metal-mill").status is Status.LOCKED_OUT, "the lock is on disk"
        assert fleet.snapshot("vent").status is Status.LOCKED_OUT, "this one too, though nobody touched it"
        fleet["metal-mill"].clear().get(timeout=WAIT)
        report(fleet, "metal-mill")
        assert report(fleet, "metal-mill", ANN).outputs.relay


def test_snapshots_age(fleet: MachineFleet) -> None:
    old = Report(datetime.now(UTC) - timedelta(seconds=61), telemetry=Telemetry(uptime=1000.0))
    fleet.report("router", old, clock.seconds())
    assert fleet.snapshot("router").online is False
    report(fleet, "router")
    assert fleet.snapshot("router").online is True


def test_no_actor_is_left_after_the_end(tmp_path: Path) -> None:
    before = set(pykka.ActorRegistry.get_all())
    with open_fleet(Store.open(tmp_path), chat=RecordingChat()) as fleet:
        report(fleet, "router")
        ours = set(pykka.ActorRegistry.get_all()) - before
        assert len(ours) == 5 + 3 + len(Channel)
    wait_until(lambda: not [ref for ref in ours if ref.is_alive()])
    assert not ours & set(pykka.ActorRegistry.get_all())


@pytest.mark.parametrize("step", [timedelta(days=1), timedelta(days=-1)])
def test_a_wall_clock_that_is_set_ends_no_session(fleet: MachineFleet, step: timedelta) -> None:
    now, arrival = datetime.now(UTC), clock.seconds()
    for number, (fob, at) in enumerate([(None, now), (ANN, now), (ANN, now + step), (ANN, now)]):
        uptime = Telemetry(uptime=1000.0 + 10 * number)
        answer = fleet.report("metal-mill", Report(at, fob, telemetry=uptime), arrival + 10 * number)
        assert answer.outputs.relay is (fob is not None)


def test_a_reader_that_restarts_while_the_wall_clock_is_put_back_is_seen_to_have_restarted(fleet: MachineFleet) -> None:
    now, arrival = datetime.now(UTC), clock.seconds() - 3600
    for fob, at, elapsed, uptime in [(None, now, 0, 500.0), (ANN, now, 10, 510.0), (ANN, now, 3000, 520.0)]:
        answer = fleet.report("metal-mill", Report(at, fob, telemetry=Telemetry(uptime=uptime)), arrival + elapsed)
    assert not answer.outputs.relay


@pytest.mark.parametrize("given", [{"by": 1001}, {"reason": ["a"]}])
def test_a_command_whose_texts_are_none_is_refused_and_changes_nothing(fleet: MachineFleet, given: Any) -> None:
    for call in (fleet["router"].lock, fleet["router"].oops):
        with pytest.raises(TypeError, match=f"{next(iter(given))}: expected a text, not "):
            call(**given).get(timeout=WAIT)
    with pytest.raises(ValueError, match="Expected `str`"):
        fleet.ask("router", Lock(datetime.now(UTC), Source.REPL, **given))
    assert fleet.snapshot("router").lock is None
    assert list(fleet.events("router")) == []
    assert fleet["router"].lock(by="me").get(timeout=WAIT).durable
