"""The second way: a whole cell on this computer by the files in etc/cell, with three etcds and two Patronis.

Each of the cell's computers has an address of its own: 127.0.11.x stands for 192.0.2.x.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mac_actors.storage.postgres.migrations import migrate
from tests.cluster.proxies import ETC
from tests.e2e.processes import ServerProcess, free_port
from tests.postgres import PROGRAMS, needs_postgres

_PATRONI = shutil.which("patroni", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")

pytestmark = [
    needs_postgres,
    pytest.mark.nightly,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        shutil.which("etcd") is None or _PATRONI is None,
        reason="etcd or Patroni is not on this computer (Debian: apt install etcd-server patroni)",
    ),
]

ADA = "1000001"
COMPUTERS = {"one": "11", "two": "12", "witness": "13"}
PATIENCE = 100.0


def local(text: str, name: str = "one") -> str:
    """Return one of the files for the computer of this name, and for addresses that this computer has."""
    text = re.sub(r"(?m)^(name: |ETCD_NAME=)one$", rf"\g<1>{name}", text)
    mine = re.compile(r"(?m)^((?!.*(?:CLUSTER=|hosts:)).*)192\.0\.2\.11\b")
    while mine.search(text):
        text = mine.sub(rf"\g<1>127.0.11.{COMPUTERS[name]}", text)
    return text.replace("192.0.2.0/24", "127.0.0.0/8").replace("192.0.2.", "127.0.11.")


@contextmanager
def running(command: list[str], log: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program of the cell, and stop it at the end."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, **options)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
            process.wait()


class Database:
    """Two Patronis, and what they vote by."""

    def __init__(self) -> None:
        directory = self.directory = Path(tempfile.mkdtemp(prefix="mac-patroni-"))
        self.user: dict[str, Any] = (
            {"user": "postgres", "group": "postgres", "extra_groups": ()} if os.geteuid() == 0 else {}
        )
        directory.chmod(0o755)
        self._stack = ExitStack()
        for name in COMPUTERS:
            variables = dict(re.findall(r"(?m)^(ETCD_\w+)=(.*)$", local((ETC / "etcd.env").read_text(), name)))
            variables["ETCD_DATA_DIR"] = str(directory / f"etcd-{name}")
            env = {**os.environ, **variables}
            self._stack.enter_context(running(["etcd"], directory / f"etcd-{name}.log", env=env))
        for name in ("one", "two"):
            place = directory / name
            place.mkdir()
            if self.user:
                shutil.chown(place, "postgres", "postgres")
            text = local((ETC / "patroni.yml").read_text(), name)
            text = text.replace("/var/lib/postgresql/machines", str(place / "data"))
            text = text.replace("/var/run/postgresql", str(place)).replace("/usr/lib/postgresql/15/bin", str(PROGRAMS))
            (place / "patroni.yml").write_text(text)
            command = [str(_PATRONI), str(place / "patroni.yml")]
            log = directory / f"patroni-{name}.log"
            env = {**os.environ, "HOME": str(place)}
            self._stack.enter_context(running(command, log, cwd="/", env=env, **self.user))
        self.url = "postgresql://mac:secret@127.0.11.11:5432,127.0.11.12:5432/mac"

    def close(self) -> None:
        """Stop all of it, and remove what it has."""
        self._stack.close()
        shutil.rmtree(self.directory)

    def leader(self) -> str:
        """Wait for a leader with a synchronous standby, and return its name."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for name in ("one", "two"):
                with suppress(psycopg.Error), self.admin(name) as connection:
                    states = connection.execute("SELECT sync_state FROM pg_stat_replication").fetchall()
                    if ("sync",) in states:
                        return name
            time.sleep(0.2)
        logs = "\n".join((self.directory / f"patroni-{name}.log").read_text()[-3000:] for name in ("one", "two"))
        raise AssertionError(f"no leader with a standby:\n{logs}")

    @staticmethod
    def admin(name: str) -> psycopg.Connection:
        """Connect to the PostgreSQL of a computer as its superuser."""
        address = f"postgresql://postgres:change-me-1@127.0.11.{COMPUTERS[name]}:5432/postgres?connect_timeout=2"
        return psycopg.connect(address, autocommit=True)

    def switch_over(self, leader: str) -> None:
        """Have the other computer lead."""
        control = str(Path(str(_PATRONI)).with_name("patronictl"))
        config = str(self.directory / "one" / "patroni.yml")
        command = [control, "-c", config, "switchover", "machines", "--leader", leader, "--force"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **self.user)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def database() -> Iterator[Database]:
    made = Database()
    try:
        yield made
    finally:
        made.close()


def test_a_cell_by_the_files_in_etc_goes_on_through_a_switchover_of_its_database(
    tmp_path: Path, database: Database
) -> None:
    leader = database.leader()
    with database.admin(leader) as connection:
        connection.execute("CREATE ROLE mac LOGIN PASSWORD 'secret'")
        connection.execute("CREATE DATABASE mac OWNER mac")
    with closing(psycopg.connect(database.url + "?target_session_attrs=read-write", autocommit=True)) as connection:
        migrate(connection)
    port = free_port()
    common = {
        "MAC_DATABASE": database.url,
        "MAC_CLUSTER_SECRET": "a-secret",
        "MAC_NODE_URL": f"http://127.0.0.1:{port}",
    }
    with ServerProcess(tmp_path, port=str(port), **common) as server:
        server.wait_for("this server owns the machines now")
        uptime = 100.0
        while not server.report("metal-mill", ADA, uptime)["relay"]:
            uptime += 1
            server.report("metal-mill", "", uptime)
            uptime += 1
        database.switch_over(leader)
        begun = time.monotonic()
        durable = False
        while not durable:
            uptime += 1
            assert server.report("metal-mill", ADA, uptime)["relay"] is True
            status, answer = server.call("POST", "/api/machine/oops/table-saw", {"by": "Ada"})
            assert status == 200, answer
            durable = answer.get("durable", True)
            assert time.monotonic() - begun < PATIENCE
        assert server.machine("table-saw")["status"] == "oopsed"
        assert database.leader() != leader
        server.terminate()
    assert "password" not in "\n".join(server.lines)
