"""Who may change users, and admins: by token, by a personal one, by a session of the board."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from mac_actors.fleet.people.logins import Role, csrf_of
from mac_actors.settings import Tokens
from tests.conftest import MakeServer
from tests.fakes import ANN, NOBODY, sample_machines
from tests.web.client import Reply, Running

TOKEN = "secret"


@pytest.fixture
def guarded(make_server: MakeServer) -> Running:
    """A server with the admins' token. Ann trains others for the laser."""
    server = make_server(tokens=Tokens(admin=TOKEN))
    machines = sample_machines()
    machines["laser"]["trainers_or"] = ["tube"]
    server.machines.write_text(json.dumps(machines), encoding="utf-8")
    assert server.post("/api/reload", token=TOKEN).status == 200
    return server


class Browser:
    """A browser with a session."""

    def __init__(self, server: Running, key: str) -> None:
        self.server = server
        self.cookie = {"Cookie": f"mac_admin={key}"}
        self.csrf = {"Mac-Csrf": csrf_of(key)}

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        return self.server.request(method, path, body, self.cookie | self.csrf | headers)


@pytest.fixture
def trainer(guarded: Running) -> Browser:
    """Ann's, who is a trainer."""
    return Browser(guarded, guarded.fleet.logins.open(Role.TRAINER, "Ann Able", "1")[0])


def follow(server: Running, path: str, **headers: str) -> Reply:
    return server.get(path, headers={"Accept": "text/html", **headers})


def key_of(reply: Reply) -> str:
    found = re.match("mac_admin=([^;]+);", reply.headers["Set-Cookie"])
    assert found, reply.headers
    return found[1]


def test_what_is_done_with_a_personal_token_has_its_name_whatever_the_call_says(guarded: Running) -> None:
    made = guarded.post("/api/admins", {"name": "Olga", "by": "Max"}, token=TOKEN)
    assert (made.status, made.json["name"]) == (201, "Olga")
    olga = made.json["token"]
    assert guarded.post("/api/machine/oops/laser", {"by": "somebody else"}, token=olga).status == 200
    assert guarded.request("PUT", "/api/users/2/authorizations/mill", {"by": "x"}, token=olga).status == 200
    assert guarded.delete("/api/users/2/authorizations/mill", {"by": "Max"}, token=TOKEN).status == 200
    told = [(event["kind"], event["by"], event["text"]) for event in guarded.events("?limit=3", token=olga)]
    assert told[0][1:] == ("Max", "Bob Baker is not authorized for mill any more, by an admin (Max), from HTTP.")
    assert told[1][1:] == ("Olga", "Bob Baker is authorized for mill, by Olga, from HTTP.")
    assert told[2][:2] == ("oops_set", "Olga")
    listed = guarded.get("/api/admins", token=olga).json["admins"]
    assert [(one["name"], one["by"]) for one in listed] == [("Olga", "Max")]
    assert olga not in str(listed)
    assert guarded.post("/api/admins", {"name": "OLGA"}, token=olga).status == 409
    assert guarded.delete("/api/admins/nobody", token=olga).status == 404
    assert guarded.delete("/api/admins/olga", token=olga).json == {"success": True}
    assert guarded.get("/api/admins", token=olga).status == 401


def test_a_personal_token_is_good_where_there_is_no_other(make_server: MakeServer) -> None:
    server = make_server()
    elsewhere = {"X-Forwarded-For": "10.0.0.7"}
    assert b"<form" not in follow(server, "/login", **elsewhere).body
    olga = server.post("/api/admins", {"name": "Olga"}).json["token"]
    assert server.post("/api/machine/oops/laser", headers=elsewhere, token=olga).status == 200
    assert server.post("/api/machine/oops/laser", headers=elsewhere, token="wrong").status == 403
    assert b"<form" in follow(server, "/login", **elsewhere).body


