"""The past as the journal tells it, against sums made by hand and by brute force."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mac_actors.core import outcomes as o
from mac_actors.core.intervals import Zone, midnight, overlap
from mac_actors.core.outcomes import FORGOTTEN, Outcome, Person
from mac_actors.core.state import Flag, MachineState, Refusal, SecondDecision, SessionKind, Source
from mac_actors.errors import StorageError
from mac_actors.storage import codec
from mac_actors.storage.history import downtime, history, sessions
from mac_actors.storage.history.history import History
from mac_actors.storage.history.values import DAYS, WEEKS, Running, Usage
from mac_actors.storage.records import Record, record_state
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.sqlite.migrations import m0001_initial
from mac_actors.storage.store import Store
from mac_actors.storage.words import in_words_of
from tests.places import Place

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)
TODAY = NOW.astimezone(BERLIN).date()
ANN, BOB = Person("1", "Ann Able"), Person("2", "Bob Baker")


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    with closing(place.open(Store)) as opened:
        opened.commit([Record(record_state(name, MachineState(NOW))) for name in ("mill", "saw", "kiln")])
        yield opened


def past(store: Store, zone: Zone = BERLIN, now: datetime = NOW) -> History:
    return History(store, zone, lambda: now)


def write(store: Store, *outcomes: Outcome) -> None:
    store.commit([Record(rows=((codec.journal_row(outcome), ()),)) for outcome in outcomes])


def common(machine: str, at: datetime) -> dict[str, Any]:
    return {"machine": machine, "display_name": machine.title(), "at": at}


def session(machine: str, start: datetime, end: datetime, person: Person = ANN) -> o.SessionEnded:
    seconds = (end - start).total_seconds()
    ended = o.Ended(person, SessionKind.AUTHORIZED, start, seconds, o.EndReason.CARD_REMOVED)
    return o.SessionEnded(ended=ended, **common(machine, end))


def refused(machine: str, at: datetime, person: Person | None = None) -> o.SessionRefused:
    return o.SessionRefused(refusal=Refusal.UNKNOWN, user=person, fob="1", **common(machine, at))


def oopsed(machine: str, at: datetime) -> o.OopsSet:
    return o.OopsSet(flag=Flag(at, Source.BUTTON), ended=None, **common(machine, at))


def locked(machine: str, at: datetime, source: Source = Source.CLI) -> o.LockSet:
    return o.LockSet(flag=Flag(at, source), ended=None, **common(machine, at))


def cleared(machine: str, at: datetime, *, oops: bool = True, lock: bool = False) -> o.Cleared:
    flag = Flag(at, Source.CLI)
    return o.Cleared(
        oops=flag if oops else None, lock=flag if lock else None, source=Source.CLI, by=None, reason=None,
        still_oopsed=False, still_locked=False, power_on=False, **common(machine, at),
    )  # fmt: skip


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


# one machine


def test_a_machine_without_events_has_no_past(store: Store) -> None:
    found = past(store).machine("mill")
    assert (found.first, found.sessions, len(found.days)) == (None, 0, DAYS)
    assert found.seconds("length") == found.seconds("used") == 0
    assert {share for day in found.week for share in day} == {0.0}


def test_a_session_over_midnight_is_in_two_days_and_counts_in_its_first(store: Store) -> None:
    write(store, session("mill", local("2026-11-20T23:00"), local("2026-11-21T00:30")))
    days = {day.date: day for day in past(store).machine("mill").days}
    assert (days[date(2026, 11, 20)].sessions, days[date(2026, 11, 20)].used) == (1, 3600)
    assert (days[date(2026, 11, 21)].sessions, days[date(2026, 11, 21)].used) == (0, 1800)


def test_the_week_shows_when_it_is_used_since_its_first_event(store: Store) -> None:
    for monday in ("2026-11-09", "2026-11-16"):
        write(store, session("mill", local(f"{monday}T18:00"), local(f"{monday}T19:30")))
    week = past(store).machine("mill").week
    assert week[0][18] == pytest.approx(2 / 3)
    assert week[0][19] == pytest.approx(1 / 3)
    assert week[1][18] == 0


def test_a_session_that_runs_now_counts_until_now(store: Store) -> None:
    running = Running("mill", "1", "Ann Able", NOW - timedelta(hours=2))
    found = past(store).machine("mill", running)
    assert (found.sessions, found.seconds("used")) == (1, 7200)
    assert found.first == running.since


def test_a_session_that_began_before_the_window_counts_in_it_but_not_as_begun(store: Store) -> None:
    first = datetime.fromtimestamp(midnight(TODAY - timedelta(DAYS - 1), BERLIN), UTC)
    write(store, session("mill", first - timedelta(days=3), first + timedelta(hours=1)))
    found = past(store).machine("mill")
    assert (found.sessions, found.seconds("used")) == (0, 3600)


@pytest.mark.parametrize("zone", [BERLIN, ZoneInfo("Asia/Kathmandu"), ZoneInfo("Australia/Lord_Howe"), None])
def test_the_days_add_up_in_every_zone(store: Store, zone: Zone) -> None:
    chance = random.Random(5)
    at, length = NOW - timedelta(days=80), 0.0
    while at < NOW - timedelta(days=2):
        start = at + timedelta(seconds=chance.randrange(60, 40_000))
        at = start + timedelta(seconds=chance.randrange(60, 90_000))
        length += (at - start).total_seconds()
        write(store, session("mill", start, at))
    found = past(store, zone).machine("mill")
    assert found.seconds("used") == pytest.approx(length, abs=1)
    assert all(day.used <= (25 * 3600) for day in found.days)
    assert all(0 <= share <= 1 for day in found.week for share in day)


def test_time_oopsed_and_locked_overlaps_counts_open_ones_and_those_from_before(store: Store) -> None:
    write(
        store,
        oopsed("mill", NOW - timedelta(days=200)),
        cleared("mill", local("2026-11-10T12:00")),
        locked("mill", local("2026-11-12T00:00")),
        oopsed("mill", local("2026-11-12T12:00")),
        cleared("mill", local("2026-11-13T00:00"), lock=True),
        locked("mill", NOW - timedelta(hours=3)),
    )
    found = past(store).machine("mill")
    days = {day.date: day for day in found.days}
    assert [getattr(days[date(2026, 11, 12)], part) / 3600 for part in ("oopsed", "locked", "unavailable")] == [
        12,
        24,
        24,
    ]
    assert days[date(2026, 11, 10)].oopsed == 12 * 3600
    assert days[date(2026, 11, 11)].unavailable == 0
    assert found.days[0].oopsed == found.days[0].length == 24 * 3600
    assert found.days[-1].locked == 3 * 3600


def test_a_machine_whose_first_word_is_a_clear_was_oopsed_before(store: Store) -> None:
    write(store, cleared("mill", local("2026-11-24T06:00")))
    assert past(store).machine("mill").days[-1].oopsed == 6 * 3600


def test_a_lock_because_the_state_was_lost_ends_the_oops(store: Store) -> None:
    write(store, oopsed("mill", NOW - timedelta(hours=5)), locked("mill", NOW - timedelta(hours=2), Source.SERVER))
    today = past(store).machine("mill").days[-1]
    assert (today.oopsed, today.locked) == (3 * 3600, 2 * 3600)


def test_the_shop_says_the_same_of_such_a_machine_as_its_page(store: Store) -> None:
    write(
        store,
        oopsed("mill", NOW - timedelta(hours=5)),
        locked("mill", NOW - timedelta(hours=4), Source.SERVER),
        cleared("mill", NOW - timedelta(hours=2), oops=False, lock=True),
    )
    assert past(store).machine("mill").seconds("unavailable") == 3 * 3600
    assert past(store).shop().unavailable["mill"] == 3 * 3600


# all machines


def test_usage_is_by_machine_and_by_user_for_whole_local_days(store: Store) -> None:
    write(
        store,
        session("mill", local("2026-11-09T23:30"), local("2026-11-10T01:00")),
        session("saw", local("2026-11-10T10:00"), local("2026-11-10T11:00"), BOB),
        refused("saw", local("2026-11-10T12:00"), BOB),
        refused("saw", local("2026-11-10T12:01")),
        session("mill", local("2026-11-10T23:30"), local("2026-11-11T00:30")),
        refused("mill", local("2026-11-11T00:00")),
    )
    machines, users = past(store).usage(date(2026, 11, 10), date(2026, 11, 10), users=True)
    assert machines == {"mill": Usage(1, 5400, 0), "saw": Usage(1, 3600, 2)}
    assert users is not None
    assert {(one.account_id, one.full_name): one.usage for one in users} == {
        ("1", "Ann Able"): Usage(1, 5400, 0),
        ("2", "Bob Baker"): Usage(1, 3600, 1),
        (None, ""): Usage(0, 0, 1),
    }
    assert past(store).usage(date(2026, 11, 10), date(2026, 11, 10), users=False)[1] is None


def test_usage_counts_what_runs_now_and_ends_now(store: Store) -> None:
    running = [Running("mill", "1", "Ann Able", NOW - timedelta(hours=1)), Running("saw", "9", "New", NOW)]
    machines, users = past(store).usage(TODAY, TODAY + timedelta(400), running, users=True)
    assert machines == {"mill": Usage(1, 3600, 0), "saw": Usage(0, 0, 0)}
    assert users is not None
    assert [(one.account_id, one.full_name, one.usage) for one in users] == [("1", "Ann Able", Usage(1, 3600, 0))]


def test_those_whose_names_were_removed_count_together(store: Store) -> None:
    write(store, session("mill", NOW - timedelta(hours=2), NOW - timedelta(hours=1), FORGOTTEN))
    _, users = past(store).usage(TODAY, TODAY, users=True)
    assert users is not None
    assert [(one.account_id, one.full_name, one.usage) for one in users] == [("", "", Usage(1, 3600, 0))]


def test_the_newest_name_of_an_account_is_shown(store: Store) -> None:
    for hours, name in ((3, "Ann Single"), (1, "Ann Married")):
        start = NOW - timedelta(hours=hours + 0.5)
        write(store, session("mill", start, NOW - timedelta(hours=hours), Person("1", name)))
    _, users = past(store).usage(TODAY, TODAY, users=True)
    assert users is not None
    assert [one.full_name for one in users] == ["Ann Married"]


def test_many_random_sessions_add_up_as_by_brute_force(store: Store) -> None:
    chance = random.Random(11)
    sessions = []
    for machine in ("mill", "saw", "kiln"):
        at = NOW - timedelta(days=220)
        while True:
            start = at + timedelta(seconds=chance.randrange(1, 200_000))
            long = chance.random() < 0.05
            at = start + timedelta(seconds=chance.randrange(0, 900_000 if long else 20_000))
            if at > NOW:
                break
            sessions.append(session(machine, start, at, chance.choice([ANN, BOB])))
    sessions.sort(key=lambda one: one.at)
    write(store, *sessions)
    for _ in range(30):
        first = TODAY - timedelta(chance.randrange(0, 220))
        last = first + timedelta(chance.randrange(0, 60))
        begin = midnight(first, BERLIN)
        end = min(midnight(last + timedelta(1), BERLIN), NOW.timestamp())
        machines, users = past(store).usage(first, last, users=True)
        assert users is not None
        found = {**machines, **{str(one.account_id): one.usage for one in users}}
        for key in ("mill", "saw", "kiln", "1", "2"):
            intervals = [
                (s.ended.since.timestamp(), s.at.timestamp())
                for s in sessions
                if key in {s.machine, s.ended.user.account_id}
            ]
            use = found.get(key, Usage())
            assert use.sessions == sum(begin <= b < end for b, _ in intervals)
            assert use.seconds == pytest.approx(sum(overlap(interval, begin, end) for interval in intervals), abs=0.1)


def test_the_shop_shows_machines_weeks_and_what_was_not_usable(store: Store) -> None:
    write(
        store,
        oopsed("kiln", NOW - timedelta(days=300)),
        session("mill", local("2026-11-22T23:00"), local("2026-11-23T01:00")),  # over the end of a week
        refused("saw", NOW - timedelta(days=1)),
        session("gone", NOW - timedelta(days=2), NOW - timedelta(days=1)),
    )
    shop = past(store).shop([Running("saw", "1", "Ann Able", NOW - timedelta(minutes=30))])
    assert shop.machines == {"mill": Usage(1, 7200, 0), "saw": Usage(1, 1800, 1), "gone": Usage(1, 86400, 0)}
    assert [week.monday for week in shop.weeks] == [
        date(2026, 11, 23) - timedelta(weeks=n) for n in reversed(range(WEEKS))
    ]
    # "gone": from Sunday 18:00 to Monday 18:00
    assert shop.weeks[-2].usage == Usage(2, 3600 + 5 * 3600, 0)
    assert shop.weeks[-1].usage == Usage(1, 3600 + 19 * 3600 + 1800, 1)
    assert shop.unavailable["kiln"] == pytest.approx(NOW.timestamp() - shop.since.timestamp())
    assert shop.unavailable["mill"] == 0


def test_the_shop_is_looked_at_once_a_minute(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    looker = past(store)
    first = looker.shop()
    write(store, refused("saw", NOW - timedelta(days=1)))
    assert looker.shop() is first
    monkeypatch.setattr(history, "SHOP_SECONDS", -1.0)
    assert looker.shop().machines == {"saw": Usage(0, 0, 1)}


def test_what_the_database_refuses_is_a_storage_error(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("DROP TABLE journal")
    with closing(store), pytest.raises(StorageError, match="cannot read the history"):
        past(store).machine("mill")


# the indices


def test_a_database_of_the_first_version_is_brought_up_to_date(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        for statement in m0001_initial.STATEMENTS:
            connection.execute(statement)
        connection.execute("INSERT INTO migration VALUES ('0001_initial', '2026-01-01')")
        row = codec.journal_row(session("mill", NOW - timedelta(hours=2), NOW - timedelta(hours=1)))
        connection.execute("INSERT INTO journal VALUES (1, :at, :machine, :kind, :account_id, :seconds, :data)", row)
    with closing(Store.open(tmp_path)) as store:
        assert "brought up to date (0002_history)" in caplog.text
        assert past(store).usage(TODAY, TODAY, users=False)[0] == {"mill": Usage(1, 3600, 0)}


@pytest.mark.parametrize(
    ("module", "query"),
    [
        (history, "_USE_BY_STEP"),
        (sessions, "_BY_MACHINE"),
        (sessions, "_TOTAL"),
        (sessions, "_REFUSALS"),
        (sessions, "_REFUSALS_BY_MACHINE"),
        (downtime, "_OF_MACHINE"),
        (downtime, "_OF_ALL"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__.rpartition(".")[2],
)
def test_no_page_looks_at_the_whole_journal(tmp_path: Path, module: ModuleType, query: str) -> None:
    store = Store.open(tmp_path)
    write(store, *(session("mill", NOW, NOW) for _ in range(3)))
    given = {
        "machine": "mill",
        "since": "2026",
        "until": "2027",
        "day_after": "2027",
        "start": 1,
        "end": 2,
        "step": 900,
    }
    statement = in_words_of("sqlite", getattr(module, query))
    with closing(store), store.reading("explain") as connection:
        compiled = statement.compile(connection)
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {compiled}", tuple(given[name] for name in compiled.positiontup or ())
        ).all()
    assert not [step for *_, step in plan if step.startswith("SCAN journal")], plan
    assert [step for *_, step in plan if "USING COVERING INDEX" in step or "journal_flags" in step], plan


def test_a_started_session_that_has_not_ended_is_in_no_sum(store: Store) -> None:
    write(
        store,
        o.SessionStarted(
            user=ANN, session=SessionKind.AUTHORIZED, second=SecondDecision.NONE, fob="1", **common("mill", NOW)
        ),
    )
    assert past(store).usage(TODAY, TODAY, users=False)[0] == {}
