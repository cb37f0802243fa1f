"""What a commit costs: processor time and wall clock of one durable batch, on SQLite or on PostgreSQL.

    python -m benchmarks.commits [--database postgresql://…] [--commits 2000] [--size 1] [--rounds 5]

Each record is a machine's new state, one event and, in every fourth, one notice. On PostgreSQL, take a database of its
own with tables in it (``mac-actors migrate``). Processor time is that of this process alone.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from mac_actors.core.notices import Channel, Notice
from mac_actors.core.outcomes import Ended, EndReason, Person, SessionEnded
from mac_actors.core.state import MachineState, SessionKind
from mac_actors.storage.codec import journal_row
from mac_actors.storage.postgres.database import PostgresDatabase
from mac_actors.storage.records import Record, record_state
from mac_actors.storage.store import Store


def record(number: int) -> Record:
    now, name = datetime.now(UTC), f"machine-{number % 100}"
    ended = Ended(Person(str(number % 300), "Zoë Strauß"), SessionKind.AUTHORIZED, now, 42.5, EndReason.CARD_REMOVED)
    outcome = SessionEnded(machine=name, display_name=name.title(), at=now, ended=ended)
    notices = (Notice(Channel.CONTROL, f"{name} is free again"),) if number % 4 == 0 else ()
    return Record(record_state(name, MachineState(now, last_update=now)), ((journal_row(outcome), notices),))


def measure(store: Store, commits: int, size: int) -> tuple[float, list[float]]:
    """Make so many commits with ``size`` records each; return the processor time of one, and how long each took."""
    batches = [[record(n * size + i) for i in range(size)] for n in range(commits)]
    wall, begun = [], time.process_time()
    for batch in batches:
        at = time.perf_counter()
        store.commit(batch)
        wall.append(time.perf_counter() - at)
    return (time.process_time() - begun) / commits, wall


@contextmanager
def opened(place: str | Path) -> Iterator[Store]:
    """Open a database to write to."""
    with closing(Store.open(place)) as store:
        if isinstance(store.database, PostgresDatabase):
            store.database.take_over("benchmark")
        yield store


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database")
    parser.add_argument("--commits", type=int, default=2_000)
    parser.add_argument("--size", type=int, default=1, help="records in a commit")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, opened(options.database or Path(name, "state")) as store:
        rounds = [measure(store, options.commits, options.size) for _ in range(options.rounds)]
    cpu, wall = [used for used, _ in rounds], sorted(one for _, times in rounds for one in times)
    print(
        f"{options.size} records a commit: CPU {min(cpu) * 1e6:.0f} µs (best), {statistics.median(cpu) * 1e6:.0f} "
        f"(median); wall p50 {wall[len(wall) // 2] * 1e3:.2f} ms, p99 {wall[len(wall) * 99 // 100] * 1e3:.2f} ms; "
        f"{len(wall) / sum(wall):.0f} commits/s"
    )


if __name__ == "__main__":
    main()
