"""From a lock-out that is acknowledged to the relay that is off: by a poke, by the native API, by a heartbeat.

    python -m benchmarks.obey [--rounds 200]

Needs the firmware as Linux programs (make firmware-test compiles them). The three run one after the other, each with a
server of its own and a disk that is synchronized; heartbeats come every 10 s, from 20 readers at once.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.e2e.processes import SAMPLES, ServerProcess
from tests.firmware.field import FieldShop
from tests.firmware.reader import BJORN, EMPTY, Reader

READERS = 20
"""Readers whose heartbeats are measured at the same time."""

HEARTBEAT = 10.0
"""Seconds between two of them."""

BETWEEN_POKES = 0.3
"""Seconds: a reader obeys four pokes a second at the most, and the lock-out's is to be one of them."""


def lock_out(server: ServerProcess, reader: Reader) -> float:
    """Lock a running machine out; returns the seconds from the answer until its relay is off."""
    status, answer = server.call("POST", f"/api/machine/locked_out/{reader.machine}")
    acknowledged = time.monotonic()
    assert status == 200, answer
    return reader.expect("relay off").at - acknowledged


def clear(server: ServerProcess, machine: str) -> None:
    server.call("POST", f"/api/machine/clear/{machine}")


def rounds_of(server: ServerProcess, reader: Reader, rounds: int, pause: Callable[[], float]) -> list[float]:
    """Lock the machine of a reader of ours out so many times, each ``pause()`` seconds after a session began."""
    seconds = []
    for _ in range(rounds):
        reader.card_in(BJORN)
        reader.expect("relay on")
        time.sleep(pause())
        seconds.append(lock_out(server, reader))
        clear(server, reader.machine)
        reader.do("card out")
        reader.expect(EMPTY)
    return seconds


def by_poke(directory: Path, rounds: int) -> list[float]:
    with ServerProcess(directory) as server, Reader(directory, server.url) as reader:
        reader.expect(EMPTY)
        return rounds_of(server, reader, rounds, lambda: BETWEEN_POKES)


def by_native_api(directory: Path, rounds: int) -> list[float]:
    shop = FieldShop(directory, once_in=0.0)
    seconds = []
    with shop.server:
        for _ in range(rounds):
            with shop.reader() as reader:
                reader.do(f"code {BJORN}")
                reader.expect("relay on")
                seconds.append(lock_out(shop.server, reader))
            clear(shop.server, "table-saw")
    return seconds


def by_heartbeat(directory: Path, rounds: int) -> list[float]:
    names = [f"machine-{number}" for number in range(min(READERS, rounds))]
    machines = directory / "machines.json"
    machines.write_text(json.dumps({name: {"authorizations_or": ["Woodshop 102"]} for name in names}))
    with ServerProcess(directory, MACHINES_CONFIG=str(machines), USERS_CONFIG=SAMPLES["USERS_CONFIG"]) as server:

        def measure(name: str) -> list[float]:
            with Reader(directory, server.url, name, takes_pokes=False) as reader:
                reader.expect(EMPTY)
                own = -(-rounds // len(names))
                return rounds_of(server, reader, own, lambda: random.uniform(0, HEARTBEAT))

        with ThreadPoolExecutor(len(names)) as pool:
            return [seconds for own in pool.map(measure, names) for seconds in own]


ROWS: dict[str, Callable[[Path, int], list[float]]] = {
    "UDP": by_poke,
    "native API": by_native_api,
    "heartbeat": by_heartbeat,
}


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=200)
    rounds = options.parse_args(arguments).rounds
    print(f"{'ms until off':12} {'p50':>8} {'p99':>8} {'most':>8} {'times':>6}")
    for name, measure in ROWS.items():
        with tempfile.TemporaryDirectory() as directory:
            seconds = sorted(measure(Path(directory), rounds))
        shown = (statistics.median(seconds), seconds[-1 - len(seconds) // 100], seconds[-1])
        print(f"{name:12} {' '.join(f'{1000 * value:8.1f}' for value in shown)} {len(seconds):6}", flush=True)


if __name__ == "__main__":
    main()
