"""What time has to do with a report: its order, its age, a gap before it, and how long a session was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mac_actors.core.config import MachineConfig, User
from mac_actors.core.inputs import Input, Report
from mac_actors.core.outcomes import CardSeen, SessionEnded, SessionRefused
from mac_actors.core.outputs import outputs, relay_on
from mac_actors.core.state import Card, MachineState, Refusal, Session, SessionKind, resumed, session_seconds
from mac_actors.core.transitions import decide
from tests.core.examples import (
    ANNA,
    BEN,
    LAMP,
    MILL,
    OOPSED,
    OTTO,
    PEOPLE,
    STRANGER,
    T0,
    UP,
    after,
    called,
    clocked,
    fresh,
    lock,
    oops,
    report,
    run,
    with_card,
)

# order


@pytest.mark.parametrize("last", [report(ANNA, 70), report(None, 70), report(BEN, 70), report(ANNA, 70, oops=True)])
@pytest.mark.parametrize(
    "older",
    [report(ANNA, 60), report(OTTO, 60), report(None, 60), report(ANNA, 60, oops=True), report(None, 60, uptime=None)],
)
def test_a_report_that_came_before_the_last_one_changes_nothing(last: Report, older: Report) -> None:
    before = decide(MILL, PEOPLE, with_card(MILL, ANNA), last).state
    for late in (older, clocked(replace(older, at=after(80)), 60)):
        decision = decide(MILL, PEOPLE, before, late, now=after(80).timestamp())
        assert decision.state is before
        assert (decision.outcomes, decision.already, decision.changed) == ((), (), False)


def test_the_times_of_arrival_need_not_be_exact() -> None:
    before = decide(MILL, PEOPLE, fresh(MILL), report(ANNA, 10)).state
    state = decide(MILL, PEOPLE, before, clocked(report(None, 10, uptime=UP + 10), 9.96)).state
    assert state.card is None
    assert state.last_arrival == after(10).timestamp()


@pytest.mark.parametrize(
    ("boot", "count", "card"),
    [(1, 6, None), (1, 5, None), (1, 4, ANNA), (1, 0, ANNA), (2, 1, None), (1, None, None), (None, None, None)],
)
def test_an_older_count_of_a_boot_changes_nothing_whenever_it_comes(
    boot: int | None, count: int | None, card: User | None
) -> None:
    before = decide(MILL, PEOPLE, fresh(MILL), report(ANNA, 10, firmware="f", boot=1, count=5)).state
    after_it = decide(MILL, PEOPLE, before, report(None, 20, firmware="f", boot=boot, count=count)).state
    assert (after_it.card and after_it.card.fob) == (card and card.fob_codes[0])
    assert (after_it is before) is (card is not None)


def test_a_newer_count_is_newer_even_if_it_seems_to_have_come_before() -> None:
    before = decide(MILL, PEOPLE, fresh(MILL), report(ANNA, 10, firmware="f", boot=1, count=5)).state
    event = clocked(report(None, 20, firmware="f", boot=1, count=6), 5)
    assert decide(MILL, PEOPLE, before, event).state.card is None


# age


@pytest.mark.parametrize(("age", "starts"), [(0, True), (5, True), (5.1, False), (3600, False)])
@pytest.mark.parametrize("by_wall_clock", [10, 86_400, -86_400])
def test_a_report_that_is_late_starts_nothing(age: float, starts: bool, by_wall_clock: float) -> None:
    event = clocked(report(ANNA, by_wall_clock, uptime=UP + 10), 10)
    decision = decide(MILL, PEOPLE, fresh(MILL), event, now=after(10 + age).timestamp())
    assert relay_on(MILL, decision.state) is starts
    if not starts:
        (refused,) = decision.outcomes
        assert isinstance(refused, SessionRefused)
        assert refused.refusal is Refusal.LATE
        assert decision.state.card
        assert decision.state.card.blocked


# gaps

EVERY_MINUTE = replace(MILL, report_seconds=60.0)
WHENEVER = replace(MILL, report_seconds=0.0)


@pytest.mark.parametrize(
    ("config", "gone_on", "more", "blocked"),
    [
        (MILL, 35.0, {}, False),
        (MILL, 35.1, {}, True),
        (MILL, 3600.0, {}, True),
        (EVERY_MINUTE, 210.0, {}, False),
        (EVERY_MINUTE, 210.1, {}, True),
        (WHENEVER, 1e6, {}, False),
        (MILL, 3600.0, {"firmware": "mac 1"}, False),
    ],
)
@pytest.mark.parametrize("old", [None, ANNA, STRANGER], ids=called)
def test_a_new_card_in_the_first_report_after_a_gap_is_blocked(
    config: MachineConfig, gone_on: float, more: dict[str, Any], blocked: bool, old: User | str | None
) -> None:
    """Its firmware keeps a card that was in and out while a request hung: nobody may stand at the machine now."""
    before = fresh(config) if old is None else decide(config, PEOPLE, fresh(config), report(old)).state
    event = replace(report(OTTO, 0.1, uptime=UP + gone_on, **more), at=after(gone_on), arrived=after(0.1).timestamp())
    decision = decide(config, PEOPLE, before, event)
    assert relay_on(config, decision.state) is not blocked
    if blocked:
        assert decision.state.card == Card(OTTO.fob_codes[0], event.at, blocked=True)
        refused = decision.outcomes[-1]
        assert isinstance(refused, SessionRefused)
        assert refused.refusal is Refusal.GAP
        assert outputs(config, decision.state).display == "Remove card and\ninsert it again"
        out_and_in = [report(None, gone_on + 1), report(OTTO, gone_on + 2)]
        assert relay_on(config, run(config, PEOPLE, decision.state, [clocked(e, 1) for e in out_and_in]).state)


def test_the_same_card_after_a_gap_goes_on() -> None:
    running = with_card(MILL, ANNA)
    assert decide(MILL, PEOPLE, running, report(ANNA, 3600)).state.session == running.session


def test_an_override_does_not_start_after_a_gap_either() -> None:
    decision = decide(MILL, PEOPLE, fresh(MILL, OOPSED), report(OTTO, 3600))
    assert not relay_on(MILL, decision.state)


def test_a_card_that_is_seen_after_a_gap_leaves_an_always_enabled_machine_on() -> None:
    decision = decide(LAMP, PEOPLE, fresh(LAMP), report(ANNA, 3600))
    assert [type(outcome) for outcome in decision.outcomes] == [CardSeen]
    assert relay_on(LAMP, decision.state)


@pytest.mark.parametrize(("seconds", "blocked"), [(30, False), (60, True)])
@pytest.mark.parametrize("uptimes", [(None, None), (None, 5.0)])
def test_where_the_uptime_is_not_known_the_servers_clock_tells_of_a_gap(
    seconds: float, blocked: bool, uptimes: tuple[float | None, float | None]
) -> None:
    before = run(MILL, PEOPLE, MachineState(T0), [report(None, uptime=uptimes[0])]).state
    assert relay_on(MILL, decide(MILL, PEOPLE, before, report(ANNA, seconds, uptime=uptimes[1])).state) is not blocked


def test_an_uptime_that_wrapped_has_gone_on_by_a_little() -> None:
    before = decide(MILL, PEOPLE, fresh(MILL), report(None, 10, uptime=4_294_960.0, boot=1)).state
    assert relay_on(MILL, decide(MILL, PEOPLE, before, report(ANNA, 20, uptime=3.0)).state)


def test_the_first_report_ever_comes_after_no_gap() -> None:
    assert relay_on(MILL, decide(MILL, PEOPLE, MachineState(T0), report(ANNA, 1e6)).state)


@pytest.mark.parametrize("config", [MILL, WHENEVER], ids=["a gap counts", "no gap counts"])
@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("more", [{}, {"firmware": "mac 1", "boot": 7, "count": 9}], ids=str)
def test_a_card_in_the_first_report_after_a_restore_is_blocked(
    config: MachineConfig, heard: bool, more: dict[str, Any]
) -> None:
    """It may have been in the reader, refused, since long before: nobody may stand at the machine now."""
    before = replace(fresh(config) if heard else MachineState(T0), restored=True)
    decision = decide(config, PEOPLE, before, report(OTTO, 10, **more))
    assert decision.state.card == Card(OTTO.fob_codes[0], after(10), blocked=True)
    (refused,) = decision.outcomes
    assert isinstance(refused, SessionRefused)
    assert refused.refusal is Refusal.GAP
    out_and_in = [report(None, 20, **more), report(OTTO, 30, **more)]
    assert relay_on(config, run(config, PEOPLE, decision.state, out_and_in).state)
    assert relay_on(config, run(config, PEOPLE, before, out_and_in).state), "its reader was empty"


# lengths


@pytest.mark.parametrize("by_wall_clock", [36_000, 0, -86_400, 20_783 * 86_400 / 2])
@pytest.mark.parametrize("end", [report(None, 12), oops(12), lock(12), report(BEN, 12), report(ANNA, 12, uptime=None)])
def test_a_session_is_as_long_as_the_clock_that_nobody_sets_says(end: Input, by_wall_clock: float) -> None:
    running = decide(MILL, PEOPLE, fresh(MILL), report(ANNA, 10)).state
    given = replace(end, at=after(by_wall_clock))
    if isinstance(given, Report):
        given = clocked(given, 12)
    decision = decide(MILL, PEOPLE, running, given, now=after(12).timestamp())
    assert decision.outcomes[0].ended_session
    assert decision.outcomes[0].ended_session.seconds == 2.0


def test_a_session_that_outlives_a_server_is_as_long_as_both_were_there() -> None:
    state = run(MILL, PEOPLE, with_card(MILL, ANNA), [report(ANNA, 20), report(ANNA, 30)]).state
    assert session_seconds(state) == 20
    state = resumed(resumed(state, 400.0), 500.0)  # the server in between saw nothing
    state = decide(MILL, PEOPLE, state, replace(report(ANNA, 36_000, uptime=UP + 36_000), arrived=503.0)).state
    assert session_seconds(state) == 23
    (ended,) = decide(MILL, PEOPLE, state, replace(report(None, 36_010), arrived=510.0)).outcomes
    assert isinstance(ended, SessionEnded)
    assert ended.ended.seconds == 30
    assert ended.ended.since == after(10)


def test_a_session_of_an_older_version_is_as_long_as_it_knew() -> None:
    state = with_card(MILL, ANNA)
    old = replace(state, session=Session("1", "Anna", "Anna", SessionKind.AUTHORIZED, after(10)), last_arrival=None)
    assert session_seconds(old) == 0
    assert session_seconds(replace(old, last_checkin=after(40))) == 30
    assert session_seconds(replace(old, last_checkin=T0)) == 0
    assert session_seconds(replace(old, last_checkin=None)) == 0
    assert session_seconds(replace(old, session=None)) == 0
    resumed_ = resumed(replace(old, last_checkin=after(40)), 7.0).session
    assert resumed_
    assert resumed_.seconds(9.0) == 32


def test_what_the_last_servers_clock_said_is_not_taken_for_this_ones() -> None:
    state = resumed(with_card(MILL, ANNA), 3.0)
    decision = decide(MILL, PEOPLE, state, replace(report(None, 20), arrived=4.0), now=4.0)
    assert [type(outcome) for outcome in decision.outcomes] == [SessionEnded]
