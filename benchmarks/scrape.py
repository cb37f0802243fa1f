"""What a scrape of /metrics costs, and what the readers notice of it.

    python -m benchmarks.scrape [--machines 500] [--seconds 20] [--rounds 3]

First the CPU time of one scrape, against the same gauges made as prometheus-client's objects. Then a real server on a
core of its own, its readers reporting every 10 s in all (one of ten reports changes something), with a scrape each
second and without, in turns: the readers' latency in each.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from mac_actors import Fleet, clock
from mac_actors.core.inputs import Report
from mac_actors.core.outputs import outputs
from mac_actors.core.state import Telemetry
from mac_actors.web.metrics.metrics import Metrics
from mac_actors.web.metrics.table import MACHINE, MACHINE_GAUGES, Seen
from tests.e2e.processes import ServerProcess


def _machines(number: int) -> dict[str, Any]:
    return {f"m{n}": {"authorizations_or": ["M"], "alias": f"Machine Number {n}"} for n in range(number)}


def _user() -> dict[str, Any]:
    user = {"account_id": "1", "full_name": "U", "first_name": "U", "last_name": "U", "preferred_name": "U"}
    return user | {"email": "", "fob_codes": ["1"], "expiration_ymd": "2099-01-01", "authorizations": ["M"]}


class _Naive:
    """The same numbers by the book: an object for each sample, written by the library."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def collect(self) -> list[GaugeMetricFamily]:
        families = [GaugeMetricFamily(gauge.name, gauge.help, labels=gauge.labels) for gauge in MACHINE_GAUGES]
        for config, state in self._fleet.published():
            seen = Seen(config, state, outputs(config, state), False, datetime.now(UTC))
            for gauge, family in zip(MACHINE_GAUGES, families, strict=True):
                value = gauge.value(seen)
                names = [config.name, config.display_name]
                if isinstance(value, dict):
                    for part, number in value.items():
                        family.add_metric([*names, part], number)
                elif value is not None and gauge.labels == MACHINE:
                    family.add_metric(names, value)
        return families


def _cpu(call: Callable[[], object], times: int = 15) -> float:
    taken = []
    for _ in range(times):
        begun = time.thread_time()
        call()
        taken.append(time.thread_time() - begun)
    return statistics.median(taken) * 1000


def cpu_time(number: int) -> None:
    """Print what one scrape costs."""
    with Fleet.open(_machines(number), [_user()], None) as fleet:
        telemetry = Telemetry(1000.5, -54.0, 92.0, 53.3, 0.0, None)
        for name in fleet:
            fleet.report(name, Report(datetime.now(UTC), None, False, telemetry), clock.seconds())
        registry = CollectorRegistry()
        registry.register(_Naive(fleet))
        metrics = Metrics(fleet)
        ours, naive = _cpu(metrics.scrape), _cpu(lambda: generate_latest(registry))
        size = len(metrics.scrape()[0])
        observe = _cpu(lambda: [metrics.observe_report(0.00123) for _ in range(1000)])
    print(
        f"a scrape of {number} machines: {ours:.1f} ms of CPU, {size / 1000:.0f} kB; the library alone {naive:.1f} ms"
    )
    print(f"counting a report: {observe:.2f} µs")


class _Reader(threading.Thread):
    """Reports, a new connection each time, at times that do not wait for the answers before them."""

    def __init__(self, port: int, names: list[str], rate: float, seconds: float, seed: int) -> None:
        super().__init__()
        self.latencies: list[float] = []
        self._port, self._names, self._chance = port, names, random.Random(seed)
        self._interval, self._seconds = 1 / rate, seconds
        self._cards: dict[str, str] = {}

    def run(self) -> None:
        begun = time.perf_counter()
        number = 0
        while (due := begun + number * self._interval) < begun + self._seconds:
            time.sleep(max(0.0, due - time.perf_counter()))
            name = self._names[number % len(self._names)]
            if self._chance.random() < 0.1:
                self._cards[name] = "" if self._cards.get(name) else "1"
            body = {
                "machine_name": name,
                "oops": False,
                "rfid_value": self._cards.get(name, ""),
                "uptime": 1e5 + number,
            }
            sent = time.perf_counter()
            connection = HTTPConnection("127.0.0.1", self._port, timeout=20)
            connection.request("POST", "/api/machine/update", json.dumps(body), {"Connection": "close"})
            response = connection.getresponse()
            response.read()
            connection.close()
            if response.status != 200:
                raise SystemExit(f"a report was answered with {response.status}")
            self.latencies.append((time.perf_counter() - sent) * 1000)
            number += 1


def _scrape(port: int, stop: threading.Event, taken: list[float]) -> None:
    while not stop.wait(1.0):
        begun = time.perf_counter()
        connection = HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/metrics")
        connection.getresponse().read()
        connection.close()
        taken.append((time.perf_counter() - begun) * 1000)


def _measure(port: int, names: list[str], seconds: float, *, scraped: bool) -> tuple[list[float], list[float]]:
    stop, taken = threading.Event(), [0.0]
    scraper = threading.Thread(target=_scrape, args=(port, stop, taken))
    readers = [_Reader(port, names[i::4], len(names) / 40, seconds, i) for i in range(4)]
    if scraped:
        scraper.start()
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    stop.set()
    if scraped:
        scraper.join()
    return sorted(latency for reader in readers for latency in reader.latencies), taken


def readers_latency(number: int, seconds: float, rounds: int) -> None:
    """Print what the readers notice."""
    with tempfile.TemporaryDirectory() as directory:
        machines, users = Path(directory, "machines.json"), Path(directory, "users.json")
        machines.write_text(json.dumps(_machines(number)))
        users.write_text(json.dumps([_user()]))
        os.sched_setaffinity(0, {0})  # what is started inherits it
        with ServerProcess(Path(directory), MACHINES_CONFIG=str(machines), USERS_CONFIG=str(users)) as server:
            os.sched_setaffinity(0, {1})
            names = list(_machines(number))
            _measure(server.port, names, 3, scraped=True)
            for _ in range(rounds):
                for scraped in (False, True):
                    latencies, taken = _measure(server.port, names, seconds, scraped=scraped)
                    p50, p99, p999 = (latencies[int(len(latencies) * q)] for q in (0.5, 0.99, 0.999))
                    said = f"a scrape each second, {statistics.median(taken):.0f} ms each" if scraped else "no scrapes"
                    print(f"{len(latencies)} reports, p50 {p50:.2f} ms, p99 {p99:.2f} ms, p99.9 {p999:.2f} ms; {said}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--machines", type=int, default=500)
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    cpu_time(given.machines)
    readers_latency(given.machines, given.seconds, given.rounds)


if __name__ == "__main__":
    main()
