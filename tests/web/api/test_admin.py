"""The calls of an admin: what they do, and what they answer."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.conftest import MakeServer
from tests.fakes import (
    ANN,
    ODD_ALIAS,
    hanging_disk,
    sample_machines,
    wait_until,
    written,
)
from tests.web.api.conftest import CALLS
from tests.web.client import Running


@pytest.mark.parametrize(
    ("set_up", "method", "path", "status"),
    [
        ([], "POST", "oops", "oopsed"),
        (["oops"], "POST", "oops", "oopsed"),
        (["oops"], "DELETE", "oops", "idle"),
        ([], "DELETE", "oops", "idle"),
        ([], "POST", "locked_out", "locked_out"),
        (["locked_out"], "DELETE", "locked_out", "idle"),
        (["oops"], "POST", "locked_out", "oopsed_locked_out"),
        (["oops", "locked_out"], "DELETE", "oops", "locked_out"),
        (["oops", "locked_out"], "DELETE", "locked_out", "oopsed"),
        (["oops", "locked_out"], "POST", "clear", "idle"),
        ([], "POST", "clear", "idle"),
    ],
)
def test_a_command_sets_or_lifts_its_flag_alone(
    idle_server: Running, set_up: list[str], method: str, path: str, status: str
) -> None:
    for flag in set_up:
        assert idle_server.post(f"/api/machine/{flag}/metal-mill").json == {"success": True}
    reply = idle_server.request(method, f"/api/machine/{path}/metal-mill")
    assert reply.status == 200
    assert reply.json == {"success": True}
    assert idle_server.machine("metal-mill")["status"] == status


def test_an_oops_by_http_stops_the_machine_and_says_why(make_server: MakeServer) -> None:
    server = make_server(public_names=True)
    server.outputs("metal-mill", ANN)
    reply = server.post("/api/machine/oops/metal-mill", {"reason": " belt\n torn ", "by": "Max\tMuster", "more": 1})
    assert reply.json == {"success": True}
    assert server.outputs("metal-mill", ANN)["relay"] is False
    oops = server.machine("metal-mill")["oops"]
    assert (oops["source"], oops["by"], oops["reason"]) == ("http", "Max Muster", "belt torn")
    event = server.events("?limit=1")[0]
    assert (event["kind"], event["source"], event["by"], event["reason"]) == (
        "oops_set",
        "http",
        "Max Muster",
        "belt torn",
    )


def test_a_lock_may_wait_for_the_end_of_a_session(make_server: MakeServer) -> None:
    server = make_server()
    path, order = "/api/machine/locked_out/metal-mill", {"when": "free", "reason": "new belt"}
    assert "lock_pending" not in server.machine("metal-mill")
    server.outputs("metal-mill", ANN)
    assert server.post(path, order).json == {"success": True}
    assert server.post(path, order).headers["Mac-Already"] == "lock_pending"
    assert server.outputs("metal-mill", ANN)["relay"] is True
    machine = server.machine("metal-mill")
    assert (machine["status"], machine["lock"], machine["lock_pending"]["reason"]) == ("in_use", None, "new belt")
    assert server.outputs("metal-mill")["display"] == "Down for\nmaintenance"
    machine = server.machine("metal-mill")
    assert (machine["status"], machine["lock"]["reason"]) == ("locked_out", "new belt")
    assert "lock_pending" not in machine
    assert [event["kind"] for event in server.events("?limit=3")] == ["lock_set", "session_ended", "lock_pending"]


def test_a_lock_that_waits_is_lifted_and_what_it_may_wait_for_is_checked(make_server: MakeServer) -> None:
    server = make_server()
    server.outputs("metal-mill", ANN)
    reply = server.post("/api/machine/locked_out/metal-mill", {"when": "noon"})
    assert (reply.status, reply.json) == (422, {"error": "when: expected 'free'"})
    assert "lock_pending" not in server.machine("metal-mill")
    server.post("/api/machine/locked_out/metal-mill", {"when": "free"})
    assert server.request("DELETE", "/api/machine/locked_out/metal-mill").headers.get("Mac-Already") is None
    assert "lock_pending" not in server.machine("metal-mill")
    assert server.events("?limit=1")[0]["kind"] == "lock_pending_cleared"
    assert server.outputs("metal-mill", ANN)["relay"] is True
    assert server.post("/api/machine/locked_out/router", {"when": "free"}).status == 200
    assert server.machine("router")["status"] == "locked_out"


@pytest.mark.parametrize(
    ("given", "shown"),
    [("cli", "cli"), ("repl", "repl"), ("slack", "http"), ("button", "http"), ("server", "http"), ("nonsense", "http")],
)
def test_the_source_is_http_unless_it_says_cli_or_repl(idle_server: Running, given: str, shown: str) -> None:
    idle_server.post("/api/machine/locked_out/router", {"source": given})
    assert idle_server.machine("router")["lock"]["source"] == shown


@pytest.mark.parametrize("body", [None, b"", {}, {"reason": None, "by": None}, {"reason": "", "by": "  "}])
def test_the_body_is_optional(idle_server: Running, body: Any) -> None:
    reply = idle_server.post("/api/machine/oops/router", body)
    assert reply.status == 200
    oops = idle_server.machine("router")["oops"]
    assert (oops["by"], oops["reason"]) == (None, None)


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"{", 400, "JSON"),
        (b"\xff", 400, "JSON"),
        (b"[]", 422, "object"),
        (b"null", 422, "object"),
        (b'{"reason": 5}', 422, "reason"),
        (b'{"by": ["x"]}', 422, "by"),
        (b'{"reason": "%s"}' % (b"x" * 10_000), 422, "reason"),
        (b'{"by": "%s"}' % (b"x" * 10_000), 422, "by"),
        (rb'{"reason": "\ud800"}', 400, "JSON"),
        (b'{"source": ' + b"[" * 50_000, 400, "JSON"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_wrong_body_is_refused_and_changes_nothing(idle_server: Running, body: bytes, status: int, word: str) -> None:
    reply = idle_server.post("/api/machine/oops/router", body)
    assert reply.status == status
    assert word in reply.error
    assert idle_server.machine("router")["status"] == "idle"


@pytest.mark.parametrize("source", [[], {}, 5, None, True])
def test_a_source_of_any_kind_is_no_500(idle_server: Running, source: Any) -> None:
    reply = idle_server.post("/api/machine/oops/router", {"source": source})
    assert reply.status in {200, 422}
    assert idle_server.machine("router")["oops"] is None or idle_server.machine("router")["oops"]["source"] == "http"


@pytest.mark.parametrize(
    "called",
    ["laser", "LASER", ODD_ALIAS, ODD_ALIAS.upper(), ODD_ALIAS.lower(), f" {ODD_ALIAS} "],
)
def test_a_machine_is_called_by_name_or_alias_without_case(idle_server: Running, called: str) -> None:
    path = quote(called, safe="")
    assert idle_server.post(f"/api/machine/oops/{path}").json == {"success": True}
    assert idle_server.machine(called)["name"] == "laser"
    assert idle_server.machine(called)["status"] == "oopsed"
    assert idle_server.get(f"/api/machines/{path}/events").json["events"][0]["kind"] == "oops_set"
    assert idle_server.delete(f"/api/machine/oops/{path}").json == {"success": True}
    assert idle_server.machine("laser")["status"] == "idle"


def test_an_alias_that_ends_like_a_path_of_the_api_is_reached(make_server: MakeServer) -> None:
    server = make_server()
    machines = {**sample_machines(), "odd": {"authorizations_or": ["mill"], "alias": "laser/events"}}
    server.machines.write_text(json.dumps(machines), encoding="utf-8")
    assert server.post("/api/reload").status == 200
    assert server.machine("laser/events")["name"] == "odd"


@pytest.mark.parametrize(("method", "path"), CALLS[:5])
@pytest.mark.parametrize(
    "called", ["metal-mil", "nope", "metal%FF-mill", "%00", "metal-mill%00", "x" * 9000, "..", "%2e"]
)
def test_an_unknown_machine_is_a_404_and_nothing_happens(
    idle_server: Running, method: str, path: str, called: str
) -> None:
    reply = idle_server.request(method, path.replace("metal-mill", called))
    assert reply.status == 404
    assert len(reply.error) < 500
    assert {machine["status"] for machine in idle_server.get("/api/machines").json["machines"]} == {"idle"}


def test_a_near_miss_is_suggested(server: Running) -> None:
    error = server.post("/api/machine/oops/metalmill").error
    assert error.startswith("No such machine: metalmill")
    assert "Mill" in error or "metal-mill" in error


def test_a_command_that_is_slow_to_reach_the_disk_says_so(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server(commit_budget=0.05)
    written(server.fleet)
    with hanging_disk(monkeypatch):
        assert server.post("/api/machine/oops/router").json == {"success": True, "durable": False}
        assert server.outputs("metal-mill", ANN)["relay"] is True
        assert server.machine("router")["status"] == "oopsed"
    wait_until(lambda: server.fleet.journal.depth == 0)
    assert server.post("/api/machine/oops/router").json == {"success": True}


def test_with_a_full_backlog_an_order_is_a_503_and_a_report_is_not(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mac_actors.actors.journal.BACKLOG_LIMIT", 0)
    for method, path in CALLS[:5]:
        reply = server.request(method, path)
        assert reply.status == 503
        assert "disk" in reply.error
    outputs = server.outputs("metal-mill", ANN)
    assert outputs["relay"] is False
    assert outputs["display"] == "Remove card and\ninsert it again"
    assert server.machine("metal-mill")["status"] == "idle"


def test_a_report_that_was_late_is_answered_as_any_other(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mac_actors.core.transitions.LATE_SECONDS", -1.0)
    outputs = server.outputs("metal-mill", ANN)
    assert outputs["relay"] is False
    assert outputs["display"] == "Remove card and\ninsert it again"
    assert server.events("?limit=1")[0]["kind"] == "session_refused"
