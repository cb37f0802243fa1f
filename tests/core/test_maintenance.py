"""Maintenance by hours: counted once, due once, done by somebody; a machine locks for it when it is free."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mac_actors.core.config import MachineConfig, Maintenance
from mac_actors.core.decision import Already, Decision
from mac_actors.core.inputs import Configured, Done, Input
from mac_actors.core.maintenance import upkeep
from mac_actors.core.outcomes import LockPending, LockSet, MaintenanceDone, MaintenanceDue, SessionEnded
from mac_actors.core.outputs import relay_on
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import MachineState, Source, resumed
from mac_actors.core.transitions import decide
from mac_actors.storage.codec import dump_state, load_state
from tests.core.examples import ANNA, LAMP, MILL, PEOPLE, T0, after, clear, report, run

HOUR = 3600.0


def mill(*items: Maintenance, hours: float = 1.0, lock: bool = False) -> MachineConfig:
    return replace(MILL, maintenance=items or (Maintenance("Change the blade", hours * HOUR, lock),))


def begun(config: MachineConfig, at: float = 10) -> MachineState:
    """Anna's session has begun; nothing is counted yet."""
    return run(config, PEOPLE, MachineState(T0), [Configured(T0), report(), report(ANNA, at)]).state


def running(config: MachineConfig, state: MachineState, since: float, seconds: float, step: float = 30) -> Decision:
    """The card stays in for so long; a report each ``step`` seconds."""
    events: list[Input] = [report(ANNA, since + step * number) for number in range(1, int(seconds / step) + 1)]
    return run(config, PEOPLE, state, events)


def done(seconds: float, what: str | None = None) -> Done:
    return Done(after(seconds), Source.SLACK, "Ada Admin", what)


def hours(config: MachineConfig, state: MachineState) -> list[float]:
    return [round(one.hours, 4) for one in upkeep(config, state)]


def test_hours_are_those_with_power() -> None:
    config = mill()
    state = running(config, begun(config), 10, 600).state
    assert hours(config, state) == [round(600 / HOUR, 4)]
    off = run(config, PEOPLE, state, [report(None, 620), report(None, 650), report(None, 5000)]).state
    assert hours(config, off) == [round(610 / HOUR, 4)], "until the card was out"


def test_a_machine_that_is_always_enabled_counts_while_it_has_power() -> None:
    config = replace(LAMP, maintenance=(Maintenance("Bulb", HOUR),))
    state = run(config, PEOPLE, MachineState(T0), [Configured(T0), report(), report(None, 30), report(None, 60)]).state
    assert hours(config, state) == [round(60 / HOUR, 4)]


@pytest.mark.parametrize(("gap", "counted"), [(59, 59), (60, 60), (61, 60), (10_000, 60)])
def test_what_nobody_saw_counts_as_a_minute_at_the_most(gap: float, counted: float) -> None:
    config = mill()
    state = run(config, PEOPLE, begun(config), [report(ANNA, 10 + gap)]).state
    assert state.power_seconds == counted


def test_a_report_that_came_before_the_last_one_counts_nothing() -> None:
    config = mill()
    state = running(config, begun(config), 10, 300).state
    again = run(config, PEOPLE, state, [report(ANNA, 100), report(ANNA, 310)]).state
    assert again.power_seconds == state.power_seconds


@pytest.mark.parametrize("jump", [-1e6, 1e6])
def test_hours_go_on_over_a_restart_whatever_the_wall_clock_does(jump: float) -> None:
    config = mill()
    before = running(config, begun(config), 10, 600).state
    state = resumed(load_state(dump_state(before)), 5.0)
    assert (state, state.power_seconds) == (before, before.power_seconds)
    late = replace(report(ANNA, 620, uptime=1e9), at=after(620 + jump), arrived=5.0)
    later = decide(config, PEOPLE, state, late).state
    assert 600 <= later.power_seconds <= 660


