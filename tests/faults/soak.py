"""Faults at random for as long as one likes: ``python -m tests.faults.soak --minutes 20 [--seed N] [--out FILE]``.

One server after another is under continuous load; to each a few faults are done, then it is audited, killed or
stopped, started again and audited again. Talks to 127.0.0.0/8 alone, and stops by itself. Exit status 1 if a
promise was broken or an audit found something.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tests.faults import faults
from tests.faults.audit import audit
from tests.faults.faults import ON_ANY_SHOP, SILENCE, Result
from tests.faults.inside import ACTORS, kill_actors
from tests.faults.shop import Shop, run_for, set_file_limit

KILLS_A_MINUTE = 5.0
"""At least so many kill -9 a minute: where there are fewer, the next faults are kills."""

LENGTHS = {"disk-blocks": (7.0, 30.0), "disk-hangs": (7.0, 30.0), "slow-loris": (13.0, 15.0), "kill": (0.1, 1.5)}
LENGTHS |= {name: (7.0, 12.0) for name in ON_ANY_SHOP if name.startswith("disk-") and name not in LENGTHS}
"""Seconds that a fault goes on, at least and at most."""


@dataclass
class Tally:
    """What came of one fault so far."""

    promised: str = ""
    times: int = 0
    worst: str = ""
    seconds: float = -1.0
    problems: list[str] = field(default_factory=list)
    audits: int = 0

    def add(self, result: Result) -> None:
        self.times += 1
        self.promised = result.promised
        self.problems += result.problems
        if result.seconds >= self.seconds:
            self.seconds, self.worst = result.seconds, result.worst


class Soak:
    """Everything that happened."""

    def __init__(self, seed: int, minutes: float, live: Live | None = None, without: Sequence[str] = ()) -> None:
        self.chance = random.Random(seed)
        self.begun = time.monotonic()
        self.until = self.begun + 60 * minutes
        self.tallies: dict[str, Tally] = {}
        self.audits = 0
        self.findings: list[str] = []
        self.requests = 0
        self.servers = 0
        self.kills = 0
        self.promises = 0
        self.now = ""
        self._live = live
        self._names = sorted(ON_ANY_SHOP.keys() - set(without))
        self._root = Path(tempfile.mkdtemp(prefix="mac-soak-"))

    @property
    def failed(self) -> bool:
        return bool(self.findings or any(tally.problems for tally in self.tallies.values()))

    def run(self) -> None:
        try:
            while time.monotonic() < self.until:
                what = self.chance.random()
                if what < 0.1:
                    self._actors()
                elif what < 0.15:
                    self._server(["readers-fall-silent"])
                else:
                    self._server(self._choose())
        finally:
            shutil.rmtree(self._root, ignore_errors=True)

    def _choose(self) -> list[str]:
        """A few faults for one server, and kills between them."""
        chosen = self.chance.sample(self._names, 3)
        behind = KILLS_A_MINUTE * (time.monotonic() - self.begun) / 60 - self.kills
        chosen += ["kill"] * (1 + max(0, int(behind)))
        self.chance.shuffle(chosen)
        return chosen

    def _server(self, chosen: list[str]) -> None:
        self.servers += 1
        directory = self._root / str(self.servers)
        constants = SILENCE if chosen == ["readers-fall-silent"] else None
        with Shop(directory, seed=self.chance.randrange(2**32), constants=constants) as shop:
            shop.load.start()
            shop.warm(1.0)
            done: list[str] = []
            for name in chosen:
                if time.monotonic() > self.until:
                    break
                self._show(f"server {self.servers}: {name}")
                low, high = LENGTHS.get(name, (2.0, 5.0))
                self._tally(name, lambda name=name, low=low, high=high: self._do(name, shop, low, high))
                self.kills += "kill" in name
                done.append(name)
                run_for(0.3)
            shop.load.stop()
            self._audit(done, shop)
            if self.chance.random() < 0.5:
                shop.kill()
                self.kills += 1
            elif (status := shop.terminate()) != 0:
                self.findings.append(f"server {self.servers} after {done}: the stop ended with {status}")
            shop.start()
            self._audit([*done, "restart"], shop)
            self.requests += len(shop.ledger.latencies)
            self.promises += sum(entry.answered for entry in shop.ledger.entries)
        shutil.rmtree(directory, ignore_errors=True)

    def _do(self, name: str, shop: Shop, low: float, high: float) -> Result:
        fault = ON_ANY_SHOP.get(name, faults.readers_fall_silent)
        return fault(shop, self.chance, self.chance.uniform(low, high))

    def _actors(self) -> None:
        what = self.chance.choice(sorted(ACTORS))
        self.servers += 1
        self._show(f"server {self.servers}: {what}")

        def do() -> Result:
            result, found = kill_actors(self._root / str(self.servers), what, self.chance, 5)
            self._found([what], found)
            return result

        self._tally(what, do)

    def _tally(self, name: str, do: Any) -> None:
        tally = self.tallies.setdefault(name, Tally())
        try:
            tally.add(do())
        except Exception as error:
            tally.times += 1
            tally.problems.append(f"{type(error).__name__}: {error}")
        self._show()

    def _audit(self, done: list[str], shop: Shop) -> None:
        self._show(f"server {self.servers}: audit after {', '.join(done)}")
        try:
            found = audit(shop)
        except Exception as error:
            found = [f"the audit could not be made: {type(error).__name__}: {error}"]
        self._found(done, found)

    def _found(self, done: list[str], found: list[str]) -> None:
        self.audits += 1
        for name in set(done) & self.tallies.keys():
            self.tallies[name].audits += 1
        self.findings += [f"server {self.servers} after {', '.join(done)}: {finding}" for finding in found[:20]]

    def _show(self, now: str | None = None) -> None:
        self.now = self.now if now is None else now
        if self._live is not None:
            self._live.update(self.table())

    def summary(self) -> str:
        minutes = (time.monotonic() - self.begun) / 60
        return (
            f"{minutes:.1f} min, {self.servers} servers, {self.kills} kill -9, {self.requests} requests, "
            f"{self.promises} acknowledged changes, {self.audits} audits: "
            f"{len(self.findings)} findings, {sum(len(t.problems) for t in self.tallies.values())} broken promises"
        )

    def table(self) -> Table:
        table = Table("fault", "times", "promised", "worst seen", "audit", title=self.summary(), caption=self.now)
        for name, tally in sorted(self.tallies.items()):
            table.add_row(name, str(tally.times), tally.promised, tally.worst, self.verdict(name))
        return table

    def verdict(self, name: str) -> str:
        tally = self.tallies[name]
        findings = sum(name in finding.split(": ")[0] for finding in self.findings)
        wrong = [f"{len(tally.problems)} promises broken"] * bool(tally.problems)
        wrong += [f"{findings} findings"] * bool(findings)
        return ", ".join(wrong) or "clean"

    def plain(self) -> str:
        """The table in plain text."""
        rows = [("fault", "times", "promised", "worst seen", "audit")]
        rows += [(n, str(t.times), t.promised, t.worst, self.verdict(n)) for n, t in sorted(self.tallies.items())]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[4]]) for row in rows]
        wrong = [f"{name}: {problem}" for name, tally in sorted(self.tallies.items()) for problem in tally.problems]
        return "\n".join([*lines, "", self.summary(), *wrong, *self.findings])

    def results(self) -> dict[str, Any]:
        return {
            "summary": self.summary(),
            "failed": self.failed,
            "kills": self.kills,
            "findings": self.findings,
            "faults": {name: vars(tally) | {"audit": self.verdict(name)} for name, tally in self.tallies.items()},
        }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--out", type=Path, help="where the results are written, as JSON")
    parser.add_argument("--without", action="append", default=[], choices=sorted(ON_ANY_SHOP), help="leave a fault out")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # actors are killed in this process too
    threading.stack_size(512 * 1024)
    limit = set_file_limit()
    console = Console()
    print(f"seed {options.seed}, {options.minutes:g} minutes, at most {limit} open files", flush=True)
    with Live(console=console, refresh_per_second=2, transient=True) as live:
        soak = Soak(options.seed, options.minutes, live if console.is_terminal else None, options.without)
        soak.run()
    print(soak.plain())
    if options.out:
        options.out.write_text(json.dumps(soak.results(), indent=2), encoding="utf-8")
    return int(soak.failed)


if __name__ == "__main__":
    sys.exit(main())
