"""Readers and admins at work, and a ledger of what they asked for and what they were promised."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from tests.faults.client import Answer, Unanswered, call, report

BUDGET = 0.25
"""Seconds that an answer may wait for the disk (the default of MAC_COMMIT_BUDGET)."""

GOES_ON_SECONDS = 20.0
"""No fault that is done to a cell keeps a server from its owner, and from the database, for so long."""

TICK, HANDS = 0.01, 6
"""Seconds between two looks at how late threads are, and the threads that a request goes through one after another."""

FOBS, FOBS_OF_ANN = 1000, 20_000
"""Fobs of each member, so that an insertion is known by its fob for a long time; hers are put in all the time."""

MEMBERS = {"ann": ("1", ["use"], False), "bob": ("2", ["use"], False), "cem": ("3", ["use", "extra"], False)}
MEMBERS |= {"nora": ("4", [], False), "olga": ("5", [], True)}
"""Name -> first digit of the fobs, authorizations, whether the override is theirs."""

MACHINES = [f"m{number:02}" for number in range(1, 13)]
SPARE = ["spare1", "spare2", "spare3"]
"""Configured, but not part of the load: for faults that need a machine of their own."""

ALWAYS, WARN_ONLY = "m12", "m11"


def configuration() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """machines.json and users.json of the shop."""
    machines: dict[str, Any] = {
        name: {"authorizations_or": ["use"], "alias": f"Machine {name[-2:]}"} for name in MACHINES
    }
    machines |= {name: {"authorizations_or": ["use"], "alias": name.title()} for name in SPARE}
    machines["m10"]["second_relay"] = {"authorizations_or": ["extra"], "alias": "Tube"}
    machines[WARN_ONLY] |= {"unauthorized_warn_only": True, "second_relay": {"authorizations_or": ["extra"]}}
    machines[ALWAYS] |= {"always_enabled": True, "second_relay": {"authorizations_or": ["x"], "always_enabled": True}}
    users = [
        {
            "account_id": digit,
            "full_name": f"{name.title()} Member",
            "first_name": name.title(),
            "last_name": "Member",
            "preferred_name": name.title(),
            "email": f"{name}@example.org",
            "fob_codes": [fob(digit, number) for number in range(FOBS_OF_ANN if digit == "1" else FOBS)],
            "expiration_ymd": "2099-12-31",
            "authorizations": authorizations,
            "oops_override": override,
        }
        for name, (digit, authorizations, override) in MEMBERS.items()
    ]
    return machines, users


def fob(digit: str, number: int) -> str:
    return f"{digit}{number % (FOBS_OF_ANN if digit == '1' else FOBS):09}"


def write_configuration(directory: Path) -> None:
    machines, users = configuration()
    (directory / "machines.json").write_text(json.dumps(machines), encoding="utf-8")
    (directory / "users.json").write_text(json.dumps(users), encoding="utf-8")


def may_run(card: str, machine: str) -> bool:
    """Whether a relay may be on with this card on a machine that is not always enabled."""
    return card != "" and (card[0] in "1235" or (card[0] == "4" and machine == WARN_ONLY))


@dataclass
class Entry:
    """One thing that was asked for: an insertion by its fob, a command by its reason."""

    kind: str
    machine: str
    key: str
    number: int = 0
    answered: bool = False
    already: tuple[str, ...] = ()
    relay: bool = False
    durable: bool = True
    may_be_lost: bool = False
    """The server was killed before it could be on disk, and had said that it might not be."""
    at: float = field(default_factory=time.monotonic)
    """When it was asked for, or answered."""
    held: bool = False
    """A server of a cell that owns nothing may have taken it, to tell the next owner: late, twice or never."""


@dataclass(frozen=True)
class Trouble:
    """A request that was not answered, or with an error."""

    at: float
    what: str
    status: int | None
    text: str


@dataclass
class Ledger:
    """All that the load knows. Lists are only ever added to; a mark is a moment of ``time.monotonic()``."""

    entries: list[Entry] = field(default_factory=list)
    latencies: list[tuple[float, float, str]] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    guards: dict[str, Entry | None] = field(default_factory=dict)
    undurable: Counter[str] = field(default_factory=Counter)
    lateness: list[tuple[float, float]] = field(default_factory=list)
    """How late a thread was that only wanted to go on after a moment, and when."""
    killed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _count: int = 0

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._count += 1
            entry.number = self._count
            self.entries.append(entry)

    def reason(self) -> str:
        with self._lock:
            self._count += 1
            return f"reason-{self._count:06}"

    def killed_now(self) -> None:
        """The server was killed: what it had not promised to be on disk may be gone."""
        with self._lock:
            self.killed = True
            for entry in self.entries:
                if entry.answered and not entry.durable:
                    entry.may_be_lost = True
                    if entry.kind in {"oops", "lock"}:
                        self.guards[entry.machine] = None

    def settle(self) -> None:
        """Everything that waits is on disk: from now on all of it is promised."""
        with self._lock:
            for entry in self.entries:
                entry.durable = True

    def worst(self, since: float, kind: str | None = None) -> float:
        """The longest latency since then, in seconds."""
        return max((took for at, took, what in list(self.latencies) if at >= since and kind in {None, what}), default=0)

    def delay(self, since: float) -> float:
        """The seconds that this computer alone, being busy, has kept a request waiting at the worst since then."""
        return HANDS * max((late for at, late in list(self.lateness) if at >= since), default=0.0)

    def count(self, since: float, kind: str | None = None) -> int:
        return sum(at >= since and kind in {None, what} for at, _, what in list(self.latencies))

    def troubles_since(self, since: float) -> list[Trouble]:
        return [trouble for trouble in list(self.troubles) if trouble.at >= since]


class Worker(threading.Thread):
    """Something that goes on until it is told to stop."""

    def __init__(self, load: Load, name: str, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self.load = load
        self.ledger = load.ledger
        self.chance = random.Random(seed)

    def run(self) -> None:
        try:
            while not self.load.stopping.is_set():
                self.once()
        except Exception as error:
            self.ledger.violations.append(f"the load itself failed: {type(error).__name__}: {error}")
            raise
        finally:
            self.end()

    def once(self) -> None:
        raise NotImplementedError

    def end(self) -> None:
        """Note what is still open."""

    def ask(self, kind: str, method: str, path: str, body: object) -> tuple[Answer | None, float]:
        """Make a call, and note how it went."""
        begun = time.monotonic()
        try:
            answer = call(self.load.port, method, path, body, token=self.load.token)
        except Unanswered as error:
            self.ledger.troubles.append(Trouble(begun, f"{kind} {path}", None, str(error)))
            self.load.stopping.wait(0.05)
            return None, 0.0
        took = time.monotonic() - begun
        self.ledger.latencies.append((begun, took, kind))
        if answer.status != 200:
            self.ledger.troubles.append(Trouble(begun, f"{kind} {path}", answer.status, str(answer.body)))
            self.load.stopping.wait(0.05)
            return None, took
        if not isinstance(answer.body, dict):
            self.ledger.violations.append(f"{kind} {path}: a body that is no JSON: {answer.body!r}")
            return None, took
        return answer, took


class Yardstick(Worker):
    """Measures how busy the computer is: on a busy one each thread is late, those of the server too."""

    def once(self) -> None:
        begun = time.monotonic()
        self.load.stopping.wait(TICK)
        self.ledger.lateness.append((begun, time.monotonic() - begun - TICK))


class Reader(Worker):
    """A reader: reports at each event and in between; what was not answered it says again."""

    def __init__(self, load: Load, machine: str, seed: int) -> None:
        super().__init__(load, f"reader {machine}", seed)
        self.machine = machine
        self.card = load.cards.get(machine, "")
        self._pending: Entry | None = None
        self._on = False
        """Whether the relay was on by the last answer."""

    def once(self) -> None:
        if self._pending is None:
            self._decide()
        pressed = self._pending is not None and self._pending.kind == "press"
        self._report(pressed)
        self.load.stopping.wait(self.chance.uniform(0.5, 1.5) * self.load.pause)

    def _decide(self) -> None:
        chance = self.chance.random()
        if chance < 0.15:
            if self.card and self.chance.random() < 0.7:
                self.card = ""
                self._pending = Entry("remove", self.machine, "")
            else:
                who = self.chance.choices(list(MEMBERS), [4, 4, 3, 1, 2])[0]
                self.card = fob(MEMBERS[who][0], self.load.next_fob(self.machine))
                self._pending = Entry("insert", self.machine, self.card)
        elif chance < 0.153:
            self._pending = Entry("press", self.machine, "")

    def say(self, kind: str, card: str) -> None:
        """Report this, with this card, until it is answered."""
        self.card, self._pending = card, Entry(kind, self.machine, card)
        while self._pending is not None and not self.load.stopping.is_set():
            self._report(pressed=False)

    def _report(self, pressed: bool) -> None:
        guard = self.ledger.guards.get(self.machine)
        uptime = round(time.monotonic() - self.load.booted, 3)
        body = report(self.machine, self.card, uptime, oops=pressed)
        answer, took = self.ask("report", "POST", "/api/machine/update", body)
        if answer is None:
            return
        self._check(answer.body, guard, pressed)
        if self._pending is not None:
            entry, self._pending = self._pending, None
            entry.answered, entry.relay, entry.durable = True, answer.body["relay"], took < BUDGET * 0.95
            entry.held = self.load.in_cell and not (entry.relay and self.machine != ALWAYS)  # which turn nothing on
            self.ledger.add(entry)

    def _check(self, outputs: Any, guard: Entry | None, pressed: bool) -> None:
        """The invariants that a reader sees."""
        relay, override = outputs["relay"], outputs["display"].startswith("OVERRIDE BY")
        wrong = []
        # A server of a cell that does not reach the owner lets go on what is on, for a while; it turns nothing on.
        lets_go_on = self.load.in_cell and guard is not None and time.monotonic() < guard.at + GOES_ON_SECONDS
        was_on, self._on = self._on, relay
        goes_on = lets_go_on and was_on
        if guard is not None and self.ledger.guards.get(self.machine) is guard and relay and not (override or goes_on):
            since = f"{time.monotonic() - guard.at:.1f} s after {guard.kind} {guard.key}"
            wrong.append(f"the relay is on{', as it was,' if was_on else ''} {since}")
        if outputs["oops_led"] and relay and not override:
            wrong.append("the relay is on while oopsed")
        if outputs["second_relay"] and not relay:
            wrong.append("the second relay is on without the first")
        if relay and self.machine != ALWAYS and not may_run(self.card, self.machine):
            wrong.append(f"the relay is on with card {self.card!r}")
        if pressed and not outputs["oops_led"]:
            wrong.append("the button was pressed, and the machine is not oopsed")
        self.ledger.violations += [f"{time.strftime('%X')} {self.machine}: {text}: {outputs}" for text in wrong]

    def end(self) -> None:
        self.load.cards[self.machine] = self.card
        if self._pending is not None:
            self.ledger.add(self._pending)


class Admin(Worker):
    """Oopses, locks and clears some of the machines; nobody else does it there."""

    PATHS: ClassVar = {
        "oops": ("POST", "oops"),
        "lock": ("POST", "locked_out"),
        "unoops": ("DELETE", "oops"),
        "unlock": ("DELETE", "locked_out"),
        "clear": ("POST", "clear"),
    }

    def __init__(self, load: Load, machines: Sequence[str], seed: int) -> None:
        super().__init__(load, f"admin of {machines[0]}", seed)
        self.machines = machines

    def once(self) -> None:
        machine = self.chance.choice(self.machines)
        if self.ledger.guards.get(machine) is not None and self.chance.random() < 0.8:
            kind = self.chance.choice(["clear", "clear", "unoops", "unlock"])
        else:
            kind = self.chance.choice(["oops", "oops", "lock", "clear"])
        self.carry_out(kind, machine)
        self.load.stopping.wait(self.chance.uniform(1, 5) * self.load.pause)

    def carry_out(self, kind: str, machine: str) -> None:
        entry = Entry(kind, machine, self.ledger.reason())
        if kind not in {"oops", "lock"}:
            self.ledger.guards[machine] = None
        method, path = self.PATHS[kind]
        body = {"reason": entry.key, "by": "an admin"}
        answer, _ = self.ask("admin", method, f"/api/machine/{path}/{machine}", body)
        if answer is not None:
            entry.answered, entry.already = True, answer.already
            entry.durable = answer.body.get("durable", True)
            entry.held = self.load.in_cell and not entry.durable
            if not entry.durable:
                self.ledger.undurable[kind] += 1
        self.ledger.add(entry)
        entry.at = time.monotonic()
        if answer is not None and kind in {"oops", "lock"} and not entry.held:
            self.ledger.guards[machine] = entry


class Load:
    """The shop at work. It can be stopped and started again, and goes on where it was."""

    in_cell = False
    """Whether there is more than one server."""
    token = ""

    def __init__(self, port: int, seed: int = 1, pause: float = 0.06) -> None:
        self._port = port
        self.pause = pause
        self.ledger = Ledger()
        self.booted = time.monotonic() - 1000.0
        self.cards: dict[str, str] = {}
        self.stopping = threading.Event()
        self._chance = random.Random(seed)
        self._next_fob: Counter[str] = Counter()
        self._workers: list[Worker] = []

    @property
    def port(self) -> int:
        """Where the next request goes."""
        return self._port

    def workers(self, seeds: Iterator[int]) -> list[Worker]:
        """Return who is at work."""
        readers = [Reader(self, name, next(seeds)) for name in MACHINES]
        admins = [Admin(self, MACHINES[part::3], next(seeds)) for part in range(3)]
        return [*readers, *admins, Yardstick(self, "yardstick", next(seeds))]

    def next_fob(self, machine: str) -> int:
        self._next_fob[machine] += 1
        return self._next_fob[machine]

    def start(self) -> None:
        self.stopping = threading.Event()
        self._workers = self.workers(iter(lambda: self._chance.randrange(2**32), None))
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Let everybody finish the request under way."""
        self.stopping.set()
        for worker in self._workers:
            worker.join(3 * 10.0)
        self._workers = []
