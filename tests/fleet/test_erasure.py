"""Retention and ``forget``: names leave the journal and the files, counts stay, ``verify`` finds nothing wrong."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import is_dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from mac_actors.actors.journal import Journal
from mac_actors.core import outcomes as o
from mac_actors.core.config import Directory
from mac_actors.core.inputs import Clear, Lock, OfflineSession, Oops, Report
from mac_actors.core.notices import Channel, Notice, account, member
from mac_actors.core.outcomes import Outcome, Person
from mac_actors.core.state import MachineState, Refusal, SecondDecision, SessionKind, Source, Telemetry
from mac_actors.core.wording import full_text
from mac_actors.errors import StorageError, UnknownPerson
from mac_actors.fleet import erasure, retention
from mac_actors.fleet.erasure import Candidate
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.storage import codec, redaction
from mac_actors.storage.outbox import direct_messages
from mac_actors.storage.records import Record, SlackLink, record_state
from mac_actors.storage.redaction import Progress
from mac_actors.storage.schema import metadata
from mac_actors.storage.slack_users import all_links
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.store import Store
from mac_actors.storage.upkeep.backup import backup
from mac_actors.storage.upkeep.verify import verify
from tests.fakes import ANN, BOB, RecordingChat, RefusingStore, open_fleet, report, wait_until, written
from tests.places import Place
from tests.postgres import Cluster, needs_postgres

NAME = "Ann Able"


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[MachineFleet]:
    with open_fleet(Store.open(tmp_path)) as opened:
        yield opened


def card(fleet: MachineFleet, machine: str, fob: str | None, seconds: float = 0.0) -> None:
    fleet.ask(
        machine, Report(datetime.now(UTC) + timedelta(seconds=seconds), fob, telemetry=Telemetry(1000.0 + seconds))
    )


def visit(fleet: MachineFleet, machine: str, fob: str) -> None:
    card(fleet, machine, fob)
    card(fleet, machine, None)


def forget_ann(fleet: MachineFleet, called: str = NAME) -> erasure.Forgotten:
    directory = fleet.configuration.directory
    return erasure.carry_out(erasure.find(called, directory, fleet.journal), directory, fleet.journal)


def texts(fleet: MachineFleet, machine: str | None = None) -> list[str]:
    return [full_text(entry.outcome) for entry in fleet.store.page(machine=machine, limit=1000).entries]


def in_files(directory: Path, *needles: str) -> list[str]:
    """Which of the needles are anywhere in the database's files, whether SQLite would still find them or not."""
    content = b"".join(path.read_bytes() for path in sorted(directory.glob(f"{DATABASE}*")))
    return [needle for needle in needles if needle.encode() in content]


def problems(directory: Path) -> list[str]:
    found: list[str] = []
    verify(directory, found.append)
    return found


# one person


def test_a_person_is_in_no_file_afterwards_and_nothing_else_is_lost(fleet: MachineFleet, tmp_path: Path) -> None:
    for _ in range(3):
        visit(fleet, "metal-mill", ANN)
        visit(fleet, "laser", BOB)
    fleet.ask("laser", Oops(datetime.now(UTC), Source.SLACK, NAME, "ann able smelled smoke"))
    fleet.ask("laser", Clear(datetime.now(UTC), Source.CLI, "Bob Baker"))
    written(fleet)
    before = texts(fleet)
    assert in_files(tmp_path, NAME, ANN) == [NAME, ANN]

    done = forget_ann(fleet)

    assert (done.who, done.events, done.current, done.emptied) == (Candidate("1", NAME), 8, (), True)
    assert done.configured, "the users file still has her"
    assert in_files(tmp_path, NAME, NAME.lower(), ANN) == []
    assert in_files(tmp_path, "Bob Baker", BOB) == ["Bob Baker", BOB]
    assert texts(fleet) == [
        text.replace(", by Ann Able", "").replace(NAME, "someone").replace("ann able", "someone") for text in before
    ]
    assert problems(tmp_path) == []


