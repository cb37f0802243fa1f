"""How long a session may be, and for how long nothing may run in it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mac_actors.core.config import Limits, MachineConfig
from mac_actors.core.decision import Decision
from mac_actors.core.inputs import Configured, Input
from mac_actors.core.outcomes import EndReason, OverTime, SessionEnded, SessionStarted
from mac_actors.core.outputs import outputs, relay_on
from mac_actors.core.state import MachineState, TimeLimit, resumed
from mac_actors.core.transitions import decide
from mac_actors.storage.codec import dump_state, load_state
from tests.core.examples import ANNA, MILL, OLGA, PEOPLE, STRANGER, after, oops, report, run, with_card

HOUR = 3600.0


def mill(*, cut: bool = False, minutes: float | None = 60, idle: float | None = None) -> MachineConfig:
    limits = Limits(minutes and minutes * 60, idle and idle * 60, 1.5, cut)
    return replace(MILL, limits=limits)


def reports(seconds: float, until: float, step: float = 30, **more: object) -> list[Input]:
    """Anna's card stays in: a report each ``step`` seconds."""
    count = int((until - seconds) / step)
    return [report(ANNA, seconds + step * number, **more) for number in range(count + 1)]  # type: ignore[arg-type]


def history(config: MachineConfig, *events: Input, card: object = ANNA) -> Decision:
    return run(config, PEOPLE, with_card(config, card, at=10), events)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "limit", "display"),
    [
        (HOUR - 301, None, "Welcome,\nAnna"),
        (HOUR - 300, TimeLimit.SOON, "Under 5 min left\nthen card out"),
        (HOUR - 1, TimeLimit.SOON, "Under 5 min left\nthen card out"),
        (HOUR, TimeLimit.OVER, "Time is up!\nRemove your card"),
        (9 * HOUR, TimeLimit.OVER, "Time is up!\nRemove your card"),
    ],
)
def test_a_session_is_warned_five_minutes_before_its_end_and_told_after_it_that_time_is_up(
    seconds: float, limit: TimeLimit | None, display: str
) -> None:
    config = mill()
    state = history(config, report(ANNA, 10 + seconds)).state
    assert state.session
    assert state.session.time_limit is limit
    assert outputs(config, state).display == display
    assert relay_on(config, state), "power is not cut under a tool"


def test_that_time_is_up_is_one_outcome_and_is_shown_in_each_report() -> None:
    config = mill()
    decision = history(config, *reports(40, 2 * HOUR))
    (over,) = decision.outcomes
    assert isinstance(over, OverTime)
    assert over.limit == HOUR
    assert over.person
    assert over.person.full_name == ANNA.full_name
    assert outputs(config, decision.state).display.startswith("Time is up!")
    assert not decide(config, PEOPLE, decision.state, report(ANNA, 2 * HOUR + 10)).changed


def test_with_cut_the_session_ends_at_its_limit_and_the_card_must_be_put_in_again() -> None:
    config = mill(cut=True)
    decision = history(config, *reports(40, HOUR + 70))
    (ended,) = decision.outcomes
    assert isinstance(ended, SessionEnded)
    assert ended.ended.reason is EndReason.TIME_LIMIT
    assert HOUR <= ended.ended.seconds <= HOUR + 30
    assert not relay_on(config, decision.state)
    assert outputs(config, decision.state).display == "Remove card and\ninsert it again"
    again = run(config, PEOPLE, decision.state, [report(ANNA, 2 * HOUR), report(None, 2 * HOUR + 10)])
    assert not again.outcomes
    started = decide(config, PEOPLE, again.state, report(ANNA, 2 * HOUR + 20))
    assert isinstance(started.outcomes[0], SessionStarted)
    assert started.state.session
    assert started.state.session.time_limit is None


@pytest.mark.parametrize(
    ("events", "ends"),
    [
        (reports(40, 700), True),
        (reports(40, 590), False),
        (reports(40, 700, amps=1.4), True),
        (reports(40, 700, amps=1.5), False),
        (reports(40, 700, measures=False), False),
        ([*reports(40, 500), report(ANNA, 510, amps=9.0), *reports(520, 1000)], False),
        ([*reports(40, 500), report(ANNA, 510, amps=9.0), *reports(520, 1150)], True),
        ([*reports(40, 400), *reports(500, 900)], False),
        ([*reports(40, 400), *reports(500, 1120)], True),
        (reports(40, 2000, step=61), False),
    ],
    ids=[
        "idle for long enough",
        "not yet",
        "less than the current",
        "the current itself",
        "a reader that measures none",
        "it ran in between",
        "idle for long enough after it ran",
        "a gap in the reports counts for nothing",
        "idle for long enough after the gap",
        "gaps alone",
    ],
)
def test_a_session_in_which_nothing_runs_ends_like_one_whose_card_was_taken_out(
    events: list[Input], ends: bool
) -> None:
    config = mill(cut=True, minutes=None, idle=10)
    decision = history(config, *events)
    assert [o.ended.reason for o in decision.outcomes if isinstance(o, SessionEnded)] == [EndReason.IDLE] * ends
    assert relay_on(config, decision.state) is not ends
    assert (decision.state.session is None) is ends


def test_without_cut_an_idle_session_goes_on() -> None:
    decision = history(mill(minutes=None, idle=10), *reports(40, 3000))
    assert decision.outcomes == ()
    assert decision.state.session


def test_an_override_session_has_no_limits() -> None:
    config = mill(cut=True, minutes=1, idle=1)
    state = with_card(config, OLGA, "oopsed")
    decision = run(config, PEOPLE, state, [report(OLGA, 10 + 30 * n) for n in range(1, 20)])
    assert decision.outcomes == ()
    assert relay_on(config, decision.state)


def test_a_session_keeps_the_limits_of_its_start() -> None:
    for before, later, ends in ((MILL, mill(cut=True), False), (mill(cut=True), MILL, True)):
        state = decide(later, PEOPLE, with_card(before, ANNA, at=10), Configured(after(20))).state
        decision = run(later, PEOPLE, state, reports(40, 2 * HOUR))
        assert bool(decision.outcomes) is ends
    assert isinstance(decision.outcomes[0], SessionEnded)


def test_limits_hold_over_a_restart_of_the_server_and_idling_begins_anew() -> None:
    config = mill(cut=True, minutes=20, idle=10)
    state = history(config, *reports(40, 580)).state
    again = resumed(load_state(dump_state(state)), 5000.0)
    assert again.session
    assert again.session.limits == config.limits

    def later(state: MachineState, began: float, until: float, amps: float) -> Decision:
        return run(
            config,
            PEOPLE,
            state,
            [
                replace(report(ANNA, at, amps=amps), arrived=5000.0 + at - began)
                for at in range(int(began), int(until), 30)
            ],
        )

    assert later(again, 600, 1100, 0.0).outcomes == ()
    (ended,) = later(again, 600, 1300, 9.0).outcomes
    assert isinstance(ended, SessionEnded)
    assert ended.ended.reason is EndReason.TIME_LIMIT


def test_a_report_with_the_button_or_another_card_ends_the_session_for_that_reason() -> None:
    config = mill(cut=True)
    oopsed = history(config, report(ANNA, HOUR + 20, oops=True))
    assert [type(outcome).__name__ for outcome in oopsed.outcomes] == ["OopsSet"]
    changed = history(config, report(STRANGER, HOUR + 20))
    first = changed.outcomes[0].ended_session
    assert first
    assert first.reason is EndReason.CARD_CHANGED
    assert history(config, oops(HOUR + 20)).state.session is None
