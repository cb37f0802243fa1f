"""Hand-written stand-ins for what is outside: the disk, the chat, the clock. And one sample shop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from mac_actors import clock
from mac_actors.actors.replies import Answer
from mac_actors.core.inputs import Report
from mac_actors.core.notices import Channel, Standing, ThreadKey
from mac_actors.core.outcomes import Outcome
from mac_actors.core.state import MachineState, Telemetry
from mac_actors.errors import ChatError, StorageError
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.settings.files import parse
from mac_actors.storage.records import Record, Unreadable, Waiting
from mac_actors.storage.store import Store

PATIENCE = 20.0
"""Seconds that a test waits for what must come, before it fails."""

PATIENT_BUDGET = 4.0
"""Seconds that an answer may wait for the disk in tests: the usual quarter of one is too little on a busy computer."""

ANN, BOB, OLGA, EVE, NOBODY = "0001234567", "2222222222", "3333333333", "4444444444", "9999999999"
"""Fobs: Ann may use mill and laser with its tube, Bob the laser alone, Olga may override, Eve has expired."""

TELEMETRY = Telemetry(uptime=1000.0)
"""What a reader says of itself that was booted a while ago."""

ODD_ALIAS = "Größe 100% / Laser #1?"


def user(account_id: str, full_name: str, fobs: list[str], authorizations: list[str], **more: Any) -> dict[str, Any]:
    """Return an entry of users.json."""
    first, _, last = full_name.partition(" ")
    return {
        "fob_codes": fobs,
        "account_id": account_id,
        "full_name": full_name,
        "first_name": first,
        "last_name": last,
        "preferred_name": first,
        "email": f"{first.lower()}@example.org",
        "expiration_ymd": "2099-12-31",
        "authorizations": authorizations,
        **more,
    }


def sample_machines() -> dict[str, Any]:
    """Return a machines.json in which every option occurs."""
    return {
        "metal-mill": {"authorizations_or": ["mill"], "alias": "Metal Mill"},
        "laser": {
            "authorizations_or": ["laser"],
            "alias": ODD_ALIAS,
            "second_relay": {"authorizations_or": ["tube"], "alias": "Tube"},
        },
        "bandsaw": {
            "authorizations_or": ["saw"],
            "unauthorized_warn_only": True,
            "second_relay": {"authorizations_or": ["saw"], "unauthorized_warn_only": True},
        },
        "vent": {
            "authorizations_or": [],
            "always_enabled": True,
            "second_relay": {"authorizations_or": ["saw"], "always_enabled": True},
        },
        "router": {"authorizations_or": ["mill", "router"]},
    }


def sample_users() -> list[dict[str, Any]]:
    """Return a users.json."""
    return [
        user("1", "Ann Able", ["1234567"], ["mill", "laser", "tube"]),
        user("2", "Bob Baker", [BOB], ["laser"]),
        user("3", "Olga Oppermann", [OLGA], [], oops_override=True),
        user("4", "Eve Expired", [EVE], ["mill"], expiration_ymd="2020-01-01"),
    ]


def open_fleet(store: Store | None = None, **options: Any) -> MachineFleet:
    """Return a fleet of the sample shop, in memory unless a store is given."""
    configuration = parse(sample_machines(), sample_users())
    return MachineFleet(configuration, store or Store.open(None), **{"commit_budget": PATIENT_BUDGET} | options)


def report(
    fleet: MachineFleet,
    name: str,
    fob: str | None = None,
    *,
    oops: bool = False,
    telemetry: Telemetry = TELEMETRY,
    at: datetime | None = None,
    ago: float = 0.0,
) -> Answer:
    """Report as a reader does, now or at another time; the report arrived ``ago`` seconds ago."""
    event = Report(at or datetime.now(UTC), fob, oops=oops, telemetry=telemetry)
    return fleet.report(name, event, clock.seconds() - ago)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for something that no future tells; fails when it does not come."""
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        pause.wait(0.005)


def written(fleet: MachineFleet) -> None:
    """Wait until everything that was decided so far is on disk."""
    assert fleet.journal.record(Record()).wait(PATIENCE), "the journal did not write"


