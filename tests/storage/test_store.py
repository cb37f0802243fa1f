"""The database: what is written is read back, or nothing is."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count, cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, inspect

from mac_actors.core import outcomes as o
from mac_actors.core.notices import Channel, Notice
from mac_actors.core.outcomes import KINDS, TYPES, Ended, EndReason, Outcome, Person, kind
from mac_actors.core.people.additions import Addition, Author, Kind
from mac_actors.core.state import (
    Card,
    Details,
    Flag,
    MachineState,
    Refusal,
    SecondDecision,
    Session,
    SessionKind,
    Severity,
    Source,
    Telemetry,
)
from mac_actors.errors import StorageError
from mac_actors.storage import codec
from mac_actors.storage.records import Record, Unreadable, record_state
from mac_actors.storage.schema import metadata
from mac_actors.storage.sqlite.database import SqliteDatabase
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.sqlite.migrations import MIGRATIONS, migrate
from mac_actors.storage.store import Store
from tests.places import Place

NOW = datetime(2026, 11, 24, 18, 0, 0, 123456, tzinfo=UTC)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
moments = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
maybe_text = st.none() | text
flags = st.builds(Flag, moments, st.sampled_from(Source), maybe_text, maybe_text)
details = st.builds(
    Details, moments, st.sampled_from(Source), maybe_text, maybe_text, severity=st.sampled_from(Severity)
)
persons = st.builds(Person, text, text)
seconds = st.floats(0, 1e9)
endings = st.builds(Ended, persons, st.sampled_from(SessionKind), moments, seconds, st.sampled_from(EndReason))
states = st.builds(
    MachineState,
    status_since=moments,
    oops=st.none() | flags,
    lock=st.none() | flags,
    lock_pending=st.none() | flags,
    details=st.none() | details,
    card=st.none() | st.builds(Card, text, moments, st.booleans(), st.none() | st.sampled_from(Refusal)),
    session=st.none()
    | st.builds(Session, text, text, text, st.sampled_from(SessionKind), moments, st.sampled_from(SecondDecision)),
    telemetry=st.builds(
        Telemetry,
        numbers,
        numbers,
        numbers,
        numbers,
        st.floats(allow_nan=False, allow_infinity=False),
        st.none() | st.booleans(),
    ),
    last_checkin=st.none() | moments,
    last_update=st.none() | moments,
    always_enabled=st.booleans(),
)
common: dict[str, Any] = {"machine": text, "display_name": text, "at": moments}
of_user: dict[str, Any] = {
    "at": moments,
    "user": persons,
    "source": st.sampled_from(Source),
    "by": maybe_text,
    "reason": maybe_text,
    "confirmed": st.booleans(),
}
outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(
        o.SessionStarted,
        user=persons,
        session=st.sampled_from(SessionKind),
        second=st.sampled_from(SecondDecision),
        fob=text,
        **common,
    ),
    st.builds(o.SessionRefused, refusal=st.sampled_from(Refusal), user=st.none() | persons, fob=text, **common),
    st.builds(o.CardSeen, user=st.none() | persons, fob=text, **common),
    st.builds(o.SessionEnded, ended=endings, **common),
    st.builds(o.Rebooted, ended=st.none() | endings, card_blocked=st.booleans(), **common),
    st.builds(o.LockPending, flag=flags, user=persons, **common),
    st.builds(
        o.PendingCleared,
        oops=st.none(),
        lock=st.none(),
        pending=flags,
        source=st.sampled_from(Source),
        by=maybe_text,
        reason=maybe_text,
        still_oopsed=st.booleans(),
        still_locked=st.just(value=False),
        power_on=st.just(value=False),
        **common,
    ),
    st.builds(o.OopsSet, flag=flags, ended=st.none() | endings, **common),
    st.builds(o.DetailsAdded, details=details, **common),
    st.builds(o.LockSet, flag=flags, ended=st.none() | endings, **common),
    st.builds(
        o.Cleared,
        oops=st.none() | flags,
        lock=flags,
        pending=st.none() | flags,
        source=st.sampled_from(Source),
        by=maybe_text,
        reason=maybe_text,
        still_oopsed=st.booleans(),
        still_locked=st.booleans(),
        power_on=st.booleans(),
        **common,
    ),
    st.builds(o.PowerChanged, on=st.booleans(), **common),
    st.builds(o.Reported, text=st.text(), by=maybe_text, **common),
    st.builds(o.UserAdded, **of_user),
    st.builds(o.FobGiven, fob=text, **of_user),
    st.builds(o.FobTaken, fob=text, **of_user),
    st.builds(o.AuthorizationGranted, authorization=text, until=st.none() | st.dates(), **of_user),
    st.builds(o.AuthorizationWithdrawn, authorization=text, until=st.none() | st.dates(), **of_user),
)


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    """A store, on either engine."""
    with closing(place.open(Store)) as opened:
        yield opened


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[Store]:
    """A store of SQLite."""
    with closing(Store.open(tmp_path)) as opened:
        yield opened


def oopsed(machine: str = "m", minutes: int = 0, reason: str | None = None) -> o.OopsSet:
    """Return an outcome."""
    at = NOW + timedelta(minutes=minutes)
    return o.OopsSet(
        machine=machine, display_name=machine.upper(), at=at, flag=Flag(at, Source.HTTP, "me", reason), ended=None
    )


def powered(machine: str = "m", minutes: int = 0) -> o.PowerChanged:
    """Return an outcome of another kind."""
    return o.PowerChanged(machine=machine, display_name=machine, at=NOW + timedelta(minutes=minutes), on=True)


def row(outcome: Outcome, *notices: Notice) -> Record:
    """Return a record of one outcome."""
    return Record(rows=((codec.journal_row(outcome), notices),))


# there and back


@given(states)
def test_every_state_comes_back_as_it_was(state: MachineState) -> None:
    assert codec.load_state(codec.dump_state(state)) == state


@given(outcomes)
def test_every_outcome_comes_back_as_it_was(outcome: Outcome) -> None:
    assert codec.load_outcome(kind(outcome), codec.dump_outcome(outcome)) == outcome


@pytest.fixture(scope="module")
def memory() -> Iterator[Store]:
    """A store in memory, for all examples."""
    with closing(Store.open(None)) as store:
        yield store


@given(outcomes, states)
def test_what_was_committed_is_what_is_read(memory: Store, outcome: Outcome, state: MachineState) -> None:
    before = [entry.id for entry in memory.page(limit=1).entries]
    memory.commit([Record(record_state("m", state), ((codec.journal_row(outcome), ()),))])
    assert memory.load_states() == {"m": state}
    assert memory.load_state("m") == state
    [entry] = memory.page(limit=1).entries
    assert (entry.outcome, [entry.id - 1]) == (outcome, before or [0])


def test_every_kind_of_outcome_can_be_read() -> None:
    assert set(codec._ADAPTERS) == {TYPES[kind_] for kind_ in KINDS}


def test_every_value_of_every_enumeration_is_stored_as_the_word_of_the_contract() -> None:
    for enumeration in (Source, SessionKind, SecondDecision, Refusal, EndReason):
        assert all(member.value == member.value.lower() for member in enumeration)
    text_ = codec.dump_state(MachineState(NOW, oops=Flag(NOW, Source.BUTTON)))
    assert '"source":"button"' in text_
    assert "2026-11-24T18:00:00.123456Z" in text_


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogate"):
        codec.dump_state(MachineState(NOW, lock=Flag(NOW, Source.REPL, "\ud800")))


def test_what_could_not_be_read_again_is_refused() -> None:
    bad: Any = 5
    with pytest.raises(ValueError, match="Expected `str`"):
        codec.dump_state(MachineState(NOW, lock=Flag(NOW, Source.REPL, bad)))
    with pytest.raises(ValueError, match="Expected `str`"):
        codec.dump_outcome(oopsed(reason=bad))
    author = Author(NOW, Source.REPL)
    with pytest.raises(ValueError, match="Expected `date`"):
        codec.addition_row(Addition(1, "1", Kind.AUTHORIZATION, author, "mill", until=NOW))


@pytest.mark.parametrize("stored", ["", "null", "[]", '{"kind": "from_2031"}', '{"kind": "authorization", "until": 5}'])
def test_an_addition_that_can_not_be_read_closes_its_account_and_the_others_are_read(
    store: Store, place: Place, stored: str
) -> None:
    author = Author(NOW, Source.REPL, "me")
    good, bad = (Addition(n, str(n), Kind.AUTHORIZATION, author, "mill", given=False) for n in (1, 2))
    store.commit([Record(put=(codec.addition_row(good), codec.addition_row(bad)))])
    place.change("UPDATE addition SET data = ? WHERE id = 2", stored)
    for found in (store.load_additions(), store.load_additions(everything=True)):
        assert found[0] == good
        assert (found[1].id, found[1].account_id, found[1].kind) == (2, "2", Kind.UNREADABLE)
        assert (found[1].counts, found[1].given) == (True, False)


def test_times_are_stored_so_that_their_order_is_that_of_the_text() -> None:
    moments_ = [NOW.replace(microsecond=0), NOW, NOW + timedelta(microseconds=1), NOW + timedelta(days=400)]
    stamps = [codec.timestamp(moment) for moment in moments_]
    assert stamps == sorted(stamps)
    assert len({len(stamp) for stamp in stamps}) == 1


def test_states_come_back_after_a_restart(place: Place) -> None:
    state = MachineState(NOW, oops=Flag(NOW, Source.CLI, "me", "Größe \U0001f986"))
    with closing(place.open(Store)) as store:
        assert store.load_states() == {}
        assert store.load_state("m") is None
        store.commit([Record(record_state("m", MachineState(NOW))), Record(record_state("m", state))])
    with closing(place.open(Store)) as store:
        assert store.load_states() == {"m": state}


def test_ids_go_on_after_a_restart(place: Place) -> None:
    notice = Notice(Channel.CONTROL, "hello")
    for _ in range(3):
        with closing(place.open(Store)) as store:
            store.commit([row(oopsed(), notice, notice)])
    with closing(place.open(Store)) as store:
        assert [entry.id for entry in store.page().entries] == [3, 2, 1]
        assert [waiting.id for waiting in store.waiting(Channel.CONTROL)] == [1, 2, 3, 4, 5, 6]


# what can't be read


@pytest.mark.parametrize(
    "stored", ["", "garbage", "{}", "null", "5", "[]", '{"status_since": "yesterday"}', "\x00\x01"]
)
def test_a_state_that_can_not_be_read_says_so_and_the_others_are_read(store: Store, place: Place, stored: str) -> None:
    state = MachineState(NOW)
    store.commit([Record(record_state("good", state)), Record(record_state("bad", state))])
    if "\x00" in stored and isinstance(place.where, str):
        stored = "\x01"  # PostgreSQL has no text with the other one
    place.change("UPDATE machine_state SET state = ? WHERE name = 'bad'", stored)
    states_ = store.load_states()
    assert states_["good"] == state
    for bad in (states_["bad"], store.load_state("bad")):
        assert isinstance(bad, Unreadable)
        assert bad.why
        assert "\n" not in bad.why


@pytest.mark.parametrize("value", [b"\xff\xfe", 5, 1.5], ids=repr)
def test_a_state_that_is_no_text_is_unreadable_too(on_disk: Store, tmp_path: Path, value: object) -> None:
    on_disk.commit([Record(record_state("good", MachineState(NOW))), Record(record_state("bad", MachineState(NOW)))])
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("UPDATE machine_state SET state = ? WHERE name = 'bad'", (value,))
    states_ = on_disk.load_states()
    assert states_["good"] == MachineState(NOW)
    assert isinstance(states_["bad"], Unreadable)


def test_a_state_with_bytes_that_are_not_utf_8_is_a_named_error_or_unreadable(on_disk: Store, tmp_path: Path) -> None:
    on_disk.commit([Record(record_state("bad", MachineState(NOW)))])
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("UPDATE machine_state SET state = CAST(x'fffe7b7d' AS TEXT) WHERE name = 'bad'")
    try:
        assert isinstance(on_disk.load_states()["bad"], Unreadable)
    except StorageError as error:
        assert str(error).startswith("cannot read")


def test_a_journal_row_that_can_not_be_read_does_not_hide_the_others(store: Store, place: Place) -> None:
    store.commit([row(oopsed(reason="first")), row(oopsed(reason="second"))])
    for number, kind_ in ((7, "oops_set"), (8, "from_2031")):
        place.change("INSERT INTO journal (id, at, machine, kind, data) VALUES (?, 'x', 'm', ?, '{}')", number, kind_)
    entries = store.page().entries
    assert [entry.id for entry in entries if entry.id < 7] == [2, 1]


# pages


@pytest.fixture(scope="module")
def pages() -> Iterator[Store]:
    """A store with 40 lines: two machines in turn, two kinds in turn of two, one a minute."""
    with closing(Store.open(None)) as store:
        for number in range(40):
            make = oopsed if number % 4 < 2 else powered
            store.commit([row(make(("a", "b")[number % 2], number))])
        yield store


@pytest.mark.parametrize("machine", [None, "a", "b", "nobody"])
@pytest.mark.parametrize("kind_", [None, "oops_set", "power_on", "rebooted"])
@pytest.mark.parametrize("since", [None, -5, 17, 500])
@pytest.mark.parametrize("limit", [1, 3, 100])
def test_pages_with_every_filter_follow_each_other(
    pages: Store, machine: str | None, kind_: str | None, since: int | None, limit: int
) -> None:
    start = None if since is None else NOW + timedelta(minutes=since)
    everything = [entry.outcome for entry in pages.page(limit=1000).entries]
    expected = [
        outcome
        for outcome in everything
        if (machine is None or outcome.machine == machine)
        and (kind_ is None or kind(outcome) == kind_)
        and (start is None or outcome.at >= start)
    ]
    got: list[Outcome] = []
    before = None
    while True:
        page = pages.page(machine=machine, kind=kind_, since=start, before=before, limit=limit)
        assert len(page.entries) <= limit
        got += [entry.outcome for entry in page.entries]
        before = page.next
        if before is None:
            break
        assert len(page.entries) == limit
    assert got == expected


def test_a_page_is_not_moved_by_what_is_written_meanwhile(store: Store) -> None:
    store.commit([row(oopsed("a", number)) for number in range(40)])
    first = store.page(limit=10)
    store.commit([row(oopsed("a", 99))])
    second = store.page(limit=10, before=first.next)
    assert [entry.id for entry in (*first.entries, *second.entries)] == list(range(40, 20, -1))


HOUR_AGO, LONG_AGO = NOW - timedelta(hours=1), NOW - timedelta(days=3650)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"machine": "m3"},
        {"kind": "rebooted"},
        {"since": HOUR_AGO},
        {"since": HOUR_AGO, "machine": "m3"},
        {"since": HOUR_AGO, "kind": "rebooted"},
        {"since": HOUR_AGO, "kind": "rebooted", "machine": "m3"},
        {"since": HOUR_AGO, "kind": "rebooted", "machine": "nobody"},
        {"since": HOUR_AGO, "before": 5},
        {"since": LONG_AGO},
        {"since": LONG_AGO, "machine": "m3"},
        {"since": NOW + timedelta(days=1)},
    ],
    ids=lambda asked: " ".join(asked) or "newest",
)
def test_a_page_reads_no_more_of_a_longer_journal(asked: dict[str, Any]) -> None:
    short, long = (_steps_of_page(lines, asked) for lines in (2_500, 25_000))
    assert long <= short * 1.05 + 20


def _steps_of_page(lines: int, asked: dict[str, Any]) -> int:
    """Return how many steps SQLite takes to read a page of a journal with a line a minute."""
    with closing(Store.open(None)) as store:
        assert isinstance(store.database, SqliteDatabase)
        raw = store.database.engine.raw_connection().driver_connection
        assert isinstance(raw, sqlite3.Connection)
        outcome = codec.journal_row(powered("m"))
        rows = [
            outcome
            | {"at": codec.timestamp(NOW - timedelta(minutes=lines - n)), "machine": f"m{n % 10}", "kind": kind_}
            for n, kind_ in zip(range(lines), cycle(["rebooted", "power_on", "oops_set"]), strict=False)
        ]
        columns = "at, machine, kind, account_id, seconds, data"
        names = ", ".join(f":{column}" for column in columns.split(", "))
        raw.executemany(f"INSERT INTO journal ({columns}) VALUES ({names})", rows)
        steps = count()
        raw.set_progress_handler(lambda: next(steps) < 0, 1)
        store.page(**asked, limit=20)
        raw.set_progress_handler(None, 0)
        return next(steps)


# the outbox


def test_notices_wait_in_order_until_they_are_sent(store: Store) -> None:
    control, oops = Notice(Channel.CONTROL, "one"), Notice(Channel.OOPS, "two")
    assert store.count_waiting() == (0, None)
    store.commit([row(oopsed(), control, oops), Record(notices=((NOW, Notice(Channel.CONTROL, "three")),))])
    first, third = store.waiting(Channel.CONTROL)
    [second] = store.waiting(Channel.OOPS)
    assert [(w.text, w.channel, w.at) for w in (first, second, third)] == [
        ("one", "control", NOW),
        ("two", "oops", NOW),
        ("three", "control", NOW),
    ]
    assert first.id < second.id < third.id
    assert store.count_waiting() == (3, NOW)
    assert store.waiting(Channel.CONTROL, limit=1) == [first]
    assert store.waiting(Channel.CONTROL, after=first.id) == [third]
    store.commit([Record(sent=(first.id,)), Record(sent=(third.id, 12345))])
    assert store.waiting(Channel.CONTROL) == []
    assert store.waiting(Channel.OOPS) == [second]
    store.commit([Record(sent=(second.id,))])
    assert store.count_waiting() == (0, None)


def test_what_waits_is_counted_by_channel(store: Store) -> None:
    assert store.waiting_by_channel() == {}
    later = NOW + timedelta(seconds=5)
    store.commit([row(oopsed(), Notice(Channel.CONTROL, "one"), Notice(Channel.OOPS, "two"))])
    store.commit([Record(notices=((later, Notice(Channel.CONTROL, "three")),))])
    assert store.waiting_by_channel() == {Channel.CONTROL: (2, NOW), Channel.OOPS: (1, NOW)}
    store.commit([Record(sent=(1, 2))])
    assert store.waiting_by_channel() == {Channel.CONTROL: (1, later)}


def test_an_id_of_the_outbox_is_not_used_again_while_the_store_is_open(store: Store) -> None:
    notice = Record(notices=((NOW, Notice(Channel.CONTROL, "hello")),))
    ids = []
    for _ in range(3):
        store.commit([notice])
        [waiting] = store.waiting(Channel.CONTROL)
        ids.append(waiting.id)
        store.commit([Record(sent=(waiting.id,))])
    assert ids == [1, 2, 3]


# all or nothing


def _all_or_nothing(store: Store) -> None:
    state = record_state("m", MachineState(NOW))
    bad = Record(rows=(({**codec.journal_row(oopsed()), "kind": None}, ()),))
    notice = Record(notices=((NOW, Notice(Channel.CONTROL, "hello")),))
    with pytest.raises(StorageError, match="cannot write"):
        store.commit([Record(state), row(oopsed()), notice, bad])
    assert store.load_states() == {}
    assert store.page().entries == ()
    assert store.waiting(Channel.CONTROL) == []
    store.commit([Record(state), row(oopsed()), notice])
    assert set(store.load_states()) == {"m"}
    assert [entry.id for entry in store.page().entries] == [1]
    assert [waiting.id for waiting in store.waiting(Channel.CONTROL)] == [1]


def test_a_batch_is_written_whole_or_not_at_all(store: Store) -> None:
    _all_or_nothing(store)


def test_a_batch_is_written_whole_or_not_at_all_in_memory() -> None:
    with closing(Store.open(None)) as store:
        _all_or_nothing(store)


def test_the_last_state_of_a_batch_counts(store: Store) -> None:
    first, second = MachineState(NOW), MachineState(NOW, lock=Flag(NOW, Source.HTTP))
    store.commit([Record(record_state("m", second)), Record(record_state("m", first))])
    assert store.load_state("m") == first


def test_an_empty_batch_is_fine(store: Store) -> None:
    store.commit([])
    store.commit([Record()])
    assert store.load_states() == {}


def test_a_commit_is_seen_by_another_process_at_once(on_disk: Store, tmp_path: Path) -> None:
    on_disk.commit([Record(record_state("m", MachineState(NOW)))])
    code = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT name FROM machine_state'))"
    command = [sys.executable, "-c", code, str(tmp_path / DATABASE)]
    shown = subprocess.run(command, check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "('m',)"


def test_commits_are_synchronous_and_readers_do_not_wait(on_disk: Store, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert isinstance(on_disk.database, SqliteDatabase)
    with on_disk.database.writer._writing() as cursor:
        cursor.execute("PRAGMA synchronous")
        assert cursor.fetchone() == (2,)
        assert on_disk.page().entries == ()


def test_a_foreign_lock_on_the_database_is_a_storage_error_and_passes(tmp_path: Path) -> None:
    with closing(Store.open(tmp_path)) as store:
        store.database.engine.dispose()
        blocker = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
        try:
            blocker.execute("BEGIN EXCLUSIVE")
            with store.database.engine.connect() as connection:
                connection.connection.driver_connection.execute("PRAGMA busy_timeout=10")  # type: ignore[union-attr]
            with pytest.raises(StorageError, match="locked"):
                store.commit([row(oopsed())])
        finally:
            blocker.close()
        store.commit([row(oopsed())])
        assert [entry.id for entry in store.page().entries] == [1]


def test_many_readers_read_while_the_writer_writes(store: Store) -> None:
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                ids = [entry.id for entry in store.page(limit=1000).entries]
                assert ids == list(range(len(ids), 0, -1))
                assert len(ids) % 2 == 0
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(60):
        store.commit([row(oopsed()), row(powered())])
    done.set()
    for thread in threads:
        thread.join(20)
    assert failures == []


# opening


def test_migrations_run_once_in_their_order() -> None:
    engine = create_engine("sqlite://")
    try:
        assert migrate(engine) == list(MIGRATIONS)
        assert migrate(engine) == []
        assert list(MIGRATIONS) == sorted(MIGRATIONS)
    finally:
        engine.dispose()


def test_the_migrations_end_at_the_schema() -> None:
    migrated, declared = create_engine("sqlite://"), create_engine("sqlite://")
    try:
        migrate(migrated)
        metadata.create_all(declared)
        one, two = inspect(migrated), inspect(declared)
        assert sorted(one.get_table_names()) == sorted(two.get_table_names())
        for table in one.get_table_names():
            assert [(c["name"], str(c["type"]), c["nullable"]) for c in one.get_columns(table)] == [
                (c["name"], str(c["type"]), c["nullable"]) for c in two.get_columns(table)
            ]
            assert (
                one.get_pk_constraint(table)["constrained_columns"]
                == two.get_pk_constraint(table)["constrained_columns"]
            )
            assert sorted((i["name"] or "", i["column_names"]) for i in one.get_indexes(table)) == sorted(
                (i["name"] or "", i["column_names"]) for i in two.get_indexes(table)
            )
    finally:
        migrated.dispose()
        declared.dispose()


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy import Connection

    def fail(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE half (x TEXT)")
        connection.exec_driver_sql("nonsense")

    Store.open(tmp_path).close()
    monkeypatch.setitem(MIGRATIONS, "9998_fails", fail)
    with pytest.raises(StorageError):
        Store.open(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master")]
        applied = [name for (name,) in connection.execute("SELECT name FROM migration")]
    assert "half" not in tables
    monkeypatch.undo()
    assert applied == list(MIGRATIONS)
    Store.open(tmp_path).close()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    Store.open(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("INSERT INTO migration VALUES ('9999_future', '2031-01-01')")
    for _ in range(2):
        with pytest.raises(StorageError, match="9999_future"):
            Store.open(tmp_path)


@pytest.mark.parametrize("garbage", [b"nonsense" * 500, b"\x00" * 4096, b"SQLite format 3\x00" + b"\xff" * 4000])
def test_a_database_that_is_none_is_a_storage_error(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / DATABASE).write_bytes(garbage)
    for _ in range(2):
        with pytest.raises(StorageError):
            Store.open(tmp_path)
    assert (tmp_path / DATABASE).read_bytes() == garbage, "it is kept for whoever mends it"


def test_a_damaged_database_is_a_storage_error_when_it_is_read(tmp_path: Path) -> None:
    with closing(Store.open(tmp_path)) as store:
        for number in range(200):
            store.commit([row(oopsed(reason="x" * 500, minutes=number))])
    path = tmp_path / DATABASE
    content = bytearray(path.read_bytes())
    content[4096 * 9 :] = b"\xa5" * (len(content) - 4096 * 9)
    path.write_bytes(content)
    with pytest.raises(StorageError):
        store = Store.open(tmp_path)
        with closing(store):
            store.page(limit=1000)
            store.load_states()


def test_the_directory_is_made(tmp_path: Path) -> None:
    Store.open(tmp_path / "a" / "b").close()
    assert (tmp_path / "a" / "b" / DATABASE).is_file()


def test_a_directory_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StorageError, match="MACHINE_STATE_DIR"):
            Store.open(path)


def test_a_database_that_is_a_directory_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / DATABASE).mkdir()
    with pytest.raises(StorageError):
        Store.open(tmp_path)


def test_a_path_in_which_url_characters_stand_works(tmp_path: Path) -> None:
    directory = tmp_path / "a b?c#d%20é"
    Store.open(directory).close()
    assert (directory / DATABASE).is_file()


def test_a_store_in_memory_is_gone_with_it() -> None:
    with closing(Store.open(None)) as store:
        store.commit([row(oopsed())])
    with closing(Store.open(None)) as store:
        assert store.page().entries == ()


# one owner

OTHER = """
import sys
from pathlib import Path
from mac_actors.errors import StorageError
from mac_actors.storage.store import Store
try:
    store = Store.open(Path(sys.argv[1]))
