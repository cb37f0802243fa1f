"""A small computer: a quarter of one core, and a disk that takes 20 ms to sync; and what a Raspberry Pi carries by it.

The rest of the core is taken by a process with real-time priority, a few milliseconds at a time, which root may do.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load import power_is_back, script, send, shop_reports, warm, wrk
from benchmarks.servers import SERVER_CORE, Shop
from benchmarks.table import Table
from tests.faults.disk import Knobs

SHARE, SYNC = 0.25, 0.020

PERIOD = 0.004
"""Seconds in which the share is given once."""

BOARDS = {"Raspberry Pi 3": 10, "Raspberry Pi Zero 2": 12}
"""How much slower one core of them is taken to be than one of a computer of 2020 or later, which this is taken for."""

BUSY, ANSWER_SECONDS = 0.5, 10.0
"""How much of its core may be busy, and how long a reader waits for an answer when all report at once."""

TAKER = """
import os, sys, time
core, share, period = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
os.sched_setaffinity(0, {core})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
print("taking", flush=True)
due = time.perf_counter()
parent = os.getppid()
while os.getppid() == parent:
    due += period
    while time.perf_counter() < due - period * share:
        pass
    time.sleep(max(0.0, due - time.perf_counter()))
"""


@contextmanager
def core_at(share: float) -> Iterator[bool]:
    """Leave the servers this share of their core; gives whether that may be done here."""
    command = [sys.executable, "-c", TAKER, str(SERVER_CORE), str(share), str(PERIOD)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        try:
            yield bool(process.stdout.readline())
        finally:
            process.kill()


def computer(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """Measure a small computer, and compute what smaller ones carry."""
    shop = Shop(directory / "whole", options.machines)
    with shop.server() as server:
        started = server.processor_seconds()
        heartbeat, change = (
            wrk(server, script(kind, shop.machines, shop.directory), options.seconds).processor
            for kind in ("heartbeats", "transitions")
        )
    share = 0.9 if options.small else SHARE  # tests run beside others
    with core_at(share) as may:
        if may:
            _measure(table, directory, options, share)
        else:
            table.add("a small computer", "not measured: that needs root")
    for name, slower in BOARDS.items():
        steady = BUSY * 10 / ((0.9 * heartbeat + 0.1 * change) * slower / 1e6)
        at_once = ANSWER_SECONDS / (change * slower / 1e6)
        table.add(f"{name}, computed: 1/{slower} of this core", f"start {started * slower:.0f} s")
        table.add(f"  readers, one report in 10 s each, {BUSY:.0%} busy", f"{steady:.0f}")
        table.add(f"  readers at once, all answered in {ANSWER_SECONDS:.0f} s", f"{at_once:.0f}")


def _measure(table: Table, directory: Path, options: argparse.Namespace, share: float) -> None:
    table.add(f"a core at {share:.2g}, a sync of the disk takes {SYNC * 1000:.0f} ms", "measured")
    for machines in (max(20, options.machines // 10), options.machines):
        shop = Shop(directory / f"small{machines}", machines)
        knobs = Knobs(shop.directory, shop.state)
        knobs.slow_syncs(SYNC)
        with shop.server(knobs=knobs) as server:
            table.add(f"  start, {machines} machines", f"{server.started:.1f} s")
            if machines == options.machines:
                for kind in ("heartbeats", "transitions"):
                    rate = wrk(server, script(kind, machines, shop.directory), options.seconds)
                    table.add(f"  {kind} a second; p99", f"{rate.a_second:.0f}; {rate.p99:.0f} ms")
            warm(server, machines)
            paced = send(server, shop_reports(machines, options.seconds * 4, machines / 10), machines / 10)
            table.add(f"  {machines / 10:g} reports a second, one of ten a change", paced.text())
            herd = power_is_back(server, machines)
            table.add(f"  {machines} readers at once, half with a card: the last", f"{herd.seconds[-1]:.2f} s")
        knobs.close()
