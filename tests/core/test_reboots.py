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
from mac_actors.core.state import Card, MachineState, SessionKind
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
    after,
    called,
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
        (500.0, 880.0, 1000, False),
        (500.0, 879.9, 1000, True),
        (500.0, 900.0, 1000, False),
    ],
)
def test_a_reboot_is_told_by_the_uptime(last: float | None, now: float | None, elapsed: float, rebooted: bool) -> None:
    running = run(MILL, PEOPLE, MachineState(T0), [report(None, 0, uptime=last), report(ANNA, 0, uptime=last)]).state
    assert running.session is not None
    decision = decide(MILL, PEOPLE, running, report(ANNA, elapsed, uptime=now))
    assert (decision.state.session is None) is rebooted
    assert [type(outcome) for outcome in decision.outcomes] == ([Rebooted] if rebooted else [])
    assert decision.state.telemetry.uptime == now


@pytest.mark.parametrize(("by_wall_clock", "elapsed", "rebooted"), [(86_400, 10, False), (10, 86_400, True)])
def test_where_the_wall_clock_was_set_a_reboot_is_told_by_the_time_that_has_really_gone_by(
    by_wall_clock: float, elapsed: float, rebooted: bool
) -> None:
    running = run(MILL, PEOPLE, MachineState(T0), [report(None, 0, uptime=500.0), report(ANNA, 0, uptime=500.0)]).state
    event = report(ANNA, by_wall_clock, uptime=510.0)
    assert (decide(MILL, PEOPLE, running, event, elapsed=elapsed).state.session is None) is rebooted


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
