"""A fleet as a script has it: in its own process, or a running server's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mac_actors import AnyFleet, Fleet, RemoteFleet
from tests.e2e.processes import ServerProcess
from tests.fakes import report, sample_machines, sample_users

TOKEN = "the-admins-token"


@dataclass
class Shop:
    """A fleet, and how a reader reports to it: machine, fob."""

    fleet: AnyFleet
    report: Callable[[str, str], object]


@contextmanager
def shop_here() -> Iterator[Shop]:
    """The sample shop in this process, in memory."""
    with Fleet.open(sample_machines(), sample_users(), state=None) as fleet:
        yield Shop(fleet, lambda machine, fob: report(fleet, machine, fob or None))


@contextmanager
def serving(directory: Path, port: int = 0, **variables: str) -> Iterator[ServerProcess]:
    """The sample shop in a server process, whose state is in ``directory``."""
    machines, users = directory / "machines.json", directory / "users.json"
    machines.write_text(json.dumps(sample_machines()), encoding="utf-8")
    users.write_text(json.dumps(sample_users()), encoding="utf-8")
    files = {"MACHINES_CONFIG": str(machines), "USERS_CONFIG": str(users)}
    with ServerProcess(directory, port=str(port), **files, **variables) as server:
        yield server


@contextmanager
def shop_remote(server: ServerProcess) -> Iterator[Shop]:
    """A server's fleet, with the admins' token."""
    with RemoteFleet(server.url, TOKEN) as fleet:
        yield Shop(fleet, server.report)
