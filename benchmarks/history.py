"""The history with a journal of a million rows: start of the server, pages, and what its indices cost the writer.

    python -m benchmarks.history [--rows 1000000] [--machines 500] [--users 10000] [--years 2] [--rounds 5]

Times are wall clock: the first call, and the median of the others.
Writes: batches of 16 transitions, on a copy with the history's indices and one without.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from mac_actors.core import outcomes as o
from mac_actors.core.state import Flag, MachineState, Refusal, SecondDecision, SessionKind, Source
from mac_actors.storage.codec import dump_state, journal_row
from mac_actors.storage.history.history import History
from mac_actors.storage.records import Record, record_state
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.store import Store
from tests.fakes import user

INDICES = ("journal_use", "journal_long", "journal_refused", "journal_flags")
OPEN = [0.0] * 9 + [0.3, 0.5, 0.5, 0.4, 0.4, 0.5, 0.6, 0.7, 0.9, 1.0, 1.0, 0.8, 0.4, 0.2] + [0.0]
"""How likely somebody comes, by local hour."""


def rows(machines: list[str], users: list[o.Person], count: int, start: datetime, end: datetime) -> Iterator[o.Outcome]:
    """Make up a journal of about ``count`` lines in order of time: people come by day, and more at weekends."""
    chance = random.Random(7)
    popular = {name: chance.paretovariate(1.2) for name in machines}
    scale = sum(popular.values()) * (end - start).total_seconds() / count * 1.15
    agenda: list[tuple[datetime, int, str, Any]] = []

    def next_visit(name: str, after: datetime) -> datetime:
        while True:
            after += timedelta(seconds=chance.expovariate(3.2 * popular[name] / scale))
            local = after.astimezone()
            if chance.random() < OPEN[local.hour] * (1.0 if local.weekday() >= 5 else 0.6) or after > end:
                return after

    for number, name in enumerate(machines):
        agenda.append((next_visit(name, start), number, name, None))
    heapq.heapify(agenda)
    while agenda[0][0] <= end:
        at, number, name, running = heapq.heappop(agenda)
        common: dict[str, Any] = {"machine": name, "display_name": name.replace("-", " ").title(), "at": at}
        person, fob = chance.choice(users), f"{chance.randrange(10**10):010}"
        after: Any = None
        when = None
        dice = chance.random()
        if isinstance(running, Flag):
            yield o.Cleared(
                oops=running, lock=None, source=Source.SLACK, by="Grace Invented", reason="mended",
                still_oopsed=False, still_locked=False, power_on=False, **common,
            )  # fmt: skip
        elif running is not None:
            seconds = (at - running[1]).total_seconds()
            ended = o.Ended(running[0], SessionKind.AUTHORIZED, running[1], seconds, o.EndReason.CARD_REMOVED)
            if dice < 0.01:
                after = Flag(at, Source.BUTTON)
                yield o.OopsSet(flag=after, ended=ended, **common)
                when = at + timedelta(hours=chance.expovariate(1 / 20))
            else:
                yield o.SessionEnded(ended=ended, **common)
        elif dice < 0.08:
            refusal = chance.choice([Refusal.UNKNOWN, Refusal.UNAUTHORIZED, Refusal.EXPIRED])
            yield o.SessionRefused(
                refusal=refusal, user=None if refusal is Refusal.UNKNOWN else person, fob=fob, **common
            )
        else:
            yield o.SessionStarted(
                user=person, session=SessionKind.AUTHORIZED, second=SecondDecision.NONE, fob=fob, **common
            )
            after = (person, at)
            when = at + timedelta(seconds=60 + chance.expovariate(1 / 2700))
        heapq.heappush(agenda, (when or next_visit(name, at), number, name, after))


def build(directory: Path, machines: int, users: int, count: int, years: float) -> None:
    """Write the files of a shop, and its journal."""
    names = [f"machine-{n}" for n in range(machines)]
    (directory / "machines.json").write_text(json.dumps({n: {"authorizations_or": ["M"]} for n in names}))
    everybody = [user(str(n), f"Member{n} Invented", [str(n)], ["M"]) for n in range(1, users + 1)]
    (directory / "users.json").write_text(json.dumps(everybody))
    people = [o.Person(str(n), f"Member{n} Invented") for n in range(1, users + 1)]
    now = datetime.now(UTC)
    fill(directory / "state", names, people, count, now - timedelta(days=365.25 * years), now)


def fill(state: Path, names: list[str], people: list[o.Person], count: int, start: datetime, end: datetime) -> None:
    """Fill a new database; what runs at the end is over, so that the states agree with the journal."""
    Store.open(state).close()
    with closing(sqlite3.connect(state / DATABASE, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode=OFF")
        database.execute("PRAGMA synchronous=OFF")
        sql = "INSERT INTO journal (at, machine, kind, account_id, seconds, data) VALUES "
        insert = sql + "(:at, :machine, :kind, :account_id, :seconds, :data)"
        database.execute("BEGIN")
        batch, last = [], {}
        for number, outcome in enumerate(rows(names, people, count, start, end), 1):
            last[outcome.machine] = outcome
            batch.append(journal_row(outcome))
            if number % 10_000 == 0:
                database.executemany(insert, batch)
                batch = []
                print(f"\r{number:,} of about {count:,} rows", end="", file=sys.stderr)
        database.executemany(insert, batch)
        states = []
        for name in names:
            state_, outcome = MachineState(end), last.get(name)
            if isinstance(outcome, o.SessionStarted):
                ended = o.Ended(outcome.user, outcome.session, outcome.at, (end - outcome.at).total_seconds(),
                                o.EndReason.CARD_REMOVED)  # fmt: skip
                closing_row = o.SessionEnded(machine=name, display_name=outcome.display_name, at=end, ended=ended)
                database.execute(insert, journal_row(closing_row))
            elif isinstance(outcome, o.OopsSet):
                state_ = MachineState(outcome.at, oops=outcome.flag)
            states.append((name, dump_state(state_)))
        database.executemany("INSERT INTO machine_state VALUES (?, ?)", states)
        database.execute("COMMIT")
        print(file=sys.stderr)


def timed(what: str, call: Callable[[], object], rounds: int) -> None:
    """Print how long a call takes: the first, and the median of the others."""
    took = []
    for _ in range(rounds + 1):
        begun = time.perf_counter()
        call()
        took.append((time.perf_counter() - begun) * 1000)
    print(f"{what:44} first {took[0]:8.1f} ms   then {statistics.median(took[1:]):8.1f} ms")


def start_to_ready(directory: Path) -> tuple[float, subprocess.Popen[bytes], str]:
    """Start the server; returns the seconds until /readyz says yes, and the server."""
    environment = {**os.environ, "MACHINE_STATE_DIR": str(directory / "state"), "MAC_ADMIN_TOKEN": "x"}
    environment |= {f"{n.upper()}_CONFIG": str(directory / f"{n}.json") for n in ("machines", "users")}
    begun = time.perf_counter()
    command = [sys.executable, "-m", "mac_actors", "serve", "--host", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    assert process.stderr
    for line in process.stderr:
        if b" at http://" in line:
            url = line.split(b" at ")[1].split(b": ")[0].decode()
            break
    else:
        raise SystemExit("the server did not start")
    with urllib.request.urlopen(f"{url}/readyz") as answer:
        assert answer.status == 200
    return time.perf_counter() - begun, process, url


def get(url: str) -> int:
    """Fetch a page; returns its bytes."""
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": "Bearer x"})) as answer:
        return len(answer.read())


def latencies(url: str, paths: tuple[str, ...]) -> str:
    """Return what 50 simulated readers find in 10 s, while two clients load these pages one after the other."""
    stop = threading.Event()

    def load(number: int) -> None:
        while not stop.is_set():
            for path in paths[number:] + paths[:number]:
                get(url + path)

    clients = [threading.Thread(target=load, args=(n,)) for n in range(2 if paths else 0)]
    for client in clients:
        client.start()
    command = [sys.executable, "-m", "mac_actors", "simulate", "--readers", "50", "--seconds", "10", "--url", url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    stop.set()
    for client in clients:
        client.join()
    return "  ".join(
        " ".join(line.split()) for line in done.stdout.splitlines() if "latency" in line or "errors" in line
    )


def writes(directory: Path, seconds: float) -> tuple[float, float]:
    """Return durable transitions a second, and a second of CPU: batches of 16, half begin a session, half end one."""
    now = datetime.now(UTC)
    done = 0
    with closing(Store.open(directory)) as store:
        begun, spent = time.perf_counter(), time.process_time()
        while time.perf_counter() - begun < seconds:
            batch = []
            for n in range(16):
                name, at = f"machine-{(done + n) % 500}", now + timedelta(milliseconds=done + n)
                common: dict[str, Any] = {"machine": name, "display_name": name, "at": at}
                person = o.Person("1", "Member1 Invented")
                outcome: o.Outcome = o.SessionStarted(
                    user=person, session=SessionKind.AUTHORIZED, second=SecondDecision.NONE, fob="1", **common
                )
                if n % 2:
                    ended = o.Ended(person, SessionKind.AUTHORIZED, at, 60.0, o.EndReason.CARD_REMOVED)
                    outcome = o.SessionEnded(ended=ended, **common)
                batch.append(Record(record_state(name, MachineState(at)), ((journal_row(outcome), ()),)))
            store.commit(batch)
            done += 16
        return done / (time.perf_counter() - begun), done / (time.process_time() - spent)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--machines", type=int, default=500)
    options.add_argument("--users", type=int, default=10_000)
    options.add_argument("--years", type=float, default=2.0)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--keep", type=Path, help="a directory to build in and to keep; used again if it is there")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        directory = given.keep or Path(temporary)
        if not (directory / "state").exists():
            directory.mkdir(exist_ok=True)
            build(directory, given.machines, given.users, given.rows, given.years)
        database = directory / "state" / DATABASE
        print(f"{database.stat().st_size / 1e6:.0f} MB")

        busiest = None
        with closing(Store.open(directory / "state")) as store, store.reading("look") as connection:
            query = "SELECT machine, count(*) FROM journal GROUP BY machine ORDER BY 2 DESC"
            counts = connection.exec_driver_sql(query).all()
            busiest, middle = counts[0][0], counts[len(counts) // 2][0]
            print(f"busiest machine: {counts[0][1]} rows; middle one: {counts[len(counts) // 2][1]}")
        for name in (busiest, middle):
            with closing(Store.open(directory / "state")) as store:
                history = History(store)
                timed(f"machine page's data ({name})", lambda h=history, n=name: h.machine(n), given.rounds)
        with closing(Store.open(directory / "state")) as store:
            history = History(store)
            timed("shop page's data", lambda: history._look_at_shop(()), given.rounds)
            today = date.today()
            for days_ in (30, 365):
                first = today - timedelta(days_ - 1)
                timed(
                    f"usage of {days_} days, with users",
                    lambda f=first: history.usage(f, today, users=True),
                    given.rounds,
                )
            timed("events, all machines", store.page, given.rounds)
            timed("events, one machine", lambda: store.page(machine=middle), given.rounds)
            timed("events, one rare kind", lambda: store.page(kind="oops_set"), given.rounds)
            since = datetime.now(UTC) - timedelta(30)
            timed("events, one kind of 30 days", lambda: store.page(kind="cleared", since=since), given.rounds)
            timed("events, one machine of 30 days", lambda: store.page(machine=middle, since=since), given.rounds)

        ready = []
        for _ in range(given.rounds):
            seconds, process, url = start_to_ready(directory)
            ready.append(seconds)
            if len(ready) == given.rounds:
                for path in (f"/machines/{busiest}", f"/machines/{middle}", "/shop", "/api/usage", "/api/events"):
                    try:
                        size = get(url + path)
                    except OSError as error:
                        print(path, error)
                        continue
                    timed(f"GET {path} ({size / 1000:.0f} kB)", lambda p=path, u=url: get(u + p), given.rounds)
                pages = (f"/machines/{busiest}", "/shop", "/api/usage?from=2026-01-01", f"/machines/{middle}")
                print("readers, nobody looks:  ", latencies(url, ()))
                print("readers, two look on:   ", latencies(url, pages))
                status = Path(f"/proc/{process.pid}/status").read_text()
                print("memory after that:", next(x for x in status.splitlines() if "VmRSS" in x).split()[1], "kB")
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        print(f"start to ready: {statistics.median(ready):.2f} s (median of {len(ready)}, worst {max(ready):.2f})")

        without = Path(temporary) / "without"
        both = Path(temporary) / "with"
        for copy in (without, both):
            shutil.copytree(directory / "state", copy)
        with closing(sqlite3.connect(without / DATABASE)) as connection_:
            for index in INDICES:
                connection_.execute(f"DROP INDEX {index}")
        rates = []
        for number in range(14):  # by turns, each time the other one first
            order = (both, without) if number % 2 else (without, both)
            measured = {copy: writes(copy, 1) for copy in order}
            rates.append((measured[both], measured[without]))
        for what, column in (("second", 0), ("second of CPU", 1)):
            pairs = [(ours[column], theirs[column]) for ours, theirs in rates]
            mine, other = (statistics.median(one) for one in zip(*pairs, strict=True))
            ratio = statistics.median(a / b for a, b in pairs)
            print(f"durable transitions a {what}: {mine:.0f} with the indices, {other:.0f} without ({ratio:.2f})")


if __name__ == "__main__":
    main()
