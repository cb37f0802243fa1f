"""Which service this is, whether it lives and whether it can serve."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from mac_actors.version import VERSION
from tests.conftest import MakeServer
from tests.fakes import ANN, wait_until, written
from tests.web.client import Running


def test_the_service_says_its_name_and_version(shared_server: Running) -> None:
    assert shared_server.get("/api/").json == {"name": "mac-actors", "version": VERSION}


def test_the_process_is_alive(shared_server: Running) -> None:
    assert shared_server.get("/healthz").status == 200


def test_a_healthy_server_is_ready(shared_server: Running) -> None:
    reply = shared_server.get("/readyz")
    assert reply.status == 200
    assert reply.json == {"ready": True, "problems": {}, "notes": {}}


def test_a_server_whose_disk_refuses_is_alive_and_not_ready_and_says_why(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mac_actors.errors import StorageError
    from mac_actors.storage.store import Store

    server = make_server(commit_budget=0.05)
    written(server.fleet)
    mended = threading.Event()
    commit = Store.commit

    def refuse(self: Store, records: Any) -> None:
        if not mended.is_set():
            raise StorageError("cannot write: database or disk is full")
        commit(self, records)

    monkeypatch.setattr(Store, "commit", refuse)
    assert server.outputs("metal-mill", ANN)["relay"] is True
    reply = server.get("/readyz")
    assert reply.status == 503
    assert reply.json["ready"] is False
    assert "disk is full" in reply.json["problems"]["store"]
    assert server.get("/healthz").status == 200
    mended.set()
    wait_until(lambda: server.get("/readyz").status == 200)
    assert server.events("?limit=1")[0]["kind"] == "session_started"


def test_troubles_of_slack_are_named_and_do_not_make_it_unready(server: Running) -> None:
    from mac_actors.settings import Tokens
    from mac_actors.web.access import Access
    from mac_actors.web.app import create_app

    app = create_app(server.fleet, Access(Tokens()), server.service.load, lambda: {"slack": "not connected"})
    statuses: list[str] = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/readyz", "SERVER_NAME": "x", "SERVER_PORT": "1"}
    body = b"".join(app(environ, lambda status, headers, exc_info=None: statuses.append(status)))
    assert statuses == ["200 OK"]
    assert json.loads(body) == {"ready": True, "problems": {}, "notes": {"slack": "not connected"}}


def test_a_server_that_another_one_takes_over_from_says_that_it_serves_nobody(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert server.get("/healthz?serving").status == 200
    monkeypatch.setattr(server.fleet, "_holds", lambda: True)
    reply = server.get("/healthz?serving=1")
    assert (reply.status, reply.json) == (503, {"status": "another server is taking over"})
    assert server.get("/healthz").json == {"status": "ok"}
