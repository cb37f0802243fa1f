"""A cell at work: readers and admins at any of its servers, commands in Slack; and the audit of all of it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.cluster.cell import LEASE, TOKEN, Cell
from tests.e2e.processes import ServerProcess
from tests.fakes import wait_until
from tests.faults import audit
from tests.faults.client import Answer, Unanswered, call
from tests.faults.load import BUDGET, SPARE, Admin, Entry, Ledger, Load, Reader, Worker, fob, write_configuration
from tests.faults.shop import CONSTANTS, CONTROL, Vitals
from tests.slack.standin.workspace import Workspace

ACK_SECONDS = 3.0
"""After so many Slack delivers an event again."""


IMPATIENT = SPARE[-1]

LATE_SECONDS = 2.0
"""So much later than it was may a takeover be seen here."""


class Node(ServerProcess):
    constants = CONSTANTS


class SlackAdmin(Worker):
    """Locks and clears machines by Slack, one after the other; nobody else does it there."""

    load: CellLoad

    def once(self) -> None:
        machine, kind = self.chance.choice(SPARE[:-1]), self.chance.choice(["lock", "lock", "oops", "clear"])
        entry = Entry(kind, machine, self.ledger.reason())
        workspace = self.load.workspace
        delivery = workspace.mention(f"{kind} {machine.title()}: {entry.key}")
        for _ in range(3):
            try:
                delivery.acked(ACK_SECONDS)
                break
            except TimeoutError:
                delivery = workspace.redeliver(delivery)
        if self.chance.random() < 0.2:
            workspace.redeliver(delivery)  # as if the acknowledgement had been lost
        try:
            workspace.wait_for(lambda: any(entry.key in post.text for post in workspace.posts(CONTROL)[-200:]), 3.0)
        except TimeoutError:
            pass  # it was so already, or a server was killed that had acknowledged it
        else:
            entry.answered = True
        self.ledger.add(entry)
        self.load.stopping.wait(self.chance.uniform(2, 10) * self.load.pause)


class Impatient(Worker):
    """Locks a machine and lifts that in turn, and puts a card in at once each time; nobody else is at this machine."""

    def __init__(self, load: Load, seed: int) -> None:
        super().__init__(load, "impatient", seed)
        self._admin, self._reader = Admin(load, [IMPATIENT], seed), Reader(load, IMPATIENT, seed)

    def once(self) -> None:
        for kind in ("lock", "clear"):
            self._admin.carry_out(kind, IMPATIENT)
            self._reader.say("insert", fob("1", self.load.next_fob(IMPATIENT)))
            self._reader.say("remove", "")
        self.load.stopping.wait(self.load.pause)

    def end(self) -> None:
        self._reader.end()


class CellLoad(Load):
    """Each request goes to any server."""

    in_cell = True
    token = TOKEN

    def __init__(self, cell: LoadedCell, seed: int, pause: float) -> None:
        super().__init__(0, seed, pause)
        self._cell = cell
        self._any = random.Random(seed)
        self.workspace = cell.workspace

    @property
    def port(self) -> int:
        alive = [server.port for server in self._cell.servers.values() if server.process.poll() is None]
        return self._any.choice(alive or [1])

    def workers(self, seeds: Iterator[int]) -> list[Worker]:
        return [*super().workers(seeds), SlackAdmin(self, "slack admin", next(seeds)), Impatient(self, next(seeds))]


class LoadedCell(Cell):
    """It is stopped as a :class:`Cell`; what it has promised is a :class:`tests.faults.audit.Audited`."""

    program = Node

    def __init__(
        self,
        directory: Path,
        database: str,
        seed: int = 1,
        pause: float = 0.15,
        lease: int = LEASE,
        *,
        clocks: bool = False,
    ) -> None:
        super().__init__(directory, database, lease, str(BUDGET), clocks=clocks)
        write_configuration(directory)
        self.workspace = Workspace()
        self.workspace.up()
        self.variables |= {
            "MACHINES_CONFIG": str(directory / "machines.json"),
            "USERS_CONFIG": str(directory / "users.json"),
            **self.workspace.variables(),
            "no_proxy": "*",
        }
        self.readiness: list[str] = []
        """What each server said when it was last asked whether it is ready."""
        self.load = CellLoad(self, seed, pause)
        self.exempt: set[str] = set()
        self.clock_jumped = False
        self.starts: list[float] = []
        self.stops: list[dict[str, int]] = []
        self.baseline: Vitals | None = None
        self.newest: Sequence[str] | None = None
        """What a command of the newest version among the servers is started with."""
        self._all: list[ServerProcess] = []

    def start(self, name: str, command: Sequence[str] | None = None) -> ServerProcess:
        begun = time.monotonic()
        self._all.append(super().start(name, command))
        self.starts.append(time.monotonic() - begun)
        return self.servers[name]

    def end(self) -> None:
        self.load.stop()
        super().end()
        self.workspace.__exit__()

    @property
    def durable(self) -> int:
        """How many commands were answered as done and durable."""
        return sum(one.answered and one.durable and one.kind != "insert" for one in list(self.ledger.entries))

    def wait_for_answers(self, number: int = 1) -> None:
        """Wait until so many more commands were answered as durable."""
        there = self.durable
        wait_until(lambda: self.durable >= there + number)

    def wait_for_owner(self, name: str, after: int) -> None:
        """Wait until this server owns, in a later epoch, and something was answered as durable."""
        wait_until(lambda: self.row()[1] == self.url(name) and self.row()[0] > after)
        self.wait_for_answers(3)

    def undurable_is_lost(self) -> None:
        """The owner can't have written any more what it had not promised to be on disk. What it goes on to promise,
        or turns on, counts: that is looked for.
        """
        self.ledger.killed_now()

    # what is audited

    @property
    def ledger(self) -> Ledger:
        return self.load.ledger

    def may_repeat(self, earlier: float, later: float) -> bool:
        return any(earlier - LATE_SECONDS <= at <= later + LATE_SECONDS for at in self.takeovers)

    def call(self, method: str, path: str) -> Answer:
        return call(self.load.port, method, path, token=TOKEN)

    def ready(self) -> bool:
        self.readiness = []
        for name, server in self.servers.items():
            try:
                answer = call(server.port, "GET", "/readyz")
                self.readiness.append(f"{name}: {answer.status} {answer.body}")
            except Unanswered as error:
                self.readiness.append(f"{name}: {error}")
        return all(": 200 " in said for said in self.readiness)

    def log(self) -> str:
        return "\n".join(line for server in self._all for line in list(server.lines))

    def waiting(self) -> int:
        return int(self.query("SELECT count(*) FROM outbox")[0][0])

    def on_disk(self) -> Path:
        done = self.command("backup", "--force", str(self.directory / "mac.sqlite3"), command=self.newest)
        assert done.returncode == 0, done.stderr
        return self.directory

    def vitals(self) -> Vitals:
        raise NotImplementedError

    def audit(self) -> list[str]:
        """Everything that is not as it was promised. Ends the load."""
        self.load.stop()
        self.stopping.set()
        self._sampler.join(30)
        found = audit.audit(self)
        ids = [number for (number,) in self.query("SELECT id FROM journal ORDER BY id")]
        if ids != list(range(1, len(ids) + 1)):
            found.append("the journal's numbers have a gap")
        if self.samples < 10:
            found.append(f"only {self.samples} samples of the leases")
        if not any(one.machine == IMPATIENT and one.relay for one in self.ledger.entries):
            found.append(f"{IMPATIENT} was never turned on")
        for one in self.ledger.troubles:
            if one.status not in {None, 503} or (one.what.startswith("report") and one.status):
                found.append(f"{one.what} was answered with {one.status} {one.text}")
        return [*self.errors, *found, *(self.readiness if found else ())]
