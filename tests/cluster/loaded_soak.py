"""Takeovers for as long as one likes: ``python -m tests.cluster.loaded_soak --minutes 20 [--seed N]``.

Two servers on one PostgreSQL are under load; one fault after another is done to the owner, or to the database. At the
end all that was answered as durable is audited. Talks to 127.0.0.1 alone, and stops by itself. Exit status 1 if an
audit found something.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
import traceback
from contextlib import closing
from pathlib import Path

import psycopg

from mac_actors.storage.postgres.migrations import migrate
from tests.cluster.loaded import LoadedCell
from tests.cluster.servers import LEASE
from tests.fakes import wait_until
from tests.postgres import Cluster


def owner(cell: LoadedCell) -> str:
    """Return which server owns."""
    owners = {cell.url(name): name for name in "ab"}
    wait_until(lambda: cell.row()[1] in owners)
    return owners[cell.row()[1]]


def kill(cell: LoadedCell, name: str) -> None:
    """Kill -9, and start again once the other one owns."""
    epoch = cell.row()[0]
    cell.servers[name].kill()
    wait_until(lambda: cell.row()[0] > epoch)
    cell.undurable_is_lost()
    cell.wait_for_answers()
    cell.start(name)


def suspend(cell: LoadedCell, name: str) -> None:
    """SIGSTOP for longer than the lease."""
    epoch = cell.row()[0]
    cell.servers[name].process.send_signal(signal.SIGSTOP)
    wait_until(lambda: cell.row()[0] > epoch)
    cell.undurable_is_lost()
    cell.servers[name].process.send_signal(signal.SIGCONT)


def suspend_shortly(cell: LoadedCell, name: str) -> None:
    """SIGSTOP for about a lease, more or less."""
    cell.servers[name].process.send_signal(signal.SIGSTOP)
    time.sleep(random.uniform(0.5, 1.3) * LEASE)
    cell.undurable_is_lost()
    cell.servers[name].process.send_signal(signal.SIGCONT)


def stop(cell: LoadedCell, name: str) -> None:
    """SIGTERM, and start again."""
    assert cell.servers[name].terminate() == 0
    cell.start(name)


def release(cell: LoadedCell, _name: str) -> None:
    """Have it hand over."""
    cell.command("cluster", "release")


FAULTS = (kill, kill, suspend, suspend_shortly, stop, release)


def main() -> int:
    """Run it; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    random.seed(given.seed)
    until, postgres, done = time.monotonic() + 60 * given.minutes, Cluster(), 0
    with tempfile.TemporaryDirectory(prefix="mac-cell-") as directory:
        with closing(psycopg.connect(postgres.url(name := postgres.create()), autocommit=True)) as connection:
            migrate(connection)
        cell = LoadedCell(Path(directory), postgres.url(name), given.seed)
        try:
            cell.start("a")
            cell.start("b")
            wait_until(lambda: cell.row()[0] > 0 and not cell.row()[2])
            cell.load.start()
            cell.sample()
            while time.monotonic() < until:
                cell.wait_for_answers()
                if done % 10 == 9:
                    postgres.stop()
                    postgres.start()
                    cell.wait_for_answers()
                    cell.undurable_is_lost()
                    fault = "restart of the database"
                else:
                    chosen = random.choice(FAULTS)
                    fault = chosen.__name__
                    chosen(cell, owner(cell))
                done += 1
                print(f"{done:4}  {fault:24} epoch {cell.row()[0]}, {cell.durable} durable answers", flush=True)
            cell.wait_for_answers()
            epoch, found = cell.row()[0], cell.audit()
        except Exception:
            found = [traceback.format_exc()]
        finally:
            cell.end()
            postgres.remove()
    if found:
        Path("soak-cell.log").write_text(cell.log(), encoding="utf-8")
        print(f"seed {given.seed}, after {done} faults; the servers' log is in soak-cell.log:", *found[:50], sep="\n")
        return 1
    print(
        f"seed {given.seed}: {epoch} takeovers, {cell.durable} durable answers, each in the journal once and in order, "
        f"none lost; {len(cell.workspace.posts())} posts in Slack; {cell.samples} samples, never two valid leases"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