def test_a_login_with_a_personal_token_is_in_its_name_and_ends_with_it(guarded: Running) -> None:
    olga = guarded.post("/api/admins", {"name": "Olga"}, token=TOKEN).json["token"]
    reply = guarded.post("/login", f"token={olga}&by=Max".encode(), headers={"Accept": "text/html"})
    browser = Browser(guarded, key_of(reply))
    assert b"Olga" in browser.call("GET", "/", Accept="text/html").body
    assert browser.call("PUT", "/api/users/2/authorizations/mill", {"by": "Max"}).status == 200
    assert guarded.events("?limit=1", token=TOKEN)[0]["by"] == "Olga"
    (session,) = guarded.get("/api/sessions", token=TOKEN).json["sessions"]
    assert (session["role"], session["name"]) == ("admin", "Olga")
    guarded.delete("/api/admins/Olga", token=TOKEN)
    assert browser.call("GET", "/api/users").status == 401
    assert guarded.get("/api/sessions", token=TOKEN).json == {"sessions": []}


def test_a_login_with_the_shared_token_says_what_its_admin_says(guarded: Running) -> None:
    browser = Browser(guarded, key_of(guarded.post("/login", f"token={TOKEN}&by=Max".encode())))
    assert browser.call("PUT", "/api/users/2/authorizations/mill", {}).status == 200
    assert "by an admin (Max)" in guarded.events("?limit=1", token=TOKEN)[0]["text"]


def test_a_session_is_ended_from_outside(guarded: Running, trainer: Browser) -> None:
    (session,) = guarded.get("/api/sessions", token=TOKEN).json["sessions"]
    assert guarded.delete(f"/api/sessions/{session['id']}", token=TOKEN).json == {"success": True}
    assert guarded.delete(f"/api/sessions/{session['id']}", token=TOKEN).status == 404
    assert trainer.call("GET", "/api/users").status == 401


def test_sessions_survive_a_restart(make_server: MakeServer) -> None:
    first = make_server(tokens=Tokens(admin=TOKEN))
    key = key_of(first.post("/login", f"token={TOKEN}&by=Max".encode()))
    first.stop()
    again = make_server(tokens=Tokens(admin=TOKEN))
    assert Browser(again, key).call("GET", "/api/users").status == 200


def test_a_link_logs_in_once_and_says_so(guarded: Running) -> None:
    link = guarded.fleet.logins.link(Role.ADMIN, "Olga")
    for before in (
        follow(guarded, link, **{"User-Agent": "Slackbot-LinkExpanding 1.0"}),
        guarded.request("HEAD", link),
    ):
        assert (before.status, before.headers["Set-Cookie"]) == (200, None)
    reply = follow(guarded, link)
    assert b"You are logged in as Olga" in reply.body
    assert reply.headers["Refresh"] == "0; url=/"
    assert Browser(guarded, key_of(reply)).call("GET", "/api/users").status == 200
    again = follow(guarded, link)
    assert (again.status, again.headers["Set-Cookie"]) == (403, None)
    assert b"This link was used already, or is older than two minutes" in again.body


def test_links_that_are_guessed_are_limited_like_tokens(guarded: Running) -> None:
    assert [follow(guarded, f"/login/{number}").status for number in range(7)] == [403] * 5 + [429] * 2


