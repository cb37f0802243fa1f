"""A lock that waits for the end of a session."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mac_actors.core.config import MachineConfig, User
from mac_actors.core.decision import Already, Decision
from mac_actors.core.inputs import Configured, Input, Lock, Removed
from mac_actors.core.outcomes import (
    Cleared,
    LockPending,
    LockSet,
    OopsSet,
    PendingCleared,
    Rebooted,
    SessionEnded,
    SessionRefused,
    SessionStarted,
    kind,
)
from mac_actors.core.outputs import outputs, relay_on
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import Flag, MachineState, SessionKind, Source, Status, resumed
from mac_actors.core.transitions import decide
from tests.core.examples import (
    ADMIN,
    ANNA,
    BEN,
    FREE,
    LAMP,
    LOCKED,
    MILL,
    MILL_ALWAYS_ON,
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

ORDER = Flag(after(20), Source.HTTP, ADMIN, "new belt")


def when_free(seconds: float = 20) -> Lock:
    return replace(lock(seconds), when_free=True)


def waiting(config: MachineConfig = MILL, user: User = ANNA, situation: str = FREE) -> MachineState:
    return decide(config, PEOPLE, with_card(config, user, situation), when_free()).state


def kinds(decision: Decision) -> list[str]:
    return [kind(outcome) for outcome in decision.outcomes]


@pytest.mark.parametrize("config", [MILL, SAW, LAMP], ids=called)
@pytest.mark.parametrize("situation", [FREE, OOPSED])
def test_a_machine_on_which_no_session_runs_is_locked_at_once(config: MachineConfig, situation: str) -> None:
    for before in (fresh(config, situation), with_card(config, STRANGER, situation)):
        assert decide(config, PEOPLE, before, when_free()) == decide(config, PEOPLE, before, lock(20))


@pytest.mark.parametrize(("config", "user", "situation"), [s for s in SESSIONS if s[2] in {FREE, OOPSED}])
def test_a_running_session_goes_on(config: MachineConfig, user: User, situation: str) -> None:
    before = with_card(config, user, situation)
    decision = decide(config, PEOPLE, before, when_free())
    assert decision.state == replace(before, lock_pending=ORDER, last_update=after(20))
    assert outputs(config, decision.state) == outputs(config, before)
    (pending,) = decision.outcomes
    assert isinstance(pending, LockPending)
    assert (pending.flag, pending.user) == (ORDER, person(user))
    assert decision.changed
    assert decide(config, PEOPLE, decision.state, report(user, 30)).state.session == before.session


@pytest.mark.parametrize(
    ("event", "said", "status"),
    [
        (report(None, 30), [SessionEnded, LockSet], Status.LOCKED_OUT),
        (report(OTTO, 30), [SessionEnded, LockSet, SessionStarted], Status.LOCKED_OUT),
        (report(ANNA.fob_codes[1], 30), [SessionEnded, LockSet, SessionRefused], Status.LOCKED_OUT),
        (report(ANNA, 30, uptime=1), [Rebooted, LockSet], Status.LOCKED_OUT),
        (report(ANNA, 30, oops=True), [OopsSet, LockSet], Status.OOPSED_LOCKED_OUT),
        (oops(30), [OopsSet, LockSet], Status.OOPSED_LOCKED_OUT),
        (Removed(after(30)), [SessionEnded, LockSet], Status.LOCKED_OUT),
    ],
    ids=["card out", "card of an override", "own other card", "reboot", "button", "oops", "removed"],
)
def test_the_lock_falls_with_whatever_ends_the_session(event: Input, said: list[type], status: Status) -> None:
    decision = decide(MILL, PEOPLE, waiting(), event)
    assert [type(outcome) for outcome in decision.outcomes] == said
    assert decision.state.lock_pending is None
    assert decision.state.status is status
    incident = after(30) if decision.state.oops else None
    assert decision.state.lock == replace(ORDER, since=after(30), incident=incident)
    fallen = decision.outcomes[1]
    assert isinstance(fallen, LockSet)
    assert fallen.flag == decision.state.lock
    assert fallen.ended is None, "the session ended by itself"
    session = decision.state.session
    assert session is None or session.kind is SessionKind.OVERRIDE


@pytest.mark.parametrize("card", [ANNA, BEN, STRANGER], ids=called)
def test_nobody_starts_after_it_not_by_a_changed_card_either(card: User | str) -> None:
    changed = run(MILL, PEOPLE, waiting(user=OTTO), [report(card, 30)]).state
    assert changed.session is None
    assert changed.card is not None
    assert changed.card.blocked
    assert outputs(MILL, changed).display == "Down for\nmaintenance"
    assert not relay_on(MILL, run(MILL, PEOPLE, changed, [report(None, 40), report(ANNA, 50)]).state)


def test_a_session_on_a_machine_that_becomes_always_enabled_is_waited_for_too() -> None:
    on = decide(MILL_ALWAYS_ON, PEOPLE, waiting(), Configured(after(30))).state
    assert relay_on(MILL_ALWAYS_ON, on)
    off = decide(MILL_ALWAYS_ON, PEOPLE, on, report(None, 60)).state
    assert off.lock is not None
    assert not relay_on(MILL_ALWAYS_ON, off)


def test_it_waits_for_a_repair_by_override_whatever_is_lifted_meanwhile() -> None:
    repaired = decide(MILL, PEOPLE, waiting(user=OLGA, situation=OOPSED), unoops(30))
    assert kinds(repaired) == ["oops_cleared"]
    assert repaired.state.lock_pending == ORDER
    assert repaired.state.session is not None
    assert decide(MILL, PEOPLE, repaired.state, report(None, 60)).state.status is Status.LOCKED_OUT


@pytest.mark.parametrize(
    ("situation", "lift", "said"),
    [
        (FREE, clear, PendingCleared),
        (FREE, unlock, PendingCleared),
        (OOPSED, clear, Cleared),
        (OOPSED, unlock, PendingCleared),
    ],
)
def test_clear_and_unlock_lift_it(situation: str, lift: type, said: type) -> None:
    user = OTTO if situation is OOPSED else ANNA
    before = waiting(user=user, situation=situation)
    decision = decide(MILL, PEOPLE, before, lift(30))
    (lifted,) = decision.outcomes
    assert type(lifted) is said
    assert isinstance(lifted, Cleared)
    assert (lifted.pending, lifted.lock, lifted.still_locked) == (ORDER, None, False)
    assert decision.state.lock_pending is None
    assert decision.state.session == before.session
    assert Already.NOT_LOCKED_OUT not in decision.already
    assert decide(MILL, PEOPLE, decision.state, report(None, 60)).state.lock is None


def test_a_clear_that_was_given_before_it_leaves_it() -> None:
    before = waiting()
    decision = decide(MILL, PEOPLE, before, replace(clear(30), given=after(15)))
    assert decision.state == before
    assert decision.already == (Already.SET_SINCE,)


def test_a_lock_that_does_not_wait_takes_its_place() -> None:
    decision = decide(MILL, PEOPLE, waiting(), lock(30, by="Eva"))
    (locked,) = decision.outcomes
    assert isinstance(locked, LockSet)
    assert locked.flag.by == "Eva"
    assert locked.ended is not None
    assert decision.state.lock_pending is None
    assert decision.state.session is None


def test_what_is_so_already_is_said() -> None:
    before = waiting()
    assert decide(MILL, PEOPLE, before, when_free(30)) == Decision(before, already=(Already.LOCK_PENDING,))
    locked = fresh(MILL, LOCKED)
    assert decide(MILL, PEOPLE, locked, when_free(30)) == Decision(locked, already=(Already.LOCKED_OUT,))


def test_it_survives_a_restart_of_the_server() -> None:
    before = waiting()
    again = resumed(before, 5.0)
    assert again.lock_pending == ORDER
    assert decide(MILL, PEOPLE, again, report(None, 60)).state.lock is not None


def test_a_snapshot_shows_it_and_without_names_not_whose_order_it_is() -> None:
    snapshot = Snapshot.of(MILL, waiting(), T0)
    assert snapshot.status is Status.IN_USE
    assert snapshot.lock_pending == ORDER
    assert snapshot.without_names().lock_pending == replace(ORDER, by=None)
