"""Changes of the configuration."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mac_actors.core.config import Configuration, MachineConfig, Offline, User, WebhookConfig, has_shrunk
from mac_actors.core.inputs import Configured, Removed
from mac_actors.core.outcomes import Cleared, Ended, EndReason, PowerChanged, SessionEnded
from mac_actors.core.outputs import relay_on
from mac_actors.core.state import Card
from mac_actors.core.transitions import decide
from tests.core.examples import (
    ANNA,
    BEN,
    BOTH,
    FREE,
    LAMP,
    LOCKED,
    MILL,
    MILL_ALWAYS_ON,
    OLGA,
    OOPSED,
    PEOPLE,
    SAW,
    SESSIONS,
    SITUATIONS,
    STRANGER,
    T0,
    after,
    called,
    clear,
    fresh,
    person,
    report,
    run,
    with_card,
)


@pytest.mark.parametrize("card", [None, ANNA, BEN, STRANGER], ids=called)
def test_a_machine_that_becomes_always_enabled_is_on_and_says_so(card: User | str | None) -> None:
    before = fresh(MILL) if card is None else with_card(MILL, card)
    decision = decide(MILL_ALWAYS_ON, PEOPLE, before, Configured(after(70)))
    assert decision.state == replace(before, always_enabled=True)
    assert relay_on(MILL_ALWAYS_ON, decision.state)
    assert decision.changed
    assert decision.outcomes == (PowerChanged(machine="metal-mill", display_name="Metal Mill", at=after(70), on=True),)


@pytest.mark.parametrize("situation", [OOPSED, LOCKED, BOTH])
@pytest.mark.parametrize("card", [None, ANNA, BEN], ids=called)
def test_a_flagged_machine_that_becomes_always_enabled_stays_off_and_says_nothing_of_power(
    card: User | None, situation: str
) -> None:
    before = fresh(MILL, situation) if card is None else with_card(MILL, card, situation)
    decision = decide(MILL_ALWAYS_ON, PEOPLE, before, Configured(after(70)))
    assert not relay_on(MILL_ALWAYS_ON, decision.state)
    assert decision.outcomes == ()
    assert decision.changed
    cleared = decide(MILL_ALWAYS_ON, PEOPLE, decision.state, clear(80))
    (outcome,) = cleared.outcomes
    assert isinstance(outcome, Cleared)
    assert outcome.power_on
    assert relay_on(MILL_ALWAYS_ON, cleared.state)


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("card", [ANNA, BEN, OLGA, STRANGER], ids=called)
def test_a_machine_no_longer_always_enabled_is_off_and_the_card_in_it_is_blocked(
    card: User | str, situation: str
) -> None:
    before = with_card(MILL_ALWAYS_ON, card, situation)
    assert before.card is not None
    decision = decide(MILL, PEOPLE, before, Configured(after(70)))
    assert decision.state.session is None
    assert decision.state.card == replace(before.card, blocked=True)
    assert not relay_on(MILL, decision.state)
    off = PowerChanged(machine="metal-mill", display_name="Metal Mill", at=after(70), on=False)
    assert decision.outcomes == ((off,) if situation == FREE else ())
    assert decide(MILL, PEOPLE, decision.state, report(card, 80)).state.session is None


@pytest.mark.parametrize("card", [BEN, STRANGER], ids=called)
def test_a_card_refused_before_the_machine_was_always_enabled_is_blocked_when_it_no_longer_is(card: User | str) -> None:
    between = decide(MILL_ALWAYS_ON, PEOPLE, with_card(MILL, card), Configured(after(20))).state
    state = decide(MILL, PEOPLE, between, Configured(after(30))).state
    assert between.card is not None
    assert state.card == replace(between.card, blocked=True)


def test_an_empty_machine_no_longer_always_enabled_is_off() -> None:
    decision = decide(MILL, PEOPLE, fresh(MILL_ALWAYS_ON), Configured(after(70)))
    assert not relay_on(MILL, decision.state)
    assert decision.outcomes == (PowerChanged(machine="metal-mill", display_name="Metal Mill", at=after(70), on=False),)


@pytest.mark.parametrize(("config", "user", "situation"), SESSIONS)
def test_a_running_session_is_not_cut_by_any_change_of_configuration(
    config: MachineConfig, user: User, situation: str
) -> None:
    running = with_card(config, user, situation)
    for changed in (
        replace(config, authorizations_or=frozenset({"Nothing"}), unauthorized_warn_only=False),
        replace(config, alias="Another name"),
    ):
        decision = decide(changed, PEOPLE, running, Configured(after(70)))
        assert decision.state == running
        assert (decision.outcomes, decision.changed) == ((), False)
    there = decide(replace(config, always_enabled=True), PEOPLE, running, Configured(after(70)))
    back = decide(config, PEOPLE, there.state, Configured(after(80)))
    for decision in (there, back):
        assert decision.state.session == running.session
        assert decision.state.card == running.card
    assert back.outcomes == ()


def test_a_session_that_runs_on_a_machine_become_always_enabled_ends_with_its_card_and_leaves_the_power_on() -> None:
    running = decide(MILL_ALWAYS_ON, PEOPLE, with_card(MILL, ANNA), Configured(after(20))).state
    decision = decide(MILL_ALWAYS_ON, PEOPLE, running, report(None, 30))
    assert [type(outcome) for outcome in decision.outcomes] == [SessionEnded]
    assert decision.state.session is None
    assert relay_on(MILL_ALWAYS_ON, decision.state)


def test_a_change_of_configuration_does_not_judge_the_refused_card_again() -> None:
    refused = with_card(MILL, BEN)
    open_to_all = replace(MILL, unauthorized_warn_only=True)
    state = run(open_to_all, PEOPLE, refused, [Configured(after(20)), report(BEN, 30)]).state
    assert state.session is None
    assert state.card == refused.card
    again = run(open_to_all, PEOPLE, state, [report(None, 40), report(BEN, 50)]).state
    assert again.session is not None


def test_the_configuration_read_again_after_a_restart_changes_nothing() -> None:
    for config in (MILL, LAMP, SAW):
        for situation in SITUATIONS:
            for card in (ANNA, BEN, OLGA, STRANGER):
                before = with_card(config, card, situation)
                decision = decide(config, PEOPLE, before, Configured(after(70)))
                assert decision.state == before
                assert (decision.outcomes, decision.changed) == ((), False)


def test_a_card_of_unknown_standing_is_blocked_when_the_server_starts() -> None:
    odd = replace(fresh(MILL), card=Card("0000000001", T0))
    decision = decide(MILL, PEOPLE, odd, Configured(after(70)))
    assert decision.state.card == Card("0000000001", T0, blocked=True)
    assert decision.changed


@pytest.mark.parametrize(("config", "user", "situation"), SESSIONS)
def test_a_removed_machine_ends_its_session_and_blocks_the_card(
    config: MachineConfig, user: User, situation: str
) -> None:
    running = with_card(config, user, situation)
    assert running.session is not None
    decision = decide(config, PEOPLE, running, Removed(after(70)))
    ended = Ended(person(user), running.session.kind, after(10), 60.0, EndReason.MACHINE_REMOVED)
    assert decision.outcomes == (
        SessionEnded(machine=config.name, display_name=config.display_name, at=after(70), ended=ended),
    )
    assert decision.state.session is None
    assert decision.state.card == Card(user.fob_codes[0], after(10), blocked=True)
    assert (decision.state.oops, decision.state.lock) == (running.oops, running.lock)


def test_a_removed_machine_without_session_says_nothing() -> None:
    for situation in SITUATIONS:
        before = fresh(MILL, situation)
        decision = decide(MILL, PEOPLE, before, Removed(after(70)))
        assert decision.state == before
        assert (decision.outcomes, decision.changed) == ((), False)


def test_a_configuration_says_itself() -> None:
    lost = Offline(after_seconds=90, list=True, on_loss="off")
    assert lost.told(7) == "after 90 s: list 7 may start it, it is switched off"
    assert Offline(list=True).told(None) == "after 60 s: it has no list yet"
    assert Offline().text("nobody") == ""
    assert WebhookConfig("books", "https://example.org", frozenset(), "").channel.endswith("books")


def test_a_channel_has_the_machines_that_name_it() -> None:
    machines = [replace(one, slack_channel=channel) for one, channel in ((MILL, "C1"), (SAW, "C1"), (LAMP, None))]
    found = Configuration({one.name: one for one in machines}, PEOPLE, T0).slack_channels
    assert found == {"C1": [MILL.display_name, SAW.display_name]}


def test_a_file_that_loses_most_of_many_users_has_shrunk() -> None:
    assert has_shrunk(20, 11)
    assert not has_shrunk(20, 10)
    assert not has_shrunk(19, 19)
