"""RemoteFleet: a server that is away, is replaced, hides names, or is none."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from mac_actors import ConfigError, FleetClosed, MachineUnavailable, RemoteFleet, ServerError, UnknownMachine
from mac_actors.client.follow import read_outcome
from mac_actors.core.outcomes import OopsSet, SessionRefused, SessionStarted
from tests.e2e.processes import free_port
from tests.fakes import ANN, NOBODY, RecordingSubscriber, wait_until
from tests.scripts.shop import TOKEN, serving


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.WARNING)
    return caplog


def test_a_restart_of_the_server_is_said_once_and_nothing_is_missed_or_told_twice(
    tmp_path: Path, warnings: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    told = RecordingSubscriber()
    with serving(tmp_path, port) as server:
        fleet = RemoteFleet(server.url)
        fleet.subscribe(told)
        server.outputs("metal-mill", ANN)
        told.wait_for(1)
        server.stop()
    wait_until(lambda: "what happens meanwhile is told when it is back" in warnings.text)
    with pytest.raises(ServerError, match="is the server running there"):
        fleet["router"].lock().get()
    with serving(tmp_path, port) as server:
        for number in range(30):  # more than a look takes in at once
            server.outputs("router", NOBODY if number % 2 else "")
        wait_until(lambda: "the server answers again" in warnings.text)
        kinds = [type(outcome) for outcome in told.wait_for(16)]
        assert kinds == [SessionStarted, *[SessionRefused] * 15]
        assert fleet["router"].lock().get().durable
        fleet.close()
    assert sum("is told when it is back" in record.getMessage() for record in warnings.records) == 1


def test_without_the_token_no_name_and_never_a_fob_is_told(tmp_path: Path) -> None:
    with serving(tmp_path, token=TOKEN) as server, RemoteFleet(server.url) as fleet:
        told = RecordingSubscriber()
        fleet.subscribe(told)
        server.outputs("metal-mill", ANN)
        [started] = told.wait_for(1)
        assert isinstance(started, SessionStarted)
        assert (started.user.full_name, started.user.account_id, started.fob) == ("a member", "", "")
        session = fleet.snapshot("metal-mill").session
        assert session
        assert session.full_name == "a member"
        with pytest.raises(ServerError, match="MAC_ADMIN_TOKEN"):
            fleet["router"].lock().get()
        with RemoteFleet(server.url, TOKEN) as admin:
            admin["metal-mill"].oops(by="Grace").get()
        oops = told.wait_for(2)[1]
        assert isinstance(oops, OopsSet)
        assert oops.flag.by is None
        assert oops.ended
        assert oops.ended.user.full_name == "a member"
        raw = server.get("/api/events?details=1").body.decode()
        assert "Ann" not in raw
        assert "Grace" not in raw
        assert ANN.lstrip("0") not in raw


def test_details_are_told_only_where_they_are_asked_for(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.post("/api/machine/oops/router").json == {"success": True}
        reply = server.post("/api/machine/locked_out/router?details=1", {"reason": "belt"})
        answer = reply.json
        assert (reply.status, answer["success"], answer["outputs"]["relay"]) == (200, True, False)
        assert [outcome["kind"] for outcome in answer["outcomes"]] == ["lock_set"]
        page = server.get("/api/events").json
        assert all("outcome" not in event for event in page["events"])
        page = server.get("/api/events?details=1").json
        assert page["events"][0]["outcome"]["flag"]["reason"] == "belt"


def test_a_machine_that_is_new_is_found_and_one_that_is_gone_is_unknown(tmp_path: Path) -> None:
    with serving(tmp_path) as server, RemoteFleet(server.url) as fleet:
        router = fleet["router"]
        machines = tmp_path / "machines.json"
        changed: dict[str, Any] = json.loads(machines.read_text())
        changed["lathe"] = changed.pop("router")
        machines.write_text(json.dumps(changed))
        assert server.post("/api/reload").status == 200
        assert fleet["lathe"].snapshot().get().name == "lathe"
        with pytest.raises(UnknownMachine):
            router.lock().get()


def test_the_environment_says_where_the_server_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path, token=TOKEN) as server:
        monkeypatch.setenv("MAC_URL", server.url)
        monkeypatch.setenv("MAC_ADMIN_TOKEN", TOKEN)
        with RemoteFleet.open() as fleet:
            assert server.url in repr(fleet)
            assert fleet["router"].lock().get().durable


def test_no_server_is_said_at_once() -> None:
    with pytest.raises(ServerError, match="is the server running there"):
        RemoteFleet(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ConfigError, match="url is 'workshop'"):
        RemoteFleet("workshop")


class _Odd(BaseHTTPRequestHandler):
    """A server that is not quite one of ours: ``answers`` by method and path."""

    answers: dict[str, tuple[int, Any]] = {}  # noqa: RUF012 - set by each test

    def _answer(self) -> None:
        path = self.path.partition("?")[0]
        status, body = self.answers.get(f"{self.command} {path}", (404, {"error": "nothing here"}))
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _answer

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def odd() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Odd)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


MACHINE: dict[str, Any] = {
    "name": "mill", "alias": None, "display_name": "mill", "status": "idle", "status_since": "2026-11-24T18:00:00Z",
    "online": False, "relay": False, "second_relay": False, "oops": None, "lock": None, "session": None,
    "telemetry": {"uptime": None, "amps": 0.0}, "last_checkin": None, "last_update": None,
}  # fmt: skip


def test_an_unwell_or_older_server_gives_plain_errors(odd: str, warnings: pytest.LogCaptureFixture) -> None:
    _Odd.answers = {
        "GET /api/machines": (200, {"machines": [MACHINE]}),
        "POST /api/machine/oops/mill": (503, {"error": "the disk is full"}),
        "POST /api/machine/locked_out/mill": (200, {"success": True}),
        "GET /api/events": (200, {"events": [], "next": None}),
    }
    told = RecordingSubscriber()
    with RemoteFleet(odd) as fleet:
        with pytest.raises(MachineUnavailable, match="the disk is full"):
            fleet["mill"].oops().get()
        with pytest.raises(ServerError, match="older version"):
            fleet["mill"].lock().get()
        fleet.subscribe(told)
        event = {"id": 1, "kind": "levitated", "outcome": {}}
        _Odd.answers["GET /api/events"] = (200, {"events": [event], "next": None})
        wait_until(lambda: "another version" in warnings.text)
        _Odd.answers["GET /api/events"] = (200, {"events": [{}], "next": None})
        wait_until(lambda: "it goes on" in warnings.text)
    assert told.outcomes == []


def test_a_restored_backup_is_no_flood_of_old_outcomes(odd: str, warnings: pytest.LogCaptureFixture) -> None:
    at = "2026-11-24T18:00:00Z"
    flag = {"since": at, "source": "repl", "by": None, "reason": None}
    outcome = {"machine": "mill", "display_name": "mill", "at": at, "flag": flag, "ended": None}

    def journal(newest: int) -> None:
        ids = range(newest, 0, -1)
        events = [{"id": number, "kind": "oops_set", "outcome": outcome | {"machine": str(number)}} for number in ids]
        _Odd.answers["GET /api/events"] = (200, {"events": events, "next": None})

    _Odd.answers = {"GET /api/machines": (200, {"machines": [MACHINE]})}
    journal(5)
    told = RecordingSubscriber()
    with RemoteFleet(odd) as fleet:
        fleet.subscribe(told)
        journal(6)
        told.wait_for(1)
        journal(2)
        wait_until(lambda: "a backup was restored" in warnings.text)
        journal(3)
        assert [outcome.machine for outcome in told.wait_for(2)] == ["6", "3"]


def test_a_follower_that_can_not_begin_says_so(odd: str) -> None:
    _Odd.answers = {"GET /api/machines": (200, {"machines": [MACHINE]})}
    with RemoteFleet(odd) as fleet:
        with pytest.raises(ServerError):
            fleet.subscribe(print)
        with pytest.raises(ServerError):
            next(fleet.events())


def test_an_outcome_of_another_version_is_no_traceback() -> None:
    with pytest.raises(ServerError, match="another version"):
        read_outcome("oops_set", None)


def test_what_was_not_carried_out_is_said_where_nobody_asks(odd: str, warnings: pytest.LogCaptureFixture) -> None:
    _Odd.answers = {
        "GET /api/machines": (200, {"machines": [MACHINE]}),
        "POST /api/machine/oops/mill": (503, {"error": "the disk is full"}),
    }
    fleet = RemoteFleet(odd)
    refused = fleet["mill"].oops()
    fleet.close()
    assert "a command was not carried out, and nobody has asked for its answer yet: the disk is full" in warnings.text
    assert fleet.failed
    with pytest.raises(MachineUnavailable):
        refused.get()
    assert not fleet.failed


def test_a_forked_process_is_told_to_open_its_own_fleet(odd: str) -> None:
    _Odd.answers = {"GET /api/machines": (200, {"machines": [MACHINE]})}
    with RemoteFleet(odd) as fleet:
        mill = fleet["mill"]
        child = os.fork()
        if child == 0:
            said = 0
            for call in (mill.lock, mill.snapshot, fleet.snapshots, fleet.users.find):
                try:
                    call()
                except FleetClosed as closed:
                    said += "open one here" in str(closed)
            fleet.close()
            os._exit(said)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
        assert [machine.name for machine in fleet.snapshots()] == ["mill"]
