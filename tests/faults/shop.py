"""A shop under test: a server in a process of its own, its disk and clock, a Slack workspace, and the load."""

from __future__ import annotations

import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mac_actors.fleet.health import SLOW_SECONDS
from tests.e2e.forks import Forked
from tests.e2e.processes import environment, free_port
from tests.faults.client import Answer, Unanswered, call, report
from tests.faults.disk import Knobs, Mode, library
from tests.faults.load import Ledger, Load, write_configuration
from tests.slack.standin.workspace import CONTROL, OOPS, Workspace

START_SECONDS = 30.0
PATIENCE = 60.0

CONSTANTS = {"mac_actors.slack.gateway:SlackChat.seconds_per_post": 0.05}
"""Slack's pace is one post a second; the load makes more changes than people do, and an audit should not wait."""

SLOW = "mac_actors.fleet.health:SLOW_SECONDS"

_PAUSE = threading.Event()


def until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> float:
    """Wait for something; returns how long that took."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > seconds:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        _PAUSE.wait(0.02)
    return time.monotonic() - begun


def run_for(seconds: float) -> None:
    """Let the load run for so long."""
    _PAUSE.wait(seconds)


@dataclass(frozen=True)
class Vitals:
    """What a process holds."""

    threads: int
    descriptors: int
    megabytes: float

    @classmethod
    def of(cls, pid: int) -> Vitals:
        fields = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        )
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return cls(int(fields["Threads"]), descriptors, int(fields["VmRSS"].split()[0]) / 1024)


class Shop:
    """Everything that one server needs to be tormented. A context manager that leaves nothing running."""

    def __init__(
        self,
        directory: Path,
        *,
        seed: int = 1,
        constants: Mapping[str, float] | None = None,
        pause: float = 0.06,
        slack: bool = True,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.state = directory / "disk"
        self.state.mkdir()
        write_configuration(directory)
        self.knobs = Knobs(directory, self.state)
        self.workspace = Workspace()
        self.port = free_port()
        self.load = Load(self.port, seed, pause)
        self.exempt: set[str] = set()
        """Machines whose stored state was destroyed on purpose."""
        self.clock_jumped = False
        self.starts: list[float] = []
        """Seconds from the start of each process until it answered."""
        self.repeats_allowed = False
        self.stops: list[dict[str, int]] = []
        """Of each stop, how many posts were in each channel: the one under way may be there again after it."""
        self._slack = slack
        self._constants = {**CONSTANTS, **(constants or {})}
        self.slow_seconds = self._constants.get(SLOW, SLOW_SECONDS)
        self._process: Forked | None = None
        self._baseline: Vitals | None = None

    @property
    def ledger(self) -> Ledger:
        return self.load.ledger

    @property
    def log_path(self) -> Path:
        return self.directory / "server.log"

    @property
    def process(self) -> Forked:
        assert self._process is not None
        return self._process

    def __enter__(self) -> Self:
        self.workspace.up()
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.knobs.mode = Mode.OK
        self.load.stop()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(PATIENCE)
        self.workspace.__exit__()
        self.knobs.close()

    # the server

    def environment(self) -> dict[str, str]:
        return environment(
            MACHINES_CONFIG=str(self.directory / "machines.json"),
            USERS_CONFIG=str(self.directory / "users.json"),
            MACHINE_STATE_DIR=str(self.state),
            no_proxy="*",
            **(self.workspace.variables() if self._slack else {}),
            **self.knobs.environment(),
        )

    def launch(self) -> Forked:
        """Start a process, and do not wait for it."""
        command = ["serve", "--host", "127.0.0.1", "--port", str(self.port)]
        with self.log_path.open("ab") as log:
            self._process = Forked(
                command,
                cwd=self.directory,
                env=self.environment(),
                stdout=log.fileno(),
                stderr=log.fileno(),
                constants=self._constants,
                preload=library(),
            )
        return self._process

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        begun = time.monotonic()
        process = self.launch()

        def answers() -> bool:
            if process.poll() is not None:
                raise AssertionError(f"the server ended with {process.returncode}:\n{self.log()[-3000:]}")
            try:
                return self.call("GET", "/healthz").status == 200
            except Unanswered:
                return False

        until(answers, "the server answers", START_SECONDS)
        self.starts.append(time.monotonic() - begun)

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self.ledger.killed_now()
        self.repeats_allowed = True
        self.knobs.reset_waiting()

    def terminate(self) -> int:
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE)
        self.stops.append({channel: len(self.workspace.posts(channel)) for channel in (CONTROL, OOPS)})
        return status

    def on_disk(self) -> Path:
        """Where the database is."""
        return self.state

    def outbox(self) -> tuple[int, int, int]:
        """How many notices wait, the newest id ever, and the oldest that waits."""
        with closing(sqlite3.connect(f"file:{self.state / 'mac.sqlite3'}?mode=ro", uri=True, timeout=20)) as database:
            found = database.execute("select count(*), max(id), min(id) from outbox").fetchone()
        return int(found[0]), int(found[1] or 0), int(found[2] or 0)

    def may_repeat(self, earlier: float, later: float) -> bool:
        """Whether what was posted may be there again: after a kill."""
        return self.repeats_allowed

    def waiting(self) -> int:
        """How many notices wait for Slack."""
        return self.outbox()[0]

    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def vitals(self) -> Vitals:
        return Vitals.of(self.process.pid)

    @property
    def baseline(self) -> Vitals | None:
        """What the first process held when it had been warm for a moment: the later ones may hold no more."""
        return self._baseline

    def take_baseline(self) -> None:
        self._baseline = self._baseline or self.vitals()

    # talking to it

    def call(self, method: str, path: str, body: object = None, *, source: str = "127.0.0.1") -> Answer:
        return call(self.port, method, path, body, source=source)

    def report(self, machine: str, card: str = "", uptime: float | None = None, source: str = "127.0.0.1") -> Any:
        """Report as a reader of a machine that the load leaves alone; returns the outputs."""
        seconds = time.monotonic() - self.load.booted if uptime is None else uptime
        answer = self.call("POST", "/api/machine/update", report(machine, card, round(seconds, 3)), source=source)
        assert answer.status == 200, answer
        return answer.body

    def machine(self, name: str) -> Any:
        return self.call("GET", f"/api/machines/{name}").body

    def ready(self) -> bool:
        """Whether the server says that all is well."""
        try:
            return self.call("GET", "/readyz").status == 200
        except Unanswered:
            return False

    def posted(self, channel: str = CONTROL) -> list[str]:
        """What is posted in a channel, line by line, without the summary that ends the line of a clear."""
        found = (line for post in self.workspace.posts(channel) for line in post.text.splitlines())
        return [line.partition(" Out of use for ")[0] for line in found]

    def count_posted(self, text: str, channel: str = CONTROL) -> int:
        return sum(text.lower() in line.lower() for line in self.posted(channel))

    def warm(self, seconds: float = 1.0) -> None:
        """Let the load run until the process holds what it needs."""
        if self._slack:
            self.workspace.wait_connected(timeout=PATIENCE)
        run_for(seconds)
        self.take_baseline()


def set_file_limit() -> int:
    """Allow this process (and those that it starts) as many files as it may have; returns how many."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 16384 if hard == resource.RLIM_INFINITY else min(16384, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


__all__ = ["CONTROL", "OOPS", "PATIENCE", "Shop", "Vitals", "run_for", "set_file_limit", "until"]
