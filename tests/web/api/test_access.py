"""Who may give commands, who may report."""

from __future__ import annotations

from typing import Any

import pytest

from mac_actors.settings import Tokens
from mac_actors.web.access import Access
from mac_actors.web.errors import RequestRefused
from mac_actors.web.tries import READING_TRIES_PER_ADDRESS
from tests.conftest import MakeServer
from tests.fakes import (
    ANN,
    RecordingChat,
    written,
)
from tests.web.api.conftest import CALLS, READER, TOKEN
from tests.web.client import Running


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
    assert server.service.shop.app.refusals.so_far()["401"] == 12
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


@pytest.mark.parametrize(
    ("field", "value"), [("rfid_value", "12\x0034"), ("oops", "no"), ("uptime", "3"), ("rfid_value", 7)]
)
def test_a_reader_whose_reports_can_not_be_read_is_said_once_and_shown_until_it_is_mended(
    make_server: MakeServer, field: str, value: Any
) -> None:
    chat = RecordingChat()
    server = make_server(chat, tokens=Tokens(admin=TOKEN))
    server.outputs("metal-mill", ANN)
    assert "refused" not in server.machine("metal-mill")
    for _ in range(5):
        assert server.report("metal-mill", **{field: value}).status == 422
        assert server.report("not configured", **{field: value}).status == 422
    said = chat.texts(2)[1]
    assert said.startswith("Metal Mill (metal-mill): the reports of its reader are refused")
    assert field in said
    machine = server.machine("metal-mill")
    assert machine["relay"] is True
    assert machine["refused"].startswith(f"{field}: expected")
    assert server.fleet["metal-mill"].snapshot().get().refused == machine["refused"]
    for page in ("/", "/machines/metal-mill"):
        assert "reports are refused" in server.get(page).body.decode()
    server.outputs("metal-mill", ANN)
    assert "refused" not in server.machine("metal-mill")
    assert "reports are refused" not in server.get("/machines/metal-mill").body.decode()
    assert len(chat.texts(2)) == 2


def test_wrong_tokens_with_calls_that_read_are_counted_and_after_some_not_even_looked_at(
    make_server: MakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    server = make_server(tokens=Tokens(admin=TOKEN, reader=READER))
    server.outputs("metal-mill", ANN, token=READER)
    for _ in range(READING_TRIES_PER_ADDRESS):
        assert server.get("/api/machines/metal-mill", token="wrong").json["session"]["user"] is None
    assert server.service.shop.app.refusals.so_far() == {"401": READING_TRIES_PER_ADDRESS}
    late = server.get("/api/machines/metal-mill", token=TOKEN)
    assert late.status == 429
    assert "too many wrong tokens" in late.error
    assert 0 < int(late.headers["Retry-After"] or 0) <= 60
    assert server.service.shop.app.refusals.so_far()["429"] == 1
    assert "a wrong token with GET /api/machines/metal-mill from 127.0.0.1" in caplog.text
    assert "refused GET /api/machines/metal-mill from 127.0.0.1: 429" in caplog.text
    assert server.get("/api/machines/metal-mill").status == 200, "without a token reading is open"
    assert server.outputs("metal-mill", ANN, token=READER)["relay"] is True
    assert server.post("/api/machine/oops/metal-mill", token=TOKEN).status == 200


def test_a_readers_token_is_no_guess(make_server: MakeServer) -> None:
    server = make_server(tokens=Tokens(admin=TOKEN, reader=READER))
    assert server.get("/api/machines", token=READER).status == 200
    assert server.get("/api/machines", headers={"Authorization": "Basic eDp5"}).status == 200
    assert not server.service.shop.app.refusals.so_far()


@pytest.mark.parametrize("path", ["/api/machines", "/api/machines/laser", "/api/events", "/api/usage"])
def test_no_cache_keeps_what_may_hold_names(shared_server: Running, path: str) -> None:
    assert shared_server.get(path).headers["Cache-Control"] == "no-store"
