"""The figures of a cell, measured: two servers on one PostgreSQL of this computer, killed, stopped, handed over.

    python -m benchmarks.cell [--machines 2000] [--rounds 5] [--reports 2000] [--small]

Needs PostgreSQL 15 or later (Debian: ``apt install postgresql``). Clients, database and servers share the computer:
where others are at work on it, too, all of it is late.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from itertools import pairwise
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from benchmarks.servers import Shop
from benchmarks.table import Table
from mac_actors.storage.postgres.database import migrate
from tests.e2e.processes import COMMAND, ServerProcess, free_port
from tests.fakes import wait_until
from tests.postgres import Cluster

TOKEN = "the-admins-token-of-the-cell"
BUDGET = 0.25
READERS = 10
REPORTS = 40
"""Reports a second, of all :data:`READERS`."""


class Cell:
    """Two servers; who owns the machines, and who does not."""

    def __init__(self, shop: Shop, postgres: Cluster, lease: float) -> None:
        self.shop, self.postgres, self.lease = shop, postgres, lease
        self.database = postgres.tcp_url(postgres.create())
        migrate(self.database)
        self.servers: dict[str, ServerProcess] = {}
        self.ports = {f"http://127.0.0.1:{port}": port for port in (free_port(), free_port())}
        for url in self.ports:
            self.start(url)

    def start(self, url: str) -> None:
        """Start a server, and wait until it serves."""
        directory = self.shop.directory / str(self.ports[url])
        directory.mkdir(exist_ok=True)
        variables = {
            "MACHINES_CONFIG": str(self.shop.directory / "machines.json"),
            "USERS_CONFIG": str(self.shop.directory / "users.json"),
            "MAC_DATABASE": self.database,
            "MAC_NODE_URL": url,
            "MAC_CLUSTER_SECRET": "the-secret-of-the-cell",
            "MAC_LEASE_SECONDS": str(self.lease),
            "MAC_COMMIT_BUDGET": str(BUDGET),
            "MAC_ADMIN_TOKEN": TOKEN,
        }
        self.servers[url] = ServerProcess(directory, port=str(self.ports[url]), command=COMMAND, **variables)
        wait_until(lambda: _ask(self.ports[url], "GET", "/healthz?serving")[0] == 200)

    def ask(self, query: LiteralString) -> tuple[Any, ...]:
        with closing(psycopg.connect(self.database, autocommit=True)) as connection:
            return connection.execute(query).fetchone() or ()

    def roles(self) -> tuple[str, str]:
        """Return the addresses of the owner, and of the other one, which is warm."""
        wait_until(lambda: self.ask("SELECT alone OR released FROM beat") == (False,))
        time.sleep(2.5)
        owner = str(self.ask("SELECT owner FROM part")[0])
        (other,) = set(self.ports) - {owner}
        return owner, other

    def end(self) -> None:
        for server in self.servers.values():
            server.process.send_signal(signal.SIGCONT)
            server.kill()


def _ask(port: int, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    """Ask on a connection of its own, as readers do; status 0: no answer."""
    headers = {"Connection": "close", "Authorization": f"Bearer {TOKEN}"} if method == "POST" else {}
    with suppress(OSError, HTTPException), closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    return 0, b""


def _report(port: int, machine: int, card: str = "") -> tuple[float, int]:
    body = {"machine_name": f"m{machine}", "oops": False, "rfid_value": card, "uptime": time.monotonic()}
    begun = time.perf_counter()
    status, _ = _ask(port, "POST", "/api/machine/update", body)
    return time.perf_counter() - begun, status


@contextmanager
def readers(machines: int, *ports: int) -> Iterator[list[tuple[float, int]]]:
    """Report at these servers all the while; each fourth report changes something. Gives seconds and status of each."""
    answers: list[tuple[float, int]] = []
    over = threading.Event()

    def report(first: int) -> None:
        number = 0
        while not over.wait(READERS / REPORTS):
            number += 1
            machine = (first + number // 8 * READERS) % machines
            answers.append(_report(ports[number % len(ports)], machine, "1" if number % 8 >= 4 else ""))

    threads = [threading.Thread(target=report, args=[first]) for first in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _until_owned(port: int) -> tuple[float, float]:
    """Return the seconds until an admin's change is answered as durable, and for how long it was refused."""
    begun, refused = time.perf_counter(), 0.0
    while True:
        status, body = _ask(port, "POST", "/api/machine/clear/m0?details=1")
        now = time.perf_counter() - begun
        if status == 200 and json.loads(body).get("durable", True):
            return now, refused
        if status != 200:
            refused = now
        time.sleep(0.005)


def _seconds(values: list[float]) -> str:
    return f"median {statistics.median(values):.2f}, worst {max(values):.2f} s"


def _said(answers: list[tuple[float, int]]) -> str:
    wrong = sum(status != 200 for _, status in answers)
    return f"{max((taken for taken, _ in answers), default=0) * 1000:.0f} ms; {wrong} of {len(answers)} errors"


def takeovers(table: Table, cell: Cell, rounds: int) -> None:
    """Kill -9, and start again."""
    taken, ready, all_answers = [], [], []
    for _ in range(rounds):
        owner, other = cell.roles()
        since = len(cell.servers[other].lines)
        with readers(cell.shop.machines, cell.ports[other]) as answers:
            cell.servers[owner].process.kill()
            taken.append(_until_owned(cell.ports[other])[0])
        cell.servers[owner].kill()
        ready.append(float(cell.servers[other].wait_for("ready after", since).split("ready after ")[1].split()[0]))
        all_answers += answers
        cell.start(owner)
    goal = {1: "1.2 s", 3: "3.5 s"}.get(int(cell.lease), "")
    table.add(f"killed, lease {cell.lease} s: the next one answers", _seconds(taken), goal)
    table.add("  of that, from the lease to the fleet", _seconds(ready))
    table.add("  slowest answer to a reader", _said(all_answers), f"{BUDGET * 1000 + 50:.0f} ms; 0")


