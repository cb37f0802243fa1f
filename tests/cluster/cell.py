"""Two real servers on one database, and who owns it.

Each server has a :class:`~tests.cluster.cable.Cable` to the database, and one by which the other reaches it.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import psycopg

from tests.cluster.cable import Cable
from tests.e2e.processes import ServerProcess, free_port, run
from tests.fakes import PATIENCE, wait_until
from tests.faults.disk import Knobs

LEASE = 1
TOKEN = "the-admins-token-of-the-cell"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
MACHINE, ADA = "metal-mill", "1000001"


class Cell:
    """Servers on one database.

    ``database`` is an address by TCP. With ``clocks`` (that takes a C compiler) those of the servers can be set.
    """

    program = ServerProcess

    def __init__(
        self, directory: Path, database: str, lease: int = LEASE, budget: str = "5", *, clocks: bool = False
    ) -> None:
        self.directory = directory
        self.database = database
        self.variables = {
            "MAC_DATABASE": database,
            "MAC_CLUSTER_SECRET": "the-secret-of-the-cell",
            "MAC_LEASE_SECONDS": str(lease),
            "MAC_ADMIN_TOKEN": TOKEN,
            "MAC_COMMIT_BUDGET": budget,
        }
        self.ports = {name: free_port() for name in "ab"}
        self.to_database = {name: Cable(urlsplit(database).port or 0) for name in "ab"}
        self.to_server = {name: Cable(self.ports[name]) for name in "ab"}
        self.knobs: dict[str, Knobs] = {}
        for name in "ab":
            (directory / name).mkdir(parents=True, exist_ok=True)
            if clocks:
                self.knobs[name] = Knobs(directory / name, directory / "no disk")
        self.servers: dict[str, ServerProcess] = {}
        self.errors: list[str] = []
        self.stopping = threading.Event()
        self.samples = 0
        self.takeovers: list[float] = []
        """When an epoch was seen for the first time (``time.monotonic()``)."""
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def url(self, name: str) -> str:
        return self.to_server[name].url

    def start(self, name: str, command: Sequence[str] | None = None) -> ServerProcess:
        real, cable = urlsplit(self.database).port, self.to_database[name].port
        database = self.database.replace(f":{real}/", f":{cable}/") + "?sslmode=disable&gssencmode=disable"
        knobs = self.knobs.get(name)
        variables = {**self.variables, **(knobs.environment() if knobs else {})}
        variables |= {"MAC_NODE_URL": self.url(name), "MAC_DATABASE": database}
        port = str(self.ports[name])
        self.servers[name] = self.program(self.directory / name, port=port, command=command, **variables)
        return self.servers[name]

    def command(self, *arguments: str, command: Sequence[str] | None = None) -> CompletedProcess[str]:
        """Run a command of mac-actors about this cell."""
        return run(*arguments, cwd=self.directory, command=command, **self.variables)

    def owns(self, name: str) -> bool:
        """Whether the lease of this server is valid."""
        return _owns(self.servers[name])

    def owner(self) -> str:
        """Wait until a server owns, and return its name."""
        wait_until(lambda: self.row()[1] in map(self.url, "ab"))
        return next(name for name in "ab" if self.url(name) == self.row()[1])

    def begin(self) -> None:
        """Start both, and wait until a owns and knows of b."""
        self.start("a")
        self.wait_for_lease("a")
        self.start("b")
        wait_until(lambda: self.owns("a") and len(self.status()["nodes"]) == 2)
        beat = self.beat()
        # What one beat has found is in the next one: whether it counts on being alone.
        wait_until(lambda: self.beat() > beat + 1 and not self.row()[2])

    def meet(self, name: str) -> None:
        """Wait until a server has read which others there are: each time that it has said that it is there."""
        for _ in range(2):
            before = self._said(name)
            while self._said(name) == before:
                time.sleep(0.05)

    def _said(self, name: str) -> list[tuple[Any, ...]]:
        return self.query(f"SELECT seen FROM node WHERE url = '{self.url(name)}'")

    def ask(self, name: str, path: str, reason: str) -> tuple[int, Any]:
        """Have a server carry out an admin's command; returns status and JSON."""
        return _post(self.servers[name], f"{path}?details=1", {"reason": reason}, PATIENCE)

    def reasons(self, database: str | None = None) -> list[str]:
        """Return the reasons in the journal, in its order; ``database``: not that of the cell, but a standby."""
        rows = self.query("SELECT id, data FROM journal ORDER BY id", database)
        assert [number for number, _ in rows] == list(range(1, len(rows) + 1)), "a gap in the journal"
        return [reason for _, data in rows if (reason := _reason(json.loads(data)))]

    def status(self) -> dict[str, Any]:
        done = self.command("cluster", "status", "--json")
        assert done.returncode == 0, done.stderr
        body: dict[str, Any] = json.loads(done.stdout)
        return body

    def query(self, query: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Ask the database, or the one with this address, by no cable."""
        with closing(psycopg.connect(database or self.database, autocommit=True)) as connection:
            return connection.execute(query.encode()).fetchall()

    def row(self) -> tuple[int, str, bool]:
        """Return epoch, owner, and whether it counts on being alone."""
        rows = self.query("SELECT part.epoch, owner, alone FROM part JOIN beat USING (part)")
        epoch, owner, alone = rows[0] if rows else (0, "", False)
        return epoch, owner, alone

    def beat(self) -> int:
        """Return how often the owner has extended its lease."""
        return int(self.query("SELECT beat FROM beat")[0][0])

    def wait_for_lease(self, name: str) -> None:
        """Wait until this server owns, and decides."""
        wait_until(lambda: self.row()[1] == self.url(name) and self.owns(name))

    def report(self, name: str, machine: str, fob: str = "", timeout: float = PATIENCE, *, oops: bool = False) -> bool:
        """Report to a server as a reader does; returns whether the relay is to be on."""
        body = {"machine_name": machine, "oops": oops, "rfid_value": fob, "uptime": time.monotonic()}
        status, answer = _post(self.servers[name], "/api/machine/update", body, timeout)
        if status != 200:
            self.errors.append(f"a report was answered with {status} {answer}")
        return bool(answer.get("relay"))

    def turns_on(self, name: str, machine: str) -> bool:
        """Take the card out, and put it in."""
        return not self.report(name, machine) and self.report(name, machine, ADA)

    def sample(self) -> None:
        """Look again and again whether more than one has a valid lease, and whether epochs rise."""
        self._sampler.start()

    def _sample(self) -> None:
        last = (0, "")
        while not self.stopping.is_set():
            with suppress(psycopg.OperationalError):
                epoch, owner, _ = self.row()
                if epoch < last[0] or (epoch == last[0] and owner != last[1] and epoch):
                    self.errors.append(f"epoch {epoch} of {owner} after {last}")
                if epoch > last[0]:
                    self.takeovers.append(time.monotonic())
                last = epoch, owner
            valid = [name for name, server in self.servers.items() if _owns(server)]
            self.samples += 1
            # One after the other: the first may have lost it since. So it is asked once more.
            if len(valid) > 1 and _owns(self.servers[valid[0]]):
                self.errors.append(f"two valid leases: {valid}")

    def end(self) -> None:
        """Kill what runs."""
        self.stopping.set()
        for server in self.servers.values():
            if server.process.poll() is None:
                server.process.send_signal(signal.SIGCONT)
            server.kill()
        for cable in (*self.to_database.values(), *self.to_server.values()):
            cable.close()
        for knobs in self.knobs.values():
            knobs.close()


def _post(server: ServerProcess, path: str, body: object, timeout: float = 2.0) -> tuple[int, Any]:
    """Call a server that may be stopped in the middle of it."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=timeout)
    try:
        connection.request("POST", path, json.dumps(body), HEADERS)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def _reason(data: dict[str, Any]) -> str | None:
    reason = data.get("reason") or (data.get("flag") or {}).get("reason")
    return reason if reason and reason.startswith("reason ") else None


def _owns(server: ServerProcess) -> bool:
    if server.process.poll() is not None:
        return False
    with suppress(OSError, HTTPException), urlopen(f"{server.url}/metrics", timeout=0.5) as response:
        return b"\nmac_cell_owns 1.0" in response.read()
    return False
