"""Takeovers for as long as one likes: ``python -m tests.cluster.soak --minutes 20 [--seed N]``.

Two servers on one PostgreSQL with a synchronous standby are under load; one fault after another is done to the owner,
to the cables, to the clocks or to the databases. At the end all that was answered as durable is audited. Talks to
127.0.0.1 alone, and stops by itself. Exit status 1 if an audit found something.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from tests.cluster.cell import LEASE
from tests.cluster.loaded import LoadedCell
from tests.fakes import wait_until
from tests.faults.disk import Mode
from tests.postgres import Cluster


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
    status = cell.servers[name].terminate()
    assert status == 0, f"SIGTERM ended with {status}:\n" + "\n".join(cell.servers[name].lines[-20:])
    cell.start(name)


def release(cell: LoadedCell, _name: str) -> None:
    """Have it hand over."""
    cell.command("cluster", "release")


def cut_from_database(cell: LoadedCell, name: str) -> None:
    """The owner alone does not reach the database: refused, or swallowed."""
    epoch, cable = cell.row()[0], cell.to_database[name]
    random.choice((cable.refuse, cable.hold))()
    wait_until(lambda: cell.row()[0] > epoch)
    cell.wait_for_answers()
    cell.undurable_is_lost()
    cable.mend()


def _is_over(cell: LoadedCell, cut: threading.Event, owner: str) -> bool:
    return cut.is_set() or cell.owner() != owner


def cut_commits(cell: LoadedCell, name: str) -> None:
    """Commits, or their answers, are cut in the middle; one that waits for the next owner is cut then."""
    for _ in range(5):
        cable = cell.to_database[name]
        cut = random.choice((cable.cut_in, cable.cut_behind))(b"mac_commit")
        wait_until(partial(_is_over, cell, cut, name))
        name = cell.owner()
        cell.wait_for_answers()


def slow_database(cell: LoadedCell, name: str) -> None:
    """All that goes to the database and back takes about a lease."""
    cell.to_database[name].delay(random.uniform(0.2, 0.8) * LEASE, random.choice((b"", b"mac-actors lease")))
    time.sleep(3 * LEASE)
    cell.undurable_is_lost()
    cell.to_database[name].mend()


def cut_from_each_other(cell: LoadedCell, name: str) -> None:
    """The other one does not reach the owner."""
    cable = cell.to_server[name]
    random.choice((cable.refuse, cable.hold, cable.cut))()
    cell.wait_for_answers()
    cable.cut()  # a command that comes after its client has gone would be carried out
    cable.mend()


def cut_standby(cell: LoadedCell, name: str) -> None:
    """The other one does not reach the database, and then the owner ends, or not."""
    cable = cell.to_database["b" if name == "a" else "a"]
    cable.refuse()
    cell.wait_for_answers()
    if random.random() < 0.5:
        cell.servers[name].kill()
        cell.undurable_is_lost()
        cell.start(name)
    cable.mend()


def cut_both_from_database(cell: LoadedCell, _name: str) -> None:
    """Neither reaches the database, for longer than the lease or not quite: nobody owns, and both hold."""
    how = random.choice(("refuse", "hold"))
    for cable in cell.to_database.values():
        getattr(cable, how)()
    time.sleep(random.uniform(0.8, 3) * LEASE)
    for cable in cell.to_database.values():
        cable.mend()
    cell.wait_for_answers()
    cell.undurable_is_lost()


def clock(cell: LoadedCell, name: str) -> None:
    """The owner's clock jumps by an hour."""
    epoch, cell.clock_jumped = cell.row()[0], True
    cell.knobs[name].set_clock(random.choice((-3600, 3600)))
    wait_until(lambda: cell.row()[0] > epoch)
    cell.wait_for_answers()
    cell.undurable_is_lost()
    cell.knobs[name].set_clock(0)


FAULTS = (
    *(kill, kill, suspend, suspend_shortly, stop, release),
    *(cut_from_database, cut_commits, slow_database, cut_both_from_database, cut_from_each_other, cut_standby, clock),
)


class Database:
    """PostgreSQL with a synchronous standby, and what may happen to the two."""

    def __init__(self) -> None:
        self.postgres = Cluster(durable=True)
        self.name = self.postgres.create_with_tables()
        self.standby = self.postgres.standby()
        self.knobs = self.postgres.break_disk()

    def restart(self) -> None:
        """It is stopped, or crashes, and starts again."""
        self.postgres.stop(random.choice((signal.SIGINT, signal.SIGQUIT)))
        self.postgres.start()

    def lose_standby(self) -> None:
        """The standby is away for some leases."""
        self.standby.stop(random.choice((signal.SIGINT, signal.SIGQUIT)))
        time.sleep(random.uniform(0, 3) * LEASE)
        self.standby.start()

    def cancel(self) -> None:
        """While the standby is away, whoever waits for it is cancelled."""
        self.standby.stop()
        with closing(self.postgres.admin()) as admin:
            for _ in range(5):
                how = random.choice(("pg_cancel_backend", "pg_terminate_backend"))
                admin.execute(f"SELECT {how}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'".encode())
                time.sleep(0.1 * LEASE)
        self.standby.start()

    def fill(self) -> None:
        """The disk is full for some leases. PostgreSQL may end by that, and is started again, as by systemd."""
        with self.knobs.disk(Mode.FULL):
            time.sleep(random.uniform(1, 3) * LEASE)
        with suppress(AssertionError):
            wait_until(self.postgres.answers)
        if self.postgres.process.poll() is not None:
            self.postgres.start()

    def remove(self) -> None:
        """Stop both, and remove all that they have."""
        self.standby.remove()
        self.postgres.remove()
        self.knobs.close()


def main() -> int:
    """Run it; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    given = parser.parse_args()
    random.seed(given.seed)
    until, database, done = time.monotonic() + 60 * given.minutes, Database(), 0
    with tempfile.TemporaryDirectory(prefix="mac-cell-") as directory:
        address = database.postgres.tcp_url(database.name)
        cell = LoadedCell(Path(directory), address, given.seed, clocks=True)
        try:
            cell.start("a")
            cell.start("b")
            wait_until(lambda: cell.row()[0] > 0 and not cell.row()[2])
            cell.load.start()
            cell.sample()
            while time.monotonic() < until:
                cell.wait_for_answers()
                if done % 5 == 4:
                    do = random.choice((database.restart, database.lose_standby, database.cancel, database.fill))
                    what = do.__name__
                    do()
                    cell.wait_for_answers()
                    cell.undurable_is_lost()
                else:
                    fault = random.choice(FAULTS)
                    what = fault.__name__
                    fault(cell, cell.owner())
                done += 1
                print(f"{done:4}  {what:24} epoch {cell.row()[0]}, {cell.durable} durable answers", flush=True)
            cell.wait_for_answers()
            epoch, found = cell.row()[0], cell.audit()
        except Exception:
            found = [traceback.format_exc()]
        finally:
            cell.end()
            database.remove()
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
