"""The users over HTTP: found, changed, and who may."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from mac_actors.settings import Tokens
from tests.conftest import MakeServer
from tests.fakes import ANN, BOB, NOBODY, hanging_disk
from tests.web.client import Running

CHANGES: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "/api/users", None),
    ("GET", "/api/users/1", None),
    ("GET", "/api/fobs/unknown", None),
    ("POST", "/api/users", {"full_name": "Zoe"}),
    ("POST", "/api/users/2/fobs", {"code": "77"}),
    ("DELETE", f"/api/users/2/fobs/{BOB}", None),
    ("PUT", "/api/users/2/authorizations/mill", {}),
    ("DELETE", "/api/users/2/authorizations/laser", {}),
]


def values(items: list[dict[str, Any]], key: str) -> list[tuple[str, str]]:
    return [(item[key], item["source"]) for item in items]


def test_a_user_is_added_gets_a_fob_and_is_authorized(server: Running) -> None:
    server.outputs("router", NOBODY)
    (seen,) = server.get("/api/fobs/unknown").json["fobs"]
    assert (seen["code"], seen["machine"]) == (NOBODY, "router")
    assert datetime.fromisoformat(seen["at"]) <= datetime.now(UTC)
    made = server.post("/api/users", {"full_name": " Zoe <b>Zimmer</b> ", "expiration_ymd": "2099-03-31"})
    assert made.status == 201
    zoe = made.json
    assert (zoe["full_name"], zoe["expiration_ymd"], zoe["added"]) == ("Zoe <b>Zimmer</b>", "2099-03-31", True)
    path = f"/api/users/{zoe['account_id']}"
    given = server.post(f"{path}/fobs", {"seen_at": "Router"})
    assert given.status == 200
    assert values(given.json["fobs"], "code") == [(NOBODY, "addition")]
    granted = server.request("PUT", f"{path}/authorizations/router", {"by": "Tina", "until": "2099-01-31"})
    (item,) = granted.json["authorizations"]
    assert (item["name"], item["by"], item["until"], item["source"]) == ("router", "Tina", "2099-01-31", "addition")
    assert server.get(path).json == {
        key: value for key, value in granted.json.items() if key not in {"success", "already"}
    }
    assert server.get("/api/fobs/unknown").json == {"fobs": []}
    server.outputs("router")
    assert server.outputs("router", NOBODY)["relay"] is True


def test_what_is_so_already_is_said(server: Running) -> None:
    for method, path, body in CHANGES[3:]:
        first = server.request(method, path, body)
        assert (first.status, first.json["already"], first.json["success"]) == (
            201 if path == "/api/users" else 200,
            [],
            True,
        )
        again = server.request(method, path, body)
        assert again.status == 200
        assert again.json["already"] == again.headers["Mac-Already"].split()
        assert len(again.json["already"]) == 1
        assert "durable" not in again.json
    assert len([event for event in server.events() if event["machine"] is None]) == 5


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_who_is_no_admin_sees_and_changes_nothing(
    make_server: MakeServer, method: str, path: str, body: dict[str, Any] | None
) -> None:
    server = make_server(tokens=Tokens(admin="secret"), public_names=True)
    for token in ("", "wrong"):
        assert server.request(method, path, body, token=token).status == 401
    elsewhere = {"Origin": "http://elsewhere.example"}
    assert server.request(method, path, body, elsewhere, token="secret").status == 403
    assert server.get("/api/users?q=zoe", token="secret").json == {"users": [], "next": None}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "text"),
    [
        ("GET", "/api/users/99", None, 404, "No such user: 99"),
        ("PUT", "/api/users/99/authorizations/mill", {}, 404, "No such user: 99"),
        ("POST", "/api/users/2/fobs", {"code": ANN}, 409, "this fob is Ann Able's (1)"),
        ("POST", "/api/users/2/fobs", {"code": "000"}, 422, "code: expected the number of a fob"),
        ("POST", "/api/users/2/fobs", {"code": "4,687E+11"}, 422, "code: expected the whole number of a fob"),
        ("POST", "/api/users", {"full_name": "Zoe", "fob": "1.000.518"}, 422, "(here is U+002E, FULL STOP)"),
        ("POST", "/api/users/2/fobs", {}, 422, "expected either code"),
        ("POST", "/api/users/2/fobs", {"code": "1", "seen_at": "router"}, 422, "expected either code"),
        ("POST", "/api/users/2/fobs", {"seen_at": "router"}, 409, "no unknown fob was held to router"),
        ("POST", "/api/users/2/fobs", {"seen_at": "ruter"}, 404, "No such machine: ruter. Did you mean router?"),
        ("DELETE", "/api/users/2/fobs/0", None, 422, "expected the number of a fob"),
        ("DELETE", "/api/users/2/fobs/a%07b", None, 422, "expected the number of a fob"),
        ("PUT", "/api/users/2/authorizations/mil", {}, 422, "did you mean 'mill'"),
        ("DELETE", "/api/users/2/authorizations/mil", {}, 422, "did you mean 'mill'"),
        (
            "PUT",
            "/api/users/2/authorizations/mill",
            {"until": "2020-01-01"},
            422,
            "until: expected a day from today on",
        ),
        ("PUT", "/api/users/2/authorizations/mill", {"until": "31.1.2030"}, 422, "until: expected a day as YYYY-MM-DD"),
        (
            "PUT",
            "/api/users/2/authorizations/mill",
            {"until": "2030-02-30"},
            422,
            "until: expected a day as YYYY-MM-DD",
        ),
        ("POST", "/api/users", {}, 422, "full_name: is required"),
        ("POST", "/api/users", {"full_name": "\u0007 "}, 422, "full_name: expected a name that people can read"),
        ("POST", "/api/users", {"full_name": "x" * 10_000}, 422, "full_name: expected at most 200 characters"),
        ("POST", "/api/users", {"full_name": "A", "email": "bob@example.org"}, 409, "Bob Baker (2) has this e-mail"),
        ("GET", "/api/users?limit=0", None, 422, "limit"),
        ("GET", "/api/users?cursor=x", None, 422, "cursor"),
    ],
)
def test_what_can_not_be_is_refused_and_changes_nothing(
    shared_server: Running, method: str, path: str, body: dict[str, Any] | None, status: int, text: str
) -> None:
    reply = shared_server.request(method, path, body)
    assert reply.status == status
    assert text in reply.error
    assert [event for event in shared_server.events() if event["machine"] is None] == []


def test_users_come_in_pages(shared_server: Running) -> None:
    first = shared_server.get("/api/users?limit=3").json
    assert [one["account_id"] for one in first["users"]] == ["1", "2", "4"]
    second = shared_server.get(f"/api/users?limit=3&cursor={first['next']}").json
    assert ([one["account_id"] for one in second["users"]], second["next"]) == (["3"], None)
    found = shared_server.get("/api/users?q=" + quote("ÄBLE ann@")).json["users"]
    assert [one["full_name"] for one in found] == ["Ann Able"]


def test_while_the_disk_hangs_it_is_said_that_a_change_is_not_on_disk(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server(commit_budget=0.05)
    with hanging_disk(monkeypatch):
        assert server.request("PUT", "/api/users/2/authorizations/mill", {}).json["durable"] is False
        assert server.outputs("metal-mill", BOB)["relay"] is True


def test_the_journal_names_nobody_to_everybody(make_server: MakeServer) -> None:
    server = make_server()
    server.request("PUT", "/api/users/2/authorizations/mill", {"by": "Tina", "reason": "Bob's course"})
    (event, *_) = server.events("?details=1")
    assert (event["machine"], event["kind"], event["by"], event["reason"]) == (
        None,
        "authorization_granted",
        None,
        None,
    )
    assert "Bob" not in str(event)
    assert "Tina" not in str(event)