except StorageError as error:
    print(error)
    sys.exit(3)
print("open", flush=True)
sys.stdin.read()
store.close()
"""


def test_a_second_process_is_refused_with_the_pid_of_the_first(on_disk: Store, tmp_path: Path) -> None:
    other = subprocess.run(
        [sys.executable, "-c", OTHER, str(tmp_path)], input="", capture_output=True, text=True, check=False
    )
    assert other.returncode == 3, other
    assert f"in use by process {os.getpid()}" in other.stdout
    on_disk.commit([row(oopsed())])


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OTHER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as first:
        assert first.stdout
        assert first.stdout.readline() == "open\n"
        with pytest.raises(StorageError, match=f"process {first.pid}"):
            Store.open(tmp_path)
        first.kill()
        first.wait(20)
        Store.open(tmp_path).close()


def test_a_second_store_in_the_same_process_is_refused_too(on_disk: Store, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="in use"):
        Store.open(tmp_path)
    on_disk.commit([row(oopsed())])


def test_a_failed_opening_lets_the_directory_go(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"nonsense" * 500)
    with pytest.raises(StorageError):
        Store.open(tmp_path)
    (tmp_path / DATABASE).unlink()
    Store.open(tmp_path).close()


def test_every_outcome_of_the_core_is_tried_here() -> None:
    """A new outcome must be added to the strategy above."""
    made = {TYPES[kind_].__name__ for kind_ in KINDS}
    kinds = (*o.MachineOutcome.__subclasses__(), *o.Cleared.__subclasses__(), *o.UserChanged.__subclasses__())
    assert made == {outcome.__name__ for outcome in kinds if outcome.__module__ == Outcome.__module__}