def handovers(table: Table, cell: Cell, rounds: int) -> None:
    """SIGTERM, and ``cluster release``."""
    for what in ("SIGTERM", "cluster release"):
        taken, refused, all_answers = [], [], []
        for _ in range(rounds):
            owner, other = cell.roles()
            with readers(cell.shop.machines, cell.ports[other]) as answers:
                if what == "SIGTERM":
                    cell.servers[owner].process.send_signal(signal.SIGTERM)
                else:
                    cell.ask("UPDATE beat SET asked = epoch RETURNING epoch")
                begun = time.perf_counter()
                longest, epoch = 0.0, cell.ask("SELECT epoch FROM part")
                while cell.ask("SELECT epoch FROM part") == epoch:
                    longest = max(longest, _until_owned(cell.ports[other])[1])
                longest = max(longest, _until_owned(cell.ports[other])[1])
                taken.append(time.perf_counter() - begun)
                refused.append(longest)
            all_answers += answers
            if what == "SIGTERM":
                cell.servers[owner].process.wait(30)
                cell.servers[owner].kill()
                cell.start(owner)
        table.add(f"{what}, lease {cell.lease} s: the next one answers", _seconds(taken), "0.5 s")
        table.add("  an admin's changes refused for", _seconds(refused))
        table.add("  slowest answer to a reader", _said(all_answers), f"{BUDGET * 1000 + 50:.0f} ms; 0")


def passed_on(table: Table, cell: Cell, reports: int) -> None:
    """The same reports at the owner and at the other one, in turns."""
    urls = cell.roles()
    taken: dict[str, list[float]] = {url: [] for url in urls}
    for number in range(2 * reports + 40):
        url = urls[number % 2]
        seconds, status = _report(cell.ports[url], 1 + number % 2)
        if status != 200:
            raise SystemExit(f"a report was answered with {status}")
        if number >= 40:
            taken[url].append(seconds)
    for name, part, goal in (("p50", 0.5, "+0.6 ms"), ("p99", 0.99, "+1.5 ms")):
        direct, passed = (sorted(taken[url])[int(part * reports)] * 1000 for url in urls)
        table.add(f"passed on, {name}", f"{direct:.2f} → {passed:.2f} ms: +{passed - direct:.2f} ms", goal)


def beats(table: Table, cell: Cell, seconds: float) -> None:
    """How regularly the owner beats while readers report."""
    cell.roles()
    seen: dict[object, datetime] = {}
    with (
        readers(cell.shop.machines, *cell.ports.values()),
        closing(psycopg.connect(cell.database, autocommit=True)) as connection,
    ):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for number, at in connection.execute("SELECT beat, at FROM beat"):
                seen[number] = at
            time.sleep(0.01)
    times = list(seen.values())
    gaps = [(after - before).total_seconds() for before, after in pairwise(times)]
    table.add(f"from beat to beat, lease {cell.lease} s", _seconds(gaps), f"{cell.lease / 10:.1f} s")


def faults(table: Table, cell: Cell) -> None:
    """What readers wait for at the server that lives, or at both."""

    def stopped(pids: list[int], seconds: float) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def suspended(owner: str) -> None:
        stopped([cell.servers[owner].process.pid], 3 * cell.lease)

    def database_hangs(_: str) -> None:
        children = Path(f"/proc/{cell.postgres.process.pid}/task/{cell.postgres.process.pid}/children").read_text()
        stopped([cell.postgres.process.pid, *map(int, children.split())], 3 * cell.lease)

    def database_restarts(_: str) -> None:
        cell.postgres.stop()
        time.sleep(2 * cell.lease)
        cell.postgres.start()

    what: dict[str, tuple[Callable[[str], None], bool]] = {
        "the owner hangs": (suspended, False),
        "the database hangs": (database_hangs, True),
        "the database is away": (database_restarts, True),
    }
    for name, (fault, both) in what.items():
        owner, other = cell.roles()
        with readers(cell.shop.machines, *(cell.ports.values() if both else [cell.ports[other]])) as answers:
            fault(owner)
            time.sleep(1)
        table.add(f"{name}: slowest answer to a reader", _said(answers), f"{BUDGET * 1000 + 50:.0f} ms; 0")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--reports", type=int, default=2000)
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    options = parser.parse_args()
    leases: tuple[int, ...] = (1, 3)
    if options.small:
        options.machines, options.rounds, options.reports, leases = 50, 1, 50, (1,)
    table = Table("cell")
    at, computer = f"{datetime.now(UTC):%Y-%m-%d}", f"{platform.machine()}, Python {platform.python_version()}"
    table.add(f"{at}, {computer}, {os.cpu_count()} cores, {options.machines} machines", "measured", "goal")
    postgres = Cluster(durable=True)
    try:
        with tempfile.TemporaryDirectory(prefix="mac-cell-") as directory:
            for lease in leases:
                cell = Cell(Shop(Path(directory, str(lease)), options.machines), postgres, lease)
                try:
                    if lease == leases[0]:
                        passed_on(table, cell, options.reports)
                        beats(table, cell, 2 if options.small else 20)
                    takeovers(table, cell, options.rounds)
                    handovers(table, cell, options.rounds)
                    if lease == leases[0]:
                        faults(table, cell)
                finally:
                    cell.end()
    finally:
        postgres.remove()


if __name__ == "__main__":
    main()
