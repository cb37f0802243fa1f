"""All figures by which the server is measured, side by side in one run: ``make bench``.

    python -m benchmarks.bench [--small] [--starts 3] [--seconds 4] [--machines 500] [--grow 10,2000] [--herd 2000]
                               [--users 10000] [--rows 1000000] [--commits 2000] [--write]

Needs wrk (Debian's package) and two cores: servers run on one, the load on the other. Beside ours there are a constant
(Bottle on cheroot that returns a fixed answer), a bare WSGI application on cheroot, and the old server where DM_MAC
is the path of its checkout. They take turns; of several starts the medians count, and of rates those of the ratios,
with their spread. ``--write`` keeps the table and the chart for docs/performance.rst.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import selectors
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

from benchmarks import throughput
from benchmarks.commits import measure, opened
from benchmarks.start import STARTS
from benchmarks.throughput import LUA, REPORT, SIGNED_LUA, _add_keys, _free_port, _load, _memory, _start
from tests.postgres import PROGRAMS, Cluster

DOCS = Path(__file__).parents[1] / "docs"

BARE = """
import sys
from cheroot.wsgi import Server
BODY = b'{"relay":false,"display":"Please Insert\\\\nRFID Card","oops_led":false,"status_led_rgb":[0.0,0.0,0.0]}'
def app(environ, start):
    environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))])
    return [BODY]
Server(("127.0.0.1", int(sys.argv[1])), app, numthreads=10, request_queue_size=1024).start()
"""

OLD = "from dm_mac import create_app; import sys; create_app().run('127.0.0.1', int(sys.argv[1]))"

PACED = 50.0
"""Reports a second of 500 readers, one in 10 s each."""


@dataclass
class Table:
    """What was measured: name, value, goal; and the shares of constant, for the chart."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)
    shares: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, value: str, goal: str = "") -> None:
        print(f"{name:58} {value:34} {goal}", flush=True)
        self.rows.append((name, value, goal))

    def text(self) -> str:
        return "\n".join(f"{name:58} {value:34} {goal}".rstrip() for name, value, goal in self.rows) + "\n"

    def chart(self) -> str:
        """Return the shares as bars, SVG; the line is the constant."""
        bars = []
        for number, (name, share) in enumerate(self.shares.items()):
            y = 24 * number + 8
            bars.append(f'<text x="196" y="{y + 12}" text-anchor="end">{name}</text>')
            bars.append(f'<rect x="204" y="{y}" width="{share * 200:.0f}" height="16" fill="#0072b2"/>')
            bars.append(f'<text x="{share * 200 + 210:.0f}" y="{y + 12}">{share:.2f}</text>')
        height = 24 * len(self.shares) + 8
        line = f'<line x1="404" x2="404" y1="0" y2="{height}" stroke="#d55e00"/>'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{height}" font-family="sans-serif" '
            f'font-size="12">{"".join(bars)}{line}</svg>\n'
        )


