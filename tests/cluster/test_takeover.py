"""Two servers in processes of their own, on a real PostgreSQL: what readers and admins see while one takes over."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import ServerProcess, free_port
from tests.fakes import wait_until
from tests.postgres import needs_postgres

pytestmark = needs_postgres

ADA = "1000001"
SECRET = "a-secret-of-the-cell"
AGAIN = "Remove card and\ninsert it again"
LEASE = 3  # a busy computer may be late with a beat, and then nothing turns on


def serve(directory: Path, database: str) -> ServerProcess:
    """Start a server of the cell."""
    port = free_port()
    directory.mkdir(exist_ok=True)
    return ServerProcess(
        directory,
        port=str(port),
        MAC_DATABASE=database,
        MAC_NODE_URL=f"http://127.0.0.1:{port}",
        MAC_CLUSTER_SECRET=SECRET,
        MAC_LEASE_SECONDS=str(LEASE),
        MAC_ADMIN_TOKEN="secret",
        MAC_COMMIT_BUDGET="4",  # a busy computer may need that to read the states
    )


class Pair:
    """Two servers: who owns is told by their logs."""

    def __init__(self, servers: list[ServerProcess]) -> None:
        self.servers = servers
        wait_until(lambda: all(self.serves(server) for server in servers))
        owners = [server for server in servers if any("owns the machines now" in line for line in server.lines)]
        (self.owner,) = owners
        (self.other,) = [server for server in servers if server is not self.owner]

    @staticmethod
    def serves(server: ServerProcess) -> bool:
        status: int = server.call("GET", "/healthz?serving")[0]
        return status == 200


@pytest.fixture
def pair(tmp_path: Path, database: str) -> Iterator[Pair]:
    with ExitStack() as stack:
        yield Pair([stack.enter_context(serve(tmp_path / name, database)) for name in ("one", "two")])


def test_a_reader_is_answered_through_a_takeover_and_nothing_starts_by_itself(pair: Pair) -> None:
    owner, other = pair.owner, pair.other
    uptime = 100.0

    def report(machine: str, fob: str = "") -> Any:
        nonlocal uptime
        uptime += 1
        return other.report(machine, fob, uptime)

    assert report("metal-mill", ADA)["relay"] is True
    owner.kill()
    assert report("metal-mill", ADA)["relay"] is True, "a session whose card is in goes on"
    assert report("metal-mill")["relay"] is False
    assert report("metal-mill", ADA)["relay"] is False
    status, taken = other.call("POST", "/api/machine/oops/table-saw", {"by": "Ada"}, {"Authorization": "Bearer secret"})
    assert status == 200
    assert taken["success"] is True
    other.wait_for("this server owns the machines now: epoch 2")
    wait_until(lambda: pair.serves(other))
    answer = report("metal-mill", ADA)
    assert (answer["relay"], answer["display"]) == (False, AGAIN)
    report("metal-mill")
    assert report("metal-mill", ADA)["relay"] is True
    wait_until(lambda: other.machine("table-saw")["status"] == "oopsed")
    assert not any(SECRET in line for server in pair.servers for line in server.lines)


def test_with_a_handover_no_session_ends_and_no_reader_sees_an_error(pair: Pair) -> None:
    owner, other = pair.owner, pair.other
    assert other.report("metal-mill", ADA, 100.0)["relay"] is True
    owner.process.send_signal(signal.SIGTERM)
    uptime = 100.0
    while not any("ready after" in line for line in other.lines):
        uptime += 1
        assert other.report("metal-mill", ADA, uptime)["relay"] is True
    assert other.report("metal-mill", ADA, uptime + 1)["relay"] is True
