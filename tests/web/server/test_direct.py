"""Reports are answered without a worker: while the disk hangs, in their order, and at the stop too."""

from __future__ import annotations

import gc
import json
import math
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from mac_actors.actors.replies import Answer
from mac_actors.web.api.readers import ReportCall
from mac_actors.web.server import request_buffer
from mac_actors.web.server.connection import Connection
from mac_actors.web.server.server import THREADS
from tests.conftest import MakeServer
from tests.fakes import ANN, BOB, PATIENCE, wait_until, written
from tests.web.client import Running, report_body
from tests.web.server.raw import report


def body(name: str, fob: str | None = "", **fields: Any) -> bytes:
    return json.dumps(report_body(name, fob, **fields)).encode()


Hang = Callable[[Running], threading.Event]


@pytest.fixture
def hang(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hang]:
    """Has the disk of a server hang; what is returned is set when it goes on."""
    gates: list[threading.Event] = []

    def hang(server: Running) -> threading.Event:
        written(server.fleet)
        store, gate = server.fleet.store, threading.Event()
        commit = store.commit
        monkeypatch.setattr(store, "commit", lambda records: gate.wait(PATIENCE) and commit(records))
        gates.append(gate)
        return gate

    yield hang
    for gate in gates:
        gate.set()


def test_answers_that_wait_for_the_disk_hold_no_worker(make_server: MakeServer, hang: Hang) -> None:
    server = make_server(commit_budget=60.0)
    gate = hang(server)
    with ExitStack() as clients:
        waiting = [clients.enter_context(server.connect()) for _ in range(2 * THREADS)]
        for number, raw in enumerate(waiting):
            raw.send(report(body=body("metal-mill", ANN if number % 2 == 0 else "")))
        wait_until(lambda: server.fleet.journal.depth > THREADS)
        assert server.get("/api/machines").status == 200
        assert server.outputs("laser")["relay"] is False, "what changes nothing waits for nothing"
        gate.set()
        replies = [raw.reply() for raw in waiting]
    assert [reply.status for reply in replies] == [200] * len(waiting)


def test_a_client_is_told_when_the_budget_is_over_and_not_told_twice(make_server: MakeServer, hang: Hang) -> None:
    server = make_server(commit_budget=0.05)
    gate, before = hang(server), server.fleet.supervisor.over_budget
    with server.connect() as raw:
        raw.send(report(body=body("metal-mill", ANN)))
        assert raw.reply().json["relay"] is True
        assert server.fleet.supervisor.over_budget == before + 1
        gate.set()
        written(server.fleet)
        raw.send(report("Connection: close", body=body("laser")))
        assert raw.reply().json["relay"] is False
        assert raw.rest() == b""