@needs_postgres
def test_on_postgresql_a_person_is_in_no_row_afterwards_and_no_former_row_is_left(
    cluster: Cluster, database: str
) -> None:
    with open_fleet(Place(database).open(Store)) as fleet:
        visit(fleet, "metal-mill", ANN)
        visit(fleet, "laser", BOB)
        fleet.ask("laser", Oops(datetime.now(UTC), Source.SLACK, NAME, "ann able smelled smoke"))
        written(fleet)
        done = forget_ann(fleet)
        assert (done.events, len(done.current), done.emptied) == (2, 1, True)
        fleet.ask("laser", Clear(datetime.now(UTC), Source.CLI, "Bob Baker"))
        written(fleet)
        assert forget_ann(fleet).current == ()
        assert [text for text in texts(fleet) if NAME.lower() in text.lower()] == []
    with closing(cluster.admin(database.partition("@/")[2].partition("?")[0])) as admin:
        admin.execute("CREATE EXTENSION pgstattuple")
        try:
            for table in metadata.tables:
                rows = admin.execute(f"SELECT x::text FROM {table} AS x".encode()).fetchall()
                assert [row for (row,) in rows if NAME in row or ANN in row] == []
            [(dead,)] = admin.execute("SELECT dead_tuple_count FROM pgstattuple('journal')").fetchall()
            assert dead == 0
        finally:
            admin.execute("DROP EXTENSION pgstattuple")


@needs_postgres
def test_on_postgresql_former_rows_stay_while_somebody_reads_who_may_see_them(database: str) -> None:
    with closing(Place(database).open(Store)) as store, closing(Store.open(database)) as other:
        wait_until(store.empty_log)
        with other.reading("look") as connection:
            connection.exec_driver_sql("SELECT count(*) FROM journal")
            assert not store.empty_log()
        wait_until(store.empty_log)


def test_a_line_keeps_its_length_on_disk(fleet: MachineFleet) -> None:
    visit(fleet, "metal-mill", ANN)
    written(fleet)
    size = "SELECT id, length(CAST(data AS BLOB)) + length(coalesce(account_id, '')) FROM journal"
    with fleet.store.reading("look") as connection:
        before = connection.exec_driver_sql(size).all()
    forget_ann(fleet)
    with fleet.store.reading("look") as connection:
        assert connection.exec_driver_sql(size).all() == before


@pytest.mark.parametrize("fob", [ANN, f"0000{ANN}"])
def test_fobs_from_before_they_were_known_go_too_as_earlier_versions_wrote_them(tmp_path: Path, fob: str) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        row = codec.journal_row(
            o.SessionRefused(
                refusal=Refusal.UNKNOWN, user=None, fob=fob, machine="laser", display_name="L", at=datetime.now(UTC)
            )
        )
        fleet.journal.record(Record(rows=((row, ()),)))
        written(fleet)
        assert forget_ann(fleet, "1").events == 1
        assert in_files(tmp_path, ANN) == []


def test_what_is_so_now_is_left_and_told_and_done_when_it_is_over(fleet: MachineFleet, tmp_path: Path) -> None:
    card(fleet, "metal-mill", ANN)
    fleet.ask("laser", Lock(datetime.now(UTC), Source.SLACK, NAME, "lens"))
    written(fleet)
    done = forget_ann(fleet)
    assert (done.events, len(done.current)) == (0, 2)
    assert problems(tmp_path) == []
    card(fleet, "metal-mill", None)
    fleet.ask("laser", Clear(datetime.now(UTC), Source.CLI))
    written(fleet)
    done = forget_ann(fleet)
    assert (done.events, done.current) == (4, ())
    assert in_files(tmp_path, NAME, ANN) == []
    assert problems(tmp_path) == []


def test_notices_that_wait_for_the_chat_lose_the_name(fleet: MachineFleet, tmp_path: Path) -> None:
    text = f"Metal Mill: {NAME} logged in."
    fleet.journal.record(Record(notices=((datetime.now(UTC), Notice(Channel.CONTROL, text)),)))
    written(fleet)
    assert forget_ann(fleet).notices == 1
    assert [one.text for one in fleet.store.waiting(Channel.CONTROL)] == ["Metal Mill: someone logged in."]
    assert in_files(tmp_path, NAME) == []


def alone(fleet: MachineFleet, ended: datetime) -> None:
    """Have the reader of the mill tell of a session of Ann's without the server, of 300 s."""
    said = Telemetry(700.0, firmware="mac-reader 1.2", boot=7, count=1)
    fleet.ask("metal-mill", Report(ended, None, telemetry=said, offline=(OfflineSession(1, ANN, 400.0, 700.0),)))
    written(fleet)


