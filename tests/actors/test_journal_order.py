"""Telemetry is written with what is written next, and never in the place of something newer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mac_actors.actors.journal import Journal
from mac_actors.core.state import MachineState
from mac_actors.storage.records import Record, record_state
from tests.fakes import RefusingStore, wait_until

WAIT = 10.0
OLD = MachineState(status_since=datetime(2026, 11, 26, tzinfo=UTC))
NEW = replace(OLD, status_since=datetime(2026, 11, 27, tzinfo=UTC))


class LookedAt(deque[Record]):
    """What is to be written later; something happens right after the journal has looked how much it is."""

    then: Callable[[], None] | None = None

    def __len__(self) -> int:
        there, then = super().__len__(), self.then
        if then:
            self.then = None
            then()
        return there


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RefusingStore]:
    """A disk that takes everything, until it is told to refuse."""
    store = RefusingStore.open(tmp_path)
    assert isinstance(store, RefusingStore)
    with closing(store):
        yield store


def of(state: MachineState) -> Record:
    """Return the record of the mill's state."""
    return Record(record_state("mill", state))


def test_what_is_put_down_while_the_disk_refuses_does_not_undo_what_came_after_it(store: RefusingStore) -> None:
    journal = Journal(store)
    store.refuse()
    first = journal.record(Record())
    wait_until(lambda: store.attempts > 0)
    journal.record_later(of(OLD))
    last = journal.record(of(NEW))
    store.mend()
    assert first.wait(WAIT)
    assert last.wait(WAIT)
    journal.close()
    assert store.load_state("mill") == NEW


def test_what_is_put_down_between_two_looks_of_the_journal_does_not_undo_what_came_after_it(
    store: RefusingStore,
) -> None:
    journal = Journal(store)
    assert journal.record(Record()).wait(WAIT)
    later = journal._later = LookedAt()

    def meanwhile() -> None:
        journal.record_later(of(OLD))
        journal.record(of(NEW))

    later.then = meanwhile
    assert journal.record(Record()).wait(WAIT)
    journal.close()
    assert store.load_state("mill") == NEW


def test_what_is_put_down_twice_is_written_in_its_order(store: RefusingStore) -> None:
    journal = Journal(store)
    assert journal.record(Record()).wait(WAIT)
    journal.record_later(of(OLD))
    journal.record_later(of(NEW))
    assert journal.record(Record()).wait(WAIT)
    journal.close()
    assert store.load_state("mill") == NEW
