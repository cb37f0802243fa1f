"""A commit that fails in its last step may be on disk all the same: each change is there once, whichever it was."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.engine.interfaces import DBAPICursor

from mac_actors.core.notices import Channel, Notice, notices
from mac_actors.core.outcomes import OopsSet
from mac_actors.core.state import Flag, Source
from mac_actors.errors import StorageError
from mac_actors.storage.codec import journal_row
from mac_actors.storage.records import Record
from mac_actors.storage.sqlite.database import SqliteDatabase
from mac_actors.storage.sqlite.writer import Writer
from mac_actors.storage.store import Store

T0 = datetime(2026, 11, 24, 18, tzinfo=UTC)


class FailingWriter(Writer):
    """Fails the next commit: after it is in the database (``landed``), or before."""

    fail: str | None = None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[DBAPICursor]:
        fail, self.fail = self.fail, None
        error = sqlite3.OperationalError("disk I/O error")
        with super()._writing() as cursor:
            yield cursor
            if fail == "lost":
                raise error
        if fail == "landed":
            raise error


class FailingStore(Store):
    """A store with such a writer."""

    writer: FailingWriter


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FailingStore]:
    store = FailingStore.open(tmp_path)
    assert isinstance(store.database, SqliteDatabase)
    store.writer = store.database.writer = FailingWriter(store.database.engine, None)
    yield store
    store.close()


def _oops(reason: str) -> Record:
    flag = Flag(T0, Source.HTTP, None, reason)
    outcome = OopsSet(machine="mill", display_name="Mill", at=T0, flag=flag, ended=None)
    return Record(rows=((journal_row(outcome), notices(outcome)),))


def _reasons(store: Store) -> list[str | None]:
    outcomes = [entry.outcome for entry in reversed(store.page(limit=100).entries)]
    return [outcome.flag.reason for outcome in outcomes if isinstance(outcome, OopsSet)]


def _fail(store: FailingStore, how: str, records: list[Record]) -> None:
    store.writer.fail = how
    with pytest.raises(StorageError, match="disk I/O error"):
        store.commit(records)


@pytest.mark.parametrize("how", ["landed", "lost"])
def test_what_is_given_again_is_there_once(store: FailingStore, how: str) -> None:
    first = [_oops("a"), _oops("b")]
    store.commit([_oops("before")])
    _fail(store, how, first)
    store.commit([*first, _oops("c")])
    store.commit([_oops("d")])
    assert _reasons(store) == ["before", "a", "b", "c", "d"]
    texts = [notice.text.rpartition(": ")[2] for notice in store.waiting(Channel.OOPS)]
    assert texts == ["before.", "a.", "b.", "c.", "d."]


@pytest.mark.parametrize("how", ["landed", "lost"])
def test_it_may_be_given_again_one_by_one(store: FailingStore, how: str) -> None:
    records = [_oops("a"), _oops("b"), _oops("c")]
    _fail(store, how, records)
    for record in records:
        store.commit([record])
    store.commit([_oops("d")])
    assert _reasons(store) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("second", ["landed", "lost"])
@pytest.mark.parametrize("first", ["landed", "lost"])
def test_it_may_fail_twice(store: FailingStore, first: str, second: str) -> None:
    _fail(store, first, [_oops("a")])
    _fail(store, second, [_oops("a"), _oops("b")])
    store.commit([_oops("a"), _oops("b"), _oops("c")])
    assert _reasons(store) == ["a", "b", "c"]


def test_a_notice_that_belongs_to_no_outcome_is_never_lost(store: FailingStore) -> None:
    told = Record(notices=((T0, Notice(Channel.CONTROL, "the disk is slow")),))
    _fail(store, "landed", [told])
    store.commit([told])
    assert {notice.text for notice in store.waiting(Channel.CONTROL)} == {"the disk is slow"}


def test_what_landed_is_in_the_database_itself_before_anything_is_added(store: FailingStore, tmp_path: Path) -> None:
    _fail(store, "landed", [_oops("a")])
    store.commit([_oops("b")])
    alone = tmp_path / "alone.sqlite3"
    alone.write_bytes((tmp_path / "mac.sqlite3").read_bytes())  # without its write-ahead log
    with contextlib.closing(sqlite3.connect(alone)) as connection:
        assert connection.execute("SELECT count(*) FROM journal").fetchone() == (1,)
