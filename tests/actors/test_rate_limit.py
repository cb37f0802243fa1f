"""How often the chat may be called: a burst at once, then one post an interval."""

from __future__ import annotations

import pytest

from mac_actors.actors.notifier import (
    BURST,
    RateLimiter,
)
from tests.fakes import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr("mac_actors.actors.notifier.time", clock := Clock())
    return clock


@pytest.mark.parametrize("up", [0.0, 1000.0], ids=["just-started", "up-for-a-while"])
def test_a_burst_may_go_at_once_and_then_one_a_second(clock: Clock, up: float) -> None:
    clock.now = up
    limiter = RateLimiter(1.0)
    delays = []
    for _ in range(BURST + 4):
        delays.append(limiter.delay())
        clock.now += delays[-1]
    assert delays == [0.0] * BURST + [1.0] * 4


def test_the_limiter_never_waits_for_longer_than_one_interval_a_post(clock: Clock) -> None:
    limiter = RateLimiter(1.0)
    for number in range(1, 50):
        clock.now += (number % 3) * 0.4
        delay = limiter.delay()
        assert 0.0 <= delay <= 1.0
        clock.now += delay


def test_who_waited_long_has_a_whole_burst_again_and_not_more(clock: Clock) -> None:
    limiter = RateLimiter(1.0)
    for _ in range(BURST + 3):
        clock.now += limiter.delay()
    clock.now += 3600
    assert [limiter.delay() for _ in range(BURST + 1)] == [0.0] * BURST + [1.0]


def test_who_waited_a_little_has_a_part_of_the_burst_again(clock: Clock) -> None:
    limiter = RateLimiter(1.0)
    for _ in range(BURST):
        assert limiter.delay() == 0.0
    clock.now += 2.0
    assert [limiter.delay() for _ in range(3)] == [0.0, 0.0, 1.0]


def test_a_chat_in_no_hurry_has_no_limiter(clock: Clock) -> None:
    limiter = RateLimiter(0.0)
    assert {limiter.delay() for _ in range(100)} == {0.0}