def test_a_link_that_must_wait_for_others_wrong_ones_is_good_afterwards(
    guarded: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = guarded.fleet.logins.link(Role.ADMIN, "Olga")
    for number in range(5):
        follow(guarded, f"/login/{number}")
    assert follow(guarded, link).status == 429
    monkeypatch.setattr("mac_actors.web.tries.TRY_SECONDS", 0.0)
    assert b"You are logged in as Olga" in follow(guarded, link).body


def test_a_trainer_gives_what_was_just_seen_and_teaches_their_machine(guarded: Running, trainer: Browser) -> None:
    guarded.outputs("router", NOBODY)
    assert [fob["code"] for fob in trainer.call("GET", "/api/fobs/unknown").json["fobs"]] == [NOBODY]
    made = trainer.call("POST", "/api/users", {"full_name": "Zoe Zimmer"})
    assert made.status == 201
    zoe = f"/api/users/{made.json['account_id']}"
    given = trainer.call("POST", f"{zoe}/fobs", {"code": NOBODY})
    assert [fob["code"] for fob in given.json["fobs"]] == [f"…{NOBODY[-4:]}"]
    for name in ("laser", "tube"):
        granted = trainer.call("PUT", f"{zoe}/authorizations/{name}", {"by": "somebody else"})
        assert (granted.status, granted.json["authorizations"][-1]["by"]) == (200, "Ann Able")
    assert trainer.call("DELETE", f"{zoe}/authorizations/tube").status == 200
    assert trainer.call("DELETE", f"{zoe}/fobs/{NOBODY}").status == 200
    assert "by Ann Able, from HTTP" in guarded.events("?limit=1", token=TOKEN)[0]["text"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/api/users/2/authorizations/mill", {}),
        ("DELETE", "/api/users/1/authorizations/mill", {}),
        ("POST", "/api/users/2/fobs", {"code": "77"}),
        ("POST", "/api/users", {"full_name": "Zoe", "fob": "77"}),
        ("DELETE", "/api/users/2/fobs/2222222222", None),
        ("DELETE", "/api/users/2/fobs/77", None),
    ],
)
def test_what_a_trainer_may_not_do_is_refused(
    guarded: Running, trainer: Browser, method: str, path: str, body: dict[str, Any] | None
) -> None:
    reply = trainer.call(method, path, body)
    assert reply.status == 403
    assert reply.error
    assert [event for event in guarded.events() if event["machine"] is None] == []


def test_a_trainer_sees_no_address_and_no_number_and_commands_no_machine(guarded: Running, trainer: Browser) -> None:
    (bob,) = trainer.call("GET", "/api/users?q=bob").json["users"]
    assert (bob["email"], bob["fobs"][0]["code"]) == ("", "…2222")
    assert trainer.call("GET", "/api/users?q=bob@ex").json["users"] == []
    assert len(guarded.get("/api/users?q=bob@ex", token=TOKEN).json["users"]) == 1
    assert ANN not in trainer.call("GET", "/api/users/1").body.decode()
    assert [trainer.call("GET", path).status for path in ("/api/admins", "/api/sessions")] == [401, 401]
    assert trainer.call("GET", "/api/usage").json["users"] is None
    assert trainer.call("POST", "/api/machine/oops/laser").status == 401
    form = f"action=oops&reason=&csrf={trainer.csrf['Mac-Csrf']}".encode()
    assert trainer.call("POST", "/board/machines/laser", form, Accept="text/html").status == 403
    assert b"Ann Able" not in guarded.get("/api/machines", headers=trainer.cookie).body


def test_a_trainer_whose_authorization_is_withdrawn_loses_it_at_once(guarded: Running, trainer: Browser) -> None:
    assert trainer.call("GET", "/api/users").status == 200
    guarded.delete("/api/users/1/authorizations/tube", token=TOKEN)
    assert trainer.call("GET", "/api/users").status == 401
    assert trainer.call("PUT", "/api/users/2/authorizations/laser", {}).status == 401
    form = f"csrf={trainer.csrf['Mac-Csrf']}".encode()
    assert trainer.call("POST", "/logout", form, Accept="text/html").status == 303
    assert guarded.fleet.logins.sessions() == []


def test_a_page_of_somebody_else_changes_nothing(guarded: Running, trainer: Browser) -> None:
    path = "/api/users/2/authorizations/laser"
    assert guarded.request("PUT", path, {}, trainer.cookie).status == 403
    assert guarded.request("PUT", path, {}, trainer.cookie | {"Mac-Csrf": "guess"}).status == 403
    assert trainer.call("PUT", path, {}, Origin="http://elsewhere.example").status == 403
    assert trainer.call("GET", "/api/users", Origin="http://elsewhere.example").status == 403
    assert guarded.fleet.users.show("2").authorizations[-1].source == "file"