def test_a_session_without_the_server_is_forgotten_and_copied_as_any_other(fleet: MachineFleet, tmp_path: Path) -> None:
    alone(fleet, datetime.now(UTC))
    (before,) = (text for text in texts(fleet) if "offline session" in text)
    assert problems(tmp_path) == []
    (tmp_path / "copy").mkdir()
    backup(tmp_path, tmp_path / "copy" / DATABASE)
    assert problems(tmp_path / "copy") == []
    assert NAME in in_files(tmp_path / "copy", NAME)
    assert forget_ann(fleet).events == 1
    assert [text for text in texts(fleet) if "offline session" in text] == [before.replace(NAME, "someone")]
    assert in_files(tmp_path, NAME) == problems(tmp_path) == []


def test_a_session_without_the_server_loses_its_name_when_it_is_old(tmp_path: Path) -> None:
    with open_fleet(Store.open(tmp_path)) as fleet:
        alone(fleet, datetime.now(UTC) - timedelta(days=31))
        assert in_files(tmp_path, NAME) == [NAME]
    with open_fleet(Store.open(tmp_path), retention_days=30) as fleet:
        wait_until(lambda: any("someone's offline session ended after 5 min" in text for text in texts(fleet)))
        assert problems(tmp_path) == []


def test_direct_messages_to_them_that_wait_are_dropped(fleet: MachineFleet, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    fleet.journal.record(Record(links=(SlackLink("U0ANN", "1", "e-mail", now),)))
    for address in (account("1"), member("U0ANN"), account("11"), member("U0BOB")):
        fleet.journal.record(Record(notices=((now, Notice(address, "The mill is free.")),)))
    written(fleet)
    assert forget_ann(fleet).notices == 2
    assert [one.channel for one in direct_messages(fleet.store, 0, 10)] == [account("11"), member("U0BOB")]
    assert in_files(tmp_path, "direct:@1The", "U0ANN") == []


def test_notices_that_were_sent_leave_no_copy(fleet: MachineFleet, tmp_path: Path) -> None:
    for number in range(300):
        notice = Notice(Channel.CONTROL, f"{NAME} {'x' * (number * 7 % 200)}")
        fleet.journal.record(Record(notices=((datetime.now(UTC), notice),)))
    written(fleet)
    for number in range(300):
        if number % 7:
            fleet.journal.record(Record(sent=(number + 1,)))
    written(fleet)
    assert forget_ann(fleet).notices == 43
    assert in_files(tmp_path, NAME) == []


@pytest.mark.parametrize("called", ["1", "ANN@example.org", "  ann   ABLE "])
def test_a_person_is_found_by_id_mail_and_name(fleet: MachineFleet, called: str) -> None:
    assert erasure.find(called, fleet.configuration.directory, fleet.journal) == Candidate("1", NAME)


def test_somebody_who_left_the_users_file_is_found_in_the_journal(fleet: MachineFleet) -> None:
    visit(fleet, "metal-mill", ANN)
    written(fleet)
    found = erasure.find(NAME, Directory(), fleet.journal)
    done = erasure.carry_out(found, Directory(), fleet.journal)
    assert (done.who, done.events, done.configured) == (Candidate("1", NAME), 2, False)


def test_somebody_who_only_gave_orders_is_forgotten_by_name(fleet: MachineFleet, tmp_path: Path) -> None:
    fleet.ask("laser", Oops(datetime.now(UTC), Source.SLACK, "Grace Visitor"))
    fleet.ask("laser", Clear(datetime.now(UTC), Source.SLACK, "grace visitor"))
    written(fleet)
    assert forget_ann(fleet, "Grace Visitor").events == 2
    assert in_files(tmp_path, "Grace Visitor", "grace visitor") == []


def filled(type_: Any) -> Any:
    """Make one of these, with Ann's name in every text that is not the configuration's."""
    return type_(**{name: filled_field(name, hint) for name, hint in get_type_hints(type_).items()})


def filled_field(name: str, hint: Any) -> Any:
    if get_origin(hint) is tuple:
        return ()
    kind = next(one for one in (*get_args(hint), hint) if one is not type(None))
    if is_dataclass(kind):
        return filled(kind)
    if issubclass(kind, Enum):
        return next(iter(kind))
    if issubclass(kind, str):
        configured = dict.fromkeys(("machine", "display_name", "second_alias", "what", "authorization"), "of the shop")
        return (configured | {"account_id": "1", "fob": ANN}).get(name, NAME)
    return datetime.now(UTC) if kind is datetime else date(2026, 11, 24) if kind is date else kind(1)


@pytest.mark.parametrize("type_", dict.fromkeys(o.TYPES.values()))
def test_the_name_is_in_no_event_of_any_kind_afterwards(
    fleet: MachineFleet, tmp_path: Path, type_: type[Outcome]
) -> None:
    fleet.journal.record(Record(rows=((codec.journal_row(filled(type_)), ()),)))
    written(fleet)
    forget_ann(fleet)
    assert in_files(tmp_path, NAME, ANN) == []


def test_somebody_who_only_reported_a_problem_is_forgotten_by_name(fleet: MachineFleet, tmp_path: Path) -> None:
    fleet.report_problem("laser", "dull, says Grace Visitor", "Grace Visitor")
    written(fleet)
    assert forget_ann(fleet, "Grace Visitor").events == 1
    assert in_files(tmp_path, "Grace Visitor") == []


def test_of_two_with_one_name_none_is_forgotten(fleet: MachineFleet) -> None:
    visit(fleet, "metal-mill", ANN)
    start = datetime.now(UTC)
    other = o.SessionStarted(
        user=Person("77", NAME), session=SessionKind.AUTHORIZED, second=SecondDecision.NONE, fob="7",
        machine="laser", display_name="L", at=start,
    )  # fmt: skip
    fleet.journal.record(Record(rows=((codec.journal_row(other), ()),)))
    written(fleet)
    with pytest.raises(UnknownPerson, match=r"1 \(Ann Able\), 77 \(Ann Able\): say which by account id") as caught:
        forget_ann(fleet)
    assert caught.value.several
    assert NAME in " ".join(texts(fleet))
    assert forget_ann(fleet, "77").events == 1


@pytest.mark.parametrize(("called", "hint"), [("Ann Abel", "Did you mean 1 \\(Ann Able\\)"), ("", "nobody is called ")])
def test_nobody_is_forgotten_by_a_near_miss(fleet: MachineFleet, called: str, hint: str) -> None:
    with pytest.raises(UnknownPerson, match=hint):
        forget_ann(fleet, called)


def test_a_disk_that_refuses_is_told_and_the_rest_is_done_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "WRITE_SECONDS", 0.05)
    store = RefusingStore.open(tmp_path)
    assert isinstance(store, RefusingStore)
    with open_fleet(store) as fleet:
        visit(fleet, "metal-mill", ANN)
        written(fleet)
        store.refuse()
        with pytest.raises(StorageError, match="try again"):
            forget_ann(fleet)
        store.mend()
        written(fleet)
        monkeypatch.undo()
        forget_ann(fleet)
        assert in_files(tmp_path, NAME) == []


