"""Faults that need to be inside: actors stopped, and made to raise, in a server within this process."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from mac_actors.core.notices import Channel
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.service.service import Service
from mac_actors.settings import Settings
from tests.fakes import RecordingChat
from tests.faults.audit import promises, read_journal_of
from tests.faults.faults import Result, answered_in_time
from tests.faults.load import MACHINES, Load, Trouble, write_configuration
from tests.faults.shop import run_for, until

BACK_SECONDS = 1.0
"""An actor that dies is back within this time."""


class Inside:
    """A service in this process, with its load."""

    def __init__(self, directory: Path, seed: int = 1) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        write_configuration(directory)
        self.directory = directory
        self.chat = FailingChat()
        machines, users = directory / "machines.json", directory / "users.json"
        self.service = Service(Settings(machines, users, directory / "disk", host="127.0.0.1", port=0), self.chat)
        self.service.start()
        self.load = Load(self.service.server.bind_addr[1], seed)

    def close(self) -> None:
        self.load.stop()
        self.service.stop()


class FailingChat(RecordingChat):
    """A chat that can be told to raise what nobody expects, once."""

    def __init__(self) -> None:
        super().__init__()
        self.mistakes = 0

    def post(self, channel: str, notices: Any, thread: str | None) -> str | None:
        if self.mistakes:
            self.mistakes -= 1
            raise RuntimeError("a mistake in the chat")
        return super().post(channel, notices, thread)


@contextmanager
def inside(directory: Path, seed: int = 1) -> Iterator[Inside]:
    shop = Inside(directory, seed)
    try:
        yield shop
    finally:
        shop.close()


class _Unknown:
    """A message that no machine understands: an exception under tell, which kills the actor."""


def _stop_machine(shop: Inside, name: str) -> None:
    shop.service.fleet.supervisor.refs[name].stop(block=False)


def _raise_in_machine(shop: Inside, name: str) -> None:
    shop.service.fleet.supervisor.refs[name].tell(_Unknown())


def _stop_journal(shop: Inside, _: str) -> None:
    shop.service.fleet.journal.ref.stop(block=False)


def _raise_in_journal(shop: Inside, _: str) -> None:
    journal = shop.service.fleet.journal
    before = journal.on_commit

    def fail() -> None:
        journal.on_commit = before
        raise RuntimeError("a mistake after a commit")

    journal.on_commit = fail


def _stop_notifier(shop: Inside, _: str) -> None:
    assert shop.service.fleet.notifier
    shop.service.fleet.notifier.channels[Channel.CONTROL].ref.stop(block=False)


def _raise_in_notifier(shop: Inside, _: str) -> None:
    shop.chat.mistakes = 1


ACTORS: dict[str, Callable[[Inside, str], None]] = {
    "machine-stopped": _stop_machine,
    "machine-raises": _raise_in_machine,
    "journal-stopped": _stop_journal,
    "journal-raises": _raise_in_journal,
    "notifier-stopped": _stop_notifier,
    "notifier-raises": _raise_in_notifier,
}


def storm(directory: Path, chance: random.Random) -> Result:
    """One machine's actor dies again and again under load: it is given up for a while, and nothing else suffers."""
    result = Result("after some restarts a clear unhealthy state, no loop; the other machines are answered in time")
    sick = MACHINES[-3]
    with inside(directory, chance.randrange(2**32)) as shop:
        fleet = shop.service.fleet
        shop.load.start()
        run_for(0.5)
        begun = time.monotonic()
        while "actors" not in fleet.health():
            restarts = fleet.restarts["machine"]
            _stop_machine(shop, sick)
            until(partial(_restarted, fleet, restarts), "the actor is restarted", 10)
            until(lambda: sick not in fleet.supervisor.dead(), "the new one is in its place", 10)
        _stop_machine(shop, sick)
        restarts = fleet.restarts["machine"]
        until(lambda: not fleet.supervisor.refs[sick].is_alive(), "the actor is stopped for the last time", 10)
        run_for(2.0)
        result.worst = f"given up after {restarts} restarts"
        result.require(fleet.restarts["machine"] == restarts, "it is restarted in a loop")
        result.require(sick in fleet.health().get("actors", ""), f"health says {fleet.health()}")
        shop.load.stop()
        ledger = shop.load.ledger
        others = [t for t in ledger.troubles_since(begun) if not _names(t, sick)]
        result.require(not others, f"others suffered: {others[:2]}")
        said = [trouble.text for trouble in ledger.troubles_since(begun)]
        result.require(said and all("again and again" in text for text in said[-1:]), f"what is said: {said[-2:]}")
        told = [p.text for p in shop.chat.posts if "fails again and again" in p.text]
        result.require(len(told) == 1, f"said {len(told)} times, not once")
        result.problems += ledger.violations
    return result


def _names(trouble: Trouble, machine: str) -> bool:
    return machine in trouble.what or f"Machine {machine[1:]}" in trouble.text


def _restarted(fleet: MachineFleet, before: int) -> bool:
    return sum(fleet.restarts.values()) > before


def kill_actors(directory: Path, what: str, chance: random.Random, times: int) -> tuple[Result, list[str]]:
    """Kill one kind of actor ``times`` times under load; returns what came of it, and what the audit found."""
    result = Result("back within 1 s, nobody sees an error, nothing is lost")
    threads = threading.active_count()
    with inside(directory, chance.randrange(2**32)) as shop:
        fleet = shop.service.fleet
        shop.load.start()
        run_for(0.5)
        begun = time.monotonic()
        for number in range(times):
            restarts, killed = sum(fleet.restarts.values()), time.monotonic()
            ACTORS[what](shop, MACHINES[number % len(MACHINES)])
            until(partial(_restarted, fleet, restarts), "the actor is restarted", 10)
            result.seconds = max(result.seconds, time.monotonic() - killed)
            until(lambda: not fleet.health(), "all is well again", 10)
            run_for(chance.uniform(0.1, 0.4))
        slowest = result.seconds
        answered_in_time(shop.load.ledger, begun, result)
        result.seconds = slowest
        result.worst = f"{times} times, back after {slowest:.2f} s at the latest; {result.worst}"
        late = 0.5 if what in {"notifier-raises", "journal-raises"} else 0.0  # until there is something to raise at
        late += shop.load.ledger.delay(begun)
        result.require(slowest <= BACK_SECONDS + late, f"back after {slowest:.2f} s")
        shop.load.stop()
        until(lambda: fleet.journal.depth == 0 and fleet.store.count_waiting()[0] == 0, "everything is out", 30)
        shop.load.ledger.settle()
        texts = [post.text.partition(" Out of use for ")[0] for post in shop.chat.posts]
        rows = read_journal_of(directory / "disk")
        found = [*shop.load.ledger.violations, *promises(shop.load.ledger, rows)]
        for row in rows:
            if row.reason and sum(row.reason in text for text in texts) != 2:
                found.append(f"{row.reason} was posted {sum(row.reason in text for text in texts)} times, not 2")
        found += [f"journal: {fleet.journal.lost} lost"] * bool(fleet.journal.lost)
    until(lambda: threading.active_count() <= threads, "all threads have ended", 15)
    return result, found
