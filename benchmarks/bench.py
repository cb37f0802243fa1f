"""All figures by which the server is measured, side by side in one run: ``make bench``.

    python -m benchmarks.bench [--small] [--write] [--starts 3] [--seconds 3] [--machines 500] [--herd 2000]
                               [--kills 15] [--hang 10] [--users 10000] [--rows 1000000] [--demo]
    python -m benchmarks.bench --growth [--small] [--write] [--rows 10000000]

Needs wrk (Debian's package), a C compiler (for the disk that hangs) and two cores: servers run on one, the load on the
other. Servers take turns; of several starts the medians count, and of rates those of the ratios, with their spread.
What readers' firmware does is measured where ``make firmware-test`` has built it, ``make demo`` with ``--demo``.
``--growth`` draws what becomes of them as a shop grows, and measures a small computer; it takes ten minutes.
``--write`` keeps tables and charts for docs/performance.rst.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import growth, obey, small
from benchmarks.commits import measure, opened
from benchmarks.journal import fill
from benchmarks.load import (
    BEGUN,
    Rate,
    add_keys,
    power_is_back,
    script,
    send,
    shop_reports,
    update,
    warm,
    wrk,
)
from benchmarks.servers import BARE, CORES, LOAD_CORE, OLD, Server, Shop, constant, pin, serve
from benchmarks.table import Table, bars
from tests.e2e.processes import ROOT, environment, free_port
from tests.faults import faults
from tests.faults.audit import audit
from tests.faults.client import Unanswered, call, open_socket
from tests.faults.disk import Knobs, Mode
from tests.faults.load import BUDGET
from tests.faults.shop import Shop as FaultShop
from tests.faults.shop import set_file_limit, until
from tests.firmware.reader import BUILT
from tests.postgres import PROGRAMS, Cluster
from tests.slack.standin.workspace import Workspace

PACED = 50.0
"""Reports a second of 500 readers, one in 10 s each."""

SILENT, BESIDE = 64, 20.0
"""Connections that say nothing or break off, and reports a second beside them."""


def starts(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """Measure the start of a server with many users and a long journal, and of the commands that start often."""
    shop = Shop(directory / "start", options.machines, options.users)
    with shop.server():
        pass
    fill(shop, options.rows)
    taken = []
    for number in range(options.starts):
        with shop.server() as server:
            taken.append(server.started)
            if number == options.starts - 1:
                commands = {"--version": [], "health": ["--url", f"http://127.0.0.1:{server.port}"]}
                for name, arguments in commands.items():
                    seconds = [_run(name, *arguments) for _ in range(options.starts * 3)]
                    table.add(f"mac-actors {name}", f"{statistics.median(seconds):.2f} s", "0.15 s")
    what = f"{options.machines} machines, {options.users:,} users, {options.rows:,} lines"
    table.add(f"start, {what}", f"{statistics.median(taken):.2f} s", "2 s")


def _run(*arguments: str) -> float:
    begun = time.perf_counter()
    command = [sys.executable, "-m", "mac_actors", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment())
    return time.perf_counter() - begun


def rates(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """Measure answers a second, as shares of constant."""
    results: dict[str, list[Rate]] = defaultdict(list)
    memory = []
    for number in range(options.starts):
        shop = Shop(directory / f"rates{number}", options.machines)
        scripts = {kind: script(kind, options.machines, shop.directory) for kind in ("heartbeats", "transitions")}

        def load(name: str, server: Server, kind: str = "heartbeats", scripts: dict[str, Path] = scripts) -> None:
            results[name].append(wrk(server, scripts[kind], options.seconds))

        with constant() as its, shop.server() as ours:
            load("constant", its)
            load("heartbeats", ours)
            load("durable transitions", ours, "transitions")
            memory.append(ours.megabytes())
            add_keys(ours, options.machines, shop.directory)
            scripts["signed"] = script("signed", options.machines, shop.directory)
            load("signed heartbeats", ours, "signed")
        with serve(["-c", BARE, "{port}"], {}, "") as bare:
            load("bare cheroot", bare)
        if os.environ.get("DM_MAC"):
            with serve(["-c", OLD, "{port}"], {"PYTHONPATH": os.environ["DM_MAC"]}, "") as old:
                load("the old server", old)
    goals = {"heartbeats": "1.20", "durable transitions": "0.90"}
    shares = dict[str, float]()
    for name, rows in results.items():
        pairs = list(zip(rows, results["constant"], strict=True))
        ratios = sorted(mine.a_second / its.a_second for mine, its in pairs)
        shares[name] = statistics.median(ratios)
        spread = f"{shares[name]:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        table.add(f"{name}, share of constant", spread, goals.get(name, ""))
        rate, slowest, used = (
            statistics.median(getattr(row, what) for row in rows) for what in ("a_second", "p99", "processor")
        )
        table.add("  a second; p99", f"{rate:.0f}; {slowest:.1f} ms")
        share = statistics.median(its.processor / mine.processor for mine, its in pairs)
        table.add("  processor; share of constant by it", f"{used:.0f} µs; {share:.2f}")
    table.charts["performance"] = bars(shares)
    table.add(f"memory after load, {options.machines} machines", f"{statistics.median(memory):.0f} MB", "60 MB")


def engines(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """Measure durable transitions on SQLite, on PostgreSQL, and on one with a synchronous standby."""
    if PROGRAMS is None:
        table.add("PostgreSQL", "is not on this computer")
        return
    goals = {"SQLite": "", "PostgreSQL": "1500", "PostgreSQL with a synchronous standby": "800"}
    results: dict[str, list[list[float]]] = defaultdict(list)
    with ExitStack() as stack:
        clusters: dict[str, Cluster] = {}
        for name in list(goals)[1:]:
            clusters[name] = Cluster(durable=True)
            stack.callback(clusters[name].remove)
        stack.callback(clusters[name].standby().remove)
        for number in range(options.starts):
            for name in goals:
                cluster = clusters.get(name)
                database = cluster.url(cluster.create_with_tables()) if cluster else ""
                shop = Shop(directory / f"{name}{number}", options.machines)
                with shop.server(database=database) as server:
                    row = [wrk(server, script("transitions", shop.machines, shop.directory), options.seconds).a_second]
                with opened(database or shop.state) as store:
                    for size in (1, 16):
                        _, taken = measure(store, options.commits, size)
                        row.append(size * len(taken) / sum(taken))
                results[name].append(row)
    for name, rows in results.items():
        by_http, single, many = (statistics.median(column) for column in zip(*rows, strict=True))
        table.add(f"{name}: durable transitions a second", f"{by_http:.0f}", goals[name])
        table.add("  at the writer, one by one; by 16", f"{single:.0f}; {many:.0f}")


def more_machines(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """Measure what becomes of the rate with more machines."""
    sizes = (10, options.herd)
    measured: dict[int, list[float]] = defaultdict(list)
    for number in range(options.starts):
        for size in sizes:
            shop = Shop(directory / f"machines{size}-{number}", size)
            with shop.server() as server:
                lua = script("heartbeats", size, shop.directory)
                measured[size].append(wrk(server, lua, options.seconds).a_second)
    kept = statistics.median(more / less for less, more in zip(*measured.values(), strict=True))
    table.add(f"heartbeats kept, {sizes[0]} → {sizes[1]} machines", f"{kept:.2f}", "0.95")


def latency(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """Measure readers at their pace, beside silent connections, and all at once; and a scrape."""
    shop = Shop(directory / "latency", max(options.machines, options.herd))
    with shop.server() as server:
        warm(server, options.machines)
        paced = send(server, shop_reports(options.machines, options.seconds * 3, PACED), PACED)
        table.add(f"{PACED:.0f} reports a second, one of ten a change", paced.text(), "p99 5 ms")
        with _silent(server):
            beside = send(server, shop_reports(options.machines, options.seconds * 2, BESIDE), BESIDE)
        name = f"{BESIDE:.0f} reports a second beside {SILENT} silent or half-open connections"
        table.add(name, f"{beside.text()}, none refused", "p99 10 ms")
        herd = power_is_back(server, options.herd)
        name = f"{options.herd} readers at once, half with a card: the last is answered"
        table.add(name, f"{herd.seconds[-1]:.2f} s, none starts", "1 s")
        table.add("  of that, the sender was busy", f"{herd.processor:.0%}")
    shop = Shop(directory / "scraped", options.machines)
    with shop.server() as server:
        warm(server, options.machines)
        server.call("GET", "/metrics")
        before, times = server.processor_seconds(), 30
        for _ in range(times):
            server.call("GET", "/metrics")
        ms = (server.processor_seconds() - before) / times * 1000
        table.add(f"a scrape of /metrics, {options.machines} machines: processor", f"{ms:.0f} ms", "20 ms")


@contextmanager
def _silent(server: Server):  # type: ignore[no-untyped-def]
    """Have connections open from elsewhere, half of which say nothing, and half only half of a request."""
    with ExitStack() as stack:
        for number in range(SILENT):
            sock = stack.enter_context(open_socket(server.port, "127.0.0.4"))
            if number % 2:
                sock.sendall(update(0, "", 1.0)[:-20])
        yield


def slack(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """Measure the way from Slack to a machine, and how soon it is answered: in a workspace that stands in."""
    shop, orders = Shop(directory / "slack", options.machines), list[float]()
    with Workspace() as workspace, shop.server(workspace=workspace) as server:
        workspace.wait_connected()
        until(lambda: "slack" not in server.call("GET", "/readyz").body["notes"], "Slack is reached")
        warm(server, options.machines)
        taken = []
        for _ in range(options.starts):
            posts, begun = len(workspace.posts()), time.monotonic()
            workspace.mention("status")
            workspace.wait_for(lambda posts=posts: len(workspace.posts()) > posts)  # type: ignore[misc]
            taken.append(workspace.posts()[posts].at - begun)
            time.sleep(1.0)
        table.add(f"Slack's status, {options.machines} machines", f"{statistics.median(taken):.2f} s", "0.5 s")
        for number in range(options.orders):
            machine = number % options.machines
            send(server, [update(machine, "", BEGUN + 1 + number)])
            if not send(server, [update(machine, "1", BEGUN + 2 + number)]).relays:
                raise RuntimeError(f"m{machine} does not run")
            delivery = workspace.mention(f"oops m{machine}")
            ack = delivery.acked()
            while send(server, [update(machine, "1", BEGUN + 3 + number)]).relays:
                pass
            orders.append(max(0.0, time.monotonic() - ack.at))
            server.call("POST", f"/api/machine/clear/m{machine}")
    orders.sort()
    p50, p99 = orders[len(orders) // 2] * 1000, orders[int(len(orders) * 0.99)] * 1000
    name = f"Slack's command acknowledged → the reader is told ({options.orders} times)"
    table.add(name, f"p50 {p50:.1f}, p99 {p99:.1f} ms", "p99 20 ms")


def hung_disk(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """Measure readers at their pace while no write to the disk, and no read, returns."""
    shop = Shop(directory / "hung", options.machines)
    knobs = Knobs(shop.directory, shop.state)
    with shop.server(knobs=knobs) as server:
        warm(server, options.machines)
        with knobs.disk(Mode.HANG):
            sent = send(server, shop_reports(options.machines, options.hang, PACED), PACED)
            if not knobs.waiting:
                raise RuntimeError("the disk did not hang")
        until(lambda: _is_ready(server), "all is on disk")
    goal = f"p99 {BUDGET * 1000 + 20:.0f} ms, no error"
    table.add(f"{PACED:.0f} reports a second, the disk hangs for {options.hang} s", f"{sent.text()}, no error", goal)


def _is_ready(server: Server) -> bool:
    with suppress(Unanswered):
        return call(server.port, "GET", "/readyz").status == 200
    return False


def kills(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """Kill the server under load, again and again, and look for what it had promised."""
    os.sched_setaffinity(0, CORES)
    chance = random.Random(1)
    with FaultShop(directory / "killed") as shop:
        shop.load.start()
        shop.warm(0.5)
        for _ in range(options.kills):
            faults.kill(shop, chance, 0.5)
        shop.load.stop()
        found = audit(shop)
        promised = sum(entry.answered for entry in shop.ledger.entries)
    pin(LOAD_CORE)
    for finding in found:
        table.fail(finding)
    what = f"{len(found) or 'none'} of {promised} changes or their notices lost"
    table.add(f"kill -9 under load, {options.kills} times", what, "none lost")


def firmware(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """Measure readers with real firmware, where it has been built."""
    if not (BUILT / "reader").exists():
        return
    rows = {"our firmware": (obey.by_poke, "p99 50 ms")}
    if (BUILT / "field").exists():
        rows["the field's firmware"] = (obey.by_native_api, "p99 500 ms")
    for name, (seconds_of, goal) in rows.items():
        home = directory / name.replace(" ", "-")
        home.mkdir()
        seconds = sorted(seconds_of(home, options.obeyed))
        p50, p99 = statistics.median(seconds) * 1000, seconds[-1 - len(seconds) // 100] * 1000
        table.add(f"lock acknowledged → relay off, {name}", f"p50 {p50:.1f}, p99 {p99:.1f} ms", goal)


def demo(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """Measure ``make demo`` in a new clone, until the first report."""
    if not options.demo:
        return
    clone, port = directory / "clone", free_port()
    subprocess.run(["git", "clone", "-q", "--shared", str(ROOT), str(clone)], check=True)
    variables = environment(MAC_PORT=str(port), PYTHON=sys.executable)
    begun = time.perf_counter()
    os.sched_setaffinity(0, CORES)
    process = subprocess.Popen(
        ["make", "demo"], cwd=clone, env=variables, stdout=subprocess.DEVNULL, start_new_session=True
    )
    pin(LOAD_CORE)

    def reported() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"make demo ended with {process.returncode}")
        with suppress(Unanswered):
            machines = call(port, "GET", "/api/machines").body["machines"]
            return any(machine["last_checkin"] for machine in machines)
        return False

    try:
        until(reported, "the first report", 600)
        table.add("make demo in a new clone → the first report", f"{time.perf_counter() - begun:.0f} s", "60 s")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        process.wait(30)


GOALS = (starts, rates, engines, more_machines, latency, slack, hung_disk, kills, firmware, demo)
GROWTH = (growth.machines, growth.users, growth.lines, growth.boards, growth.notices, small.computer)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--machines", type=int, default=500)
    parser.add_argument("--herd", type=int, default=2000)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--kills", type=int, default=15)
    parser.add_argument("--hang", type=int, default=10, help="seconds")
    parser.add_argument("--orders", type=int, default=100, help="commands in Slack")
    parser.add_argument("--obeyed", type=int, default=30, help="lock-outs of a reader with firmware")
    parser.add_argument("--commits", type=int, default=2_000, help="of a writer")
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--only", help="of what is measured, that alone")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.write and options.only:
        parser.error("--write keeps whole tables, without --only")
    if options.small:
        options.starts, options.seconds, options.machines, options.herd, options.users = 1, 1, 32, 50, 100
        options.kills, options.hang, options.orders, options.rows, options.commits = 1, 1, 5, 1000, 20
    options.rows = options.rows or (10_000_000 if options.growth else 1_000_000)
    measures: tuple[Callable[[Table, Path, argparse.Namespace], None], ...] = GROWTH if options.growth else GOALS
    table = Table("growth" if options.growth else "performance")
    at, computer = f"{datetime.now(UTC):%Y-%m-%d}", f"{platform.machine()}, Python {platform.python_version()}"
    table.add(f"{at}, {computer}, {len(CORES)} cores", "measured", "" if options.growth else "goal")
    set_file_limit()
    pin(LOAD_CORE)
    for figures in measures:
        if options.only in {None, figures.__name__}:
            directory = Path(tempfile.mkdtemp(prefix="mac-bench-"))
            try:
                figures(table, directory, options)
            except Exception as error:  # the other rows are measured all the same
                table.fail(f"{figures.__name__}: {type(error).__name__}: {error}")
            finally:
                shutil.rmtree(directory, ignore_errors=True)
    if options.write:
        table.write()
    return 1 if table.failures else 0


if __name__ == "__main__":
    sys.exit(main())
