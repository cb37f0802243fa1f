"""A report that tells of a reboot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mac_actors.core.config import MachineConfig, User
from mac_actors.core.outcomes import (
    Ended,
    EndReason,
    OopsSet,
    Rebooted,
    SessionStarted,
)
from mac_actors.core.outputs import relay_on
from mac_actors.core.state import Card, MachineState, SessionKind, resumed
from mac_actors.core.transitions import decide
from tests.core.examples import (
    ANNA,
    BEN,
    FLAGGED,
    LAMP,
    MILL,
    OLGA,
    OTTO,
    PEOPLE,
    SAW,
    SITUATIONS,
    STRANGER,
    T0,
    UP,
    after,
    called,
    clocked,
    fresh,
    person,
    report,
    run,
    with_card,
)


@pytest.mark.parametrize(
    ("last", "now", "elapsed", "rebooted"),
    [
        (500.0, 499.9, 10, True),
        (500.0, 0, 10, True),
        (500.0, 500.0, 10, False),
        (500.0, 510.0, 10, False),
        (500.0, None, 10, True),
        (None, None, 10, False),
        (None, None, 1e6, False),
        (None, 10.0, 10, False),
        (None, 0.0, 120, False),
        (None, 0.0, 120.001, True),
        (500.0, 1380.0, 1000, False),
        (500.0, 1379.9, 1000, True),
        (500.0, 1500.0, 1000, False),
    ],
)
def test_a_reboot_is_told_by_the_uptime(last: float | None, now: float | None, elapsed: float, rebooted: bool) -> None:
    running = run(MILL, PEOPLE, MachineState(T0), [report(None, 0, uptime=last), report(ANNA, 0, uptime=last)]).state
    assert running.session is not None
    decision = decide(MILL, PEOPLE, running, report(ANNA, elapsed, uptime=now))
    assert (decision.state.session is None) is rebooted
    assert [type(outcome) for outcome in decision.outcomes] == ([Rebooted] if rebooted else [])
    assert decision.state.telemetry.uptime == now


@pytest.mark.parametrize("by_wall_clock", [-86_400, 0, 10, 3600, 86_400])
@pytest.mark.parametrize(
    ("elapsed", "uptime", "rebooted"),
    [
        (10, 510.0, False),
        (3600, 4100.0, False),
        (3600, 3980.0, False),
        (3600, 3979.9, True),  # it was off for two minutes, and then not heard: the uptime must have gone on
        (3600, 3000.0, True),
        (86_400, 510.0, True),
    ],
)
def test_a_reboot_is_told_by_the_clock_that_nobody_sets(
    by_wall_clock: float, elapsed: float, uptime: float, rebooted: bool
) -> None:
    """That of a server's computer which slept for an hour, too; the wall clock may have been set meanwhile."""
    running = run(MILL, PEOPLE, MachineState(T0), [report(None, 0, uptime=500.0), report(ANNA, 0, uptime=500.0)]).state
    event = clocked(report(ANNA, by_wall_clock, uptime=uptime), elapsed)
    assert (decide(MILL, PEOPLE, running, event).state.session is None) is rebooted


@pytest.mark.parametrize(("by_wall_clock", "rebooted"), [(10, False), (200_000, True)])
def test_after_a_restart_of_the_server_the_wall_clock_tells(by_wall_clock: float, rebooted: bool) -> None:
    state = resumed(run(MILL, PEOPLE, MachineState(T0), [report(None), report(ANNA)]).state, 5.0)
    event = replace(report(ANNA, by_wall_clock, uptime=UP + 10), arrived=7.0)
    decision = decide(MILL, PEOPLE, state, event, now=7.0)
    assert (decision.state.session is None) is rebooted
    assert decision.state.last_arrival == 7.0


WRAP = 2**32 / 1000


