"""The admins' calls: what they do, and who may make them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from mac_actors.settings import Tokens
from mac_actors.web.access import Access
from mac_actors.web.errors import RequestRefused
from tests.conftest import MakeServer, start_server
from tests.fakes import (
    ANN,
    ODD_ALIAS,
    OLGA,
    RecordingChat,
    hanging_disk,
    sample_machines,
    sample_users,
    user,
    wait_until,
    written,
)
from tests.web.client import Running

TOKEN = "s3cret-admin"
READER = "s3cret-reader"

CALLS = [
    ("POST", "/api/machine/oops/metal-mill"),
    ("DELETE", "/api/machine/oops/metal-mill"),
    ("POST", "/api/machine/locked_out/metal-mill"),
    ("DELETE", "/api/machine/locked_out/metal-mill"),
    ("POST", "/api/machine/clear/metal-mill"),
    ("POST", "/api/reload-users"),
    ("POST", "/api/reload"),
]


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
    server: Running, set_up: list[str], method: str, path: str, status: str
) -> None:
    for flag in set_up:
        assert server.post(f"/api/machine/{flag}/metal-mill").json == {"success": True}
    reply = server.request(method, f"/api/machine/{path}/metal-mill")
    assert reply.status == 200
    assert reply.json == {"success": True}
    assert server.machine("metal-mill")["status"] == status


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


@pytest.mark.parametrize(
    ("given", "shown"),
    [("cli", "cli"), ("repl", "repl"), ("slack", "http"), ("button", "http"), ("server", "http"), ("nonsense", "http")],
)
def test_the_source_is_http_unless_it_says_cli_or_repl(server: Running, given: str, shown: str) -> None:
    server.post("/api/machine/locked_out/router", {"source": given})
    assert server.machine("router")["lock"]["source"] == shown


@pytest.mark.parametrize("body", [None, b"", {}, {"reason": None, "by": None}, {"reason": "", "by": "  "}])
def test_the_body_is_optional(server: Running, body: Any) -> None:
    reply = server.post("/api/machine/oops/router", body)
    assert reply.status == 200
    oops = server.machine("router")["oops"]
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
def test_a_wrong_body_is_refused_and_changes_nothing(server: Running, body: bytes, status: int, word: str) -> None:
    reply = server.post("/api/machine/oops/router", body)
    assert reply.status == status
    assert word in reply.error
    assert server.machine("router")["status"] == "idle"


@pytest.mark.parametrize("source", [[], {}, 5, None, True])
def test_a_source_of_any_kind_is_no_500(server: Running, source: Any) -> None:
    reply = server.post("/api/machine/oops/router", {"source": source})
    assert reply.status in {200, 422}
    assert server.machine("router")["oops"] is None or server.machine("router")["oops"]["source"] == "http"


@pytest.mark.parametrize(
    "called",
    ["laser", "LASER", ODD_ALIAS, ODD_ALIAS.upper(), ODD_ALIAS.lower(), f" {ODD_ALIAS} "],
)
def test_a_machine_is_called_by_name_or_alias_without_case(server: Running, called: str) -> None:
    path = quote(called, safe="")
    assert server.post(f"/api/machine/oops/{path}").json == {"success": True}
    assert server.machine(called)["name"] == "laser"
    assert server.machine(called)["status"] == "oopsed"
    assert server.get(f"/api/machines/{path}/events").json["events"][0]["kind"] == "oops_set"
    assert server.delete(f"/api/machine/oops/{path}").json == {"success": True}
    assert server.machine("laser")["status"] == "idle"


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
    shared_server: Running, method: str, path: str, called: str
) -> None:
    reply = shared_server.request(method, path.replace("metal-mill", called))
    assert reply.status == 404
    assert len(reply.error) < 500
    assert {machine["status"] for machine in shared_server.get("/api/machines").json["machines"]} == {"idle"}


def test_a_near_miss_is_suggested(server: Running) -> None:
    error = server.post("/api/machine/oops/metalmill").error
    assert error.startswith("No such machine: metalmill")
    assert "Mill" in error or "metal-mill" in error


# who may


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_with_a_token_set_every_admin_call_needs_it(make_server: MakeServer, method: str, path: str) -> None:
    server = make_server(tokens=Tokens(admin=TOKEN))
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer"},
        {"Authorization": ""},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Bearer {TOKEN.upper()}"},
        {"Authorization": "Bearer \xfc\xff"},
        {"X-Authorization": f"Bearer {TOKEN}"},
    ):
        reply = server.request(method, path, headers=headers)
        assert reply.status == 401, headers
        assert TOKEN not in reply.error
        assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert server.service.app.refusals.so_far()["401"] == 12
    assert server.machine("metal-mill")["status"] == "idle"
    assert server.request(method, path, token=TOKEN).status == 200
    assert server.request(method, path, headers={"Authorization": f"bearer {TOKEN}"}).status == 200


def test_a_refusal_is_logged_without_the_token(make_server: MakeServer, caplog: pytest.LogCaptureFixture) -> None:
    server = make_server(tokens=Tokens(admin=TOKEN, reader=READER))
    server.post("/api/machine/oops/metal-mill", token="guessed-token")
    server.report("metal-mill", token="guessed-too")
    assert "refused POST /api/machine/oops/metal-mill from 127.0.0.1" in caplog.text
    for secret in (TOKEN, READER, "guessed"):
        assert secret not in caplog.text


def test_the_readers_token_is_no_admin_token(make_server: MakeServer) -> None:
    server = make_server(tokens=Tokens(admin=TOKEN, reader=READER))
    assert server.post("/api/machine/oops/metal-mill", token=READER).status == 401
    assert server.report("metal-mill", token=TOKEN).status == 401


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Real-IP", "x-forwarded-for"])
@pytest.mark.parametrize("value", ["for=127.0.0.1", "127.0.0.1", ""])
@pytest.mark.parametrize(("method", "path"), [CALLS[0], CALLS[-1]])
def test_without_a_token_what_came_through_a_proxy_is_a_403(
    shared_server: Running, method: str, path: str, header: str, value: str
) -> None:
    reply = shared_server.request(method, path, headers={header: value})
    assert reply.status == 403
    assert "MAC_ADMIN_TOKEN" in reply.error
    assert shared_server.machine("metal-mill")["status"] == "idle"


def test_with_the_token_a_proxy_is_no_hindrance(make_server: MakeServer) -> None:
    server = make_server(tokens=Tokens(admin=TOKEN))
    reply = server.post("/api/machine/oops/router", token=TOKEN, headers={"X-Forwarded-For": "10.0.0.1"})
    assert reply.status == 200


def test_without_a_token_only_this_computer_gives_orders(server: Running) -> None:
    """Asked of the rule itself: a test has no second computer."""
    from mac_actors.settings import Tokens

    access = Access(Tokens())
    for address in ("127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"):
        access.check_admin({"REMOTE_ADDR": address})
    for address in ("10.0.0.5", "192.168.1.2", "::ffff:10.0.0.5", "fe80::1", "fe80::1%eth0", "0.0.0.0", "", "unknown"):
        with pytest.raises(RequestRefused) as refused:
            access.check_admin({"REMOTE_ADDR": address})
        assert refused.value.status == 403


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://127.0.0.1", "http://127.0.0.1:1", "null", "", "//[", "http://[", "file://", "x"],
)
def test_a_page_of_another_origin_gives_no_orders(shared_server: Running, busy: Running, origin: str) -> None:
    for server, token in ((shared_server, ""), (busy, TOKEN)):
        before = server.fleet.snapshot("bandsaw")
        reply = server.post("/api/machine/oops/bandsaw", token=token, headers={"Origin": origin})
        assert reply.status == 403
        assert reply.error
        assert server.fleet.snapshot("bandsaw") == before


def test_our_own_page_gives_orders(server: Running) -> None:
    origin = f"http://127.0.0.1:{server.port}"
    assert server.post("/api/machine/oops/router", headers={"Origin": origin}).status == 200


def test_a_page_whose_name_was_made_to_point_here_gives_no_orders(server: Running) -> None:
    headers = {"Origin": "http://evil.example:5000", "Host": "evil.example:5000"}
    assert server.post("/api/machine/oops/router", headers=headers).status == 403


def test_reports_need_the_readers_token_where_it_is_set(make_server: MakeServer) -> None:
    server = make_server(tokens=Tokens(reader=READER))
    for token in ("", "wrong", READER + "x"):
        reply = server.report("metal-mill", ANN, token=token)
        assert reply.status == 401
        assert "MAC_READER_TOKEN" in reply.error
    assert server.machine("metal-mill")["last_checkin"] is None
    assert server.report("metal-mill", ANN, token=READER).json["relay"] is True


def test_refused_readers_are_said_once_until_they_are_mended(make_server: MakeServer) -> None:
    chat = RecordingChat()
    server = make_server(chat, tokens=Tokens(reader=READER))
    for _ in range(3):
        server.report("metal-mill")
        server.report("router", token="wrong")
        server.report("not configured")
    texts = chat.texts(2)
    assert "metal-mill" in texts[0]
    assert "router" in texts[1]
    server.report("metal-mill", token=READER)
    server.report("metal-mill")
    assert "metal-mill" in chat.texts(3)[2]
    written(server.fleet)
    server.fleet.notify("the end")
    assert chat.texts(4)[3] == "the end"
    assert {post.channel for post in chat.posts} == {"control"}
    assert not [text for text in chat.texts(4) if READER in text]


# reloads


def change(server: Running, machines: Any = None, users: Any = None) -> None:
    """Write other configuration files."""
    if machines is not None:
        server.machines.write_text(json.dumps(machines), encoding="utf-8")
    if users is not None:
        server.users.write_text(json.dumps(users), encoding="utf-8")


def test_a_reload_of_the_same_files_changes_nothing(server: Running) -> None:
    assert server.post("/api/reload-users").json == {"removed": 0, "updated": 0, "added": 0}
    assert server.post("/api/reload").json == {
        "users": {"removed": 0, "updated": 0, "added": 0},
        "machines": {"added": [], "changed": [], "removed": []},
        "powered_on": [],
    }


def test_reload_users_counts_and_takes_effect_at_the_next_card(server: Running) -> None:
    assert server.outputs("metal-mill", "5555555555")["display"] == "Unknown RFID"
    users = [*sample_users()[:2], user("5", "Nina New", ["5555555555"], ["mill"])]
    users[1]["authorizations"] = ["laser", "mill"]
    change(server, users=users)
    assert server.post("/api/reload-users").json == {"removed": 2, "updated": 1, "added": 1}
    assert server.outputs("metal-mill", "5555555555")["relay"] is False
    server.outputs("metal-mill")
    assert server.outputs("metal-mill", "5555555555")["relay"] is True


def test_reload_users_leaves_the_machines_alone(server: Running) -> None:
    change(server, machines={**sample_machines(), "new": {"authorizations_or": []}})
    assert server.post("/api/reload-users").status == 200
    assert server.report("new").status == 404
    assert server.post("/api/reload").json["machines"]["added"] == ["new"]
    assert server.report("new").status == 200


def test_reload_says_what_changed_and_whose_power_came_on(server: Running) -> None:
    machines = sample_machines()
    del machines["router"]
    machines["metal-mill"]["always_enabled"] = True
    machines["new"] = {"authorizations_or": ["mill"]}
    change(server, machines)
    assert server.post("/api/reload").json == {
        "users": {"removed": 0, "updated": 0, "added": 0},
        "machines": {"added": ["new"], "changed": ["metal-mill"], "removed": ["router"]},
        "powered_on": ["metal-mill"],
    }
    assert server.outputs("metal-mill")["relay"] is True
    assert server.report("router").status == 404


@pytest.mark.parametrize("path", ["/api/reload", "/api/reload-users"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[{]", ["users.json", "line 1", "column 3"]),
        ("{}", ["users.json", "expected a list"]),
        ('[{"account_id": 5}]', ["users.json", "[0].account_id", "[0].fob_codes"]),
        ("", ["users.json", "line 1"]),
        ("[" * 100_000, ["users.json"]),
        ('[{"account_id": ' + "1" * 5_000 + "}]", ["users.json"]),
        (r'[{"\ud800": 1}]', ["users.json"]),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_reload_of_a_broken_file_changes_nothing(server: Running, path: str, text: str, words: list[str]) -> None:
    before = server.fleet.configuration
    server.users.write_text(text, encoding="utf-8")
    for query in ("", "?force=1"):
        reply = server.post(path + query)
        assert reply.status == 422
        assert all(word in reply.error for word in words), reply.error
    assert server.fleet.configuration is before
    assert server.outputs("metal-mill", ANN)["relay"] is True


def test_a_reload_without_its_file_changes_nothing(server: Running) -> None:
    server.users.unlink()
    reply = server.post("/api/reload")
    assert reply.status == 422
    assert "users.json" in reply.error


@pytest.mark.parametrize("path", ["/api/reload", "/api/reload-users"])
def test_a_users_file_that_lost_more_than_half_of_20_is_a_409(server: Running, path: str) -> None:
    crowd = [user(str(i), f"Member {i}", [str(1000 + i)], ["mill"]) for i in range(20)]
    change(server, users=crowd)
    assert server.post("/api/reload-users?force=1").status == 200
    change(server, users=crowd[:9])
    before = server.fleet.configuration
    for query in ("", "?force=0", "?force=yes", "?force="):
        reply = server.post(path + query)
        assert reply.status == 409
        assert "force=1" in reply.error
        assert "11 of 20" in reply.error
    assert server.fleet.configuration is before
    change(server, users=crowd[:10])
    assert server.post(path).status == 200
    change(server, users=crowd)
    server.post(path)
    change(server, users=[])
    assert server.post(f"{path}?force=1").status == 200


def test_a_machine_on_which_a_session_runs_is_not_removed(server: Running) -> None:
    server.outputs("metal-mill", ANN)
    machines = sample_machines()
    del machines["metal-mill"]
    change(server, machines)
    reply = server.post("/api/reload")
    assert reply.status == 409
    assert "metal-mill" in reply.error
    assert "force=1" in reply.error
    assert server.outputs("metal-mill", ANN)["relay"] is True
    assert server.post("/api/reload?force=1").json["machines"]["removed"] == ["metal-mill"]
    assert server.report("metal-mill", ANN).status == 404
    assert server.events("?limit=1")[0]["kind"] == "session_ended"


def test_a_force_that_is_not_utf_8_is_no_500(server: Running) -> None:
    assert server.post("/api/reload?force=%FF").status < 500


# names


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server on which members did things."""
    server = start_server(tmp_path_factory.mktemp("busy"), tokens=Tokens(admin=TOKEN))
    server.outputs("metal-mill", ANN)
    server.outputs("laser", OLGA)
    server.post("/api/machine/locked_out/router", {"by": "Max Muster", "reason": "belt"}, token=TOKEN)
    server.post("/api/machine/clear/router", {"by": "Max Muster"}, token=TOKEN)
    server.post("/api/machine/oops/router", {"by": "Max Muster", "reason": "belt"}, token=TOKEN)
    server.outputs("vent", ANN)
    server.outputs("vent")
    yield server
    server.stop()