class Clock:
    """A monotonic clock that the test moves; in place of the function, or of the module ``time``."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    __call__ = monotonic


class RefusingStore(Store):
    """A disk that refuses while ``refusing`` is set: ``StorageError`` as from a full one, or any other exception."""

    refusing: Exception | None = None
    attempts = 0

    def refuse(self) -> None:
        """Refuse from now on, as a full disk does."""
        self.refusing = StorageError("cannot write: database or disk is full")

    def mend(self) -> None:
        """Take everything from now on."""
        self.refusing = None

    def commit(self, records: Sequence[Record]) -> None:
        """Write, or refuse."""
        self.attempts += 1
        if self.refusing is not None:
            raise self.refusing
        super().commit(records)


class UnreadableStore(Store):
    """A disk from which no machine's state can be read while ``readable`` is false."""

    readable = True

    def load_state(self, name: str) -> MachineState | Unreadable | None:
        """Read, or fail."""
        if not self.readable:
            raise StorageError("cannot read a machine's state: disk I/O error")
        return super().load_state(name)


class CrashingStore(Store):
    """A store with a mistake in it: its next ``crashes`` commits raise what no one expects."""

    crashes = 0

    def commit(self, records: Sequence[Record]) -> None:
        """Write, or crash."""
        if self.crashes:
            self.crashes -= 1
            raise RuntimeError("a mistake in the store")
        super().commit(records)


class HangingStore(Store):
    """A disk that hangs in the middle of a commit while ``gate`` is not set."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        super().__init__(*args, **kwargs)

    def commit(self, records: Sequence[Record]) -> None:
        """Write, once the gate is open."""
        self.entered.set()
        assert self.gate.wait(60), "the test never opened the gate"
        super().commit(records)


@contextmanager
def hanging_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Have the disk hang at the next commit, whichever store it is of, until the block ends or the event is set."""
    gate, commit = threading.Event(), Store.commit

    def hang(self: Store, records: Sequence[Record]) -> None:
        assert gate.wait(60), "the test never opened the gate"
        commit(self, records)

    monkeypatch.setattr(Store, "commit", hang)
    try:
        yield gate
    finally:
        gate.set()


class RecordingChat:
    """A chat that keeps what it took. ``errors`` are raised first, one a post."""

    seconds_per_post = 0.0

    def __init__(self) -> None:
        self.posts: list[Waiting] = []
        self.errors: list[Exception] = []
        self._changed = threading.Condition()

    def post(self, channel: str, notices: Sequence[Waiting], thread: str | None) -> str | None:
        """Take notices, or raise."""
        with self._changed:
            if self.errors:
                raise self.errors.pop(0)
            assert {notice.channel for notice in notices} == {channel}
            self.posts += notices
            self._changed.notify_all()
            return thread or f"post {len(self.posts)}"

    def show(self, channel: str, post: str, text: str, key: ThreadKey, shown: Standing) -> None:
        """Keep nothing: posts stay as they were taken."""

    def refuse_once(self) -> None:
        """Refuse one post, as a chat that is busy."""
        self.errors.append(ChatError("ratelimited", retry_after=0.0))

    def texts(self, count: int, channel: Channel = Channel.CONTROL) -> list[str]:
        """Wait for ``count`` posts in a channel, and return the texts of all in it."""

        def there() -> list[str]:
            return [post.text for post in self.posts if post.channel == channel]

        with self._changed:
            assert self._changed.wait_for(lambda: len(there()) >= count, PATIENCE), f"only {self.posts}"
            return there()


class RecordingSubscriber:
    """Keeps the outcomes that it is told."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._changed = threading.Condition()

    def __call__(self, outcome: Outcome) -> None:
        """Take an outcome."""
        with self._changed:
            self.outcomes.append(outcome)
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[Outcome]:
        """Wait for ``count`` outcomes, and return all."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.outcomes) >= count, PATIENCE), f"only {self.outcomes}"
            return list(self.outcomes)