@pytest.mark.parametrize(
    ("last", "now", "elapsed", "rebooted"),
    [
        (4_294_960, 3, 10, False),
        (WRAP - 120, 0, 120, False),
        (WRAP - 1, 120, 121, False),
        (WRAP - 60, 59, 120, False),
        pytest.param(4_294_960, 3, 60, True, id="it would be at 52 by now"),
        pytest.param(4_294_960, 60, 10, True, id="it can't be at 60 yet"),
        pytest.param(WRAP - 121, 3, 124, True, id="too long before the wrap"),
        pytest.param(WRAP - 1, 121, 122, True, id="too long after it"),
        pytest.param(4_294_960, None, 10, True, id="no uptime yet, as at every start"),
    ],
)
def test_an_uptime_that_begins_anew_by_itself_is_no_reboot_and_a_reboot_at_that_moment_is_one(
    last: float, now: float | None, elapsed: float, rebooted: bool
) -> None:
    before = run(MILL, PEOPLE, MachineState(T0), [report(None, uptime=last), report(ANNA, uptime=last)]).state
    decision = decide(MILL, PEOPLE, before, report(ANNA, elapsed, uptime=now))
    assert [type(outcome) for outcome in decision.outcomes] == ([Rebooted] if rebooted else [])
    assert (decision.state.session is None) is rebooted


@pytest.mark.parametrize(
    ("last", "now", "uptime", "rebooted"),
    [
        (1, 1, 3.0, False),
        (1, 1, None, False),
        (1, 2, UP + 10, True),
        (None, 2, UP + 10, False),
        (None, 2, 3.0, True),
        (1, None, UP + 10, False),
        (1, None, 3.0, True),
    ],
)
def test_the_number_of_a_boot_tells_a_reboot_whatever_the_uptime_says(
    last: int | None, now: int | None, uptime: float | None, rebooted: bool
) -> None:
    before = run(MILL, PEOPLE, MachineState(T0), [report(None, boot=last), report(ANNA, boot=last)]).state
    decision = decide(MILL, PEOPLE, before, report(ANNA, 10, uptime=uptime, boot=now))
    assert [type(outcome) for outcome in decision.outcomes] == ([Rebooted] if rebooted else [])


def test_three_quick_reboots_are_three_reboots() -> None:
    events = [report(None, 1 + n, uptime=None if n % 2 == 0 else 3.0) for n in range(6)]
    assert [type(outcome) for outcome in run(MILL, PEOPLE, fresh(MILL), events).outcomes] == [Rebooted] * 3


@pytest.mark.parametrize("uptime", [None, 0.0, 1e6])
def test_the_first_report_ever_is_no_reboot(uptime: float | None) -> None:
    decision = decide(MILL, PEOPLE, MachineState(T0), report(ANNA, 1e6, uptime=uptime))
    assert [type(outcome) for outcome in decision.outcomes] == [SessionStarted]


def test_after_a_null_the_uptime_is_unknown_so_that_one_restart_is_seen_once() -> None:
    events = [report(None, 10, uptime=None), report(None, 20, uptime=None), report(None, 30, uptime=25.0)]
    decision = run(MILL, PEOPLE, fresh(MILL), events)
    assert [(type(outcome), outcome.at) for outcome in decision.outcomes] == [(Rebooted, after(10))]


@pytest.mark.parametrize(("config", "user", "kind"), [(MILL, ANNA, "authorized"), (SAW, BEN, "warn_only")])
def test_a_reboot_ends_the_session_in_one_outcome_and_blocks_its_card(
    config: MachineConfig, user: User, kind: str
) -> None:
    running = with_card(config, user)
    decision = decide(config, PEOPLE, running, report(user, 70, uptime=3))
    ended = Ended(person(user), SessionKind(kind), after(10), 60.0, EndReason.REBOOT)
    assert decision.outcomes == (
        Rebooted(machine=config.name, display_name=config.display_name, at=after(70), ended=ended, card_blocked=True),
    )
    assert decision.state.session is None
    assert decision.state.card == Card(user.fob_codes[0], after(10), blocked=True)
    assert not relay_on(config, decision.state)


