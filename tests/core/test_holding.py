"""While no server owns the machines: nothing turns on, what must stop stops, and nothing starts by it later."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from mac_actors.core.config import MachineConfig, User
from mac_actors.core.holding import KEPT, Held, belated, hold, is_same, withhold, without_done
from mac_actors.core.inputs import Clear, Configured, Input, Lock, Oops, Report
from mac_actors.core.outcomes import OopsSet, SessionEnded, SessionRefused
from mac_actors.core.outputs import Outputs, outputs, relay_on, second_relay_on
from mac_actors.core.reports import has_rebooted
from mac_actors.core.state import Flag, MachineState, Refusal, Source, Telemetry
from mac_actors.core.transitions import decide
from tests.core.examples import (
    ANNA,
    BEN,
    LAMP,
    LOCKED,
    MILL,
    OOPSED,
    OTTO,
    PEOPLE,
    STRANGER,
    TINA,
    after,
    called,
    fresh,
    laser,
    report,
    with_card,
)
from tests.core.test_invariants import CARDS, COMMANDS, LATER, USUAL_UPTIME, Events, always, walk

AGAIN = "Remove card and\ninsert it again"
WITHOUT = "Please Insert\nRFID Card"


def held(config: MachineConfig, state: MachineState, *inputs: Input) -> tuple[Held, Outputs]:
    """Return what the last of some inputs is answered, and what is kept of them."""
    now, told = Held.of(config, state), outputs(config, state)
    for given in inputs:
        now, told = hold(config, PEOPLE, now, given, given.at.timestamp())
    return now, told


def owned(config: MachineConfig, state: MachineState, now: Held) -> MachineState:
    """Return what the next owner makes of what was kept."""
    for given in now.inputs:
        state = decide(config, PEOPLE, state, given, now=given.at.timestamp(), hold=Refusal.MOVING).state
    return state


def test_a_session_whose_card_is_in_goes_on_and_nothing_is_kept() -> None:
    running = with_card(MILL, ANNA)
    now, told = held(MILL, running, report(ANNA, 70), report(ANNA, 80))
    assert told == outputs(MILL, running)
    assert told.relay
    assert now.inputs == ()


@pytest.mark.parametrize("who", [ANNA, BEN, OTTO, STRANGER], ids=called)
@pytest.mark.parametrize("situation", ["free", OOPSED, LOCKED])
def test_a_card_that_is_put_in_starts_nothing_whoevers_it_is(who: User | str, situation: str) -> None:
    now, told = held(MILL, fresh(MILL, situation), report(who, 70))
    assert not told.relay
    if situation == "free":
        assert told.display == AGAIN
    assert held_again(now) == told


def held_again(now: Held) -> Outputs:
    """Return what the next report of the same reader is answered."""
    return hold(MILL, PEOPLE, now, replace(as_report(now.inputs[-1]), at=after(80)), after(80).timestamp())[1]


def as_report(given: Input) -> Report:
    assert isinstance(given, Report)
    return given


@pytest.mark.parametrize(
    ("given", "display"),
    [
        (report(None, 70), WITHOUT),
        (report(BEN, 70), AGAIN),
        (report(ANNA, 70, uptime=3.0), AGAIN),
        (report(ANNA, 70, oops=True), "Oops!! Please\ncheck/post Slack"),
        (Oops(after(70), Source.HTTP), "Oops!! Please\ncheck/post Slack"),
        (Lock(after(70), Source.HTTP), "Down for\nmaintenance"),
    ],
)
def test_what_ends_a_session_turns_off_and_it_stays_off_with_the_same_card(given: Input, display: str) -> None:
    running = with_card(MILL, ANNA)
    now, told = held(MILL, running, given)
    assert (told.relay, told.display) == (False, display)
    again, told = hold(MILL, PEOPLE, now, report(ANNA, 80), after(80).timestamp())
    assert not told.relay
    later = owned(MILL, running, again)
    assert later.session is None
    assert not decide(MILL, PEOPLE, later, report(ANNA, 90)).state.session
    out = decide(MILL, PEOPLE, later, report(None, 90)).state
    assert relay_on(MILL, decide(MILL, PEOPLE, out, report(ANNA, 100)).state) is (not later.flagged)


def test_the_next_owner_is_told_when_a_session_ended_and_what_was_refused() -> None:
    running = with_card(MILL, ANNA)
    now, _ = held(MILL, running, report(None, 70), report(None, 75), report(BEN, 80))
    assert now.inputs == (report(None, 70), replace(report(BEN, 80), fob=None), report(BEN, 80))
    first, second = (
        decide(MILL, PEOPLE, running, given, hold=Refusal.MOVING).outcomes for given in (now.inputs[0], now.inputs[0])
    )
    assert first == second
    (ended,) = first
    assert isinstance(ended, SessionEnded)
    assert ended.ended.seconds == 60.0
    out = decide(MILL, PEOPLE, running, now.inputs[0]).state
    assert not decide(MILL, PEOPLE, out, now.inputs[1], hold=Refusal.MOVING).changed
    (refused,) = decide(MILL, PEOPLE, out, now.inputs[2], hold=Refusal.MOVING).outcomes
    assert isinstance(refused, SessionRefused)
    assert refused.refusal is Refusal.MOVING


def test_an_oops_is_kept_once_with_its_time() -> None:
    now, _ = held(MILL, fresh(MILL), Oops(after(5), Source.HTTP, "Ada"), Oops(after(6), Source.HTTP, "Ben"))
    (kept,) = now.inputs
    (outcome,) = decide(MILL, PEOPLE, fresh(MILL), kept).outcomes
    assert isinstance(outcome, OopsSet)
    assert (outcome.flag.since, outcome.flag.by) == (after(5), "Ada")
    assert isinstance(kept, Oops)
    assert kept.arrived == after(5).timestamp()


def test_what_stopped_a_machine_and_was_not_written_comes_before_what_was_held_since() -> None:
    flag = Flag(after(5), Source.HTTP, "Ada", "sparks", "sparks!")
    state = replace(fresh(MILL), oops=flag, lock=replace(flag, source=Source.SLACK))
    first, second, third = replace(Held.of(MILL, state), inputs=(Lock(after(6), Source.REPL),)).with_stops(state).inputs
    assert first == Oops(after(5), Source.HTTP, "Ada", "sparks", "sparks!")
    assert second == Lock(after(5), Source.SLACK, "Ada", "sparks", "sparks!")
    assert third == Lock(after(6), Source.REPL)
    assert Held.of(MILL, state).with_stops(fresh(MILL)).inputs == ()


def test_a_machine_that_is_to_be_always_on_is_switched_on_by_its_owner_alone() -> None:
    off = MachineState(after(0))
    _, told = held(LAMP, off, Configured(after(1)), report(None, 2))
    assert not told.relay
    assert not told.always_on
    _, told = held(LAMP, fresh(LAMP), report(BEN, 2))
    assert told.relay
    assert told.always_on
    _, told = held(LAMP, fresh(LAMP), report(BEN, 2), report(BEN, 3, oops=True), report(None, 4))
    assert not told.relay


def test_a_session_that_only_the_owner_knew_of_ends_where_its_reader_was_told_to_put_the_card_in_again() -> None:
    now, told = held(MILL, fresh(MILL), report(ANNA, 20))
    assert told.display == AGAIN
    later = owned(MILL, with_card(MILL, ANNA), now)
    assert later.session is None
    assert later.card
    assert later.card.blocked


def test_an_owner_that_is_not_reached_stops_a_machine_that_is_held_all_the_same() -> None:
    running = with_card(MILL, ANNA)
    now, told = held(MILL, running, report(ANNA, 70))
    assert told.relay
    locked = decide(MILL, PEOPLE, running, Lock(after(71), Source.HTTP)).state
    stopped = now.stopped_as(MILL, locked)
    again, told = hold(MILL, PEOPLE, stopped, report(ANNA, 80), after(80).timestamp())
    assert (told.relay, told.display) == (False, "Down for\nmaintenance")
    ended = decide(MILL, PEOPLE, running, report(None, 71)).state
    assert not hold(MILL, PEOPLE, now.stopped_as(MILL, ended), report(ANNA, 80), after(80).timestamp())[1].relay
    assert hold(MILL, PEOPLE, now.stopped_as(MILL, running), report(ANNA, 80), after(80).timestamp())[1].relay
    assert again.inputs == ()


def test_what_was_decided_but_never_told_to_the_reader_turns_nothing_on() -> None:
    cleared = decide(LAMP, PEOPLE, fresh(LAMP, OOPSED), Clear(after(20), Source.HTTP)).state
    assert relay_on(LAMP, cleared)
    before = Held(cleared, relay=False, second_relay=False)
    assert not hold(LAMP, PEOPLE, before, report(None, 30), after(30).timestamp())[1].relay


def test_a_session_that_began_but_must_not_be_told_is_as_if_its_card_had_been_out() -> None:
    state = decide(MILL, PEOPLE, fresh(MILL), report(ANNA, 10)).state
    assert state.session
    now, told = withhold(MILL, PEOPLE, Held.of(MILL, state), report(ANNA, 10), after(10).timestamp())
    assert (told.relay, told.display) == (False, AGAIN)
    for stored in (state, fresh(MILL)):  # whether it came to be written or not
        later = owned(MILL, stored, now)
        assert later.session is None
        assert later.card
        assert later.card.blocked


def test_a_loose_card_fills_no_memory_and_its_first_and_last_reports_and_each_oops_stay() -> None:
    reports = [report(ANNA if n % 2 else None, 70 + n) for n in range(3 * KEPT)]
    reports[1] = replace(reports[1], oops=True)
    now, _ = held(MILL, with_card(MILL, ANNA), *reports)
    assert len(now.inputs) == KEPT
    assert now.inputs[:2] == tuple(reports[:2])
    assert now.inputs[-1] == reports[-1]
    times = [given.at for given in now.inputs]
    assert all(one <= other for one, other in pairwise(times))
    oopses = tuple(Oops(after(n), Source.HTTP) for n in range(KEPT))  # none that could be left out
    full = replace(now, state=fresh(MILL), inputs=oopses)
    assert len(hold(MILL, PEOPLE, full, report(ANNA, 900), after(900).timestamp())[0].inputs) == KEPT


FEW = (None, ANNA.fob_codes[0], TINA.fob_codes[0], OTTO.fob_codes[0])
WALKED: Events = (
    *((Report(LATER, fob, telemetry=Telemetry(USUAL_UPTIME + 10)), None) for fob in FEW),
    *COMMANDS,
)


@pytest.mark.parametrize("config", [MILL, laser()], ids=called)
def test_in_every_state_nothing_turns_on_by_any_report_and_nothing_starts_by_it_later(config: MachineConfig) -> None:
    seen = walk((config, always(config)), PEOPLE, WALKED)
    given = [
        Report(LATER, fob, oops, Telemetry(uptime))
        for fob in CARDS
        for oops in (False, True)
        for uptime in (USUAL_UPTIME + 10, 5.0)
    ]
    for machine, state in seen:
        for one in given:
            now, told = hold(machine, PEOPLE, Held.of(machine, state), one, LATER.timestamp())
            assert relay_on(machine, state) or not told.relay
            assert second_relay_on(machine, state) or not told.second_relay
            assert not one.oops or not told.relay or now.state.session, "an override goes on where it was oopsed before"
            card, stays = state.card, told.relay and not told.always_on
            assert not stays or (card and card.fob == one.fob)
            assert not stays or not has_rebooted(state, one)
            later = owned(machine, state, now)
            assert told.relay or not relay_on(machine, later) or not machine.always_enabled
            assert told.relay or later.session is None, "the next owner starts nothing by what was held"


def test_what_has_stopped_a_machine_meanwhile_stops_it_here_too() -> None:
    now = Held.of(MILL, with_card(MILL, ANNA))
    assert now.relay
    assert not now.stopped_as(MILL, fresh(MILL, OOPSED)).relay
    assert not now.stopped_as(MILL, fresh(MILL, LOCKED)).relay
    assert now.stopped_as(MILL, with_card(MILL, ANNA)).relay


def test_what_is_told_after_a_later_report_was_decided_counts_no_more_but_for_oops() -> None:
    state = decide(MILL, PEOPLE, fresh(MILL), report(ANNA, 10)).state
    elsewhere = replace(state, last_arrival=None)  # decided by another server
    early = report(ANNA, 5)
    for known in (state, elsewhere):
        assert belated(known, early) is None
        pressed = belated(known, replace(early, oops=True))
        assert pressed is not None
        done = decide(MILL, PEOPLE, known, pressed, hold=Refusal.MOVING)
        assert {type(one) for one in done.outcomes} == {OopsSet}
        assert done.state.telemetry == state.telemetry
        for later in (report(None, 15), Lock(early.at, Source.HTTP)):
            assert belated(known, later) is later
    assert belated(fresh(MILL), early) is early
    idle = decide(MILL, PEOPLE, state, report(None, 12)).state
    pressed = belated(idle, replace(early, oops=True))
    assert isinstance(pressed, Report)
    assert pressed.fob is None


def test_an_oops_that_is_told_late_leaves_the_clock_of_the_reports_as_it_is() -> None:
    elsewhere = replace(decide(MILL, PEOPLE, fresh(MILL), report(ANNA, 10)).state, last_arrival=None)
    pressed = belated(elsewhere, replace(report(ANNA, 5), oops=True, arrived=5.0))
    assert pressed is not None
    known = decide(MILL, PEOPLE, elsewhere, pressed, hold=Refusal.MOVING).state
    assert decide(MILL, PEOPLE, known, replace(report(None, 20), arrived=20.0)).state.card is None


def test_what_came_to_a_machine_in_two_places_is_all_told_and_power_stays_where_both_have_it() -> None:
    running = Held.of(MILL, with_card(MILL, ANNA))
    out, _ = hold(MILL, PEOPLE, running, report(None, 20), 20.0)
    oopsed, _ = hold(MILL, PEOPLE, running, Oops(after(21), Source.HTTP), 21.0)
    both = out.joined(oopsed)
    assert not both.relay
    assert both.inputs == (*out.inputs, *oopsed.inputs)
    assert both.joined(out).inputs == both.inputs
    assert running.joined(running).relay


def test_what_goes_on_in_one_place_alone_has_to_be_put_in_again() -> None:
    running = Held.of(MILL, with_card(MILL, ANNA))
    out, _ = hold(MILL, PEOPLE, running, report(None, 20), 20.0)
    oopsed, _ = hold(MILL, PEOPLE, running, Oops(after(21), Source.HTTP), 21.0)
    for both in (running.joined(out), out.joined(running), running.without_power()):
        now, told = hold(MILL, PEOPLE, both, report(ANNA, 30), 30.0)
        assert (told.relay, told.display) == (False, AGAIN)
        later = owned(MILL, with_card(MILL, ANNA), now)
        assert later.session is None
        assert later.card
        assert later.card.blocked
    _, told = hold(MILL, PEOPLE, running.joined(oopsed), report(ANNA, 30), 30.0)
    assert told.oops_led


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Lock(after(20), Source.HTTP, "Ada", "why"), Lock(after(21), Source.HTTP, "Ada", "why"), True),
        (Lock(after(20), Source.HTTP, "Ada", "why"), Lock(after(23), Source.HTTP, "Ada", "why"), False),
        (Lock(after(20), Source.HTTP, "Ada", "why"), Oops(after(20), Source.HTTP, "Ada", "why"), False),
        (Lock(after(20), Source.HTTP, "Ada", "why"), Lock(after(20), Source.HTTP, "Ada", "oil"), False),
        (report(ANNA, 20, oops=True), replace(report(ANNA, 21, oops=True), arrived=None), True),
        (report(ANNA, 20, oops=True), report(None, 20, oops=True), False),
        (report(ANNA, 20), replace(report(ANNA, 20), at=after(21)), True),
        (report(ANNA, 20), report(ANNA, 21), False),
        (report(ANNA, 20), replace(report(ANNA, 20), fob=None), False),
        (Configured(after(20)), Configured(after(20)), False),
        (Lock(after(20), Source.HTTP, "Ada"), Lock(after(20), Source.HTTP, "Ada", when_free=True), False),
        # the wall clock was set between the two
        (Lock(after(20), Source.HTTP, arrived=5.0), Lock(after(3620), Source.HTTP, arrived=5.5), True),
        (Lock(after(20), Source.HTTP, arrived=5.0), Lock(after(20), Source.HTTP, arrived=8.0), False),
    ],
)
def test_what_came_once_and_is_told_of_in_two_places_is_known_by_what_it_says(
    one: Input, other: Input, same: bool
) -> None:
    assert is_same(one, other) is is_same(other, one) is same


def test_what_an_owner_has_decided_is_left_out_of_what_is_held() -> None:
    lock, press = Lock(after(20), Source.HTTP, "Ada", "why"), report(ANNA, 20, oops=True)
    done: list[Oops | Lock] = [Lock(after(21), Source.HTTP, "Ada", "why"), Oops(after(20), Source.BUTTON)]
    assert without_done(lock, done) is None
    assert without_done(lock, done[1:]) == lock
    assert without_done(replace(lock, at=after(40)), done) == replace(lock, at=after(40))
    assert without_done(press, done) == replace(press, oops=False)
    assert without_done(press, done[:1]) == press
    assert without_done(replace(press, oops=False), done) == replace(press, oops=False)


def test_a_lock_that_waits_until_the_machine_is_free_is_not_yet_one_that_was_wanted_at_once() -> None:
    at_once, waits = (Lock(after(20), Source.HTTP, "Ada", when_free=when_free) for when_free in (False, True))
    assert without_done(at_once, [waits]) == at_once
    assert without_done(waits, [waits]) is without_done(waits, [at_once]) is None


def test_a_machine_that_is_to_be_always_on_is_off_where_it_must_have_no_power() -> None:
    _, told = hold(LAMP, PEOPLE, Held.of(LAMP, fresh(LAMP)).without_power(), report(None, 20), 20.0)
    assert not told.relay
    assert not told.always_on
