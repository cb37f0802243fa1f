"""The watch and its chores: none keeps another from being done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mac_actors.errors import FleetClosed
from mac_actors.fleet import watch as module
from mac_actors.fleet.watch import Chore, Watch
from tests.fakes import wait_until


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCH_SECONDS", 0.001)


@contextmanager
def watching(*chores: Chore) -> Iterator[Watch]:
    watch = Watch("watch", *chores)
    try:
        yield watch
    finally:
        watch.stop()


def test_a_chore_that_fails_keeps_no_other_from_being_done_and_is_said_once_a_kind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done: list[int] = []

    def fail() -> None:
        raise ValueError("early") if len(done) < 5 else KeyError("late")

    with watching(Chore("fail", fail), Chore("count", lambda: done.append(len(done)))):
        wait_until(lambda: len(done) > 10)
    said = [record for record in caplog.records if "failed to fail" in record.getMessage()]
    assert [record.exc_info[0] for record in said if record.exc_info] == [ValueError, KeyError]


def test_a_chore_that_is_not_to_be_done_each_time_is_done_less_often() -> None:
    done: list[str] = []
    often = Chore("often", lambda: done.append("often"))
    with watching(often, Chore("seldom", lambda: done.append("seldom"), seconds=0.005)):
        wait_until(lambda: done.count("often") >= 12)
    assert done[:12] == ["often", "seldom", *["often"] * 5, "seldom", *["often"] * 4]


def test_the_watch_over_a_fleet_that_was_closed_ends_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    def closed() -> None:
        raise FleetClosed("the fleet is closed")

    with watching(Chore("look", closed)) as watch:
        wait_until(lambda: not watch._thread.is_alive())
    assert not caplog.records