READABLE = [
    "/api/machines",
    "/api/machines/metal-mill",
    "/api/machines/router",
    "/api/events",
    "/api/machines/laser/events",
]
PERSONAL = [b"Ann", b"Able", b"Olga", b"Oppermann", b"Max", b"Muster", b"example.org", b"1234567", b"3333333333"]


@pytest.mark.parametrize("path", READABLE)
@pytest.mark.parametrize("token", ["", "wrong"])
def test_names_are_hidden_from_everybody(busy: Running, path: str, token: str) -> None:
    body = busy.get(path, token=token).body
    assert not [word for word in PERSONAL if word in body]


def test_an_admin_sees_names_but_no_fob_and_no_mail(busy: Running) -> None:
    assert busy.machine("metal-mill", token=TOKEN)["session"]["user"] == "Ann Able"
    assert busy.machine("router", token=TOKEN)["oops"]["by"] == "Max Muster"
    events = busy.events(token=TOKEN)
    text = json.dumps(events)
    assert "Ann Able" in text
    assert "Olga Oppermann" in text
    assert {e["by"] for e in events if e["machine"] == "router"} == {"Max Muster"}
    assert {e["user"] for e in events if e["machine"] == "metal-mill"} == {"Ann Able"}
    for path in READABLE:
        body = busy.get(path, token=TOKEN).body
        assert not [word for word in (b"example.org", b"1234567", b"3333333333") if word in body]


def test_names_are_public_where_that_is_wished(make_server: MakeServer) -> None:
    server = make_server(public_names=True)
    server.outputs("metal-mill", ANN)
    assert server.machine("metal-mill")["session"]["user"] == "Ann Able"
    assert "Ann Able" in server.events("?limit=1")[0]["text"]


def test_an_unknown_fob_is_shown_to_nobody(busy: Running) -> None:
    busy.outputs("bandsaw", "7777777777")
    for token in ("", TOKEN):
        for path in ("/api/events", "/api/machines/bandsaw"):
            assert b"7777777777" not in busy.get(path, token=token).body


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
    monkeypatch.setattr("mac_actors.actors.machine.LATE_SECONDS", -1.0)
    outputs = server.outputs("metal-mill", ANN)
    assert outputs["relay"] is False
    assert outputs["display"] == "Remove card and\ninsert it again"
    assert server.events("?limit=1")[0]["kind"] == "session_refused"
