"""Two real servers on one database, under load; and the audit of what they have answered."""

from __future__ import annotations

import json
import signal
import threading
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from urllib.request import urlopen

import psycopg

from tests.e2e.processes import ServerProcess, free_port, run
from tests.fakes import wait_until

LEASE = 1
TOKEN = "the-admins-token-of-the-cell"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
MACHINE = "metal-mill"


class Cell:
    """Servers on one database, and what they have answered as durable."""

    def __init__(self, directory: Path, database: str) -> None:
        self.directory = directory
        self.database = database
        self.variables = {
            "MAC_DATABASE": database,
            "MAC_CLUSTER_SECRET": "the-secret-of-the-cell",
            "MAC_LEASE_SECONDS": str(LEASE),
            "MAC_ADMIN_TOKEN": TOKEN,
            "MAC_COMMIT_BUDGET": "5",
        }
        self.ports = {name: free_port() for name in "ab"}
        self.servers: dict[str, ServerProcess] = {}
        self.durable: list[str] = []
        self.errors: list[str] = []
        self.stopping = threading.Event()
        self.samples = 0
        self._thread = threading.Thread(target=self._load, daemon=True)
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def start(self, name: str) -> ServerProcess:
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        variables = {**self.variables, "MAC_NODE_URL": self.url(name)}
        self.servers[name] = ServerProcess(directory, port=str(self.ports[name]), **variables)
        return self.servers[name]

    def command(self, *arguments: str) -> CompletedProcess[str]:
        """Run a command of mac-actors about this cell."""
        return run(*arguments, cwd=self.directory, **self.variables)

    def owns(self, url: str) -> bool:
        """Whether the lease of the server with this address is valid."""
        return any(_owns(server) for name, server in self.servers.items() if self.url(name) == url)

    def status(self) -> dict[str, Any]:
        done = self.command("cluster", "status", "--json")
        assert done.returncode == 0, done.stderr
        body: dict[str, Any] = json.loads(done.stdout)
        return body

    def row(self) -> tuple[int, str, bool]:
        """Return epoch, owner, and whether it counts on being alone."""
        with closing(psycopg.connect(self.database, autocommit=True)) as connection:
            query = "SELECT part.epoch, owner, alone FROM part JOIN beat USING (part)"
            epoch, owner, alone = connection.execute(query).fetchone() or (0, "", False)
        return epoch, owner, alone

    def wait_for_owner(self, name: str, after: int) -> None:
        """Wait until this server owns, in a later epoch, and has answered something as durable."""
        wait_until(lambda: self.row()[1] == self.url(name) and self.row()[0] > after)
        there = len(self.durable)
        wait_until(lambda: len(self.durable) > there + 2)

    # the load: an oops and its end, with a reason of its own each, to any server that answers

    def load(self) -> None:
        self._thread.start()

    def _load(self) -> None:
        number = 0
        while not self.stopping.is_set():
            number += 1
            server = self.servers["ab"[number % 2]]
            if server.process.poll() is not None:
                continue
            path = f"/api/machine/{'locked_out' if number % 4 < 2 else 'clear'}/{MACHINE}?details=1"
            reason = f"reason {number}"
            with suppress(OSError, HTTPException):
                status, body = _post(server, path, {"reason": reason})
                if status == 200 and body.get("durable", True) and body["outcomes"]:
                    self.durable.append(reason)
                elif status not in {200, 503}:
                    self.errors.append(f"{path}: {status} {body}")

    def sample(self) -> None:
        """Look again and again, at both at once, whether more than one has a valid lease."""
        self._sampler.start()

    def _sample(self) -> None:
        while not self.stopping.is_set():
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

    def audit(self) -> None:
        """Each durable answer is in the journal once, in its order; the numbers rise without a gap."""
        self.stopping.set()
        for thread in (self._thread, self._sampler):
            thread.join(30)
        with closing(psycopg.connect(self.database, autocommit=True)) as connection:
            rows = connection.execute("SELECT id, data FROM journal ORDER BY id").fetchall()
        assert [number for number, _ in rows] == list(range(1, len(rows) + 1))
        reasons = [reason for _, data in rows if (reason := _reason(json.loads(data)))]
        assert len(reasons) == len(set(reasons)), "done twice"
        assert not set(self.durable) - set(reasons), "lost"
        durable = set(self.durable)
        assert [reason for reason in reasons if reason in durable] == self.durable, "in another order"
        assert not self.errors
        assert self.samples > 10


def _post(server: ServerProcess, path: str, body: object) -> tuple[int, Any]:
    """Call a server that may be stopped in the middle of it."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=2)
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
