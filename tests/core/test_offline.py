"""While the server was away: whose fobs are in a reader's list, and what becomes of the sessions that it tells of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mac_actors.core.config import Directory, Limit, MachineConfig, User
from mac_actors.core.decision import Decision
from mac_actors.core.inputs import Lock, OfflineSession, Report
from mac_actors.core.offline import (
    LIFETIME_SECONDS,
    MOST_FOBS,
    MOST_SECONDS_AGO,
    TAKEN_KEPT,
    FobList,
    fob_list,
    possible_fobs,
)
from mac_actors.core.outcomes import Ended, EndReason, OopsSet, Outcome, Rebooted, SessionEnded, SessionStarted
from mac_actors.core.state import MachineState, SessionKind, Source
from mac_actors.core.transitions import decide
from tests.core.examples import (
    ANNA,
    BEN,
    BOTH,
    EMIL,
    ENFORCED,
    EVE,
    FREE,
    LAMP,
    LOCKED,
    MILL,
    OOPSED,
    OTTO,
    PEOPLE,
    SAW,
    STRANGER,
    T0,
    TINA,
    UP,
    after,
    fob_of,
    fresh,
    person,
    report,
    run,
    someone,
    with_card,
)

# the list

MILLERS = (ANNA, OTTO, EVE, EMIL, TINA)


@pytest.mark.parametrize(
    ("config", "situation", "directory", "listed"),
    [
        pytest.param(MILL, FREE, PEOPLE, MILLERS, id="those who are authorized"),
        pytest.param(MILL, FREE, ENFORCED, (ANNA, OTTO, TINA), id="none that is expired, where that counts"),
        pytest.param(MILL, OOPSED, PEOPLE, (), id="nobody, while it is oopsed"),
        pytest.param(MILL, LOCKED, PEOPLE, (), id="nobody, while it is locked out"),
        pytest.param(MILL, BOTH, PEOPLE, (), id="nobody, while it is both"),
        pytest.param(SAW, FREE, PEOPLE, MILLERS, id="none that would only be warned of"),
        pytest.param(LAMP, FREE, PEOPLE, (), id="nobody, where no session is needed"),
        pytest.param(MILL, FREE, Directory.of(()), (), id="nobody, where there is nobody"),
    ],
)
def test_a_list_has_the_fobs_that_would_open_an_authorized_session(
    config: MachineConfig, situation: str, directory: Directory, listed: tuple[User, ...]
) -> None:
    made = fob_list(config, directory, fresh(config, situation), T0)
    assert made.fobs == tuple(sorted(fob for user in listed for fob in user.fob_codes))
    assert (made.oops, made.lock) == (situation in {OOPSED, BOTH}, situation in {LOCKED, BOTH})
    assert not any(fob in repr(made) for fob in made.fobs)


@pytest.mark.parametrize("fobs", [MOST_FOBS, MOST_FOBS + 1])
def test_a_list_that_no_reader_could_hold_is_empty(fobs: int) -> None:
    many = Directory.of([someone("Max", f"M{n}", f"{n:010}", can=MILL.authorizations_or) for n in range(1, fobs + 1)])
    made = fob_list(MILL, many, fresh(MILL), T0)
    fits = fobs == MOST_FOBS
    assert (len(made.fobs), made.too_many) == ((fobs, 0) if fits else (0, fobs))
    assert possible_fobs(MILL, many, T0) == fobs


@pytest.mark.parametrize(
    ("over_after", "enforced", "seconds"),
    [
        (None, True, LIFETIME_SECONDS),
        (3600, True, 3600),
        (3600, False, LIFETIME_SECONDS),
        (10 * LIFETIME_SECONDS, True, LIFETIME_SECONDS),
    ],
)
def test_a_list_is_good_for_a_day_or_until_a_membership_in_it_is_over(
    over_after: float | None, enforced: bool, seconds: float
) -> None:
    ends = replace(ANNA, expires_at=None if over_after is None else after(over_after))
    made = fob_list(MILL, Directory.of([ends, OTTO], enforce_expiration=enforced), fresh(MILL), T0)
    assert made.lifetime_seconds(T0) == seconds
    assert FobList(oops=False, lock=False, expires_at=T0).lifetime_seconds(after(1)) == 0


# sessions


def told(
    *sessions: OfflineSession, seconds: float = 1000, card: User | None = None, boot: int = 7, **more: bool
) -> Report:
    """Return a report of a reader that was alone for a while."""
    event = report(card, seconds, boot=boot, firmware="f", count=int(seconds))
    return replace(event, offline=sessions, oops=more.get("oops", False))


def session(number: int = 1, user: User | None = ANNA, begun: float = 200, over: float = 260) -> OfflineSession:
    """Return a session of so many seconds after T0, as a reader tells of it: by its uptime."""
    return OfflineSession(number, fob_of(user), UP + begun, UP + over)


def ended(user: User = ANNA, begun: float = 200, over: float = 260) -> Outcome:
    facts = Ended(person(user), SessionKind.OFFLINE, after(begun), over - begun, EndReason.OFFLINE)
    return SessionEnded(machine=MILL.name, display_name=MILL.display_name, at=after(over), ended=facts)


def at_the_mill(state: MachineState, *events: Report) -> Decision:
    return run(MILL, PEOPLE, state, events)


BEFORE = replace(fresh(MILL), telemetry=report(None, boot=7, firmware="f", count=0).telemetry)


def test_a_session_of_the_reader_alone_is_in_the_journal_when_it_was() -> None:
    decision = decide(MILL, PEOPLE, BEFORE, told(session()))
    assert decision.outcomes == (ended(),)
    assert (decision.offline, decision.refused, decision.changed) == ((1,), (), True)
    assert decision.state.session is None
    assert decision.state.offline_taken == ((7, 1),)


def test_it_is_there_once_however_often_it_is_told() -> None:
    first = decide(MILL, PEOPLE, BEFORE, told(session()))
    again = decide(MILL, PEOPLE, first.state, told(session(), session(2, BEN, 300, 330), seconds=1010))
    assert again.outcomes == (ended(BEN, 300, 330),)
    assert again.offline == (1, 2), "both need not be told again"
    third = decide(MILL, PEOPLE, again.state, told(session(), session(2, BEN, 300, 330), seconds=1020))
    assert (third.outcomes, third.offline, third.changed) == ((), (1, 2), False)


def test_the_same_number_of_another_boot_is_another_session() -> None:
    first = decide(MILL, PEOPLE, BEFORE, told(session()))
    rebooted = decide(MILL, PEOPLE, first.state, told(session(), boot=8, seconds=1010))
    assert [type(outcome) for outcome in rebooted.outcomes] == [Rebooted, SessionEnded]
    assert rebooted.state.offline_taken == ((7, 1), (8, 1))


def test_a_report_that_was_overtaken_tells_nothing() -> None:
    newer = decide(MILL, PEOPLE, BEFORE, told(seconds=1010)).state
    assert decide(MILL, PEOPLE, newer, told(session(), seconds=1000)) == Decision(newer)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (OfflineSession(1, STRANGER, UP, UP + 1), "its fob (ending in 9999) is unknown"),
        (OfflineSession(1, None, UP, UP + 1), "its fob (ending in ) is unknown"),
        (session(begun=300), "its times can't be"),
        (session(over=1003), "its times can't be"),
        (OfflineSession(1, fob_of(ANNA), -1, 5), "its times can't be"),
        (OfflineSession(1, wrong="started: expected a number"), "started: expected a number"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_once_and_by_name(wrong: OfflineSession, why: str) -> None:
    decision = decide(MILL, PEOPLE, BEFORE, told(wrong, session(2)))
    assert decision.refused == (f"offline session 1 of its reader is not in the journal: {why}",)
    assert decision.outcomes == (ended(),), "the other one is there"
    assert decision.offline == (1, 2)
    again = decide(MILL, PEOPLE, decision.state, told(wrong, session(2), seconds=1010))
    assert (again.refused, again.outcomes) == ((), ())


@pytest.mark.parametrize("uptime", [None, 1e308, MOST_SECONDS_AGO + 300])
def test_a_reader_that_cannot_say_when_it_was_is_not_believed(uptime: float | None) -> None:
    event = told(OfflineSession(1, fob_of(ANNA), 0, 10))
    event = replace(event, telemetry=replace(event.telemetry, uptime=uptime))
    assert decide(MILL, PEOPLE, BEFORE, event).refused[0].endswith("its times can't be")


def test_whoever_had_a_session_before_took_the_card_out_before_the_reader_was_alone() -> None:
    running = at_the_mill(BEFORE, told(card=OTTO, seconds=100)).state
    decision = decide(MILL, PEOPLE, running, told(session(), card=ANNA))
    before = Ended(person(OTTO), SessionKind.AUTHORIZED, after(100), 100, EndReason.CARD_REMOVED)
    assert [outcome.ended_session for outcome in decision.outcomes] == [before, ended().ended_session, None]
    assert decision.state.session
    assert decision.state.session.account_id == ANNA.account_id


def test_the_same_card_that_was_out_meanwhile_begins_anew() -> None:
    running = at_the_mill(BEFORE, told(card=ANNA, seconds=100)).state
    decision = decide(MILL, PEOPLE, running, told(session(), card=ANNA))
    assert [type(outcome) for outcome in decision.outcomes] == [SessionEnded, SessionEnded, SessionStarted]
    assert decision.state.session
    assert decision.state.session.since == after(1000)


def test_a_session_that_went_on_with_the_server_is_not_cut_by_its_beginning_without() -> None:
    back = at_the_mill(BEFORE, told(card=ANNA, seconds=1000))
    running = back.state.session
    decision = decide(MILL, PEOPLE, back.state, told(session(over=1000), card=ANNA, seconds=1001))
    assert decision.outcomes == (ended(over=1000),)
    assert decision.state.session == running


def test_oops_at_the_reader_comes_with_what_was_before() -> None:
    decision = decide(MILL, PEOPLE, BEFORE, told(session(), oops=True))
    assert [type(outcome) for outcome in decision.outcomes] == [SessionEnded, OopsSet]
    assert decision.state.oops


def test_as_many_are_remembered_as_may_come_again() -> None:
    state = BEFORE
    for first in range(0, TAKEN_KEPT + 100, 100):
        many = [session(n, begun=n / 10, over=n / 10 + 0.1) for n in range(first, first + 100)]
        state = decide(MILL, PEOPLE, state, told(*many, seconds=1000 + first)).state
    assert state.offline_taken == tuple((7, n) for n in range(100, TAKEN_KEPT + 100))


def test_a_list_ends_with_the_first_authorization_in_it_that_does() -> None:
    limit = Limit("Milling", ends=after(3600))
    limited = replace(ANNA, expires_at=None, limits=(limit, Limit("Other", ends=after(60))))
    made = fob_list(MILL, Directory.of([limited]), MachineState(T0), T0)
    assert (made.fobs, made.expires_at) == (limited.fob_codes, after(3600))
    over = replace(limited, limits=(Limit("Milling", ends=T0),))
    assert fob_list(MILL, Directory.of([over]), MachineState(T0), T0).fobs == ()


def test_a_list_is_good_until_an_authorization_begins_that_is_not_in_it_yet() -> None:
    (name,) = MILL.authorizations_or
    begins = replace(ANNA, expires_at=None, limits=(Limit(name, begins=after(60), ends=after(3600)),))
    made = fob_list(MILL, Directory.of((begins,)), fresh(MILL), T0)
    assert (made.fobs, made.expires_at) == ((), after(60))


def test_nobody_is_in_the_list_of_a_machine_that_is_to_be_locked_once_it_is_free() -> None:
    state = run(MILL, PEOPLE, with_card(MILL, ANNA), [Lock(after(20), Source.SLACK, "bob", when_free=True)]).state
    assert state.lock_pending
    assert fob_list(MILL, PEOPLE, state, after(30)) == FobList(oops=False, lock=True)