def test_a_client_that_was_told_is_forgotten_though_the_disk_still_hangs(
    make_server: MakeServer, hang: Hang, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for a disk that hangs is small: whoever sends most would else fill the memory."""
    seen: list[weakref.ref[Connection]] = []

    class Seen(Connection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            seen.append(weakref.ref(self))

    monkeypatch.setattr(request_buffer, "Connection", Seen)
    server = make_server(commit_budget=0.05)
    gate = hang(server)
    with server.connect() as raw:
        raw.send(report("Connection: close", body=body("metal-mill", ANN, more="x" * 60_000)))
        assert raw.reply().json["relay"] is True
        assert raw.rest() == b""
    assert server.get("/api/machines").status == 200  # its thread has turned to others

    def forgotten() -> bool:
        gc.collect()
        return seen[0]() is None

    wait_until(forgotten)
    assert server.fleet.journal.depth, "its change still waits"
    assert not gate.is_set()


def test_the_thread_of_all_clients_waits_for_no_disk_though_an_actor_decides_while_it_looks(
    make_server: MakeServer, hang: Hang, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server(commit_budget=60.0)
    gate = hang(server)
    due, answer = ReportCall.due, ReportCall.answer
    asked: list[threading.Thread] = []
    answered: list[threading.Thread] = []

    def not_decided_yet(call: ReportCall) -> float:
        asked.append(threading.current_thread())
        return due(call) if len(asked) > 1 else math.inf

    def by_whom(call: ReportCall) -> tuple[dict[str, str], bytes]:
        answered.append(threading.current_thread())
        return answer(call)

    monkeypatch.setattr(ReportCall, "due", not_decided_yet)
    monkeypatch.setattr(ReportCall, "answer", by_whom)
    with server.connect() as raw:
        raw.send(report(body=body("metal-mill", ANN)))
        wait_until(lambda: len(asked) > 1)
        gate.set()
        assert raw.reply().json["relay"] is True
    assert asked[0] not in answered


def test_requests_on_one_connection_are_answered_in_their_order(make_server: MakeServer, hang: Hang) -> None:
    server = make_server(commit_budget=60.0)
    gate = hang(server)
    with server.connect() as raw:
        get = b"GET /api/machines/laser HTTP/1.1\r\nHost: mac\r\n\r\n"
        raw.send(report(body=body("metal-mill", ANN)) + get + report(body=body("laser")) + report(body=b"{"))
        wait_until(lambda: server.fleet.journal.depth)
        gate.set()
        replies = [raw.reply() for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 200, 400]
    assert replies[0].json["relay"] is True
    assert replies[1].json["name"] == "laser"
    assert replies[2].json["relay"] is False


def test_at_the_stop_what_waits_for_the_disk_is_answered(make_server: MakeServer, hang: Hang) -> None:
    server = make_server(commit_budget=60.0)
    gate = hang(server)
    with server.connect() as raw:
        raw.send(report(body=body("metal-mill", ANN)))
        wait_until(lambda: server.fleet.journal.depth)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        wait_until(lambda: not server.service.server.ready)
        gate.set()
        assert raw.reply().json["relay"] is True
        stopping.join(PATIENCE)
        assert not stopping.is_alive()


def test_a_client_that_hangs_up_while_its_answer_waits_disturbs_nobody(make_server: MakeServer, hang: Hang) -> None:
    server = make_server(commit_budget=60.0)
    gate = hang(server)
    with server.connect() as raw:
        raw.send(report(body=body("metal-mill", ANN)))
        wait_until(lambda: server.fleet.journal.depth)
    gate.set()
    wait_until(lambda: not server.service.server.open_connections)
    assert server.outputs("metal-mill", ANN)["relay"] is True


def test_one_address_has_its_turn_and_then_the_others(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_buffer, "DIRECT_BYTES", request_buffer.ROUND_BYTES)
    server = make_server()
    with ExitStack() as clients:
        waiting = [clients.enter_context(server.connect()) for _ in range(20)]
        for raw in waiting:
            raw.send(report(body=body("metal-mill")) * 3)
        assert [raw.reply().status for raw in waiting for _ in range(3)] == [200] * 60


def test_the_head_is_what_a_worker_writes(make_server: MakeServer) -> None:
    server = make_server()
    with server.connect() as raw:
        raw.send(report(body=body("metal-mill")))
        direct = raw.reply()
        raw.send(report(body=body("metal-mill")).replace(b"/api/machine/update", b"/api/machine/update?by=worker"))
        worker = raw.reply()
        raw.send(report("Connection: close", body=body("metal-mill")))
        assert raw.reply().headers["Connection"] == "close"
    for reply in (direct, worker):
        del reply.headers["Date"]
    assert (direct.status, sorted(direct.headers.items()), direct.body) == (
        worker.status,
        sorted(worker.headers.items()),
        worker.body,
    )


def test_a_mistake_of_ours_is_answered_and_ends_nothing(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = make_server()

    def fail(sent: object) -> Answer:
        raise RuntimeError("a mistake")

    with monkeypatch.context() as broken:
        broken.setattr(server.fleet, "finish", fail)
        assert server.report("metal-mill").status == 500
    assert "a mistake" in caplog.text
    caplog.clear()
    assert server.outputs("metal-mill", BOB)["relay"] is False


def test_changes_that_come_together_are_written_together(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_buffer, "GATHER_SECONDS", PATIENCE)
    server, gate = make_server(commit_budget=60.0), threading.Event()
    direct = server.service.server.direct
    assert direct
    begin = direct.begin
    monkeypatch.setattr(direct, "begin", lambda environ: gate.wait(PATIENCE) and begin(environ))
    written(server.fleet)
    before = server.fleet.journal.batches
    machines = list(server.fleet.configuration.machines)
    with ExitStack() as clients:
        waiting = [clients.enter_context(server.connect()) for _ in machines]
        for raw, name in zip(waiting, machines, strict=True):
            raw.send(report("Connection: close", body=body(name, oops=True)))
        gate.set()
        for raw in waiting:
            assert raw.reply().json["oops_led"] is True
    assert server.fleet.journal.batches == before + 1


def test_the_journal_is_woken_however_many_requests_come(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that answers never finds that nothing has come: what it puts off must not wait for that."""
    server = make_server(commit_budget=60.0)
    poll = server.service.server._connections._poll

    class Busy:
        """Says each time that the socket for new clients is ready."""

        def __getattr__(self, name: str) -> Any:
            return getattr(poll, name)

        def poll(self, timeout: float, most: int) -> list[tuple[int, int]]:
            return poll.poll(0, most) or [(server.service.server.socket.fileno(), 1)]

    monkeypatch.setattr(server.service.server._connections, "_poll", Busy())
    assert server.outputs("metal-mill", ANN)["relay"] is True
    written(server.fleet)
