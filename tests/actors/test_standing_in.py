"""Whoever sends a message to an idle actor does its work: one message at a time, in order, with the same answers."""

from __future__ import annotations

import gc
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast
from unittest.mock import Mock

import pykka
import pytest

from mac_actors import clock
from mac_actors.actors.messages import Arrived
from mac_actors.actors.replies import Answer, PendingAnswer, Reply
from mac_actors.actors.runtime import MacActor, SharedInbox
from mac_actors.core.inputs import Clear, Lock, Oops, Report, Unlock, Unoops
from mac_actors.core.state import Source, Telemetry
from mac_actors.core.transitions import decide
from mac_actors.errors import MachineUnavailable
from mac_actors.fleet.fleet import MachineFleet
from tests.fakes import ANN, BOB, EVE, NOBODY, OLGA, PATIENCE, open_fleet, report, wait_until

SENDERS, MESSAGES = 8, 400

MACHINES = ("metal-mill", "laser", "bandsaw", "router")


class Careful(MacActor):
    """Notes what it got, and notices when two threads do its work at once."""

    @staticmethod
    def _create_actor_inbox() -> Any:
        return SharedInbox()

    def __init__(self) -> None:
        super().__init__()
        cast(SharedInbox, self.actor_inbox).share(self.on_receive)
        self.begun: list[str] = []
        self.got: list[tuple[int, int]] = []
        self.threads: set[int] = set()
        self._busy = False

    def _start_actor_loop(self) -> None:
        def start() -> None:
            self.begun.append(threading.current_thread().name)
            super(Careful, self)._start_actor_loop()

        cast(SharedInbox, self.actor_inbox).start_later(start)

    def on_receive(self, message: Any) -> Any:
        assert not self._busy, "two threads do an actor's work"
        self._busy = True
        try:
            if callable(message):
                return message()
            self.threads.add(threading.get_ident())
            self.got.append(message)
            return message
        finally:
            self._busy = False


@pytest.fixture
def careful() -> Iterator[pykka.ActorRef[Careful]]:
    ref = Careful.start()
    yield ref
    ref.stop(timeout=PATIENCE)


def inbox_of(ref: pykka.ActorRef[Any]) -> SharedInbox:
    return cast(SharedInbox, ref.actor_inbox)


def begin(ref: pykka.ActorRef[Any], message: Any) -> Reply:
    """Send a message as the fleet does a report."""
    return inbox_of(ref).stand_in(message) or cast(Reply, ref.ask(message, block=False))


def test_many_threads_work_one_at_a_time_and_in_the_order_in_which_each_of_them_sent(
    careful: pykka.ActorRef[Careful],
) -> None:
    def send(sender: int) -> list[Reply]:
        chance = random.Random(sender)
        replies = []
        for number in range(MESSAGES):
            message = (sender, number)
            if chance.random() < 0.2:
                replies.append(cast(Reply, careful.ask(message, block=False)))
            else:
                replies.append(begin(careful, message))
            if chance.random() < 0.1:
                assert replies[-1].get(timeout=PATIENCE) == message
        return replies

    with ThreadPoolExecutor(SENDERS) as pool:
        replies = list(pool.map(send, range(SENDERS)))
    assert [[reply.get(timeout=PATIENCE) for reply in those] for those in replies] == [
        [(sender, number) for number in range(MESSAGES)] for sender in range(SENDERS)
    ]
    got: list[tuple[int, int]] = careful.proxy().got.get(timeout=PATIENCE)
    for sender in range(SENDERS):
        assert [number for whose, number in got if whose == sender] == list(range(MESSAGES))
    assert len(got) == SENDERS * MESSAGES


def test_nobody_stands_in_while_a_message_is_in_work_or_waits(careful: pykka.ActorRef[Careful]) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def work() -> None:
        entered.set()
        assert go_on.wait(PATIENCE)

    working = careful.ask(work, block=False)
    assert entered.wait(PATIENCE)
    assert inbox_of(careful).stand_in((0, 0)) is None
    waiting = begin(careful, (0, 1))
    assert inbox_of(careful).stand_in((0, 2)) is None
    assert waiting.due() > clock.seconds()
    go_on.set()
    working.get(timeout=PATIENCE)
    assert waiting.get(timeout=PATIENCE) == (0, 1)
    wait_until(lambda: inbox_of(careful).stand_in((0, 3)))


