"""What values look like in a REPL: short, and with what matters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from mac_actors.core.inputs import Report
from mac_actors.core.outcomes import LockSet, SessionStarted
from mac_actors.core.redaction import MEMBER, without_fob, without_names
from mac_actors.core.snapshot import Snapshot, tally
from mac_actors.core.state import Flag, MachineState, Session, SessionKind, Source, Telemetry
from mac_actors.core.transitions import decide
from mac_actors.core.wording import full_text
from tests.core.examples import ANNA, MILL, PEOPLE, STRANGER

AT = datetime(2026, 11, 24, 18, 0, 5, 123456, tzinfo=UTC)
FLAG = Flag(AT, Source.REPL, "me", "belt")


def test_what_is_unset_is_left_out_and_times_are_short() -> None:
    assert repr(FLAG) == "Flag(since=2026-11-24 18:00:05Z, source='repl', by='me', reason='belt')"
    assert repr(Flag(AT, Source.BUTTON)) == "Flag(since=2026-11-24 18:00:05Z, source='button')"
    assert repr(Telemetry(uptime=12.34567, amps=0.0)) == "Telemetry(uptime=12.346)"


def test_a_time_that_is_not_utc_says_so() -> None:
    east = AT.astimezone(timezone(timedelta(hours=2)))
    assert "2026-11-24 20:00:05+0200" in repr(replace(FLAG, since=east))
    assert "2026-11-24 18:00:05," in repr(replace(FLAG, since=AT.replace(tzinfo=None)))


def test_a_snapshot_fits_on_a_few_lines() -> None:
    shown = repr(Snapshot.of(MILL, MachineState(AT, lock=FLAG), AT))
    assert shown.startswith("Snapshot(name='metal-mill', alias='Metal Mill', status='locked_out', status_since=2026-")
    assert "relay=False" in shown
    assert len(shown) < 320


def test_a_decision_and_its_outcomes_can_be_read_and_hold_no_fob() -> None:
    [fob, *_] = ANNA.fob_codes
    shown = repr(decide(MILL, PEOPLE, MachineState(AT), Report(AT, fob)))
    assert "outcomes=(SessionStarted(machine='metal-mill'" in shown
    assert "changed=True" in shown
    assert fob not in shown


def test_a_tally_says_what_machines_do() -> None:
    free = MachineState(AT)
    session = Session("1", "A", "A", SessionKind.AUTHORIZED, AT)
    states = [free, replace(free, session=session), replace(free, oops=FLAG), replace(free, oops=FLAG, lock=FLAG)]
    seen = [Snapshot.of(MILL, state, AT) for state in states]
    assert tally([]) == "0 machines"
    assert tally(seen[:1]) == "1 machine: all idle"
    assert tally([*seen, seen[1]]) == "5 machines: 2 in use, 1 oopsed, 1 oopsed and locked out"


def test_outcomes_without_names_name_nobody() -> None:
    [fob, *_] = ANNA.fob_codes
    started = decide(MILL, PEOPLE, MachineState(AT), Report(AT, fob))
    [session] = started.outcomes
    assert isinstance(session, SessionStarted)
    hidden = without_names(session)
    assert isinstance(hidden, SessionStarted)
    assert (hidden.user, hidden.fob, hidden.at) == (MEMBER, "", AT)
    assert without_fob(session) == replace(session, fob="")
    lock = LockSet(machine="m", display_name="M", at=AT, flag=FLAG, ended=None)
    assert without_names(lock) == replace(lock, flag=replace(FLAG, by=None))
    assert without_fob(lock) == lock


def test_a_snapshot_without_names_names_nobody() -> None:
    session = Session("1", "Ann Able", "Ann", SessionKind.OVERRIDE, AT)
    seen = Snapshot.of(MILL, MachineState(AT, oops=FLAG, lock=FLAG, session=session), AT)
    hidden = seen.without_names()
    assert hidden.oops == hidden.lock == replace(FLAG, by=None)
    assert hidden.session == replace(session, account_id="", full_name="", lcd_name="")
    assert replace(hidden, oops=FLAG, lock=FLAG, session=session) == seen
    free = Snapshot.of(MILL, MachineState(AT), AT)
    assert free.without_names() == free


def test_an_unknown_fob_that_is_not_told_is_a_card() -> None:
    [refused] = decide(MILL, PEOPLE, MachineState(AT), Report(AT, STRANGER)).outcomes
    assert "(fob ending in 9999)" in full_text(refused)
    assert full_text(without_fob(refused)) == "Metal Mill: a card was refused: the fob is unknown."
