"""Two real servers on one database, and who owns it."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from http.client import HTTPException
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from urllib.request import urlopen

import psycopg

from tests.e2e.processes import ServerProcess, free_port, run

LEASE = 1
TOKEN = "the-admins-token-of-the-cell"


class Cell:
    """Servers on one database."""

    program = ServerProcess

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
        self.errors: list[str] = []
        self.stopping = threading.Event()
        self.samples = 0
        self.takeovers: list[float] = []
        """When an epoch was seen for the first time (``time.monotonic()``)."""
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def start(self, name: str, command: Sequence[str] | None = None) -> ServerProcess:
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        variables = {**self.variables, "MAC_NODE_URL": self.url(name)}
        self.servers[name] = self.program(directory, port=str(self.ports[name]), command=command, **variables)
        return self.servers[name]

    def command(self, *arguments: str, command: Sequence[str] | None = None) -> CompletedProcess[str]:
        """Run a command of mac-actors about this cell."""
        return run(*arguments, cwd=self.directory, command=command, **self.variables)

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


def _owns(server: ServerProcess) -> bool:
    if server.process.poll() is not None:
        return False
    with suppress(OSError, HTTPException), urlopen(f"{server.url}/metrics", timeout=0.5) as response:
        return b"\nmac_cell_owns 1.0" in response.read()
    return False
