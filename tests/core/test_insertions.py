"""The table of the inserted card, row by row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mac_actors.core.config import Directory, MachineConfig, User, normalize_fob
from mac_actors.core.outcomes import CardSeen, SessionRefused, SessionStarted
from mac_actors.core.outputs import relay_on
from mac_actors.core.state import Card, MachineState, Refusal, SecondDecision, Session, SessionKind
from mac_actors.core.transitions import decide
from tests.core.examples import (
    ANNA,
    BEN,
    BOTH,
    EMIL,
    ENFORCED,
    EVE,
    FLAGGED,
    FREE,
    LAMP,
    LOCKED,
    MILL,
    MILLING,
    NOBODY,
    OLGA,
    OOPSED,
    OTTO,
    PEOPLE,
    SAW,
    SITUATIONS,
    STRANGER,
    T0,
    TINA,
    TOM,
    after,
    called,
    clear,
    fob_of,
    fresh,
    laser,
    person,
    report,
    run,
    with_card,
)

USERS = {fob: user for user in PEOPLE.users for fob in user.fob_codes}
KIND = SessionKind
WHY = Refusal

OPENED: list[tuple[MachineConfig, Directory, User, str, SessionKind]] = [
    (MILL, PEOPLE, ANNA, FREE, KIND.AUTHORIZED),
    (SAW, PEOPLE, ANNA, FREE, KIND.AUTHORIZED),
    (MILL, PEOPLE, OTTO, FREE, KIND.AUTHORIZED),
    (SAW, PEOPLE, BEN, FREE, KIND.WARN_ONLY),
    (SAW, PEOPLE, OLGA, FREE, KIND.WARN_ONLY),
    *((config, PEOPLE, user, s, KIND.OVERRIDE) for config in (MILL, SAW) for user in (OLGA, OTTO) for s in FLAGGED),
    (MILL, ENFORCED, ANNA, FREE, KIND.AUTHORIZED),
    (MILL, ENFORCED, OTTO, OOPSED, KIND.OVERRIDE),
    (MILL, PEOPLE, EVE, FREE, KIND.AUTHORIZED),
    (MILL, PEOPLE, EMIL, FREE, KIND.AUTHORIZED),
    (MILL, PEOPLE, EMIL, OOPSED, KIND.OVERRIDE),
]

REFUSED: list[tuple[MachineConfig, Directory, User | str, str, Refusal]] = [
    *((config, PEOPLE, STRANGER, s, WHY.UNKNOWN) for config in (MILL, SAW) for s in SITUATIONS),
    (MILL, PEOPLE, BEN, FREE, WHY.UNAUTHORIZED),
    (MILL, PEOPLE, OLGA, FREE, WHY.UNAUTHORIZED),
    *((config, PEOPLE, user, OOPSED, WHY.OOPSED) for config in (MILL, SAW) for user in (ANNA, BEN)),
    *((config, PEOPLE, user, BOTH, WHY.OOPSED) for config in (MILL, SAW) for user in (ANNA, BEN)),
    *((config, PEOPLE, user, LOCKED, WHY.LOCKED_OUT) for config in (MILL, SAW) for user in (ANNA, BEN)),
    *((config, ENFORCED, user, s, WHY.EXPIRED) for config in (MILL, SAW) for user in (EVE, EMIL) for s in SITUATIONS),
    (MILL, ENFORCED, STRANGER, FREE, WHY.UNKNOWN),
]


FLAGS = {FREE: (), OOPSED: (WHY.OOPSED,), LOCKED: (WHY.LOCKED_OUT,), BOTH: (WHY.OOPSED, WHY.LOCKED_OUT)}


@pytest.mark.parametrize(("config", "directory", "user", "situation", "kind"), OPENED)
def test_a_card_that_may_opens_a_session_of_its_kind(
    config: MachineConfig, directory: Directory, user: User, situation: str, kind: SessionKind
) -> None:
    before = fresh(config, situation)
    decision = decide(config, directory, before, report(user, 10))
    state = decision.state
    assert state.session == Session(user.account_id, user.full_name, user.lcd_name, kind, after(10))
    assert state.card == Card(user.fob_codes[0], after(10))
    assert (state.oops, state.lock) == (before.oops, before.lock)
    assert relay_on(config, state)
    assert decision.outcomes == (
        SessionStarted(
            machine=config.name,
            display_name=config.display_name,
            at=after(10),
            user=person(user),
            session=kind,
            second=SecondDecision.NONE,
            fob=user.fob_codes[0],
        ),
    )
    assert decision.changed


@pytest.mark.parametrize(("config", "directory", "card", "situation", "refusal"), REFUSED)
def test_a_card_that_may_not_is_refused_with_the_reason(
    config: MachineConfig, directory: Directory, card: User | str, situation: str, refusal: Refusal
) -> None:
    before = fresh(config, situation)
    decision = decide(config, directory, before, report(card, 10))
    state = decision.state
    fob = fob_of(card)
    assert fob is not None
    assert state.session is None
    assert not relay_on(config, state)
    assert decision.outcomes == (
        SessionRefused(
            machine=config.name,
            display_name=config.display_name,
            at=after(10),
            refusal=refusal,
            also=tuple(flag for flag in FLAGS[situation] if flag is not refusal),
            user=person(card) if isinstance(card, User) else None,
            fob=fob,
        ),
    )
    assert state.card is not None
    assert state.card.blocked is (situation != FREE)
    kept = {WHY.UNKNOWN, WHY.EXPIRED, WHY.UNAUTHORIZED}
    assert state.card.refusal == (refusal if refusal in kept else None)
    assert (state.oops, state.lock) == (before.oops, before.lock)
    assert state.last_update == after(10)


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("directory", [PEOPLE, ENFORCED])
@pytest.mark.parametrize("card", [ANNA, BEN, OLGA, OTTO, EVE, EMIL, STRANGER], ids=called)
def test_on_an_always_enabled_machine_any_card_is_tracked_for_the_log_only(
    card: User | str, directory: Directory, situation: str
) -> None:
    before = fresh(LAMP, situation)
    decision = decide(LAMP, directory, before, report(card, 10))
    fob = fob_of(card)
    assert fob is not None
    assert decision.state.session is None
    assert decision.state.card is not None
    assert (decision.state.card.fob, decision.state.card.refusal) == (fob, None)
    assert relay_on(LAMP, decision.state) is relay_on(LAMP, before) is (situation == FREE)
    assert decision.outcomes == (
        CardSeen(
            machine="lamp",
            display_name="lamp",
            at=after(10),
            user=person(card) if isinstance(card, User) else None,
            fob=fob,
        ),
    )


def test_always_enabled_is_asked_before_expiry() -> None:
    decision = decide(LAMP, ENFORCED, fresh(LAMP), report(EVE, 10))
    assert [type(outcome) for outcome in decision.outcomes] == [CardSeen]
    assert relay_on(LAMP, decision.state)


@pytest.mark.parametrize("situation", FLAGGED)
def test_expiry_is_asked_before_override(situation: str) -> None:
    state = decide(MILL, ENFORCED, fresh(MILL, situation), report(EMIL, 10)).state
    assert state.session is None
    assert state.card is not None
    assert state.card.refusal is WHY.EXPIRED
    assert state.card.blocked


def test_override_is_asked_before_the_authorizations() -> None:
    state = with_card(MILL, OTTO, OOPSED)
    assert state.session is not None
    assert state.session.kind is KIND.OVERRIDE


def test_an_override_needs_something_to_override() -> None:
    state = with_card(MILL, OLGA)
    assert state.session is None


@pytest.mark.parametrize(
    ("late_by", "opens"),
    [(timedelta(microseconds=-1), True), (timedelta(0), False), (timedelta(microseconds=1), False)],
)
def test_a_membership_is_over_from_the_very_moment_of_its_expiry(late_by: timedelta, opens: bool) -> None:
    leaving = replace(ANNA, expires_at=T0)
    directory = Directory.of((leaving,), enforce_expiration=True)
    event = replace(report(leaving), at=T0 + late_by)
    state = decide(MILL, directory, fresh(MILL), event).state
    assert (state.session is not None) is opens


def test_a_membership_without_end_does_not_expire() -> None:
    assert decide(MILL, ENFORCED, MachineState(T0), report(ANNA, 1e9)).state.session is not None


def test_a_machine_that_names_no_authorization_refuses_everyone() -> None:
    nobodys = replace(MILL, authorizations_or=frozenset())
    state = with_card(nobodys, ANNA)
    assert state.session is None


def test_one_of_several_authorizations_is_enough() -> None:
    state = with_card(replace(MILL, authorizations_or=MILLING | {"Lathe"}), ANNA)
    assert state.session is not None


def test_each_fob_of_a_user_opens_a_session() -> None:
    for fob in ANNA.fob_codes:
        assert with_card(MILL, fob).session is not None


@pytest.mark.parametrize(("card", "refusal"), [(STRANGER, WHY.UNKNOWN), (BEN, WHY.UNAUTHORIZED)])
def test_a_refusal_is_kept_until_the_card_is_out(card: User | str, refusal: Refusal) -> None:
    refused = with_card(MILL, card)
    again = decide(MILL, PEOPLE, refused, report(card, 20))
    assert again.state.card == refused.card
    assert again.outcomes == ()
    assert not again.changed
    assert refused.card is not None
    assert refused.card.refusal is refusal
    out = decide(MILL, PEOPLE, refused, report(None, 30))
    assert out.state.card is None
    assert out.outcomes == ()


@pytest.mark.parametrize("situation", FLAGGED)
@pytest.mark.parametrize("card", [ANNA, BEN, STRANGER], ids=called)
def test_a_card_refused_on_a_flagged_machine_stays_blocked_after_the_clear_until_it_is_out(
    card: User | str, situation: str
) -> None:
    refused = with_card(MILL, card, situation)
    cleared = run(MILL, PEOPLE, refused, [clear(20), report(card, 30)])
    assert cleared.state.session is None
    assert cleared.state.card is not None
    assert cleared.state.card.blocked
    again = run(MILL, PEOPLE, cleared.state, [report(None, 40), report(card, 50)])
    assert (again.state.session is not None) is (card is ANNA)
    assert again.state.card is not None
    assert not again.state.card.blocked


def test_a_change_of_the_users_does_not_judge_the_card_in_the_reader_again() -> None:
    running = with_card(MILL, ANNA)
    assert decide(MILL, NOBODY, running, report(ANNA, 20)).state.session == running.session
    refused = with_card(MILL, BEN)
    promoted = Directory.of([replace(BEN, authorizations=MILLING)])
    assert decide(MILL, promoted, refused, report(BEN, 20)).state.session is None
    again = run(MILL, promoted, refused, [report(None, 20), report(BEN, 30)])
    assert again.state.session is not None


SECOND: list[tuple[MachineConfig, User, SecondDecision]] = [
    (MILL, TINA, SecondDecision.NONE),
    (laser(), TINA, SecondDecision.GRANTED),
    (laser(), ANNA, SecondDecision.DENIED),
    (laser(second_warn=True), TINA, SecondDecision.GRANTED),
    (laser(second_warn=True), ANNA, SecondDecision.WARN),
    (laser(second_always=True), TINA, SecondDecision.ALWAYS_ENABLED),
    (laser(second_always=True), ANNA, SecondDecision.ALWAYS_ENABLED),
    (laser(second_always=True, second_warn=True), ANNA, SecondDecision.ALWAYS_ENABLED),
]


@pytest.mark.parametrize(("config", "user", "second"), SECOND)
def test_the_second_relay_is_decided_with_the_session(
    config: MachineConfig, user: User, second: SecondDecision
) -> None:
    decision = decide(config, PEOPLE, fresh(config), report(user, 10))
    assert decision.state.session is not None
    assert decision.state.session.second is second
    (started,) = decision.outcomes
    assert isinstance(started, SessionStarted)
    assert started.second is second


@pytest.mark.parametrize(
    ("user", "config", "situation", "kind", "second"),
    [
        (BEN, laser(warn_only=True), FREE, KIND.WARN_ONLY, SecondDecision.DENIED),
        (TOM, laser(warn_only=True), FREE, KIND.WARN_ONLY, SecondDecision.GRANTED),
        (OLGA, laser(), OOPSED, KIND.OVERRIDE, SecondDecision.DENIED),
        (OLGA, laser(second_warn=True), LOCKED, KIND.OVERRIDE, SecondDecision.WARN),
        (TOM, laser(), BOTH, KIND.OVERRIDE, SecondDecision.GRANTED),
    ],
)
def test_the_second_relay_is_decided_for_sessions_of_every_kind(
    user: User, config: MachineConfig, situation: str, kind: SessionKind, second: SecondDecision
) -> None:
    session = with_card(config, user, situation).session
    assert session is not None
    assert (session.kind, session.second) == (kind, second)


@pytest.mark.parametrize(
    ("code", "fob"),
    [(None, None), ("", None), ("  ", None), ("1", "0000000001"), (" 42 ", "0000000042"), ("9999999999", STRANGER)],
)
def test_a_fob_code_is_padded_to_ten_characters_and_an_empty_one_is_no_fob(code: str | None, fob: str | None) -> None:
    assert normalize_fob(code) == fob