def test_what_is_sent_while_somebody_stands_in_comes_after_it(careful: pykka.ActorRef[Careful]) -> None:
    later: list[pykka.Future[Any]] = []

    def work() -> str:
        assert inbox_of(careful).stand_in((0, 0)) is None
        later.append(careful.ask((0, 1), block=False))
        return "done"

    reply = inbox_of(careful).stand_in(work)
    assert reply is not None
    assert reply.get(timeout=PATIENCE) == "done"
    assert later[0].get(timeout=PATIENCE) == (0, 1)


def test_an_actor_has_a_thread_once_a_message_waits_for_it(careful: pykka.ActorRef[Careful]) -> None:
    def begun() -> list[str]:
        return list(cast(Careful, careful._actor_weakref()).begun)

    gc.collect()
    assert begin(careful, (0, 0)).get(timeout=PATIENCE) == (0, 0)
    assert begun() == []
    at_once = threading.Barrier(SENDERS)

    def ask(number: int) -> object:
        at_once.wait(PATIENCE)
        return careful.ask((number, 0), timeout=PATIENCE)

    with ThreadPoolExecutor(SENDERS) as pool:
        assert list(pool.map(ask, range(SENDERS))) == [(number, 0) for number in range(SENDERS)]
    assert len(begun()) == 1