def test_a_reader_of_the_database_keeps_the_log_from_being_emptied_and_that_is_told(
    fleet: MachineFleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "LOG_SECONDS", 0.05)
    visit(fleet, "metal-mill", ANN)
    written(fleet)
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM journal").fetchone()
        assert not forget_ann(fleet).emptied
    assert forget_ann(fleet).emptied
    assert in_files(tmp_path, NAME) == []


# by age


def old_visits(store: Store, count: int, age: timedelta, machine: str = "metal-mill") -> None:
    """Write visits of Ann, a minute each, the last of them that old."""
    end = datetime.now(UTC) - age
    for number in range(count, 0, -1):
        at = end - timedelta(minutes=2 * number)
        common: dict[str, Any] = {"machine": machine, "display_name": "Metal Mill"}
        ended = o.Ended(Person("1", NAME), SessionKind.AUTHORIZED, at, 60.0, o.EndReason.CARD_REMOVED)
        lines: list[Outcome] = [
            o.SessionStarted(user=ended.user, session=ended.kind, second=SecondDecision.NONE, fob=ANN, at=at, **common),
            o.SessionEnded(ended=ended, at=at + timedelta(minutes=1), **common),
        ]
        store.commit(
            [Record(record_state(machine, MachineState(at)), tuple((codec.journal_row(x), ()) for x in lines))]
        )


