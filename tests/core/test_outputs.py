"""Outputs: relays, display and LEDs, derived from configuration and state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mac_actors.core.config import Directory, MachineConfig, SecondRelay, User
from mac_actors.core.inputs import Configured, Input
from mac_actors.core.outputs import LCD_COLUMNS, Outputs, kept_outputs, lcd_line, outputs, relay_on, second_relay_on
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import Card, MachineState, Refusal, SecondDecision, SessionKind, Telemetry
from mac_actors.core.transitions import decide
from mac_actors.settings.language import language, languages
from tests.core.examples import (
    ANNA,
    BEN,
    BOTH,
    ENFORCED,
    EVE,
    FLAGGED,
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
    SITUATIONS,
    STRANGER,
    T0,
    TINA,
    TOM,
    TUBE,
    after,
    called,
    clear,
    fresh,
    laser,
    lock,
    oops,
    report,
    run,
    unlock,
    unoops,
    with_card,
)

RGB = tuple[float, float, float]
GREEN, RED, ORANGE, DARK = (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (1.0, 0.5, 0.0), (0.0, 0.0, 0.0)

OVERRIDE = ("OVERRIDE BY\nOlga", GREEN)
OOPS = ("Oops!! Please\ncheck/post Slack", RED)
DOWN = ("Down for\nmaintenance", ORANGE)
ALWAYS = ("Always On", GREEN)
WELCOME = ("Welcome,\nAnna", GREEN)
BLOCKED = ("Remove card and\ninsert it again", ORANGE)
UNKNOWN = ("Unknown RFID", RED)
EXPIRED = ("Membership\nexpired", ORANGE)
UNAUTHORIZED = ("Unauthorized", ORANGE)
INSERT = ("Please Insert\nRFID Card", DARK)


def happen(config: MachineConfig, *events: Input, directory: Directory = PEOPLE, situation: str = FREE) -> MachineState:
    return run(config, directory, fresh(config, situation), events).state


SHOWN: list[tuple[str, MachineConfig, MachineState, tuple[str, RGB]]] = [
    ("override on oopsed", MILL, with_card(MILL, OLGA, OOPSED), OVERRIDE),
    ("override on locked", MILL, with_card(MILL, OLGA, LOCKED), OVERRIDE),
    ("override on both", MILL, with_card(MILL, OLGA, BOTH), OVERRIDE),
    ("override after the clear", MILL, happen(MILL, report(OLGA, 10), clear(20), situation=BOTH), OVERRIDE),
    (
        "override before always_enabled",
        MILL_ALWAYS_ON,
        decide(MILL_ALWAYS_ON, PEOPLE, with_card(MILL, OLGA, OOPSED), Configured(after(20))).state,
        OVERRIDE,
    ),
    ("oopsed", MILL, fresh(MILL, OOPSED), OOPS),
    ("oopsed before locked", MILL, fresh(MILL, BOTH), OOPS),
    ("oopsed before always_enabled", LAMP, fresh(LAMP, OOPSED), OOPS),
    ("oopsed before blocked card", MILL, with_card(MILL, ANNA, OOPSED), OOPS),
    ("oopsed before unknown card", MILL, with_card(MILL, STRANGER, OOPSED), OOPS),
    ("oopsed after unlock", MILL, happen(MILL, unlock(10), situation=BOTH), OOPS),
    ("locked", MILL, fresh(MILL, LOCKED), DOWN),
    ("locked before always_enabled", LAMP, fresh(LAMP, LOCKED), DOWN),
    ("locked before blocked card", MILL, with_card(MILL, ANNA, LOCKED), DOWN),
    ("locked after unoops", MILL, happen(MILL, unoops(10), situation=BOTH), DOWN),
    ("always_enabled", LAMP, fresh(LAMP), ALWAYS),
    ("always_enabled with a card", LAMP, with_card(LAMP, STRANGER), ALWAYS),
    ("always_enabled before blocked card", LAMP, happen(LAMP, report(BEN, 10), oops(20), clear(30)), ALWAYS),
    (
        "always_enabled before session",
        MILL_ALWAYS_ON,
        decide(MILL_ALWAYS_ON, PEOPLE, with_card(MILL, ANNA), Configured(after(20))).state,
        ALWAYS,
    ),
    (
        "always_enabled before refused card",
        MILL_ALWAYS_ON,
        decide(MILL_ALWAYS_ON, PEOPLE, with_card(MILL, BEN), Configured(after(20))).state,
        ALWAYS,
    ),
    ("session", MILL, with_card(MILL, ANNA), WELCOME),
    ("warn only session", SAW, with_card(SAW, BEN), ("Welcome,\nBen", GREEN)),
    ("blocked by oops", MILL, happen(MILL, report(ANNA, 10), oops(20), clear(30)), BLOCKED),
    ("blocked by lock", MILL, happen(MILL, report(ANNA, 10), lock(20), unlock(30)), BLOCKED),
    ("blocked by insertion", MILL, happen(MILL, report(ANNA, 10), clear(20), situation=OOPSED), BLOCKED),
    ("blocked by a reboot", MILL, happen(MILL, report(ANNA, 10), report(ANNA, 20, uptime=5)), BLOCKED),
    ("blocked by a hold", MILL, decide(MILL, PEOPLE, fresh(MILL), report(ANNA, 10), hold=Refusal.LATE).state, BLOCKED),
    ("blocked before unknown", MILL, happen(MILL, report(STRANGER, 10), oops(20), clear(30)), BLOCKED),
    ("blocked before unauthorized", MILL, happen(MILL, report(BEN, 10), lock(20), clear(30)), BLOCKED),
    (
        "blocked before expired",
        MILL,
        happen(MILL, report(EVE, 10), clear(20), directory=ENFORCED, situation=LOCKED),
        BLOCKED,
    ),
    ("a card of unknown standing", MILL, replace(fresh(MILL), card=Card("0000000001", T0)), BLOCKED),
    ("unknown card", MILL, with_card(MILL, STRANGER), UNKNOWN),
    ("expired user", MILL, happen(MILL, report(EVE, 10), directory=ENFORCED), EXPIRED),
    ("unauthorized card", MILL, with_card(MILL, BEN), UNAUTHORIZED),
    ("no card", MILL, fresh(MILL), INSERT),
    ("no card any more", MILL, happen(MILL, report(BEN, 10), report(None, 20)), INSERT),
    ("never seen", MILL, MachineState(T0), INSERT),
]


@pytest.mark.parametrize(("config", "state", "shown"), [row[1:] for row in SHOWN], ids=[row[0] for row in SHOWN])
def test_display_and_light_show_the_first_situation_that_fits(
    config: MachineConfig, state: MachineState, shown: tuple[str, RGB]
) -> None:
    out = outputs(config, state)
    display, rgb = shown
    assert out == Outputs(
        relay=relay_on(config, state),
        display=display,
        oops_led=state.oops is not None,
        status_led_rgb=rgb,
        status_led_brightness=0.0 if rgb == DARK else 0.5,
        second_relay=False,
        always_on=config.always_enabled and not state.flagged,
    )


def named(name: str) -> Directory:
    return Directory.of(
        (
            replace(ANNA, preferred_name=name, lcd_name=name),
            replace(OLGA, preferred_name=name, lcd_name=name),
        )
    )


TEXTS = [language(code).displays for code in languages()]


@pytest.mark.parametrize("texts", TEXTS, ids=languages())
def test_in_another_language_the_display_alone_is_another(texts: Mapping[str, str]) -> None:
    said = set()
    for _, config, state, _ in SHOWN:
        out, english = outputs(config, state, texts), outputs(config, state)
        assert replace(out, display=english.display) == english
        assert fits_the_display(out.display)
        said.add((english.display, out.display))
    assert len(said) == len({english for english, _ in said})
    assert not texts or all(english != other for english, other in said)


def fits_the_display(display: str) -> bool:
    lines = display.split("\n")
    drawable = all(" " <= c <= "}" and c != "\\" for line in lines for c in line)
    return len(lines) <= 2 and all(len(line) <= 16 for line in lines) and drawable


@settings(database=None)
@given(name=st.text() | st.text("\\~\n\r\t\x00\x7f äß€\u2028 x", max_size=40))
def test_whatever_a_name_holds_the_display_is_two_lines_of_16_drawable_characters(name: str) -> None:
    directory = named(name)
    welcome = decide(MILL, directory, fresh(MILL), report(ANNA, 10)).state
    override = decide(MILL, directory, fresh(MILL, OOPSED), report(OLGA, 10)).state
    assert welcome.session is not None
    assert override.session is not None
    for state in (welcome, override):
        assert fits_the_display(outputs(MILL, state).display)
        for texts in TEXTS:
            assert fits_the_display(outputs(MILL, state, texts).display)
    assert outputs(MILL, welcome).display.startswith("Welcome,")
    assert outputs(MILL, override).display.startswith("OVERRIDE BY")


@pytest.mark.parametrize("row", SHOWN, ids=[row[0] for row in SHOWN])
def test_every_situation_fits_the_display(row: tuple[str, MachineConfig, MachineState, object]) -> None:
    assert fits_the_display(outputs(row[1], row[2]).display)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Anna", "Anna"),
        ("", ""),
        ("Abcdefghijklmnop", "Abcdefghijklmnop"),
        ("Abcdefghijklmnopq", "Abcdefghijklmnop"),
        ("Abcdefghijklmno pq", "Abcdefghijklmno"),
        ("back\\slash", "back/slash"),
        ("til~de", "til-de"),
        ("two\nlines", "two lines"),
        ("Zoë", "Zo?"),
        ("del\x7f", "del?"),
    ],
)
def test_a_line_is_cut_and_cleaned_for_the_display(text: str, line: str) -> None:
    assert lcd_line(text) == line
    assert len(line) <= LCD_COLUMNS


def test_the_display_keeps_the_name_that_the_user_had_at_the_start_of_the_session() -> None:
    running = with_card(MILL, ANNA)
    later = decide(MILL, named("Other"), running, report(ANNA, 20)).state
    assert outputs(MILL, later).display == "Welcome,\nAnna"


# relays


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("config", [MILL, SAW, LAMP], ids=lambda config: config.name)
@pytest.mark.parametrize("card", [None, ANNA, BEN, OLGA, OTTO, STRANGER], ids=called)
def test_the_relay_follows_its_formula(config: MachineConfig, card: User | str | None, situation: str) -> None:
    state = fresh(config, situation) if card is None else with_card(config, card, situation)
    flagged = situation in FLAGGED
    session = state.session
    expected = (config.always_enabled and not flagged) or (
        session is not None and (not flagged or session.kind is SessionKind.OVERRIDE)
    )
    assert relay_on(config, state) is outputs(config, state).relay is expected


def test_no_session_but_an_override_powers_a_flagged_machine_even_in_an_impossible_state() -> None:
    running = with_card(MILL, ANNA)
    for flags in (fresh(MILL, OOPSED), fresh(MILL, LOCKED), fresh(MILL, BOTH)):
        assert not relay_on(MILL, replace(running, oops=flags.oops, lock=flags.lock))


LASERS = [
    laser(machine_always=machine, warn_only=warn, second_warn=second_warn, second_always=second_always)
    for machine in (False, True)
    for warn in (False, True)
    for second_warn in (False, True)
    for second_always in (False, True)
]


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("card", [None, ANNA, BEN, OLGA, TINA, TOM, STRANGER], ids=called)
@pytest.mark.parametrize("config", LASERS, ids=called)
def test_the_second_relay_follows_its_formula(config: MachineConfig, card: User | str | None, situation: str) -> None:
    state = fresh(config, situation) if card is None else with_card(config, card, situation)
    second = config.second_relay
    assert second is not None
    runs = state.session is not None
    allowed = (
        second.always_enabled
        or (runs and isinstance(card, User) and bool(card.authorizations & TUBE))
        or (second.unauthorized_warn_only and runs)
    )
    expected = relay_on(config, state) and allowed
    assert second_relay_on(config, state) is outputs(config, state).second_relay is expected


def test_a_machine_without_second_relay_never_turns_one_on() -> None:
    running = with_card(laser(second_always=True), TINA)
    without = MachineConfig("laser", MILL.authorizations_or)
    assert relay_on(without, running)
    assert not second_relay_on(without, running)


def test_the_second_relay_stays_as_decided_when_its_authorizations_change() -> None:
    config = laser()
    stricter = replace(config, second_relay=SecondRelay(frozenset({"Other"})))
    milder = replace(config, second_relay=SecondRelay(TUBE, unauthorized_warn_only=True))
    granted, denied = with_card(config, TINA), with_card(config, ANNA)
    assert second_relay_on(stricter, decide(stricter, PEOPLE, granted, Configured(after(20))).state)
    assert not second_relay_on(milder, decide(milder, PEOPLE, denied, Configured(after(20))).state)


def test_the_second_relay_stays_on_when_it_is_no_longer_always_enabled_until_the_session_ends() -> None:
    running = with_card(laser(second_always=True), ANNA)
    assert running.session is not None
    assert running.session.second is SecondDecision.ALWAYS_ENABLED
    state = decide(laser(), PEOPLE, running, Configured(after(20))).state
    assert second_relay_on(laser(), state)
    ended = run(laser(), PEOPLE, state, [report(None, 30), report(ANNA, 40)]).state
    assert not second_relay_on(laser(), ended)


@pytest.mark.parametrize("before", [laser(), MachineConfig("laser", MILL.authorizations_or)], ids=["denied", "none"])
def test_the_second_relay_stays_off_when_it_becomes_always_enabled_until_the_session_ends(
    before: MachineConfig,
) -> None:
    """What the second relay may do is decided with the session and kept until it ends; only a card turns a relay on."""
    now = laser(second_always=True)
    running = with_card(before, ANNA)
    assert not second_relay_on(before, running)
    state = decide(now, PEOPLE, running, Configured(after(20))).state
    assert not second_relay_on(now, state)
    again = run(now, PEOPLE, state, [report(None, 30), report(ANNA, 40)]).state
    assert second_relay_on(now, again)


@pytest.mark.parametrize("user", [OLGA, OTTO], ids=called)
def test_the_second_relay_of_an_override_session_goes_on_over_the_clear(user: User) -> None:
    config = laser(second_warn=True)
    running = with_card(config, user, OOPSED)
    assert second_relay_on(config, running)
    assert second_relay_on(config, decide(config, PEOPLE, running, clear(20)).state)


# nothing else


@settings(database=None)
@given(
    uptime=st.none() | st.floats(allow_nan=False),
    amps=st.floats(allow_nan=False),
    second=st.none() | st.booleans(),
    later=st.integers(0, 10**6),
)
@pytest.mark.parametrize("row", SHOWN, ids=[row[0] for row in SHOWN])
def test_outputs_do_not_depend_on_telemetry_or_times(
    row: tuple[str, MachineConfig, MachineState, object],
    uptime: float | None,
    amps: float,
    second: bool | None,
    later: int,
) -> None:
    config, state = row[1], row[2]
    other = replace(
        state,
        telemetry=Telemetry(uptime=uptime, amps=amps, second_relay_state=second),
        last_checkin=after(later),
        last_update=after(later),
        status_since=after(later),
    )
    assert outputs(config, other) == outputs(config, state)


# the snapshot


def test_a_snapshot_shows_what_the_state_holds() -> None:
    config = laser(second_warn=True)
    for situation in SITUATIONS:
        state = with_card(config, OTTO, situation)
        snapshot = Snapshot.of(config, state, after(10))
        assert (snapshot.name, snapshot.alias, snapshot.display_name) == ("laser", None, "laser")
        assert (snapshot.status, snapshot.status_since) == (state.status, state.status_since)
        assert (snapshot.oops, snapshot.lock, snapshot.session) == (state.oops, state.lock, state.session)
        assert (snapshot.relay, snapshot.second_relay) == (True, True)
        assert (snapshot.telemetry, snapshot.last_checkin) == (state.telemetry, after(10))
        assert snapshot.last_update == after(10)


def test_a_snapshot_calls_a_machine_by_its_alias() -> None:
    snapshot = Snapshot.of(MILL, fresh(MILL), T0)
    assert (snapshot.name, snapshot.alias, snapshot.display_name) == ("metal-mill", "Metal Mill", "Metal Mill")


@pytest.mark.parametrize(("age", "online"), [(0.0, True), (60.0, True), (60.001, False)])
def test_a_machine_is_online_while_its_last_report_is_within_60_seconds(age: float, online: bool) -> None:
    assert Snapshot.of(MILL, fresh(MILL), T0 + timedelta(seconds=age)).online is online


def test_a_machine_that_never_reported_is_not_online() -> None:
    assert not Snapshot.of(MILL, MachineState(T0), T0).online


def test_a_report_that_does_not_count_keeps_power_but_starts_nothing() -> None:
    running = with_card(MILL, ANNA)
    assert kept_outputs(MILL, running, report(ANNA, 30)).relay
    for other in (report(None, 30), report(BEN, 30), report(ANNA, 30, oops=True)):
        assert not kept_outputs(MILL, running, other).relay
