"""Commands of an admin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from mac_actors.core.config import MachineConfig, User
from mac_actors.core.decision import Already
from mac_actors.core.inputs import Clear, Command, Input, Lock, Oops, Unlock, Unoops
from mac_actors.core.outcomes import Cleared, Ended, EndReason, LockSet, OopsSet, Person, SessionEnded
from mac_actors.core.outputs import outputs, relay_on
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import Card, Flag, MachineState, SessionKind, Source, Status
from mac_actors.core.transitions import decide
from tests.core.examples import (
    ADMIN,
    ANNA,
    BEN,
    BOTH,
    FREE,
    LAMP,
    LOCKED,
    MILL,
    OLGA,
    OOPSED,
    OTTO,
    PEOPLE,
    SAW,
    SESSIONS,
    STRANGER,
    T0,
    after,
    called,
    clear,
    fresh,
    lock,
    oops,
    person,
    report,
    run,
    unlock,
    unoops,
    with_card,
)

Clearing = Clear | Unlock | Unoops

OOPS_FLAG = Flag(after(70), Source.SLACK, ADMIN, "belt slips")
LOCK_FLAG = Flag(after(70), Source.HTTP, ADMIN, "new belt")


# oops and lock


@pytest.mark.parametrize("situation", [FREE, LOCKED])
@pytest.mark.parametrize("config", [MILL, LAMP], ids=lambda config: config.name)
def test_oops_takes_effect_at_once(config: MachineConfig, situation: str) -> None:
    before = fresh(config, situation)
    decision = decide(config, PEOPLE, before, oops(70))
    flag = replace(OOPS_FLAG, incident=before.lock.since if before.lock else None)
    assert decision.state == replace(
        before, oops=flag, last_update=after(70), status_since=after(70), card=None, session=None
    )
    assert not relay_on(config, decision.state)
    assert decision.outcomes == (
        OopsSet(machine=config.name, display_name=config.display_name, at=after(70), flag=flag, ended=None),
    )
    assert decision.changed


@pytest.mark.parametrize("situation", [FREE, OOPSED])
@pytest.mark.parametrize("config", [MILL, LAMP], ids=lambda config: config.name)
def test_lock_takes_effect_at_once(config: MachineConfig, situation: str) -> None:
    before = fresh(config, situation)
    decision = decide(config, PEOPLE, before, lock(70))
    flag = replace(LOCK_FLAG, incident=before.oops.since if before.oops else None)
    assert decision.state == replace(before, lock=flag, last_update=after(70), status_since=after(70))
    assert not relay_on(config, decision.state)
    assert decision.outcomes == (
        LockSet(machine=config.name, display_name=config.display_name, at=after(70), flag=flag, ended=None),
    )
    assert decision.changed


@pytest.mark.parametrize(("config", "user", "situation"), [s for s in SESSIONS if s[2] in {FREE, LOCKED}])
def test_oops_ends_any_session_in_one_outcome_and_blocks_the_card(
    config: MachineConfig, user: User, situation: str
) -> None:
    running = with_card(config, user, situation)
    assert running.session is not None
    decision = decide(config, PEOPLE, running, oops(70))
    (oopsed,) = decision.outcomes
    assert isinstance(oopsed, OopsSet)
    assert oopsed.ended == Ended(person(user), running.session.kind, after(10), 60.0, EndReason.OOPS)
    assert decision.state.session is None
    assert decision.state.card == Card(user.fob_codes[0], after(10), blocked=True)
    assert decision.state.lock == running.lock


@pytest.mark.parametrize(("config", "user", "situation"), [s for s in SESSIONS if s[2] in {FREE, OOPSED}])
def test_lock_ends_any_session_in_one_outcome_and_blocks_the_card(
    config: MachineConfig, user: User, situation: str
) -> None:
    running = with_card(config, user, situation)
    assert running.session is not None
    decision = decide(config, PEOPLE, running, lock(70))
    (locked,) = decision.outcomes
    assert isinstance(locked, LockSet)
    assert locked.ended == Ended(person(user), running.session.kind, after(10), 60.0, EndReason.LOCK)
    assert decision.state.session is None
    assert decision.state.card == Card(user.fob_codes[0], after(10), blocked=True)
    assert decision.state.oops == running.oops


@pytest.mark.parametrize("make", [oops, lock])
@pytest.mark.parametrize("card", [BEN, STRANGER], ids=called)
def test_oops_and_lock_block_a_refused_card_too(card: User | str, make: Callable[[float], Input]) -> None:
    refused = with_card(MILL, card)
    state = decide(MILL, PEOPLE, refused, make(20)).state
    assert refused.card is not None
    assert state.card == replace(refused.card, blocked=True)


@pytest.mark.parametrize("card", [None, ANNA, OLGA, OTTO], ids=called)
@pytest.mark.parametrize(
    ("situation", "make", "already"),
    [
        (OOPSED, oops, Already.OOPSED),
        (BOTH, oops, Already.OOPSED),
        (LOCKED, lock, Already.LOCKED_OUT),
        (BOTH, lock, Already.LOCKED_OUT),
    ],
)
def test_setting_what_is_set_changes_nothing_and_says_so(
    situation: str, make: Callable[..., Input], already: Already, card: User | None
) -> None:
    before = fresh(MILL, situation) if card is None else with_card(MILL, card, situation)
    decision = decide(MILL, PEOPLE, before, make(70, by="Somebody Else", reason="another reason"))
    assert decision.state == before
    assert decision.outcomes == ()
    assert decision.already == (already,)
    assert not decision.changed


# unoops, unlock, clear

CLEARS: list[tuple[Callable[[float], Clearing], str, str]] = [
    (unoops, OOPSED, FREE),
    (unoops, BOTH, LOCKED),
    (unlock, LOCKED, FREE),
    (unlock, BOTH, OOPSED),
    (clear, OOPSED, FREE),
    (clear, LOCKED, FREE),
    (clear, BOTH, FREE),
]

IN_VAIN: list[tuple[Callable[[float], Clearing], str, tuple[Already, ...]]] = [
    (unoops, FREE, (Already.NOT_OOPSED,)),
    (unoops, LOCKED, (Already.NOT_OOPSED,)),
    (unlock, FREE, (Already.NOT_LOCKED_OUT,)),
    (unlock, OOPSED, (Already.NOT_LOCKED_OUT,)),
    (clear, FREE, (Already.NOT_OOPSED, Already.NOT_LOCKED_OUT)),
]

STATUS = {
    FREE: Status.IDLE,
    OOPSED: Status.OOPSED,
    LOCKED: Status.LOCKED_OUT,
    BOTH: Status.OOPSED_LOCKED_OUT,
}


@pytest.mark.parametrize(("make", "was", "then"), CLEARS)
@pytest.mark.parametrize("config", [MILL, LAMP], ids=lambda config: config.name)
def test_clearing_lifts_what_it_names_in_one_outcome(
    config: MachineConfig, make: Callable[[float], Clearing], was: str, then: str
) -> None:
    before = fresh(config, was)
    event = make(70)
    decision = decide(config, PEOPLE, before, event)
    state = decision.state
    assert state.status is STATUS[then]
    assert (state.status_since, state.last_update) == (after(70), after(70))
    assert decision.outcomes == (
        Cleared(
            machine=config.name,
            display_name=config.display_name,
            at=after(70),
            oops=before.oops if state.oops is None else None,
            lock=before.lock if state.lock is None else None,
            source=event.source,
            by=event.by,
            reason=event.reason,
            still_oopsed=then == OOPSED,
            still_locked=then == LOCKED,
            power_on=config is LAMP and then == FREE,
        ),
    )
    assert relay_on(config, state) is (config is LAMP and then == FREE)
    unset = {OOPSED: (Already.NOT_LOCKED_OUT,), LOCKED: (Already.NOT_OOPSED,), BOTH: ()}[was]
    assert decision.already == (unset if isinstance(event, Clear) else ())
    assert decision.changed


@pytest.mark.parametrize(("make", "situation", "already"), IN_VAIN)
@pytest.mark.parametrize("config", [MILL, LAMP], ids=lambda config: config.name)
def test_what_is_not_set_stays_so_and_is_said(
    config: MachineConfig, make: Callable[[float], Clearing], situation: str, already: tuple[Already, ...]
) -> None:
    before = fresh(config, situation)
    decision = decide(config, PEOPLE, before, make(70))
    assert decision.state == before
    assert (decision.outcomes, decision.already, decision.changed) == ((), already, False)


@pytest.mark.parametrize(("config", "user"), [(MILL, ANNA), (SAW, BEN)])
@pytest.mark.parametrize("make", [unoops, unlock, clear])
def test_clearing_a_free_machine_leaves_its_session_running(
    config: MachineConfig, user: User, make: Callable[[float], Clearing]
) -> None:
    running = with_card(config, user)
    decision = decide(config, PEOPLE, running, make(70))
    assert decision.state == running
    assert decision.outcomes == ()


@pytest.mark.parametrize(("make", "was", "then"), CLEARS)
def test_clearing_starts_no_session_for_a_card_still_in_the_reader(
    make: Callable[[float], Clearing], was: str, then: str
) -> None:
    running = with_card(MILL, ANNA)
    flags: list[Input] = [oops(20)] if was in {OOPSED, BOTH} else []
    flags += [lock(30)] if was in {LOCKED, BOTH} else []
    state = run(MILL, PEOPLE, running, [*flags, report(ANNA, 40), make(50), report(ANNA, 60)]).state
    assert state.status is STATUS[then]
    assert state.session is None
    assert state.card == Card("0000000001", after(10), blocked=True)
    assert not relay_on(MILL, state)
    again = run(MILL, PEOPLE, state, [report(None, 70), report(ANNA, 80)]).state
    assert (again.session is not None) is (then == FREE)


@pytest.mark.parametrize(("make", "was", "then"), CLEARS)
@pytest.mark.parametrize("user", [OLGA, OTTO], ids=called)
def test_an_override_session_goes_on_over_a_clear_until_its_card_is_taken_out(
    user: User, make: Callable[[float], Clearing], was: str, then: str
) -> None:
    running = with_card(MILL, user, was)
    decision = decide(MILL, PEOPLE, running, make(70))
    assert decision.state.session == running.session
    assert decision.state.card == running.card
    assert relay_on(MILL, decision.state)
    (cleared,) = decision.outcomes
    assert isinstance(cleared, Cleared)
    assert not cleared.power_on
    assert decision.state.status is (Status.IN_USE if then == FREE else STATUS[then])
    later = run(MILL, PEOPLE, decision.state, [report(user, 80), report(None, 90)])
    (ended,) = later.outcomes
    assert isinstance(ended, SessionEnded)
    assert ended.ended.kind is SessionKind.OVERRIDE
    assert not relay_on(MILL, later.state)


def test_an_override_session_that_outlived_a_clear_ends_with_the_next_oops() -> None:
    running = run(MILL, PEOPLE, with_card(MILL, OLGA, OOPSED), [clear(20)]).state
    assert running.session is not None
    state = decide(MILL, PEOPLE, running, oops(30)).state
    assert state.session is None
    assert not relay_on(MILL, state)


def test_unlock_on_a_machine_that_is_still_oopsed_leaves_it_oopsed_in_all_outputs() -> None:
    state = decide(MILL, PEOPLE, fresh(MILL, BOTH), unlock(70)).state
    assert outputs(MILL, state) == outputs(MILL, fresh(MILL, OOPSED))
    assert outputs(MILL, state).oops_led


def test_unoops_on_a_machine_that_is_still_locked_leaves_it_locked_in_all_outputs() -> None:
    state = decide(MILL, PEOPLE, fresh(MILL, BOTH), unoops(70)).state
    assert outputs(MILL, state) == outputs(MILL, fresh(MILL, LOCKED))


def test_clear_on_an_always_enabled_machine_with_a_card_turns_it_on() -> None:
    state = run(LAMP, PEOPLE, with_card(LAMP, ANNA), [oops(20), clear(30)]).state
    assert relay_on(LAMP, state)
    assert state.session is None


def test_an_event_of_no_known_kind_changes_nothing() -> None:
    impossible = cast("Input", Command(after(70), Source.REPL, ADMIN))
    for state in (fresh(MILL), with_card(MILL, ANNA), fresh(LAMP, BOTH), MachineState(T0)):
        decision = decide(MILL, PEOPLE, state, impossible)
        assert decision.state == state
        assert (decision.outcomes, decision.already, decision.changed) == ((), (), False)


# status


def test_status_since_moves_with_the_status_alone() -> None:
    state = fresh(MILL)
    assert (state.status, state.status_since) == (Status.IDLE, T0)
    state = run(MILL, PEOPLE, state, [report(BEN, 10)]).state
    assert (state.status, state.status_since) == (Status.IDLE, T0)
    state = run(MILL, PEOPLE, state, [report(ANNA, 20), report(ANNA, 30)]).state
    assert (state.status, state.status_since) == (Status.IN_USE, after(20))
    state = run(MILL, PEOPLE, state, [report(OTTO, 40)]).state
    assert (state.status, state.status_since) == (Status.IN_USE, after(20))
    state = run(MILL, PEOPLE, state, [lock(50)]).state
    assert (state.status, state.status_since) == (Status.LOCKED_OUT, after(50))
    state = run(MILL, PEOPLE, state, [oops(60)]).state
    assert (state.status, state.status_since) == (Status.OOPSED_LOCKED_OUT, after(60))
    state = run(MILL, PEOPLE, state, [unlock(70), report(None, 80)]).state
    assert (state.status, state.status_since) == (Status.OOPSED, after(70))


def test_a_machine_under_override_is_still_oopsed_in_its_status() -> None:
    assert with_card(MILL, OLGA, OOPSED).status is Status.OOPSED


def test_an_always_enabled_machine_is_idle() -> None:
    assert with_card(LAMP, ANNA).status is Status.IDLE


# commands that come late


def given(seconds: float, at: float, kind: type[Clearing] = Clear) -> Clearing:
    """A command that comes ``at`` seconds after T0 and was given after ``seconds``."""
    return kind(after(at), Source.SLACK, ADMIN, "mended", given=after(seconds))


@pytest.mark.parametrize("kind", [Clear, Unoops])
def test_a_clear_that_comes_late_lifts_no_oops_that_was_set_since(kind: type[Clearing]) -> None:
    before = run(MILL, PEOPLE, fresh(MILL), [oops(60)]).state
    decision = decide(MILL, PEOPLE, before, given(0, 300, kind))
    assert (decision.state, decision.outcomes) == (before, ())
    assert decision.already == (Already.SET_SINCE,)
    assert not decision.changed


@pytest.mark.parametrize("events", [[lock(30), oops(60)], [oops(30), lock(60)]], ids=["oops", "lock"])
def test_a_clear_that_comes_late_changes_nothing_where_one_of_the_two_is_newer(events: list[Input]) -> None:
    before = run(MILL, PEOPLE, fresh(MILL), events).state
    decision = decide(MILL, PEOPLE, before, given(45, 300))
    assert (decision.state, decision.already) == (before, (Already.SET_SINCE,))


def test_what_a_command_would_not_lift_anyway_may_be_newer() -> None:
    before = run(MILL, PEOPLE, fresh(MILL), [lock(30), oops(60)]).state
    decision = decide(MILL, PEOPLE, before, given(45, 300, Unlock))
    assert (decision.state.lock, decision.state.oops) == (None, before.oops)


@pytest.mark.parametrize(
    ("seconds", "at"),
    [(60, 300), (61, 300), (-86_340, 300), (-30, 0)],
    ids=["at that moment", "later", "a wrong clock", "a clock that was set back"],
)
def test_a_clear_lifts_what_was_set_before_it_was_given(seconds: float, at: float) -> None:
    before = run(MILL, PEOPLE, fresh(MILL), [oops(60)]).state
    assert not decide(MILL, PEOPLE, before, given(seconds, at)).state.flagged


def test_a_clear_lifts_no_oops_that_came_between_it_and_its_decision() -> None:
    before = run(MILL, PEOPLE, fresh(MILL), [oops(60)]).state
    assert decide(MILL, PEOPLE, before, given(59, 59.5)).already == (Already.SET_SINCE,)


# whose card it is


@pytest.mark.parametrize("command", [oops(70), lock(70)], ids=lambda command: type(command).__name__)
@pytest.mark.parametrize(
    ("config", "card", "whose"), [(MILL, BEN, person(BEN)), (LAMP, ANNA, person(ANNA)), (MILL, STRANGER, None)]
)
def test_an_oops_or_lock_says_whose_card_is_in_the_reader(
    command: Command, config: MachineConfig, card: User | str, whose: Person | None
) -> None:
    [outcome] = decide(config, PEOPLE, with_card(config, card), command).outcomes
    assert isinstance(outcome, OopsSet | LockSet)
    assert (outcome.ended, outcome.card) == (None, whose)
    assert outcome.person == whose


def test_whose_session_an_oops_ended_is_said_once() -> None:
    [outcome] = decide(MILL, PEOPLE, with_card(MILL, ANNA), oops(70)).outcomes
    assert isinstance(outcome, OopsSet)
    assert (outcome.card, outcome.person) == (None, person(ANNA))


def test_the_reason_for_the_public_goes_with_a_command() -> None:
    def because(kind: type[Command]) -> Command:
        return kind(after(70), Source.SLACK, ADMIN, "ask Bob", "ask a member")

    flagged = run(MILL, PEOPLE, fresh(MILL), [because(Oops), because(Lock)]).state
    assert flagged.oops == Flag(after(70), Source.SLACK, ADMIN, "ask Bob", "ask a member")
    assert flagged.lock == replace(flagged.oops, incident=after(70))
    [cleared] = decide(MILL, PEOPLE, flagged, because(Clear)).outcomes
    assert isinstance(cleared, Cleared)
    assert (cleared.reason, cleared.public_reason) == ("ask Bob", "ask a member")
    shown = Snapshot.of(MILL, flagged, T0).without_names()
    assert shown.oops == Flag(after(70), Source.SLACK, None, "ask a member")
    assert shown.lock == replace(shown.oops, incident=after(70))


def test_an_incident_goes_on_until_both_are_lifted() -> None:
    events: list[Input] = [oops(10), lock(20), unoops(30), oops(40), unlock(50)]
    state = run(MILL, PEOPLE, fresh(MILL), events).state
    assert state.oops
    assert (state.oops.since, state.oops.incident) == (after(40), after(10))
    later = run(MILL, PEOPLE, state, [clear(60), oops(70)]).state
    assert later.oops
    assert later.oops.incident is None
