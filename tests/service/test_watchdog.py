"""What counts as a server that hangs, and is restarted for it; and what does not."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from mac_actors.actors.runtime import Ping
from mac_actors.service.systemd import Systemd
from mac_actors.service.watchdog import Watchdog
from mac_actors.web.server.server import THREADS
from tests.conftest import MakeServer
from tests.fakes import hanging_disk, wait_until, written
from tests.web.client import Running


class Told(Systemd):
    """A manager that keeps what it is told. Its patience is that of a busy computer, unless said otherwise."""

    def __init__(self, watchdog_seconds: float | None = 60.0) -> None:
        super().__init__({})
        self.watchdog_seconds = watchdog_seconds
        self.lines: list[str] = []

    def _send(self, *lines: str) -> None:
        self.lines += lines

    @property
    def signs_of_life(self) -> int:
        return self.lines.count("WATCHDOG=1")


class Blocked:
    """A path of the application that does not answer while it is closed: 32 calls of it take all workers."""

    def __init__(self, running: Running) -> None:
        self.gate = threading.Event()
        self._port = running.port
        running.service.shop.app.get("/blocked", callback=lambda: str(self.gate.wait(60)))

    def call(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.request("GET", "/blocked")
        connection.getresponse().read()
        connection.close()


@contextmanager
def all_workers_blocked(running: Running) -> Iterator[Blocked]:
    blocked = Blocked(running)
    server = running.service.server
    taken = server.taken + THREADS
    with ThreadPoolExecutor(THREADS + 4) as pool:
        try:
            for _ in range(THREADS + 4):
                pool.submit(blocked.call)
            wait_until(lambda: (server.taken, server.waiting) == (taken, 4))
            yield blocked
        finally:
            blocked.gate.set()


def let_it_move(running: Running) -> None:
    """Wait for a round of the accepting thread, as there are many between two looks in life."""
    server = running.service.server
    turns = server.turns
    wait_until(lambda: server.turns > turns)


def test_a_server_that_nobody_talks_to_does_not_hang(server: Running) -> None:
    told = Told()
    watchdog = Watchdog(server.service, told)
    for signs in range(1, 4):
        let_it_move(server)
        watchdog.look()
        assert told.signs_of_life == signs
    assert watchdog.status() == "5 machines: all idle; no Slack"


def test_a_reload_that_was_refused_is_in_the_status_until_one_is_not_whichever_way_it_comes(server: Running) -> None:
    watchdog, refused = Watchdog(server.service, Told()), "the last reload was refused (the log says why)"
    watchdog.reloaded(good=False)
    assert watchdog.status().endswith(refused)
    server.post("/api/reload-users")
    assert watchdog.status().endswith(refused), "the users' file alone"
    server.post("/api/reload")
    assert refused not in watchdog.status()
    watchdog.reloaded(good=False)
    assert watchdog.status().endswith(refused)
    watchdog.reloaded(good=True)
    assert refused not in watchdog.status()


def test_requests_that_no_worker_takes_are_a_hang_until_one_does(
    server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told()
    watchdog = Watchdog(server.service, told)
    with all_workers_blocked(server) as blocked:
        watchdog.look()
        assert told.signs_of_life == 1, "they wait, but that they did before is not known yet"
        let_it_move(server)
        watchdog.look()
        watchdog.look()
        assert told.signs_of_life == 1
        blocked.gate.set()
        wait_until(lambda: server.service.server.waiting == 0)
    let_it_move(server)
    watchdog.look()
    assert told.signs_of_life == 2
    begin, end = [r.message for r in caplog.records if r.name == "mac_actors.service.watchdog"]
    assert begin.startswith("the server hangs: 4 requests waited for a worker and none took one. No sign of life")
    assert end == "the server no longer hangs"


def test_an_accepting_thread_that_stands_still_or_has_ended_is_a_hang(server: Running) -> None:
    watchdog = Watchdog(server.service, Told())
    request_buffer: Any = server.service.server._connections
    stuck, gate = threading.Event(), threading.Event()
    close_late = request_buffer._close_late

    def stand_still() -> None:
        stuck.set()
        gate.wait(60)
        close_late()

    assert watchdog.hangs() is None
    request_buffer._close_late = stand_still
    assert stuck.wait(60)
    watchdog.hangs()
    assert watchdog.hangs() == "the thread that accepts connections stands still"
    gate.set()
    server.service.server.stop()
    assert watchdog.hangs() == "the thread that accepts connections has ended"


def test_a_machine_whose_actor_does_not_answer_is_a_hang(server: Running) -> None:
    told = Told(3.0)
    watchdog = Watchdog(server.service, told)
    gate = threading.Event()
    actor: Any = server.fleet.supervisor.refs["laser"]._actor_weakref()
    handle = actor.on_receive
    actor.on_receive = lambda message: (gate.wait(60), handle(message))[1]
    actor.actor_ref.tell(Ping())
    try:
        assert watchdog.hangs() == "these machines' actors do not answer: laser"
        watchdog.look()
        assert told.signs_of_life == 0
    finally:
        gate.set()
    wait_until(lambda: not server.fleet.supervisor.unresponsive(0.3))


@pytest.mark.actor_dies
def test_a_machine_whose_actor_has_died_is_no_hang(server: Running) -> None:
    server.fleet.supervisor.refs["laser"].stop(block=True)
    assert server.fleet.supervisor.unresponsive(0.5) == []


def test_a_disk_that_hangs_is_no_hang_even_when_nothing_else_moves(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A restart would lose what waits in memory."""
    monkeypatch.setattr("mac_actors.fleet.health.SLOW_SECONDS", 0.1)
    running = make_server(commit_budget=0.05)
    told = Told()
    watchdog = Watchdog(running.service, told)
    written(running.fleet)
    with hanging_disk(monkeypatch):
        running.post("/api/machine/oops/laser")
        wait_until(lambda: "store" in running.fleet.health())
        watchdog.look()
        assert told.signs_of_life == 1
        assert "5 machines: 1 oopsed; store: the disk has not answered for" in watchdog.status()
        with all_workers_blocked(running):
            for signs in (2, 3, 4):
                watchdog.look()
                assert told.signs_of_life == signs
        assert any("It is not restarted, because changes wait in memory" in r.message for r in caplog.records)
    wait_until(lambda: "store" not in running.fleet.health())


def test_no_sign_of_life_is_given_to_who_wants_none(server: Running) -> None:
    told = Told(None)
    watchdog = Watchdog(server.service, told)
    watchdog.look()
    assert told.signs_of_life == 0
    assert watchdog.seconds == 10.0


def test_a_look_that_fails_is_said_and_the_watch_goes_on(
    server: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Listening(Told):
        def __bool__(self) -> bool:
            return True

    told = Listening(0.03)
    watchdog = Watchdog(server.service, told)
    with monkeypatch.context() as broken:
        broken.setattr(watchdog, "hangs", lambda: 1 / 0)
        watchdog.start()
        wait_until(lambda: "looking after the server failed once" in caplog.text)
        assert told.signs_of_life == 0
    wait_until(lambda: told.signs_of_life > 0)
    watchdog.stop()
    watchdog._thread.join(20)
    assert told.lines[0] == "READY=1"
    assert "STOPPING=1" in told.lines