@pytest.mark.parametrize("situation", FLAGGED)
@pytest.mark.parametrize("user", [OLGA, OTTO], ids=called)
def test_a_reboot_ends_an_override_session_too_and_leaves_oops_and_lock(user: User, situation: str) -> None:
    running = with_card(MILL, user, situation)
    decision = decide(MILL, PEOPLE, running, report(user, 70, uptime=None))
    (rebooted,) = decision.outcomes
    assert isinstance(rebooted, Rebooted)
    assert rebooted.ended is not None
    assert rebooted.ended.kind is SessionKind.OVERRIDE
    assert decision.state.session is None
    assert decision.state.card is not None
    assert decision.state.card.blocked
    assert (decision.state.oops, decision.state.lock) == (running.oops, running.lock)


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("old", [None, ANNA], ids=called)
@pytest.mark.parametrize("new", [BEN, OTTO, STRANGER], ids=called)
def test_a_card_that_comes_in_the_report_of_a_reboot_is_blocked_whoevers_it_is(
    new: User | str, old: User | None, situation: str
) -> None:
    before = fresh(MILL, situation) if old is None else with_card(MILL, old, situation)
    event = report(new, 70, uptime=3)
    decision = decide(MILL, PEOPLE, before, event)
    assert event.fob is not None
    assert decision.state.card == Card(event.fob, after(70), blocked=True)
    assert decision.state.session is None
    (rebooted,) = decision.outcomes
    assert isinstance(rebooted, Rebooted)
    assert (rebooted.ended is not None) is (before.session is not None)
    assert rebooted.card_blocked


def test_a_card_blocked_by_a_reboot_opens_a_session_once_it_was_out() -> None:
    blocked = run(MILL, PEOPLE, with_card(MILL, ANNA), [report(ANNA, 70, uptime=3), report(ANNA, 80, uptime=13)])
    assert blocked.state.session is None
    again = run(MILL, PEOPLE, blocked.state, [report(None, 90, uptime=23), report(ANNA, 100, uptime=33)])
    assert again.state.session is not None


def test_a_reboot_in_whose_report_the_card_is_gone_ends_the_session_once() -> None:
    decision = decide(MILL, PEOPLE, with_card(MILL, ANNA), report(None, 70, uptime=3))
    (rebooted,) = decision.outcomes
    assert isinstance(rebooted, Rebooted)
    assert rebooted.ended is not None
    assert not rebooted.card_blocked
    assert (decision.state.card, decision.state.session) == (None, None)


def test_a_reboot_of_an_empty_reader_is_one_outcome_and_changes_nothing_else() -> None:
    before = fresh(MILL)
    event = report(None, 70, uptime=3)
    decision = decide(MILL, PEOPLE, before, event)
    assert decision.outcomes == (
        Rebooted(machine="metal-mill", display_name="Metal Mill", at=after(70), ended=None, card_blocked=False),
    )
    assert decision.state == replace(before, telemetry=event.telemetry, last_checkin=after(70))
    assert decision.changed


def test_a_reboot_leaves_the_power_of_an_always_enabled_machine_on() -> None:
    decision = decide(LAMP, PEOPLE, with_card(LAMP, BEN), report(BEN, 70, uptime=3))
    assert relay_on(LAMP, decision.state)
    assert decision.state.session is None


def test_a_reboot_with_the_oops_button_held_ends_the_session_once_and_sets_oops() -> None:
    decision = decide(MILL, PEOPLE, with_card(MILL, ANNA), report(ANNA, 70, uptime=3, oops=True))
    rebooted, oopsed = decision.outcomes
    assert isinstance(rebooted, Rebooted)
    assert rebooted.ended is not None
    assert isinstance(oopsed, OopsSet)
    assert oopsed.ended is None
    assert decision.state.session is None
    assert decision.state.card is not None
    assert decision.state.card.blocked
