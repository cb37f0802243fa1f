"""A cell to look at (``make demo-cell``): two servers, one PostgreSQL, readers, and a key that kills the owner.

Everything is in a temporary directory, and gone at the end. The readers have one address: HAProxy, which asks
``/healthz?serving`` of both servers. ``--kills N`` kills so often by itself, and ends.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.cluster.cell import Cell
from tests.e2e.processes import SAMPLES, Talking, free_port
from tests.fakes import wait_until
from tests.postgres import PROGRAMS, Cluster

PROXY = """
defaults
    mode http
    timeout connect 1s
    timeout client 30s
    timeout server 30s
    option redispatch
frontend readers
    bind 127.0.0.1:{port}
    default_backend cell
backend cell
    option httpchk GET /healthz?serving
    default-server check inter 200ms fall 1 rise 1 on-marked-down shutdown-sessions
    server a 127.0.0.1:{a}
    server b 127.0.0.1:{b}
"""


def main() -> int:
    """Run it; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=0)
    kills = parser.parse_args().kills
    if PROGRAMS is None or not shutil.which("haproxy"):
        print(
            "The demo of a cell needs PostgreSQL 15 or later, and HAProxy: apt install postgresql haproxy",
            file=sys.stderr,
        )
        return 1
    print("Starting PostgreSQL, HAProxy and two servers ...", flush=True)
    postgres = Cluster()
    with tempfile.TemporaryDirectory(prefix="mac-cell-") as name:
        directory = Path(name)
        cell, port = Cell(directory, postgres.tcp_url(postgres.create_with_tables())), free_port()
        (directory / "haproxy.cfg").write_text(PROXY.format(port=port, **cell.ports))
        proxy = subprocess.Popen(
            ["haproxy", "-db", "-f", str(directory / "haproxy.cfg")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            cell.start("a")
            cell.start("b")
            url = f"http://127.0.0.1:{port}"
            readers = ("simulate", "--url", url, "--seconds", "86400")
            with Talking(*readers, cwd=directory, **SAMPLES, MAC_ADMIN_TOKEN=cell.variables["MAC_ADMIN_TOKEN"]):
                wait_until(lambda: cell.row()[0] > 0)
                print(f"The board: {url}/   The servers: {cell.url('a')} and {cell.url('b')}")
                show(cell)
                while kills or ask():
                    kill_owner(cell)
                    kills -= 1
                    if kills == 0:
                        break
        finally:
            proxy.terminate()
            proxy.wait()
            cell.end()
            postgres.remove()
    print("The demo has ended.")
    return 0


def ask() -> bool:
    """Wait for the key."""
    print("\nEnter kills the owner (kill -9); q and Enter ends the demo.", flush=True)
    line = sys.stdin.readline()
    return bool(line) and not line.strip().startswith("q")


def kill_owner(cell: Cell) -> None:
    """Kill it, and show what happens."""
    epoch, name = cell.row()[0], cell.owner()
    begun = time.monotonic()
    cell.servers[name].kill()
    print(
        f"{cell.url(name)} is killed. Until another one owns the machines nothing turns on; sessions go on.", flush=True
    )
    wait_until(lambda: cell.row()[0] > epoch)
    wait_until(lambda: cell.owns(cell.owner()))
    print(f"{cell.row()[1]} owns the machines, {time.monotonic() - begun:.1f} s after. The killed one starts again.")
    cell.start(name)
    show(cell)


def show(cell: Cell) -> None:
    """Show the cell as ``mac-actors cluster status`` does."""
    print(cell.command("cluster", "status").stdout, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(0)
