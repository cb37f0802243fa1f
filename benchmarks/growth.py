"""What becomes of a server as its shop grows: a curve for each thing that can."""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.boards import boards as open_boards
from benchmarks.journal import fill
from benchmarks.load import script, send, shop_reports, wrk
from benchmarks.servers import Server, Shop
from benchmarks.table import Table, curves
from mac_actors.storage.sqlite.engine import DATABASE
from tests.slack.standin.workspace import Workspace

PACED = 50.0

Figures = dict[str, float]


def _load(server: Server, shop: Shop, seconds: int) -> Figures:
    """Measure what readers notice."""
    found = {}
    for kind, name in (("heartbeats", "heartbeats/s"), ("transitions", "transitions/s")):
        found[name] = wrk(server, script(kind, shop.machines, shop.directory), seconds).a_second
    sent = send(server, shop_reports(shop.machines, seconds * 2, PACED), PACED)
    return found | {"p99 at 50 reports/s, ms": sent.ms(0.99)}


def _wall(call: Callable[[], object]) -> float:
    """Return how many milliseconds a call takes, the median of some."""
    taken = []
    for _ in range(5):
        begun = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def _grow(table: Table, what: str, sizes: Sequence[int], measure: Callable[[int], Figures]) -> None:
    """Measure each size, and draw what becomes of the figures."""
    found = {}
    for size in sizes:
        found[size] = measure(size)
        table.add(f"{size:,} {what}", "")
        for name, value in found[size].items():
            table.add(f"  {name}", f"{value:.0f}" if value >= 100 else f"{value:.3g}")
    lines = {name: [found[size][name] for size in sizes] for name in found[sizes[0]]}
    table.charts[f"growth-{what.rsplit(maxsplit=1)[-1]}"] = curves(what, sizes, lines)


def _sizes(options: argparse.Namespace, all_: Sequence[int], small: Sequence[int]) -> Sequence[int]:
    return small if options.small else all_


def machines(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """From 10 machines to 2,000."""

    def measure(size: int) -> Figures:
        shop = Shop(directory / f"{size}", size)
        with shop.server() as server:
            return _load(server, shop, options.seconds) | {"start, s": server.started, "MB": server.megabytes()}

    _grow(table, "machines", _sizes(options, (10, 100, 500, 1000, 2000), (20,)), measure)


def users(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """From 10 users to 100,000."""

    def measure(size: int) -> Figures:
        shop = Shop(directory / f"{size}", options.machines, size)
        with shop.server() as server:
            return _load(server, shop, options.seconds) | {"start, s": server.started, "MB": server.megabytes()}

    _grow(table, "users", _sizes(options, (10, 1000, 10_000, 100_000), (10,)), measure)


def lines(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """From an empty journal to one of ten million lines: 500 machines and 5,000 lines a day for five years."""

    def measure(size: int) -> Figures:
        shop = Shop(directory / f"{size}", options.machines)
        with shop.server():
            pass
        fill(shop, size)
        with shop.server() as server:
            found = {"start, s": server.started} | _load(server, shop, options.seconds)
            since = (datetime.now(UTC) - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
            for name, path in {
                "history, ms": "/api/machines/m7/events?limit=20",
                "events of an hour, ms": f"/api/events?since={since}&limit=20",
                "machine's page, ms": "/machines/m7",
                "usage of 30 days, ms": f"/api/usage?from={datetime.now(UTC) - timedelta(days=30):%Y-%m-%d}",
            }.items():
                found[name] = _wall(lambda path=path: server.call("GET", path))  # type: ignore[misc]
        (shop.state / DATABASE).unlink()
        return found

    sizes = [size for size in (0, 10_000, 100_000, 1_000_000, 10_000_000) if size < options.rows]
    _grow(table, "lines in the journal", _sizes(options, [*sizes, options.rows], (options.rows,)), measure)


def boards(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """From no open board to 200."""
    shop = Shop(directory / "boards", options.machines)
    with shop.server() as server:

        def measure(size: int) -> Figures:
            with open_boards(server, size):
                return _load(server, shop, options.seconds)

        _grow(table, "open boards", _sizes(options, (0, 10, 50, 100, 200), (5,)), measure)


def notices(table: Table, directory: Path, options: argparse.Namespace) -> None:
    """From none to 10,000 notices that wait, because Slack is not there."""

    def measure(size: int) -> Figures:
        shop = Shop(directory / f"{size}", options.machines)
        with shop.server():
            pass
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        with closing(sqlite3.connect(shop.state / DATABASE)) as database, database:
            rows = [(at, "control", f"Machine {n}: a notice that waits.") for n in range(size)]
            database.executemany("INSERT INTO outbox (at, channel, text) VALUES (?, ?, ?)", rows)
        with Workspace() as workspace:
            workspace.down()
            with shop.server(workspace=workspace) as server:
                found = {"start, s": server.started} | _load(server, shop, options.seconds)
                return found | {"scrape, ms": _wall(lambda: server.call("GET", "/metrics"))}

    _grow(table, "waiting notices", _sizes(options, (0, 100, 1000, 10_000), (100,)), measure)
