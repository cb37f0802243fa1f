"""Users with additions: a reload, a change, a search; and how long a reader waits meanwhile.

    python -m benchmarks.people [--users 10000] [--additions 5000] [--rounds 5]

Times are the processor's, so that other work on the computer does not count; those of a reader are wall clock.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mac_actors.core.people.additions import Addition, Author, Kind
from mac_actors.core.state import Source
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.settings.files import parse
from mac_actors.storage.codec import addition_row
from mac_actors.storage.records import Record
from mac_actors.storage.store import Store
from tests.fakes import report, sample_machines, user


def measured(label: str, rounds: int, call: Callable[[int], object]) -> None:
    times = []
    for number in range(rounds):
        begun = time.process_time()
        call(number)
        times.append(time.process_time() - begun)
    print(f"{label:40} median {statistics.median(times) * 1000:8.1f} ms, worst {max(times) * 1000:8.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--additions", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        machines, users = Path(name, "machines.json"), Path(name, "users.json")
        machines.write_text(json.dumps(sample_machines()), encoding="utf-8")
        everybody = [
            user(str(n), f"Zoë Strauß {n}", [str(1_000_000 + n)], ["laser"], email=f"u{n}@example.org")
            for n in range(options.users)
        ]
        users.write_text(json.dumps(everybody), encoding="utf-8")
        store = Store.open(Path(name, "state"))
        author = Author(datetime.now(UTC), Source.HTTP, "Tina")
        kinds = ((Kind.FOB, "{:010}"), (Kind.AUTHORIZATION, "router"))
        additions = [
            Addition(n + 1, str(n), *(kinds[n % 2][:1]), author, kinds[n % 2][1].format(5_000_000 + n))
            for n in range(options.additions)
        ]
        store.commit([Record(put=tuple(map(addition_row, additions)))])
        with MachineFleet(parse(machines, users), store, commit_budget=5.0) as fleet:
            waits: list[float] = []
            done = threading.Event()

            def read() -> None:
                while not done.is_set():
                    begun = time.perf_counter()
                    report(fleet, "router")
                    waits.append(time.perf_counter() - begun)
                    done.wait(0.005)

            reader = threading.Thread(target=read)
            reader.start()
            measured("reload, both files read", options.rounds, lambda _: fleet.reload(parse(machines, users)))
            measured("a change, on disk", options.rounds * 10, lambda n: fleet.users.authorize(str(n), "mill"))
            measured("first search after a change", 1, lambda _: fleet.users.search("strauss 77"))
            measured("search", options.rounds * 10, lambda n: fleet.users.search(f"strauss {n}"))
            done.set()
            reader.join()
            print(f"a reader waited {statistics.median(waits) * 1000:.1f} ms, worst {max(waits) * 1000:.1f} ms")


if __name__ == "__main__":
    main()
