"""Restarts: at once, but not in a loop."""

from __future__ import annotations

import pytest

from mac_actors.actors import restarts as module
from mac_actors.actors.restarts import LIMIT, WINDOW_SECONDS, Restarts
from tests.fakes import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(module, "time", clock := Clock())
    return clock


def _die(restarts: Restarts, times: int) -> list[bool]:
    return [restarts.allow("mill") and restarts.note("machine", "mill", "The mill") is not None for _ in range(times)]


def test_a_few_deaths_are_mended_at_once_and_each_is_said(clock: Clock) -> None:
    restarts = Restarts()
    assert _die(restarts, LIMIT) == [True] * LIMIT
    assert restarts.counts == {"machine": LIMIT}
    assert restarts.storms() == []


def test_too_many_in_a_minute_are_a_storm_that_is_tried_once_in_a_while(clock: Clock) -> None:
    restarts = Restarts()
    _die(restarts, LIMIT + 1)
    assert restarts.storms() == ["mill"]
    assert not restarts.allow("mill")
    assert restarts.allow("saw")
    clock.now += WINDOW_SECONDS + 1
    assert restarts.allow("mill")
    assert not restarts.note("machine", "mill", "The mill")  # the storm was said already
    assert not restarts.allow("mill")


def test_deaths_that_are_far_apart_are_no_storm(clock: Clock) -> None:
    restarts = Restarts()
    for _ in range(4 * LIMIT):
        assert restarts.allow("mill")
        assert restarts.note("machine", "mill", "The mill")
        clock.now += WINDOW_SECONDS / 2
    assert restarts.storms() == []


def test_a_storm_is_over_when_the_actor_has_lived_for_a_while(clock: Clock) -> None:
    restarts = Restarts()
    _die(restarts, LIMIT + 1)
    clock.now += 2 * WINDOW_SECONDS + 1
    assert restarts.storms() == []
    assert restarts.allow("mill")
