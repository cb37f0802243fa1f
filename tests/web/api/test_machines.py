"""What everybody may read."""

from __future__ import annotations

import json
import re
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from mac_actors.core.outcomes import KINDS
from mac_actors.version import VERSION
from tests.conftest import MakeServer
from tests.fakes import ANN, ODD_ALIAS, OLGA, wait_until, written
from tests.web.client import Running, report_body

MACHINE_KEYS = {
    "name",
    "alias",
    "display_name",
    "status",
    "status_since",
    "online",
    "relay",
    "second_relay",
    "oops",
    "lock",
    "session",
    "telemetry",
    "last_checkin",
    "last_update",
}


def test_the_service_says_its_name_and_version(shared_server: Running) -> None:
    assert shared_server.get("/api/").json == {"name": "mac-actors", "version": VERSION}


def test_machines_are_listed_in_the_order_of_the_file(shared_server: Running) -> None:
    machines = shared_server.get("/api/machines").json["machines"]
    assert [machine["name"] for machine in machines] == ["metal-mill", "laser", "bandsaw", "vent", "router"]
    assert [machine["display_name"] for machine in machines][:2] == ["Metal Mill", ODD_ALIAS]
    assert all(set(machine) == MACHINE_KEYS for machine in machines)


def test_a_machine_that_was_never_seen(server: Running) -> None:
    machine = server.machine("metal-mill")
    assert machine == {
        "name": "metal-mill",
        "alias": "Metal Mill",
        "display_name": "Metal Mill",
        "status": "idle",
        "status_since": machine["status_since"],
        "online": False,
        "relay": False,
        "second_relay": False,
        "oops": None,
        "lock": None,
        "session": None,
        "telemetry": {
            "uptime": None,
            "wifi_signal_db": None,
            "wifi_signal_percent": None,
            "internal_temperature_c": None,
            "amps": 0.0,
            "second_relay_state": None,
        },
        "last_checkin": None,
        "last_update": None,
    }


def test_a_machine_in_use(server: Running) -> None:
    before = datetime.now(UTC)
    server.outputs("laser", ANN)
    machine = server.machine("laser")
    assert machine["status"] == "in_use"
    assert (machine["relay"], machine["second_relay"], machine["online"]) == (True, True, True)
    assert machine["session"] == {"since": machine["status_since"], "kind": "authorized", "user": None}
    for moment in (machine["status_since"], machine["last_checkin"], machine["last_update"]):
        assert moment.endswith("Z")
        assert before <= datetime.fromisoformat(moment) <= datetime.now(UTC)


def test_a_heartbeat_moves_the_checkin_and_not_the_update(server: Running) -> None:
    server.outputs("laser", ANN)
    first = server.machine("laser")
    server.outputs("laser", ANN, uptime=1010)
    second = server.machine("laser")
    assert second["last_checkin"] > first["last_checkin"]
    assert second["last_update"] == first["last_update"]


def test_a_running_always_enabled_machine_is_idle(shared_server: Running) -> None:
    machine = shared_server.machine("vent")
    assert (machine["status"], machine["relay"], machine["second_relay"]) == ("idle", True, True)


def test_a_machine_under_override_is_not_in_use(server: Running) -> None:
    server.post("/api/machine/oops/laser")
    server.post("/api/machine/locked_out/laser")
    server.outputs("laser", OLGA)
    machine = server.machine("laser")
    assert (machine["status"], machine["relay"]) == ("oopsed_locked_out", True)
    assert machine["session"]["kind"] == "override"


@pytest.mark.parametrize("called", ["nope", "", " ", "%FF", "%00", "a/b", "laser/", "laser/nothing"])
def test_a_machine_that_is_not_there_is_a_404(shared_server: Running, called: str) -> None:
    reply = shared_server.get(f"/api/machines/{quote(called, safe='%/')}")
    assert reply.status == 404
    assert reply.error


def test_events_of_an_unknown_machine_are_a_404(shared_server: Running) -> None:
    assert shared_server.get("/api/machines/nope/events").status == 404


# the journal


@pytest.fixture(scope="module")
def journal(shared_server: Running) -> Running:
    """A server with a history of 60 lines: 30 oopses and 30 clears, on two machines in turn."""
    for number in range(30):
        name = ("router", "bandsaw")[number % 2]
        shared_server.post(f"/api/machine/oops/{name}", {"reason": str(number)})
        shared_server.post(f"/api/machine/clear/{name}")
    return shared_server


def walk(server: Running, path: str, limit: int) -> list[list[dict[str, Any]]]:
    """Return all pages."""
    pages, cursor = [], None
    while True:
        query = f"{'&' if '?' in path else '?'}limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        body = server.get(path + query).json
        assert set(body) == {"events", "next"}
        pages.append(body["events"])
        cursor = body["next"]
        if cursor is None:
            return pages


