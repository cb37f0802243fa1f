"""Two real servers on a real PostgreSQL: killed, stopped, suspended, without their database; and an audit of it all."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.loaded import LoadedCell
from tests.fakes import wait_until
from tests.faults.load import SPARE
from tests.postgres import Cluster, needs_postgres

pytestmark = needs_postgres


def durable(answer: tuple[int, Any]) -> bool:
    return answer[0] == 200 and answer[1].get("durable", True) is True


@pytest.mark.timeout(300)
def test_two_servers_through_all_that_may_happen_to_them(tmp_path: Path) -> None:
    postgres = Cluster()
    cell = LoadedCell(tmp_path, postgres.tcp_url(postgres.create_with_tables()), lease=2)
    try:
        cell.begin()
        a, b = cell.servers["a"], cell.servers["b"]
        cell.load.start()
        cell.sample()
        cell.wait_for_owner("a", 0)

        a.kill()
        cell.undurable_is_lost()
        cell.wait_for_owner("b", 1)
        a = cell.start("a")

        # SIGSTOP for longer than the lease: it finds out itself, before anything is switched on.
        b.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: cell.row()[1] == cell.url("a"))
        cell.undurable_is_lost()
        for kind in ("locked_out", "clear", "locked_out"):  # the load may be waiting for b
            wait_until(lambda: durable(cell.ask("a", f"/api/machine/{kind}/{SPARE[0]}", "alone")))  # noqa: B023
        b.process.send_signal(signal.SIGCONT)
        b.wait_for("no longer owns the machines")

        # For much less: nothing happens.
        a.process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)  # what is tried is that it was stopped for so long
        a.process.send_signal(signal.SIGCONT)
        cell.wait_for_answers()

        epoch = cell.row()[0]
        done = cell.command("cluster", "release")
        assert f"{cell.url('b')} owns the machines now, after" in done.stdout, done
        cell.wait_for_owner("b", epoch)

        postgres.stop()
        postgres.start()
        cell.wait_for_answers()
        cell.undurable_is_lost()

        epoch, owner, _ = cell.row()
        first, second = ("a", "b") if owner == cell.url("a") else ("b", "a")
        assert cell.servers[first].terminate() == 0
        cell.wait_for_owner(second, epoch)
        cell.start(first)
        assert cell.audit() == []
        assert cell.servers[second].terminate() == 0
    finally:
        cell.end()
        postgres.remove()
