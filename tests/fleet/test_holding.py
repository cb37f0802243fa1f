"""A fleet that does not own its machines any more, or not yet: what it answers, and what becomes of that later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mac_actors import clock
from mac_actors.actors.replies import Answer, Latch
from mac_actors.core.inputs import Clear, Done, Lock, Oops, Report, Unlock, Unoops
from mac_actors.core.outcomes import OopsSet, SessionEnded, SessionRefused, kind
from mac_actors.core.state import Refusal, Source
from mac_actors.errors import MachineUnavailable, StorageError, UnknownMachine
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.storage.store import Store
from tests.fakes import ANN, BOB, TELEMETRY, open_fleet, report, wait_until, written

AGAIN = "Remove card and\ninsert it again"


class Lease:
    """Whether a fleet owns its machines, as the test says; ``after``: it is lost after so many more looks."""

    def __init__(self) -> None:
        self.lost = False
        self.after: int | None = None

    def __call__(self) -> bool:
        """Say whether it is lost."""
        if self.after is None:
            return self.lost
        self.after -= 1
        return self.after < 0


@pytest.fixture
def lease() -> Lease:
    return Lease()


@pytest.fixture
def fleet(lease: Lease) -> Iterator[MachineFleet]:
    with open_fleet(holds=lease) as fleet:
        yield fleet


def now() -> datetime:
    return datetime.now(UTC)


def told(answer: Answer) -> tuple[bool, str]:
    assert not answer.durable
    assert answer.outcomes == ()
    return answer.outputs.relay, answer.outputs.display


def journal(fleet: MachineFleet) -> list[str]:
    written(fleet)
    return [kind(outcome) for outcome in fleet.events() if outcome.machine != "vent"][::-1]


def test_a_fleet_without_its_lease_answers_and_neither_adopts_nor_records(fleet: MachineFleet, lease: Lease) -> None:
    assert report(fleet, "metal-mill", ANN).outputs.relay
    report(fleet, "laser")
    before, lines = fleet.snapshots(), journal(fleet)
    lease.lost = True
    assert told(report(fleet, "metal-mill", ANN)) == (True, "Welcome,\nAnn")
    assert told(report(fleet, "laser", BOB)) == (False, AGAIN)
    assert told(report(fleet, "laser", BOB)) == (False, AGAIN)
    assert told(report(fleet, "metal-mill")) == (False, "Please Insert\nRFID Card")
    assert told(report(fleet, "metal-mill", ANN)) == (False, AGAIN)
    assert told(report(fleet, "vent")) == (True, "Always On")
    assert told(report(fleet, "vent", oops=True))[0] is False
    assert [one.status for one in fleet.snapshots()] == [one.status for one in before]
    assert fleet.snapshot("metal-mill").last_checkin == before[0].last_checkin
    assert journal(fleet) == lines


def test_with_the_lease_back_all_of_it_is_decided_and_nothing_starts_before_it_is_put_in_again(
    fleet: MachineFleet, lease: Lease
) -> None:
    report(fleet, "metal-mill", ANN)
    lease.lost = True
    for fob in (None, ANN):
        report(fleet, "metal-mill", fob)
    fleet.ask("router", Oops(now(), Source.HTTP, "Ada", "sparks"))
    lease.lost = False
    answer = report(fleet, "metal-mill", ANN)
    assert (answer.outputs.relay, answer.outputs.display) == (False, AGAIN)
    wait_until(lambda: fleet.snapshot("router").oops)
    written(fleet)
    ended, refused, oops = sorted(fleet.events(), key=lambda one: (one.machine, one.at))[1:4]
    assert isinstance(ended, SessionEnded)
    assert isinstance(refused, SessionRefused)
    assert refused.refusal is Refusal.MOVING
    assert isinstance(oops, OopsSet)
    assert oops.flag.by == "Ada"
    report(fleet, "metal-mill")
    assert report(fleet, "metal-mill", ANN).outputs.relay
    assert not fleet.held


def test_a_session_that_goes_on_leaves_no_trace(fleet: MachineFleet, lease: Lease) -> None:
    report(fleet, "metal-mill", ANN)
    lines = journal(fleet)
    lease.lost = True
    report(fleet, "metal-mill", ANN)
    lease.lost = False
    assert report(fleet, "metal-mill", ANN).outputs.relay
    assert journal(fleet) == lines


def test_oops_and_lock_are_taken_and_what_lifts_them_is_refused(fleet: MachineFleet, lease: Lease) -> None:
    report(fleet, "metal-mill", ANN)
    lease.lost = True
    for command in (Clear, Unoops, Unlock, Done):
        with pytest.raises(MachineUnavailable, match="another server is taking over: nothing was changed"):
            fleet.ask("metal-mill", command(now(), Source.HTTP))
    with pytest.raises(MachineUnavailable, match="another server is taking over"):
        fleet.tell_when_free("metal-mill", "U1")
    told(fleet.ask("metal-mill", Lock(now(), Source.SLACK, "Ada", "new belt"), "event"))
    assert told(report(fleet, "metal-mill", ANN)) == (False, "Down for\nmaintenance")
    assert not fleet["router"].oops("Ada").get(timeout=20).durable
    assert fleet.snapshot("metal-mill").lock is None


def test_an_answer_that_waited_for_the_disk_starts_nothing_when_the_lease_is_gone_by_then(
    fleet: MachineFleet, lease: Lease
) -> None:
    report(fleet, "metal-mill")
    lease.after = 2  # the actor looks twice, and decides; then it is lost
    assert told(report(fleet, "metal-mill", ANN)) == (False, AGAIN)
    assert told(report(fleet, "metal-mill", ANN)) == (False, AGAIN)
    lease.after = None
    assert report(fleet, "metal-mill", ANN).outputs.display == AGAIN
    assert fleet.snapshot("metal-mill").session is None
    assert journal(fleet) == ["session_started", "session_ended", "session_refused"]


def test_a_report_that_was_sent_again_keeps_no_relay_on_without_the_lease(fleet: MachineFleet, lease: Lease) -> None:
    report(fleet, "metal-mill", ANN)
    again = Report(now(), ANN, telemetry=TELEMETRY, arrived=clock.seconds())
    assert fleet.kept_outputs("metal-mill", again).relay
    lease.lost = True
    assert not fleet.kept_outputs("metal-mill", again).relay
    report(fleet, "metal-mill", ANN)
    assert fleet.kept_outputs("metal-mill", again).relay


def test_another_server_that_owns_the_machines_decides_what_was_held_here(lease: Lease) -> None:
    store = Store.open(None)
    with open_fleet(holds=lease) as old, open_fleet(store) as new:
        for fleet in (old, new):
            report(fleet, "metal-mill", ANN)
        lease.lost = True
        report(old, "metal-mill")
        report(old, "metal-mill", ANN)
        old.ask("router", Lock(now(), Source.HTTP, "Ada"))
        for name, held in old.held.items():
            new.take_up(name, held.inputs)
        assert report(new, "metal-mill", ANN).outputs.display == AGAIN
        wait_until(lambda: new.snapshot("router").lock)
        with pytest.raises(UnknownMachine):
            new.take_up("nothing", held.inputs)


def test_a_stop_that_two_servers_tell_of_is_done_once_also_if_it_was_lifted_in_between() -> None:
    lock, press = Lock(now(), Source.HTTP, "Ada", "why"), Report(now(), oops=True)
    a_moment, long = timedelta(seconds=0.3), timedelta(seconds=30)
    with open_fleet() as fleet:
        for stop in (lock, press):
            fleet.take_up("router", (stop,))
            assert fleet.ask("router", Clear(now(), Source.SLACK)).outcomes
            fleet.take_up("router", (replace(stop, at=stop.at + a_moment),))
            assert fleet.ask("router", Clear(now(), Source.SLACK)).already
            fleet.take_up("router", (replace(stop, at=stop.at + long),))
            assert fleet.ask("router", Clear(now(), Source.SLACK)).outcomes, "the same once more is another one"


def test_a_stop_that_an_owner_before_has_written_is_not_done_again() -> None:
    store, lock, press = Store.open(None), Lock(now(), Source.HTTP, "Ada", "why"), Report(now(), oops=True)
    with open_fleet(store) as before:
        for stop in (lock, press):
            before.take_up("router", (stop,))
            assert before.ask("router", Clear(now(), Source.SLACK)).outcomes
        written(before)
        with open_fleet(store) as after:
            for stop in (lock, press):
                after.take_up("router", (stop,))
                assert after.ask("router", Clear(now(), Source.SLACK)).already
                after.take_up("router", (replace(stop, at=stop.at + timedelta(seconds=30)),))
                assert after.ask("router", Clear(now(), Source.SLACK)).outcomes


def test_a_card_that_two_servers_tell_of_was_put_in_once() -> None:
    with open_fleet() as fleet:
        given = Report(now(), ANN, telemetry=TELEMETRY, arrived=clock.seconds())
        later = replace(given, at=given.at + timedelta(seconds=0.02), arrived=clock.seconds() + 0.02)
        for one in (given, later):
            fleet.take_up("metal-mill", (replace(one, fob=None), one))
        assert report(fleet, "metal-mill", ANN).outputs.display == AGAIN
        assert journal(fleet) == ["session_refused"]


def test_the_next_owner_is_told_of_an_oops_that_could_not_be_written_and_of_no_other(lease: Lease) -> None:
    with open_fleet(holds=lease, commit_budget=0.05) as old:
        for name in ("router", "vent"):
            old.ask(name, Oops(now(), Source.HTTP, "Ada"))
        written(old)
        stops = old.supervisor._context.stops
        stops["vent"] = Latch(), stops["vent"][1]  # it was written, and the answer is lost
        old.journal.store.commit = _refuse  # type: ignore[method-assign]
        assert not old.ask("metal-mill", Lock(now(), Source.HTTP, "Ada", "new belt")).durable
        report(old, "laser", oops=True)
        lease.lost = True
        old.ask("metal-mill", Oops(now(), Source.HTTP, "Bob"))
        told = {name: held.inputs for name, held in old.held.items()}
        old.journal.fenced = True
    assert {name for name, inputs in told.items() if inputs} == {"metal-mill", "laser"}
    lock, oops = told["metal-mill"]
    assert isinstance(lock, Lock)
    assert (lock.by, lock.reason) == ("Ada", "new belt")
    assert isinstance(oops, Oops)
    (oops,) = told["laser"]
    assert isinstance(oops, Oops)


def test_a_machine_whose_last_change_is_not_on_disk_is_off_for_the_next_owner(lease: Lease) -> None:
    with open_fleet(holds=lease, commit_budget=0.05) as old:
        report(old, "router", ANN)
        old.ask("vent", Lock(now(), Source.HTTP))
        written(old)
        old.journal.store.commit = _refuse  # type: ignore[method-assign]
        report(old, "metal-mill", ANN)
        old.ask("vent", Unlock(now(), Source.HTTP))
        lease.lost = True
        assert set(old.held) == {"metal-mill", "vent"}
        assert told(report(old, "router", ANN)) == (True, "Welcome,\nAnn")
        for name in ("metal-mill", "vent"):
            held = old.held[name]
            assert not (held.relay or held.second_relay or held.state.session or held.state.card)
        old.journal.fenced = True


def _refuse(records: object) -> None:
    raise StorageError("no disk")


def test_a_reload_without_the_lease_switches_nothing_on(fleet: MachineFleet, lease: Lease) -> None:
    machines = dict(fleet.configuration.machines)
    machines["router"] = replace(machines["router"], always_enabled=True)
    lease.lost = True
    fleet.reload(replace(fleet.configuration, machines=machines))
    assert told(report(fleet, "router"))[0] is False
    lease.lost = False
    assert report(fleet, "router").outputs.relay
