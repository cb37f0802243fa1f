"""A reader's report: the Oops button, then the card. What a reboot does stands in test_reboots.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mac_actors.core.config import MachineConfig, User
from mac_actors.core.inputs import Configured, Report
from mac_actors.core.outcomes import (
    CardSeen,
    Ended,
    EndReason,
    OopsSet,
    PowerChanged,
    SessionEnded,
    SessionRefused,
    SessionStarted,
)
from mac_actors.core.outputs import relay_on
from mac_actors.core.state import Card, Flag, MachineState, Refusal, SessionKind, Source, Telemetry
from mac_actors.core.transitions import decide
from tests.core.examples import (
    ANNA,
    BEN,
    BOTH,
    ENFORCED,
    EVE,
    FREE,
    LAMP,
    LOCKED,
    MILL,
    OLGA,
    OOPSED,
    OTTO,
    PEOPLE,
    SAW,
    SITUATIONS,
    STRANGER,
    T0,
    UP,
    after,
    called,
    clear,
    fresh,
    oops,
    person,
    report,
    run,
    with_card,
)

# heartbeats


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("card", [None, ANNA, BEN, OLGA, STRANGER], ids=called)
def test_a_heartbeat_moves_telemetry_and_check_in_and_nothing_else(card: User | str | None, situation: str) -> None:
    before = fresh(MILL, situation) if card is None else with_card(MILL, card, situation)
    event = replace(report(card, 20), telemetry=Telemetry(UP + 20, -50.0, 80.0, 31.5, 2.5, second_relay_state=True))
    decision = decide(MILL, PEOPLE, before, event)
    assert decision.state == replace(before, telemetry=event.telemetry, last_checkin=after(20))
    assert decision.outcomes == ()
    assert decision.already == ()
    assert not decision.changed


def test_last_update_moves_only_when_something_meaningful_changed() -> None:
    state = fresh(MILL)
    assert (state.last_checkin, state.last_update) == (T0, None)
    state = run(MILL, PEOPLE, state, [report(None, 10)]).state
    assert (state.last_checkin, state.last_update) == (after(10), None)
    state = run(MILL, PEOPLE, state, [report(BEN, 20), report(BEN, 30)]).state
    assert (state.last_checkin, state.last_update) == (after(30), after(20))
    state = run(MILL, PEOPLE, state, [report(BEN, 40, oops=True), report(BEN, 50, oops=True)]).state
    assert (state.last_checkin, state.last_update) == (after(50), after(40))


# the Oops button


@pytest.mark.parametrize("config", [MILL, LAMP], ids=lambda config: config.name)
def test_the_oops_button_sets_oops(config: MachineConfig) -> None:
    decision = decide(config, PEOPLE, fresh(config), report(None, 10, oops=True))
    flag = Flag(after(10), Source.BUTTON)
    assert decision.state.oops == flag
    assert decision.state.lock is None
    assert not relay_on(config, decision.state)
    assert decision.outcomes == (
        OopsSet(machine=config.name, display_name=config.display_name, at=after(10), flag=flag, ended=None),
    )


def test_a_held_oops_button_is_announced_once() -> None:
    decision = run(MILL, PEOPLE, fresh(MILL), [report(None, s, oops=True) for s in (10, 20, 30)])
    assert [type(outcome) for outcome in decision.outcomes] == [OopsSet]
    assert decision.state.oops == Flag(after(10), Source.BUTTON)


@pytest.mark.parametrize("situation", [OOPSED, BOTH])
def test_the_oops_button_changes_nothing_on_an_oopsed_machine(situation: str) -> None:
    before = fresh(MILL, situation)
    event = report(None, 10, oops=True)
    decision = decide(MILL, PEOPLE, before, event)
    assert decision.state == replace(before, telemetry=event.telemetry, last_checkin=after(10))
    assert (decision.outcomes, decision.already, decision.changed) == ((), (), False)


def test_the_oops_button_sets_oops_beside_a_lock() -> None:
    before = fresh(MILL, LOCKED)
    assert before.lock
    state = decide(MILL, PEOPLE, before, report(None, 10, oops=True)).state
    assert state.oops == Flag(after(10), Source.BUTTON, incident=before.lock.since)
    assert state.lock == before.lock


@pytest.mark.parametrize(
    ("config", "user", "situation"),
    [(MILL, ANNA, FREE), (SAW, BEN, FREE), (MILL, OLGA, LOCKED), (MILL, OTTO, LOCKED)],
)
def test_the_oops_button_ends_any_session_in_one_outcome_and_blocks_the_card(
    config: MachineConfig, user: User, situation: str
) -> None:
    running = with_card(config, user, situation)
    assert running.session is not None
    decision = decide(config, PEOPLE, running, report(user, 70, oops=True))
    (oopsed,) = decision.outcomes
    assert isinstance(oopsed, OopsSet)
    assert oopsed.ended == Ended(person(user), running.session.kind, after(10), 60.0, EndReason.OOPS)
    assert decision.state.session is None
    assert decision.state.card == Card(user.fob_codes[0], after(10), blocked=True)
    assert not relay_on(config, decision.state)


@pytest.mark.parametrize("situation", [OOPSED, BOTH])
def test_the_oops_button_on_an_oopsed_machine_ends_the_override_session_and_leaves_the_oops_as_it_is(
    situation: str,
) -> None:
    running = with_card(MILL, OLGA, situation)
    decision = decide(MILL, PEOPLE, running, report(OLGA, 70, oops=True))
    ended = Ended(person(OLGA), SessionKind.OVERRIDE, after(10), 60.0, EndReason.OOPS)
    assert decision.outcomes == (
        SessionEnded(machine=MILL.name, display_name=MILL.display_name, at=after(70), ended=ended),
    )
    assert decision.changed
    state = decision.state
    assert (state.oops, state.lock, state.session) == (running.oops, running.lock, None)
    assert state.card == Card(OLGA.fob_codes[0], after(10), blocked=True)
    assert not relay_on(MILL, state)


@pytest.mark.parametrize("still", [True, False], ids=["held", "let go"])
def test_the_card_of_an_override_session_that_oops_has_ended_must_be_put_in_again(still: bool) -> None:
    stopped = decide(MILL, PEOPLE, with_card(MILL, OLGA, OOPSED), report(OLGA, 20, oops=True)).state
    decision = decide(MILL, PEOPLE, stopped, report(OLGA, 30, oops=still))
    assert (decision.outcomes, decision.changed, decision.state.session) == ((), False, None)
    again = run(MILL, PEOPLE, decision.state, [report(None, 40), report(OLGA, 50)]).state
    assert again.session is not None
    assert again.session.kind is SessionKind.OVERRIDE


@pytest.mark.parametrize("card", [None, OTTO], ids=called)
def test_the_oops_button_ends_an_override_session_whose_card_goes_in_the_same_report(card: User | None) -> None:
    decision = decide(MILL, PEOPLE, with_card(MILL, OLGA, OOPSED), report(card, 20, oops=True))
    ended = decision.outcomes[0].ended_session
    assert ended is not None
    assert ended.reason is EndReason.OOPS
    assert decision.state.session is None
    assert decision.state.card == (card and Card(card.fob_codes[0], after(20), blocked=True))


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("user", [ANNA, BEN, OLGA, OTTO], ids=called)
def test_a_card_that_comes_in_a_report_with_oops_is_blocked_whoevers_it_is(user: User, situation: str) -> None:
    decision = decide(MILL, PEOPLE, fresh(MILL, situation), report(user, 10, oops=True))
    assert decision.state.session is None
    assert decision.state.card == Card(user.fob_codes[0], after(10), blocked=True)
    assert decision.state.oops is not None
    assert not relay_on(MILL, decision.state)
    assert decision.already == ()
    later = run(MILL, PEOPLE, decision.state, [report(user, 20), clear(30), report(user, 40)])
    assert later.state.session is None


def test_an_unknown_card_that_comes_in_a_report_with_oops_is_blocked_too() -> None:
    state = decide(MILL, PEOPLE, fresh(MILL), report(STRANGER, 10, oops=True)).state
    assert state.card is not None
    assert state.card.blocked


def test_the_card_of_an_always_enabled_machine_is_blocked_by_the_oops_button() -> None:
    state = decide(LAMP, PEOPLE, with_card(LAMP, ANNA), report(ANNA, 20, oops=True)).state
    assert state.card == Card("0000000001", after(10), blocked=True)
    assert not relay_on(LAMP, state)


def test_a_card_that_comes_in_a_report_with_oops_is_blocked_on_an_always_enabled_machine_too() -> None:
    state = decide(LAMP, PEOPLE, fresh(LAMP), report(ANNA, 10, oops=True)).state
    assert state.card == Card("0000000001", after(10), blocked=True)
    assert not relay_on(LAMP, state)


def test_a_card_replaced_while_the_oops_button_is_pressed_ends_the_old_session_and_opens_none() -> None:
    decision = decide(MILL, PEOPLE, with_card(MILL, ANNA), report(OTTO, 20, oops=True))
    oopsed, refused = decision.outcomes
    assert isinstance(oopsed, OopsSet)
    assert oopsed.ended is not None
    assert isinstance(refused, SessionRefused)
    assert refused.refusal is Refusal.OOPSED
    assert decision.state.session is None
    assert decision.state.card == Card("0000000004", after(20), blocked=True)


# the card


@pytest.mark.parametrize(
    ("config", "user", "situation", "kind"),
    [
        (MILL, ANNA, FREE, SessionKind.AUTHORIZED),
        (SAW, BEN, FREE, SessionKind.WARN_ONLY),
        (MILL, OLGA, OOPSED, SessionKind.OVERRIDE),
        (MILL, OTTO, BOTH, SessionKind.OVERRIDE),
    ],
)
def test_a_card_taken_out_ends_its_session(
    config: MachineConfig, user: User, situation: str, kind: SessionKind
) -> None:
    running = with_card(config, user, situation)
    decision = decide(config, PEOPLE, running, report(None, 75.5))
    ended = Ended(person(user), kind, after(10), 65.5, EndReason.CARD_REMOVED)
    assert decision.outcomes == (
        SessionEnded(machine=config.name, display_name=config.display_name, at=after(75.5), ended=ended),
    )
    assert (decision.state.card, decision.state.session) == (None, None)
    assert (decision.state.oops, decision.state.lock) == (running.oops, running.lock)
    assert not relay_on(config, decision.state)


def test_the_block_is_lifted_when_the_card_is_taken_out() -> None:
    blocked = run(MILL, PEOPLE, with_card(MILL, ANNA), [oops(20), clear(30)]).state
    assert blocked.card is not None
    assert blocked.card.blocked
    out = decide(MILL, PEOPLE, blocked, report(None, 40))
    assert out.state.card is None
    assert out.outcomes == ()
    assert out.changed
    assert decide(MILL, PEOPLE, out.state, report(ANNA, 50)).state.session is not None


def test_a_card_replaced_with_no_empty_report_between_ends_the_old_session_first() -> None:
    decision = decide(MILL, PEOPLE, with_card(MILL, ANNA), report(OTTO, 20))
    ended, started = decision.outcomes
    assert isinstance(ended, SessionEnded)
    assert ended.ended == Ended(person(ANNA), SessionKind.AUTHORIZED, after(10), 10.0, EndReason.CARD_CHANGED)
    assert isinstance(started, SessionStarted)
    assert started.user == person(OTTO)
    assert decision.state.session is not None
    assert (decision.state.session.account_id, decision.state.session.since) == (OTTO.account_id, after(20))


@pytest.mark.parametrize("new", [BEN, OLGA, STRANGER], ids=called)
def test_an_authorized_card_replaced_by_one_that_may_not_stops_the_machine(new: User | str) -> None:
    decision = decide(MILL, PEOPLE, with_card(MILL, ANNA), report(new, 20))
    assert [type(outcome) for outcome in decision.outcomes] == [SessionEnded, SessionRefused]
    assert decision.state.session is None
    assert not relay_on(MILL, decision.state)


def test_another_fob_of_the_same_user_is_another_card() -> None:
    decision = decide(MILL, PEOPLE, with_card(MILL, ANNA), report("0000000011", 20))
    assert [type(outcome) for outcome in decision.outcomes] == [SessionEnded, SessionStarted]
    assert decision.state.session is not None
    assert decision.state.session.since == after(20)


def test_a_blocked_card_replaced_by_another_one_lifts_the_block() -> None:
    blocked = run(MILL, PEOPLE, with_card(MILL, ANNA), [oops(20), clear(30)]).state
    state = decide(MILL, PEOPLE, blocked, report(OTTO, 40)).state
    assert state.session is not None
    assert state.card == Card("0000000004", after(40))


def test_an_override_card_replaced_by_an_authorized_one_stops_an_oopsed_machine() -> None:
    decision = decide(MILL, PEOPLE, with_card(MILL, OLGA, OOPSED), report(ANNA, 20))
    assert [type(outcome) for outcome in decision.outcomes] == [SessionEnded, SessionRefused]
    assert decision.state.session is None
    assert decision.state.card == Card("0000000001", after(20), blocked=True)


# reports that the server holds


@pytest.mark.parametrize("hold", [Refusal.LATE, Refusal.STORAGE])
@pytest.mark.parametrize(("user", "situation"), [(ANNA, FREE), (OTTO, FREE), (OLGA, OOPSED), (OTTO, LOCKED)])
def test_a_held_report_starts_no_session_and_blocks_the_card(user: User, situation: str, hold: Refusal) -> None:
    decision = decide(MILL, PEOPLE, fresh(MILL, situation), report(user, 10), hold=hold)
    (refused,) = decision.outcomes
    assert isinstance(refused, SessionRefused)
    assert (refused.refusal, refused.user) == (hold, person(user))
    assert decision.state.session is None
    assert decision.state.card == Card(user.fob_codes[0], after(10), blocked=True)
    assert decide(MILL, PEOPLE, decision.state, report(user, 20)).state.session is None


@pytest.mark.parametrize(("card", "refusal"), [(STRANGER, Refusal.UNKNOWN), (EVE, Refusal.EXPIRED)])
def test_a_held_report_of_a_card_that_could_not_anyway_says_why(card: User | str, refusal: Refusal) -> None:
    state = decide(MILL, ENFORCED, fresh(MILL), report(card, 10), hold=Refusal.LATE).state
    assert state.card is not None
    assert (state.card.refusal, state.card.blocked) == (refusal, True)


def test_a_held_report_still_ends_the_session_of_a_card_that_is_gone() -> None:
    decision = decide(MILL, PEOPLE, with_card(MILL, ANNA), report(None, 20), hold=Refusal.LATE)
    assert [type(outcome) for outcome in decision.outcomes] == [SessionEnded]
    assert decision.state.session is None


def test_a_held_report_still_ends_the_session_of_a_card_that_was_replaced() -> None:
    decision = decide(MILL, PEOPLE, with_card(MILL, ANNA), report(OTTO, 20), hold=Refusal.STORAGE)
    assert [type(outcome) for outcome in decision.outcomes] == [SessionEnded, SessionRefused]
    assert decision.state.session is None


def test_a_held_report_of_the_same_card_leaves_the_session_running() -> None:
    running = with_card(MILL, ANNA)
    assert decide(MILL, PEOPLE, running, report(ANNA, 20), hold=Refusal.LATE).state.session == running.session


def test_a_held_report_still_sets_oops() -> None:
    state = decide(MILL, PEOPLE, with_card(MILL, ANNA), report(ANNA, 20, oops=True), hold=Refusal.LATE).state
    assert state.oops is not None
    assert state.session is None


def test_a_held_report_tracks_the_card_of_an_always_enabled_machine() -> None:
    decision = decide(LAMP, PEOPLE, fresh(LAMP), report(ANNA, 10), hold=Refusal.LATE)
    assert [type(outcome) for outcome in decision.outcomes] == [CardSeen]
    assert relay_on(LAMP, decision.state)


# always enabled machines


def test_cards_of_an_always_enabled_machine_come_and_go_without_a_session() -> None:
    decision = run(LAMP, PEOPLE, fresh(LAMP), [report(ANNA, 10), report(BEN, 20), report(None, 30)])
    assert [type(outcome) for outcome in decision.outcomes] == [CardSeen, CardSeen]
    assert decision.state.card is None
    assert relay_on(LAMP, decision.state)


def test_an_always_enabled_machine_says_power_is_on_when_it_is_configured_first_and_not_again() -> None:
    decision = run(LAMP, PEOPLE, MachineState(T0), [Configured(T0), Configured(after(1))])
    assert decision.outcomes == (PowerChanged(machine="lamp", display_name="lamp", at=T0, on=True),)
    assert decision.state.always_enabled


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("card", [None, ANNA, BEN, OTTO, STRANGER], ids=called)
def test_the_same_report_twice_gives_the_state_of_once(card: User | str | None, situation: str) -> None:
    before = with_card(MILL, OLGA, situation)
    events: list[tuple[Report, Refusal | None]] = [
        (report(card, 70), None),
        (report(card, 70, oops=True), None),
        (report(card, 70, uptime=3), None),
        (report(card, 70, uptime=None), None),
        (report(card, 70), Refusal.LATE),
        (report(card, 1e6, uptime=UP + 1), None),
    ]
    for event, hold in events:
        once = decide(MILL, PEOPLE, before, event, hold=hold)
        twice = decide(MILL, PEOPLE, once.state, event, hold=hold)
        assert twice.state == once.state
        assert (twice.outcomes, twice.changed) == ((), False)