class Shop:
    """Files of a shop with so many machines and users, and a server on them."""

    def __init__(self, directory: Path, machines: int, users: int = 1) -> None:
        directory.mkdir()
        self.directory, self.machines = directory, machines
        user: dict[str, object] = {"full_name": "U", "first_name": "U", "last_name": "U", "preferred_name": "U"}
        user |= {"email": "", "expiration_ymd": "2099-01-01", "authorizations": ["M"]}
        people = [{**user, "account_id": str(n), "fob_codes": [str(n)]} for n in range(1, users + 1)]
        rules = {f"m{n}": {"authorizations_or": ["M"]} for n in range(machines)}
        (directory / "machines.json").write_text(json.dumps(rules))
        (directory / "users.json").write_text(json.dumps(people))
        (directory / "heartbeats.lua").write_text(LUA % (1, machines, '""', REPORT))
        (directory / "transitions.lua").write_text(LUA % (2, machines, '(n % 2 == 0) and "1" or ""', REPORT))
        signed = SIGNED_LUA.replace("KEYS", str(directory / "keys.lua"))
        (directory / "signed.lua").write_text(signed.replace("MACHINES", str(max(16, machines // 16 * 16))))
        (directory / "keys.lua").write_text("return {}")

    @contextmanager
    def server(self, **variables: str) -> Iterator[tuple[subprocess.Popen[bytes], int, float]]:
        """Run a server, with more of its variables; gives the process, its port, and the seconds until it was ready."""
        port = _free_port()
        files = {name.upper() + "_CONFIG": str(self.directory / f"{name}.json") for name in ("machines", "users")}
        command = [sys.executable, "-m", "mac_actors", "serve", "--host", "127.0.0.1", "--port", str(port)]
        begun = time.perf_counter()
        state = str(self.directory / "state")
        process = _start([*command, "--log-level", "error"], port, MACHINE_STATE_DIR=state, **files, **variables)
        try:
            while _get(port, "/readyz") != 200:
                time.sleep(0.01)
            yield process, port, time.perf_counter() - begun
        finally:
            _end(process)


@contextmanager
def _other(command: list[str], **variables: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port = _free_port()
    process = _start([sys.executable, *command, str(port)], port, **variables)
    try:
        yield process, port
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(30)


def _get(port: int, path: str) -> int:
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path)
        return connection.getresponse().status


def _request(machine: int, card: str, uptime: int) -> bytes:
    body = json.dumps({"machine_name": f"m{machine}", "oops": False, "rfid_value": card, "uptime": uptime})
    head = f"POST /api/machine/update HTTP/1.1\r\nHost: m\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def send(port: int, requests: list[bytes], rate: float | None = None) -> list[float]:
    """Send each request on a connection of its own, at ``rate`` a second or all at once; check the answers.

    Returns how many seconds each has taken, from the moment at which it was due.
    """
    selector, taken = selectors.DefaultSelector(), list[float]()
    parts: dict[int, bytes] = defaultdict(bytes)
    begun, waiting, sent = time.perf_counter(), 0, 0
    while sent < len(requests) or waiting:
        while sent < len(requests) and (rate is None or time.perf_counter() >= begun + sent / rate):
            due = begun if rate is None else begun + sent / rate
            sock = socket.create_connection(("127.0.0.1", port), 30)
            sock.sendall(requests[sent])
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_READ, due)
            sent, waiting = sent + 1, waiting + 1
        for key, _ in selector.select(0.0005 if sent < len(requests) else 30):
            data = key.fileobj.recv(65536)  # type: ignore[union-attr]
            parts[key.fd] += data
            if not data:
                answer = parts.pop(key.fd)
                if not answer.startswith(b"HTTP/1.1 200") or b'"relay":' not in answer:
                    raise SystemExit(f"a report was answered with {answer!r}")
                taken.append(time.perf_counter() - key.data)
                selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]
                waiting -= 1
    return sorted(taken)


def rates(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """Measure answers a second, as shares of constant."""
    results: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    memory = []
    (directory / "constant.py").write_text(throughput.CONSTANT)
    (directory / "bare.py").write_text(BARE)
    for number in range(options.starts):
        shop = Shop(directory / f"rates{number}", options.machines)

        def load(name: str, process: subprocess.Popen[bytes], port: int, lua: str, shop: Shop = shop) -> None:
            threads = 16 if lua == "signed" else 1
            results[name].append(_load(process.pid, port, shop.directory / f"{lua}.lua", options.seconds, threads))

        with _other([str(directory / "constant.py")]) as (constant, its_port), shop.server() as (ours, port, _):
            load("constant", constant, its_port, "heartbeats")
            load("heartbeats", ours, port, "heartbeats")
            load("durable transitions", ours, port, "transitions")
            memory.append(_memory(ours.pid))
            _add_keys(port, options.machines, shop.directory / "keys.lua")
            load("signed heartbeats", ours, port, "signed")
        with _other([str(directory / "bare.py")]) as (bare, port):
            load("bare cheroot", bare, port, "heartbeats")
        if os.environ.get("DM_MAC"):
            with _other(["-c", OLD], PYTHONPATH=os.environ["DM_MAC"]) as (old, port):
                load("the old server", old, port, "heartbeats")
    goals = {"heartbeats": "1.20", "durable transitions": "0.90"}
    for name, rows in results.items():
        ratios = sorted(mine[0] / constant[0] for mine, constant in zip(rows, results["constant"], strict=True))
        rate, slowest, used = (statistics.median(column) for column in zip(*rows, strict=True))
        table.shares[name] = statistics.median(ratios)
        spread = f"{table.shares[name]:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        table.add(f"{name}, share of constant", spread, goals.get(name, ""))
        share = statistics.median(c[2] / mine[2] for mine, c in zip(rows, results["constant"], strict=True))
        table.add("  a second; p99", f"{rate:.0f}; {slowest:.1f} ms")
        table.add("  processor; share of constant by it", f"{used:.0f} µs; {share:.2f}")
    table.add(f"memory after load, {options.machines} machines", f"{statistics.median(memory):.0f} MB", "60 MB")


def engines(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """Measure durable transitions on SQLite, on PostgreSQL, and on one with a synchronous standby."""
    goals = {"SQLite": "", "PostgreSQL": "1500", "PostgreSQL with a synchronous standby": "800"}
    if PROGRAMS is None:
        table.add("PostgreSQL", "is not on this computer")
        return
    results: dict[str, list[list[float]]] = defaultdict(list)
    with ExitStack() as stack:
        clusters: dict[str, Cluster] = {}
        for name in list(goals)[1:]:
            clusters[name] = Cluster(durable=True)
            stack.callback(clusters[name].remove)
        stack.callback(clusters[name].standby().remove)
        for number in range(options.starts):
            for name in goals:
                place = {}
                if name in clusters:
                    place["MAC_DATABASE"] = clusters[name].url(clusters[name].create_with_tables())
                shop = Shop(directory / f"{name}{number}", options.machines)
                with shop.server(**place) as (process, port, _):
                    by_http = _load(process.pid, port, shop.directory / "transitions.lua", options.seconds)[0]
                row = [by_http]
                with opened(place.get("MAC_DATABASE") or shop.directory / "state") as store:
                    for size in (1, 16):
                        _, taken = measure(store, options.commits, size)
                        row.append(size * len(taken) / sum(taken))
                results[name].append(row)
    for name, rows in results.items():
        by_http, single, many = (statistics.median(column) for column in zip(*rows, strict=True))
        table.add(f"{name}: durable transitions a second", f"{by_http:.0f}", goals[name])
        table.add("  at the writer, one by one; by 16", f"{single:.0f}; {many:.0f}")


def latency(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """Measure readers at their pace, and all at once."""
    shop = Shop(directory / "latency", max(options.machines, options.herd))
    with shop.server() as (_, port, _):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        number = int(PACED * options.seconds * 3)
        cards = ["1" if n // 20 % 2 else "" for n in range(number)]  # each tenth changes something
        paced = [_request(n % 10 if n % 10 == 0 else 10 + n % (options.machines - 10), "", n) for n in range(number)]
        paced[::10] = [_request(0, card, n) for n, card in enumerate(cards[::10])]
        taken = send(port, paced, PACED)
        ms = f"p50 {taken[len(taken) // 2] * 1000:.1f}, p99 {taken[int(len(taken) * 0.99)] * 1000:.1f} ms"
        table.add(f"{PACED:.0f} reports a second, one of ten a change", ms, "p99 5 ms")
        herd = send(port, [_request(n, "1" if n % 2 else "", 9999) for n in range(options.herd)])
        table.add(f"{options.herd} readers at once, half with a card: the last", f"{herd[-1]:.2f} s", "1 s")


def growth(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """Measure what becomes of the rate with more machines."""
    sizes = [int(size) for size in options.grow.split(",")]
    measured: dict[int, list[float]] = defaultdict(list)
    memory: dict[int, list[float]] = defaultdict(list)
    for number in range(options.starts):
        for size in sizes:
            shop = Shop(directory / f"grow{size}-{number}", size)
            with shop.server() as (process, port, _):
                measured[size].append(_load(process.pid, port, shop.directory / "heartbeats.lua", options.seconds)[0])
                memory[size].append(_memory(process.pid))
    first = measured[sizes[0]]
    for size in sizes:
        table.add(f"memory after heartbeats, {size} machines", f"{statistics.median(memory[size]):.0f} MB")
    for size in sizes[1:]:
        kept = statistics.median(more / less for more, less in zip(measured[size], first, strict=True))
        table.add(f"heartbeats kept, {sizes[0]} → {size} machines", f"{kept:.2f}", "0.95")


def starts(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """Measure the start of a server with many users and a long journal, and of the commands that start often."""
    shop = Shop(directory / "start", options.machines, options.users)
    with shop.server():
        pass
    with closing(sqlite3.connect(shop.directory / "state" / "mac.sqlite3")) as database, database:
        columns = "at, machine, kind, account_id, seconds, data"
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
        values = "'2026-01-01T00:00:00.000000+00:00', 'm' || i % 500, 'rebooted', NULL, NULL, '{}'"
        database.execute(
            f"INSERT INTO journal ({columns}) {numbers} SELECT {values} FROM n",
            (options.rows,),
        )
    taken = []
    for _ in range(options.starts):
        with shop.server() as (_, _, seconds):
            taken.append(seconds)
    what = f"{options.machines} machines, {options.users} users, {options.rows} lines"
    table.add(f"start with {what}", f"{statistics.median(taken):.2f} s", "2 s")
    for name, (arguments, goal) in STARTS.items():
        if name == "mac-actors --version":
            runs = []
            for _ in range(options.starts * 3):
                begun = time.perf_counter()
                subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
                runs.append(time.perf_counter() - begun)
            table.add(name, f"{statistics.median(runs):.2f} s", f"{goal} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--machines", type=int, default=500)
    parser.add_argument("--grow", default="10,500,2000")
    parser.add_argument("--herd", type=int, default=2000)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--commits", type=int, default=2_000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.small:
        options.starts, options.seconds, options.machines, options.grow = 1, 1, 32, "10,20"
        options.herd, options.users, options.rows, options.commits = 50, 100, 1000, 20
    table = Table()
    at, computer = f"{datetime.now(UTC):%Y-%m-%d}", f"{platform.machine()}, Python {platform.python_version()}"
    table.add(f"{at}, {computer}, {os.cpu_count()} cores", "measured", "goal")
    with tempfile.TemporaryDirectory() as directory:
        for figures in (starts, rates, engines, growth, latency):
            figures(table, Path(directory), options)
    if options.write:
        (DOCS / "performance.txt").write_text(table.text())
        (DOCS / "_static" / "performance.svg").write_text(table.chart())


if __name__ == "__main__":
    main()
