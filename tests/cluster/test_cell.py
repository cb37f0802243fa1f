"""Two real servers on a real PostgreSQL: killed, stopped, suspended, without their database; and an audit of it all."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.cluster.cell import Cell
from tests.fakes import wait_until
from tests.postgres import Cluster, needs_postgres

pytestmark = needs_postgres


@pytest.mark.timeout(300)
def test_two_servers_through_all_that_may_happen_to_them(tmp_path: Path) -> None:
    postgres = Cluster()
    cell = Cell(tmp_path, postgres.tcp_url(postgres.create_with_tables()))
    try:
        a, b = cell.start("a"), cell.start("b")
        wait_until(lambda: cell.row()[1:] == (cell.url("a"), False))
        cell.load()
        cell.sample()
        cell.wait_for_owner("a", 0)
        wait_until(lambda: len(cell.status()["nodes"]) == 2)

        a.kill()
        cell.wait_for_owner("b", 1)
        a = cell.start("a")

        # SIGSTOP for longer than the lease: it finds out itself, before anything is switched on.
        b.process.send_signal(signal.SIGSTOP)
        cell.wait_for_owner("a", 2)
        b.process.send_signal(signal.SIGCONT)
        b.wait_for("no longer owns the machines")

        # For much less: nothing happens.
        there = len(cell.durable)
        a.process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)  # what is tried is that it was stopped for so long
        a.process.send_signal(signal.SIGCONT)
        wait_until(lambda: len(cell.durable) > there)

        epoch = cell.row()[0]
        done = cell.command("cluster", "release")
        assert f"{cell.url('b')} owns the machines now, after" in done.stdout, done
        cell.wait_for_owner("b", epoch)

        postgres.stop()
        postgres.start()
        there = len(cell.durable)
        wait_until(lambda: len(cell.durable) > there)

        epoch, owner, _ = cell.row()
        first, second = ("a", "b") if owner == cell.url("a") else ("b", "a")
        assert cell.servers[first].terminate() == 0
        cell.wait_for_owner(second, epoch)
        cell.audit()
        assert cell.servers[second].terminate() == 0
    finally:
        cell.end()
        postgres.remove()