def test_where_no_thread_can_be_started_nothing_is_done_and_the_next_message_tries_again(
    careful: pykka.ActorRef[Careful], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as limits:
        limits.setattr(threading.Thread, "start", Mock(side_effect=RuntimeError("can't start new thread")))
        with pytest.raises(MachineUnavailable, match="nothing was done, try again: the server can't start new thread"):
            careful.ask((0, 0), block=False)
    assert begin(careful, (0, 1)).get(timeout=PATIENCE) == (0, 1), "one can stand in for it as before"
    assert careful.ask((0, 2), timeout=PATIENCE) == (0, 2)
    assert careful.proxy().got.get(timeout=PATIENCE) == [(0, 1), (0, 2)]


def test_a_mistake_goes_to_the_sender_and_the_turn_is_given_back(careful: pykka.ActorRef[Careful]) -> None:
    def fail() -> None:
        raise ValueError("a mistake")

    reply = inbox_of(careful).stand_in(fail)
    assert reply is not None
    with pytest.raises(ValueError, match="a mistake"):
        reply.get(timeout=PATIENCE)
    reply = inbox_of(careful).stand_in((0, 0))
    assert reply is not None
    assert reply.get(timeout=PATIENCE) == (0, 0)
    assert careful.is_alive()


@pytest.mark.parametrize("end", [lambda ref: ref.stop(timeout=PATIENCE), lambda ref: ref.tell(partial(int, "x"))])
def test_nobody_stands_in_for_an_actor_that_has_ended(end: Callable[[pykka.ActorRef[Careful]], None]) -> None:
    ref = Careful.start()
    logged = pykka._actor.logger.disabled
    pykka._actor.logger.disabled = True  # the second one ends by a mistake, as is meant
    try:
        end(ref)
        wait_until(lambda: not ref.is_alive())
    finally:
        pykka._actor.logger.disabled = logged
    assert inbox_of(ref).stand_in((0, 0)) is None


def test_a_report_for_an_actor_that_has_ended_is_decided_by_the_next_one() -> None:
    with open_fleet() as fleet:
        report(fleet, "metal-mill")
        sent = fleet.begin("metal-mill", Report(datetime.now(UTC), arrived=clock.seconds()), None, lambda: False)
        assert fleet.finish(sent).outputs.relay is False
        fleet.supervisor.refs["metal-mill"].stop(timeout=PATIENCE)
        sent = fleet.begin("metal-mill", Report(datetime.now(UTC), ANN, arrived=clock.seconds()), None, lambda: False)
        assert sent.reply.due() > clock.seconds() + PATIENCE, "it can't be answered by who can't wait"
        assert fleet.finish(sent).outputs.relay is True


def slowly(fleet: MachineFleet, name: str, arrived: Arrived) -> Answer:
    """Have a report decided by the actor's own thread."""
    return fleet.supervisor.ask(name, arrived)


def at_once(fleet: MachineFleet, name: str, arrived: Arrived) -> Answer:
    """Have a report decided by this thread."""
    ref = fleet.supervisor.refs[name]
    replies: list[Reply] = []

    def stood_in() -> bool:
        replies[:] = filter(None, [inbox_of(ref).stand_in(arrived)])
        return bool(replies)

    wait_until(stood_in)  # the actor may be busy with a message of the fleet's
    return fleet.supervisor.settle(name, replies[0])


@pytest.mark.parametrize("seed", range(12))
def test_the_answer_is_the_same_whichever_thread_decides(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance, begun, now = random.Random(seed), clock.seconds(), datetime.now(UTC)
    moment = begun
    monkeypatch.setattr(clock, "seconds", lambda: moment)
    with open_fleet() as slow, open_fleet() as quick:
        for number in range(120):
            name, at = chance.choice(MACHINES), now + timedelta(seconds=number)
            moment = begun + number
            if chance.random() < 0.2:
                kind = chance.choice((Oops, Lock, Clear, Unoops, Unlock))
                given = kind(at, Source.CLI, "grace", "a reason")
                answers = [fleet.ask(name, given) for fleet in (slow, quick)]
            else:
                arrived = _any_report(chance, at, moment)
                answers = [slowly(slow, name, arrived), at_once(quick, name, arrived)]
            assert answers[0] == answers[1], number
            one, other = (
                replace(fleet.supervisor.published[name][1], status_since=now, last_arrival=0.0)
                for fleet in (slow, quick)
            )
            assert one == other, number
        for name in MACHINES:
            assert list(slow.events(name)) == list(quick.events(name))


def _any_report(chance: random.Random, at: datetime, moment: float) -> Arrived:
    """Return a report with any card; some are late, of a reader that has restarted, or from another place."""
    fob = chance.choice((None, None, ANN, BOB, OLGA, EVE, NOBODY))
    uptime = 1.0 if chance.random() < 0.1 else 1000.0 + moment
    late = 20.0 if chance.random() < 0.1 else 0.0
    telemetry = Telemetry(uptime, poke=chance.choice((None, 9)))
    given = Report(at, fob, chance.random() < 0.1, telemetry, moment - late)
    gone = chance.random() < 0.1
    return Arrived(given, chance.choice(("127.0.0.1", "127.0.0.1", "127.0.0.2")), lambda: gone)


def test_an_answer_that_waits_for_the_disk_says_until_when() -> None:
    with open_fleet(commit_budget=30.0) as fleet:
        sent = fleet.begin("metal-mill", Report(datetime.now(UTC), ANN, arrived=clock.seconds()), None, lambda: False)
        on_disk = threading.Event()
        sent.reply.then(on_disk.set)
        assert on_disk.wait(PATIENCE)
        assert fleet.due(sent) == 0.0
        answer = fleet.finish(sent)
        assert (answer.outputs.relay, answer.durable) == (True, True)
        assert isinstance(sent.reply._value, PendingAnswer)


def test_new_users_get_to_a_busy_machine_for_which_no_thread_can_be_started() -> None:
    with open_fleet() as fleet:
        ref = fleet.supervisor.refs["metal-mill"]
        inbox, tries = cast(SharedInbox, ref.actor_inbox), list[int]()
        actor = inbox._start

        def start() -> None:
            tries.append(1)
            raise RuntimeError("can't start new thread")

        inbox.start_later(start)
        nobody = replace(fleet.configuration.directory, users=(), by_fob={})
        with inbox._turn:
            change = threading.Thread(target=fleet.supervisor.change_users, args=[nobody])
            change.start()
            wait_until(lambda: tries)
        change.join(PATIENCE)
        assert report(fleet, "metal-mill", ANN).outputs.relay is False
        assert actor, "it has no thread yet"
        inbox.start_later(actor)


def test_what_was_held_back_behind_a_mistake_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_fleet() as fleet:

        def mistaken(*given: Any, **more: Any) -> Any:
            if isinstance(given[3], Lock):
                raise ZeroDivisionError
            return decide(*given, **more)

        monkeypatch.setattr("mac_actors.actors.machine.decide", mistaken)
        now = datetime.now(UTC)
        fleet.take_up("metal-mill", (Lock(now, Source.HTTP), Oops(now, Source.HTTP)))
        wait_until(lambda: fleet.snapshot("metal-mill").oops)