def test_events_are_newest_first_with_all_their_keys(journal: Running) -> None:
    events = journal.events()
    ids = [event["id"] for event in events]
    assert ids == sorted(ids, reverse=True)
    assert {"id", "at", "machine", "kind", "text", "source", "by", "reason"} <= set(events[0])
    assert [event["at"] for event in events] == sorted((event["at"] for event in events), reverse=True)
    assert (events[1]["machine"], events[1]["kind"], events[1]["reason"]) == ("bandsaw", "oops_set", "29")
    assert "29" in events[1]["text"]


@pytest.mark.parametrize("limit", [1, 7, 60, 61, 100])
def test_pages_follow_each_other_without_a_gap_and_without_an_overlap(journal: Running, limit: int) -> None:
    pages = walk(journal, "/api/events", limit)
    everything = journal.events("?limit=1000")
    assert [event for page in pages for event in page] == everything
    assert all(len(page) == limit for page in pages[:-1])
    assert 0 < len(pages[-1]) <= limit


def test_a_machines_events_are_its_own(journal: Running) -> None:
    pages = walk(journal, "/api/machines/router/events", 10)
    events = [event for page in pages for event in page]
    assert len(events) == 30
    assert {event["machine"] for event in events} == {"router"}


def test_events_of_one_kind(journal: Running) -> None:
    events = [event for page in walk(journal, "/api/events?kind=oops_set", 4) for event in page]
    assert [event["reason"] for event in events] == [str(number) for number in reversed(range(30))]


def test_events_since_a_moment_in_every_way_to_write_it(journal: Running) -> None:
    events = journal.events("?limit=1000")
    at = events[10]["at"]
    expected = [event for event in events if event["at"] >= at]
    moment = datetime.fromisoformat(at)
    east = moment.astimezone(tz=None).isoformat()
    shifted = (moment + timedelta(hours=2)).replace(tzinfo=None).isoformat() + "+02:00"
    for since in (at, east, shifted, moment.replace(tzinfo=None).isoformat()):
        assert journal.events(f"?limit=1000&since={quote(since)}") == expected, since
    assert journal.events(f"?limit=1000&since={shifted}") == expected, "a + that was not encoded"
    assert journal.events("?since=2099-01-01") == []
    assert len(journal.events("?since=2020-01-01&limit=1000")) == len(events)


def test_filters_hold_together(journal: Running) -> None:
    events = journal.get("/api/machines/bandsaw/events?kind=oops_cleared&limit=5&since=2020-01-01").json["events"]
    assert len(events) == 5
    assert {(event["machine"], event["kind"]) for event in events} == {("bandsaw", "oops_cleared")}


def test_a_limit_over_1000_counts_as_1000(server: Running) -> None:
    from mac_actors.core.inputs import Clear, Oops
    from mac_actors.core.state import Source

    for _ in range(501):
        server.fleet.ask("router", Oops(datetime.now(UTC), Source.HTTP))
        server.fleet.ask("router", Clear(datetime.now(UTC), Source.HTTP))
    for limit in ("1001", "5000", "9" * 30):
        body = server.get(f"/api/events?limit={limit}").json
        assert len(body["events"]) == 1000
        assert body["next"] is not None
    assert len(server.events()) == 100


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("limit=1.5", "limit"),
        ("limit=", "limit"),
        ("limit=%D9%A3", "limit"),
        ("cursor=0", "cursor"),
        ("cursor=-5", "cursor"),
        ("cursor=x", "cursor"),
        ("cursor=%00", "cursor"),
        ("since=yesterday", "since"),
        ("since=", "since"),
        ("since=2026-13-01", "since"),
        ("since=0001-01-01T00:00:00%2B14:00", "since"),
        ("since=1", "since"),
        ("kind=nonsense", "kind"),
        ("kind=", "kind"),
        ("kind=%27%20OR%201=1", "kind"),
    ],
)
@pytest.mark.parametrize("path", ["/api/events", "/api/machines/router/events"])
def test_a_wrong_query_is_a_422_that_names_the_field(shared_server: Running, path: str, query: str, field: str) -> None:
    reply = shared_server.get(f"{path}?{query}")
    assert reply.status == 422
    assert reply.error.startswith(f"{field}: expected")


def test_a_wrong_kind_is_answered_with_the_right_ones(shared_server: Running) -> None:
    error = shared_server.get("/api/events?kind=x").error
    assert all(kind in error for kind in KINDS)


def test_a_cursor_beyond_the_end_is_an_empty_page(shared_server: Running) -> None:
    assert shared_server.get("/api/events?cursor=1").json == {"events": [], "next": None}
    assert shared_server.get(f"/api/events?cursor={'9' * 40}").status == 200


