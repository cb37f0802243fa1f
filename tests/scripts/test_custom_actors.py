"""Custom actors: they can fail, hang or leave, and no machine notices."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pykka
import pytest

from mac_actors import Fleet
from mac_actors.actors import custom as module
from mac_actors.actors.restarts import LIMIT
from tests.fakes import RecordingSubscriber, sample_machines, sample_users, wait_until

WAIT = 20.0


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with Fleet.open(sample_machines(), sample_users(), state=None) as fleet:
        yield fleet


class Counting(pykka.ThreadingActor):
    """Counts the lives of its kind."""

    def __init__(self, lives: list[str], word: str = "alive") -> None:
        super().__init__()
        lives.append(word)

    def crash(self) -> None:
        raise ValueError("a mistake in the actor")

    def leave(self) -> None:
        sys.exit("an actor wants to leave")

    def finish(self) -> None:
        self.stop()


@pytest.mark.actor_dies
@pytest.mark.parametrize("end", ["crash", "leave", "finish"])
def test_one_that_ends_is_started_anew_with_its_arguments_and_it_is_said(
    fleet: Fleet, caplog: pytest.LogCaptureFixture, end: str
) -> None:
    lives: list[str] = []
    custom = fleet.start(Counting, lives, word="kept")
    getattr(custom.proxy(), end).defer()
    wait_until(lambda: lives == ["kept", "kept"])
    wait_until(lambda: fleet.restarts["custom"] == 1)
    assert custom.is_alive()
    wait_until(lambda: "Counting had stopped and was restarted" in caplog.text)
    assert fleet.health() == {}
    assert fleet.restarts == {"custom": 1}, "no other actor was touched"
    assert fleet["router"].lock().get(timeout=WAIT).durable


@pytest.mark.actor_dies
def test_one_that_fails_again_and_again_is_ill_and_not_in_a_loop(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    starts: list[str] = []

    class Stillborn(Counting):
        def on_start(self) -> None:
            raise ValueError("can't begin")

    custom = fleet.start(Stillborn, starts)
    wait_until(lambda: "actors" in fleet.health())
    assert "Stillborn" in fleet.health()["actors"]
    assert len(starts) == LIMIT + 2
    for _ in range(3):
        fleet.restart_dead()
    assert len(starts) == LIMIT + 2
    wait_until(lambda: "again and again" in caplog.text)
    wait_until(lambda: "dead" in repr(custom))
    assert fleet["router"].lock().get(timeout=WAIT).durable


@pytest.mark.actor_dies
@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError("no more of these"), "OSError: no more of these"),
        (SystemExit("enough"), "ActorExit: SystemExit: enough"),
    ],
)
def test_one_that_can_not_be_made_again_is_ill_and_says_why(
    fleet: Fleet, caplog: pytest.LogCaptureFixture, error: BaseException, why: str
) -> None:
    class Once(Counting):
        def __init__(self, lives: list[str]) -> None:
            super().__init__(lives)
            if len(lives) > 1:
                raise error

    custom = fleet.start(Once, [])
    custom.proxy().crash.defer()
    wait_until(lambda: "actors" in fleet.health())
    wait_until(lambda: f"could not be restarted ({why})" in caplog.text)


def test_a_mistake_in_its_init_goes_to_the_caller(fleet: Fleet) -> None:
    with pytest.raises(TypeError, match="lives"):
        fleet.start(Counting)
    fleet.restart_dead()
    assert fleet.restarts == {}


def test_a_slow_one_holds_up_nobody_and_what_it_misses_is_said_once(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "WAITING_LIMIT", 5)
    gate, entered, told = threading.Event(), threading.Event(), RecordingSubscriber()

    class Slow(pykka.ThreadingActor):
        def on_receive(self, message: Any) -> None:
            entered.set()
            assert gate.wait(WAIT)
            told(message)

    fleet.start(Slow)
    every = RecordingSubscriber()
    fleet.subscribe(every)
    fleet["router"].lock().get(timeout=WAIT)
    assert entered.wait(WAIT)
    for number in range(10):
        fleet["router"].lock(reason=str(number)).get(timeout=WAIT)
        fleet["router"].unlock(reason=str(number)).get(timeout=WAIT)
    every.wait_for(20)  # the slow one, who came first, was told of them all before
    said = [record.getMessage() for record in caplog.records if "does not keep up" in record.getMessage()]
    assert said == ["Slow does not keep up: more than 5 outcomes wait, the oldest are dropped"]
    gate.set()
    assert len(told.wait_for(6)) == 6
    reasons = [getattr(outcome, "reason", None) for outcome in told.outcomes]
    assert reasons[-1] == "9", "the newest are kept"


def test_two_of_a_kind_have_names_of_their_own(fleet: Fleet) -> None:
    first, second = fleet.start(Counting, []), fleet.start(Counting, [])
    assert [str(first), str(second)] == ["<CustomActor Counting: alive>", "<CustomActor Counting 2: alive>"]
    first.stop()
    assert str(first) == "<CustomActor Counting: stopped>"
    wait_until(lambda: fleet.start(Counting, []).name == "Counting")


def test_one_without_on_receive_is_not_told_of_outcomes(fleet: Fleet, caplog: pytest.LogCaptureFixture) -> None:
    custom = fleet.start(Counting, [])
    fleet["router"].lock().get(timeout=WAIT)
    custom.ask("a message of the script's own", timeout=WAIT)
    [unexpected] = [text for record in caplog.records if "Unexpected" in (text := record.getMessage())]
    assert "a message of the script's own" in unexpected


def test_what_waits_is_handled_before_the_fleet_is_closed(fleet: Fleet) -> None:
    told = RecordingSubscriber()
    ends: list[str] = []

    class Careful(pykka.ThreadingActor):
        def on_receive(self, message: Any) -> None:
            told(message)

        def on_stop(self) -> None:
            ends.append("stopped")

    fleet.start(Careful)
    for _ in range(5):
        fleet["router"].lock()
        fleet["router"].unlock()
    fleet.close()
    assert len(told.outcomes) == 10
    assert ends == ["stopped"]


def test_one_that_does_not_end_is_left_behind_and_said(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "STOP_SECONDS", 0.05)
    gate = threading.Event()

    class Stuck(pykka.ThreadingActor):
        def on_receive(self, message: Any) -> None:
            gate.wait(WAIT)

    custom = fleet.start(Stuck)
    fleet["router"].lock().get(timeout=WAIT)
    fleet.close()
    assert "Stuck did not stop within 0.05 s" in caplog.text
    gate.set()
    custom.ref.stop(timeout=WAIT)


def test_outcomes_wait_for_the_publisher_while_it_is_dead(fleet: Fleet) -> None:
    told = RecordingSubscriber()
    fleet.subscribe(told)
    fleet.publisher.ref.stop(timeout=WAIT)
    fleet["router"].lock().get(timeout=WAIT)
    assert len(told.wait_for(1)) == 1


def test_a_slow_subscriber_does_not_fill_the_memory(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("mac_actors.actors.publisher.WAITING_LIMIT", 4)
    gate, entered, told = threading.Event(), threading.Event(), RecordingSubscriber()

    def slow(outcome: object) -> None:
        entered.set()
        assert gate.wait(WAIT)
        told(outcome)  # type: ignore[arg-type]

    fleet.subscribe(slow)
    fleet["router"].lock().get(timeout=WAIT)
    assert entered.wait(WAIT)
    for _ in range(10):
        fleet["router"].unlock().get(timeout=WAIT)
        fleet["router"].lock().get(timeout=WAIT)
    gate.set()
    told.wait_for(5)
    fleet.close()
    assert len(told.outcomes) == 5
    assert sum("does not keep up" in record.getMessage() for record in caplog.records) == 1


def test_pykkas_own_ways_to_a_machine_still_work(fleet: Fleet) -> None:
    machine = fleet["router"]
    assert machine.actor_ref.is_alive()
    assert machine.actor_urn.get(timeout=WAIT) == machine.actor_ref.actor_urn
    machine.lock.defer(reason="belt")  # type: ignore[attr-defined]
    assert machine.snapshot().get(timeout=WAIT).lock
    with pytest.raises(AttributeError):
        _ = machine._nothing
    with pytest.raises(AttributeError):
        _ = machine.nothing


def test_a_proxy_stays_good_when_its_actor_is_replaced(fleet: Fleet) -> None:
    machine = fleet["router"]
    before = machine.actor_ref
    before.stop(timeout=WAIT)
    assert machine.lock(reason="belt").get().outcomes
    assert machine.actor_ref is not before
    logging.getLogger("pykka").setLevel(logging.NOTSET)


def test_one_may_start_another_when_it_is_made(fleet: Fleet) -> None:
    lives: list[str] = []

    class Parent(pykka.ThreadingActor):
        def __init__(self) -> None:
            super().__init__()
            fleet.start(Counting, lives)

    made = threading.Thread(target=lambda: fleet.start(Parent), daemon=True)
    made.start()
    made.join(WAIT)
    assert not made.is_alive()
    assert lives == ["alive"]


def test_subscribers_that_come_and_go_at_the_same_moment_are_all_there(fleet: Fleet) -> None:
    told = RecordingSubscriber()

    def come_and_go() -> None:
        for _ in range(200):
            fleet.subscribe(print)()
        fleet.subscribe(told)

    threads = [threading.Thread(target=come_and_go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    fleet["router"].lock().get(timeout=WAIT)
    assert len(told.wait_for(8)) == 8