def test_retention_removes_names_of_old_lines_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "BATCH", 10)
    store = Store.open(tmp_path)
    old_visits(store, 30, timedelta(days=31))
    old_visits(store, 2, timedelta(days=29))
    with open_fleet(store, retention_days=30) as fleet:
        wait_until(lambda: redaction.progress(store).through == 60)
        wait_until(lambda: (tmp_path / f"{DATABASE}-wal").stat().st_size == 0)
        said = texts(fleet, "metal-mill")
        assert [NAME in text for text in said] == [True] * 4 + [False] * 60
        assert said[-2:] == ["Metal Mill: someone's session ended after 1 min.", "Metal Mill: someone logged in."]
        with store.reading("count") as connection:
            counts = connection.exec_driver_sql(
                "SELECT account_id, count(*), sum(seconds) FROM journal WHERE account_id IS NOT NULL GROUP BY 1"
            ).all()
        assert counts == [("", 60, 1800.0), ("1", 4, 120.0)]
        assert problems(tmp_path) == []


def test_names_that_are_all_old_are_in_no_file(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    old_visits(store, 300, timedelta(days=31))
    with open_fleet(store, retention_days=30):
        wait_until(lambda: redaction.progress(store).through == 600)
        wait_until(lambda: (tmp_path / f"{DATABASE}-wal").stat().st_size == 0)
        assert in_files(tmp_path, NAME, ANN) == []


def test_with_a_clock_that_was_wrong_young_lines_are_left_for_later(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    old_visits(store, 2, timedelta(days=-400))  # the clock was a year ahead
    old_visits(store, 2, timedelta(days=40))
    with open_fleet(store, retention_days=30):
        wait_until(lambda: redaction.progress(store) == Progress(8, (1, 2, 3, 4)))


def test_lines_that_are_left_are_never_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "BATCH", 2)
    monkeypatch.setattr(retention, "MOST_LEFT", 3)
    store = Store.open(tmp_path)
    old_visits(store, 4, timedelta(days=-400))
    old_visits(store, 2, timedelta(days=40))
    with open_fleet(store, retention_days=30):
        wait_until(lambda: redaction.progress(store) == Progress(4, (1, 2, 3, 4)))


def test_without_a_limit_nothing_is_removed(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    old_visits(store, 2, timedelta(days=4000))
    with open_fleet(store) as fleet:
        assert not any(thread.name == "fleet-retention" for thread in threading.enumerate())
        written(fleet)
        assert store.note(redaction.NOTE) is None
        assert NAME in texts(fleet, "metal-mill")[0]


def test_an_old_lock_that_is_still_set_is_done_once_it_is_lifted(tmp_path: Path) -> None:
    at = datetime.now(UTC) - timedelta(days=100)
    with open_fleet(Store.open(tmp_path)) as fleet:
        fleet.ask("laser", Lock(at, Source.SLACK, NAME, "lens"))
    with open_fleet(Store.open(tmp_path), retention_days=30) as fleet:
        wait_until(lambda: redaction.progress(fleet.store).left)
        assert texts(fleet, "laser")[-1].endswith("is locked out for maintenance, by Ann Able, from Slack: lens.")
        assert not [problem for problem in problems(tmp_path) if "is earlier than" not in problem]
        fleet.ask("laser", Clear(at + timedelta(minutes=1), Source.SLACK, NAME))
    with open_fleet(Store.open(tmp_path), retention_days=30) as fleet:
        wait_until(lambda: NAME not in " ".join(texts(fleet)))
        assert not [problem for problem in problems(tmp_path) if "is earlier than" not in problem]


def test_retention_goes_on_after_the_disk_was_ill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retention, "AGAIN_SECONDS", 0.0)
    store = Store.open(tmp_path)
    old_visits(store, 2, timedelta(days=40))
    with open_fleet(store) as fleet:
        step = retention.Retention(fleet.journal, 30)
        real = redaction.older

        def fail(*_: object) -> redaction.Batch:
            raise StorageError("disk I/O error")

        monkeypatch.setattr(redaction, "older", fail)
        for _ in range(3):
            step.step()
            written(fleet)
        assert "names in old lines of the journal are removed later: disk I/O error" in caplog.text
        monkeypatch.setattr(redaction, "older", real)
        while NAME in " ".join(texts(fleet)):
            step.step()
            written(fleet)


def test_a_line_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    old_visits(store, 2, timedelta(days=40))
    row = {"at": codec.timestamp(datetime.now(UTC) - timedelta(days=40)), "machine": "laser", "kind": "odd"}
    store.commit([Record(rows=(({**row, "account_id": "1", "seconds": None, "data": "{}"}, ()),))])
    with open_fleet(store, retention_days=30) as fleet:
        wait_until(lambda: redaction.progress(store).through == 5)
        assert NAME not in " ".join(texts(fleet))
        assert forget_ann(fleet).events == 0


def later(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """Have retention see a clock that is ahead."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Later:
            return cls.fromtimestamp(datetime.now(UTC).timestamp() + days * 86_400, tz)

    monkeypatch.setattr(retention, "datetime", Later)


def test_a_clock_that_is_far_beyond_the_last_sign_of_life_removes_nothing_until_somebody_says_that_it_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(monkeypatch, 40 * 365)
    store, chat = Store.open(tmp_path), RecordingChat()
    old_visits(store, 2, timedelta(days=1))
    with open_fleet(store, retention_days=365, chat=chat) as fleet:
        assert "no names are removed" in chat.texts(1)[0]
        assert fleet.retention
        assert fleet.retention.in_doubt
        report(fleet, "metal-mill", ANN)
        written(fleet)
    with open_fleet(Store.open(tmp_path), retention_days=365, chat=chat) as fleet:
        assert sum("no names are removed" in text for text in chat.texts(3)) == 2
        assert fleet.retention
        assert fleet.retention.in_doubt
        assert redaction.progress(fleet.store) == Progress()
        assert NAME in " ".join(texts(fleet))
        fleet.retention.confirm_clock()
        wait_until(lambda: redaction.progress(fleet.store).through >= 4)
        assert not fleet.retention.in_doubt


@pytest.mark.parametrize(("ahead", "removed"), [(0, True), (80, True), (91, False)])
def test_a_run_in_between_is_a_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ahead: float, removed: bool
) -> None:
    store = Store.open(tmp_path)
    old_visits(store, 2, timedelta(days=200))
    store.commit([Record(notes=((redaction.CLOCK_NOTE, codec.timestamp(datetime.now(UTC))),))])
    later(monkeypatch, ahead)
    said: list[str] = []
    journal = Journal(store)
    step = retention.Retention(journal, 30, said.append)
    step.step()
    assert step.in_doubt is bool(said) is not removed
    journal.close()
    store.close()


def test_a_clock_that_was_put_right_is_believed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch, 400)
    store = Store.open(tmp_path)
    old_visits(store, 2, timedelta(days=40))
    monkeypatch.setattr(retention, "AGAIN_SECONDS", 0.0)
    with open_fleet(store, retention_days=30) as fleet:
        assert fleet.retention
        wait_until(lambda: fleet.retention and fleet.retention.in_doubt)
        later(monkeypatch, 0)
        wait_until(lambda: redaction.progress(store).through == 4)


@pytest.mark.parametrize("value", [None, "nonsense", "{}", '{"through": "x", "left": []}', "[]"])
def test_a_note_that_cannot_be_read_begins_anew(value: str | None) -> None:
    assert Progress.load(value) == Progress()


def test_progress_comes_back_as_it_was() -> None:
    assert Progress.load(Progress(7, (3, 5)).dump()) == Progress(7, (3, 5))


def test_retention_forgets_which_slack_user_somebody_was_who_is_no_longer_a_member(fleet: MachineFleet) -> None:
    now = datetime.now(UTC)
    old = now - timedelta(days=31)
    links = (
        SlackLink("U0ANN", "1", "e-mail", old),
        SlackLink("U0GONE", "99", "admin", old),
        SlackLink("U0NEW", "98", "admin", now),
    )
    assert fleet.journal.record(Record(links=links)).wait()
    step = retention.Retention(fleet.journal, 30, accounts=lambda: {"1"})
    step.step()
    written(fleet)
    assert [link.id for link in all_links(fleet.store)] == ["U0ANN", "U0NEW"]