def test_a_journal_row_that_can_not_be_read_is_no_500(make_server: MakeServer) -> None:
    import sqlite3
    from contextlib import closing

    server = make_server()
    server.post("/api/machine/oops/router", {"reason": "readable"})
    with closing(sqlite3.connect(server.service.settings.state_dir / "mac.sqlite3")) as connection, connection:
        connection.execute(
            "INSERT INTO journal (id, at, machine, kind, data) VALUES (999, '2026-01-01', 'router', 'oops_set', '{}')"
        )
    reply = server.get("/api/events")
    assert reply.status in {200, 503}, reply


# health


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


# the description


@pytest.fixture(scope="module")
def openapi(shared_server: Running) -> dict[str, Any]:
    """The description."""
    description: dict[str, Any] = shared_server.get("/openapi.json").json
    return description


def test_the_description_is_valid_openapi_3_1(openapi: dict[str, Any]) -> None:
    validate(openapi)
    assert openapi["openapi"].startswith("3.1")
    assert openapi["info"]["version"] == VERSION


def test_every_route_is_described_and_everything_described_is_there(
    openapi: dict[str, Any], shared_server: Running
) -> None:
    described = {(method.upper(), path) for path, item in openapi["paths"].items() for method in item}
    routes = {
        (route.method, re.sub(r"<(\w+)[^>]*>", r"{\1}", route.rule))
        for route in shared_server.service.app.routes
        if not re.match(
            r"/(static/|board/|machines/|shop$|log(in|out)$|docs$|openapi|api$|$)", route.rule
        )  # these are for browsers
    }
    assert described == routes


def test_answers_are_as_described(openapi: dict[str, Any], server: Running) -> None:
    server.outputs("laser", ANN)
    server.post("/api/machine/oops/router", {"reason": "belt"})
    answers = [
        ("/api/machine/update", "post", server.report("metal-mill")),
        ("/api/machine/update", "post", server.report("nope")),
        ("/api/machine/update", "post", server.post("/api/machine/update", {})),
        ("/api/machine/oops/{name}", "post", server.post("/api/machine/oops/router")),
        ("/api/machine/oops/{name}", "post", server.post("/api/machine/oops/nope")),
        ("/api/reload", "post", server.post("/api/reload")),
        ("/api/reload-users", "post", server.post("/api/reload-users")),
        ("/api/", "get", server.get("/api/")),
        ("/api/machines", "get", server.get("/api/machines")),
        ("/api/machines/{name}", "get", server.get("/api/machines/laser")),
        ("/api/machines/{name}/events", "get", server.get("/api/machines/laser/events")),
        ("/api/events", "get", server.get("/api/events")),
        ("/api/events", "get", server.get("/api/events?limit=x")),
        ("/healthz", "get", server.get("/healthz")),
        ("/readyz", "get", server.get("/readyz")),
    ]
    for path, method, reply in answers:
        content = openapi["paths"][path][method]["responses"][str(reply.status)]["content"]
        schema = {**content["application/json"]["schema"], "components": openapi["components"]}
        assert not [error.message for error in OAS31Validator(schema).iter_errors(reply.json)], path


def test_the_described_report_is_the_one_that_is_taken(openapi: dict[str, Any]) -> None:
    operation = openapi["paths"]["/api/machine/update"]["post"]
    schema = {
        **operation["requestBody"]["content"]["application/json"]["schema"],
        "components": openapi["components"],
    }
    assert OAS31Validator(schema).is_valid(report_body("metal-mill", None, uptime=None))
    assert not OAS31Validator(schema).is_valid({**report_body("metal-mill"), "oops": "no"})
    assert not OAS31Validator(schema).is_valid({"machine_name": "metal-mill"})


def test_the_page_of_the_description_and_all_that_it_loads_come_from_here(shared_server: Running) -> None:
    page = shared_server.get("/docs")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    loaded = [p for p in re.findall(r'(?:src|href)="([^"]+)"', page.body.decode()) if not p.startswith("data:")]
    assert loaded
    for path in loaded:
        assert path.startswith("/static/"), "nothing is loaded from elsewhere"
        reply = shared_server.get(path)
        assert reply.status == 200
        assert reply.headers["Content-Type"].split(";")[0] in {"text/javascript", "text/css"}
        assert reply.body


@pytest.mark.parametrize(
    "name", ["../models.py", "..%2f..%2fcli.py", "docs", "", ".", "%00.js", "nothing.css", "%FF.js"]
)
def test_no_other_file_is_served(shared_server: Running, name: str) -> None:
    assert shared_server.get(f"/static/{name}").status == 404