def test_what_is_due_is_said_once() -> None:
    config = mill()
    decision = running(config, begun(config), 10, 2 * HOUR)
    (due,) = decision.outcomes
    assert isinstance(due, MaintenanceDue)
    assert (due.what, due.hours) == ("Change the blade", 1.0)
    assert decision.state.lock is None
    snapshot = Snapshot.of(config, decision.state, T0)
    assert snapshot.maintenance_due == ("Change the blade",)
    assert snapshot.maintenance[0].hours == 2.0


def test_with_lock_the_machine_is_locked_when_its_session_ends_and_never_under_a_tool() -> None:
    config = mill(lock=True)
    decision = running(config, begun(config), 10, 1.5 * HOUR)
    assert [type(outcome) for outcome in decision.outcomes] == [MaintenanceDue, LockPending]
    assert relay_on(config, decision.state)
    ended = decide(config, PEOPLE, decision.state, report(None, 2 * HOUR))
    assert [type(outcome) for outcome in ended.outcomes] == [SessionEnded, LockSet]
    assert ended.state.lock
    assert (ended.state.lock.source, ended.state.lock.reason) == (Source.MAINTENANCE, "due: Change the blade")
    # cleared without having been done: it is still due, and is not locked again for it
    cleared = run(config, PEOPLE, ended.state, [clear(2 * HOUR + 10), report(None, 2 * HOUR + 20)])
    assert cleared.state.lock is None
    assert cleared.state.maintenance[0].due


def test_done_begins_the_hours_anew_and_says_by_whom() -> None:
    config = mill()
    state = running(config, begun(config), 10, 1.5 * HOUR).state
    decision = decide(config, PEOPLE, state, done(1.6 * HOUR, "change THE  blade"))
    (outcome,) = decision.outcomes
    assert isinstance(outcome, MaintenanceDone)
    assert (outcome.hours, outcome.flag.by, outcome.flag.source) == (1.5, "Ada Admin", Source.SLACK)
    assert hours(config, decision.state) == [0.0]
    assert decision.changed
    again = running(config, decision.state, 1.6 * HOUR, 1.1 * HOUR)
    assert [type(outcome) for outcome in again.outcomes] == [MaintenanceDue]


@pytest.mark.parametrize("what", ["Oil it", None])
def test_what_there_is_not_cannot_be_done(what: str | None) -> None:
    config = mill(Maintenance("Blade", HOUR), Maintenance("Belt", HOUR))
    state = begun(config)
    decision = decide(config, PEOPLE, state, done(20, what))
    assert decision.already == (Already.NO_SUCH_MAINTENANCE,)
    assert decision.state == state
    assert not decision.changed
    assert decide(MILL, PEOPLE, begun(MILL), done(20, what)).already == (Already.NO_SUCH_MAINTENANCE,)


def test_one_thing_alone_need_not_be_named() -> None:
    config = mill()
    assert isinstance(decide(config, PEOPLE, begun(config), done(20)).outcomes[0], MaintenanceDone)


def reconfigured(state: MachineState, config: MachineConfig) -> Decision:
    return decide(config, PEOPLE, state, Configured(after(3 * HOUR)))


def test_a_changed_interval_counts_from_the_same_hours() -> None:
    state = running(mill(), begun(mill()), 10, 1.5 * HOUR).state
    longer = reconfigured(state, mill(hours=2))
    assert (longer.outcomes, longer.state.maintenance[0].due) == ((), None)
    shorter = reconfigured(longer.state, mill(hours=1.2))
    assert [type(outcome) for outcome in shorter.outcomes] == [MaintenanceDue]
    assert hours(mill(), shorter.state) == [1.5]


def test_a_renamed_thing_keeps_its_hours_and_a_new_one_begins() -> None:
    blade, belt = Maintenance("Blade", 9 * HOUR), Maintenance("Belt", 9 * HOUR)
    config = mill(blade)
    state = running(config, begun(config), 10, HOUR).state
    renamed = mill(replace(blade, what="Saw blade"))
    state = reconfigured(state, renamed).state
    assert hours(renamed, state) == [1.0]
    both = mill(belt, replace(blade, what="Saw blade"))
    state = reconfigured(state, both).state
    assert hours(both, state) == [0.0, 1.0]
    assert reconfigured(state, MILL).state.maintenance == ()
