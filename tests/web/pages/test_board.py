"""The board's page and its orders by HTTP: what is answered to whom, and what is refused."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest

from mac_actors.core.state import Flag, Source
from mac_actors.settings import Tokens
from mac_actors.web.access import Access
from tests.conftest import MakeServer
from tests.fakes import ANN, ODD_ALIAS, hanging_disk, written
from tests.web.client import Reply, Running

TOKEN = "s3cret-admin"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def guarded(make_server: MakeServer) -> Running:
    return make_server(tokens=Tokens(admin=TOKEN))


def post_form(server: Running, path: str, headers: dict[str, str] | None = None, **fields: str) -> Reply:
    form = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
    return server.post(path, urlencode(fields).encode(), headers=form)


class Admin:
    """A browser that is logged in."""

    def __init__(self, server: Running, by: str = "") -> None:
        self.server = server
        reply = post_form(server, "/login", BROWSER, token=TOKEN, by=by)
        assert (reply.status, reply.headers["Location"]) == (303, "/"), reply
        self.cookie = reply.headers["Set-Cookie"]
        self.headers = {"Cookie": self.cookie.partition(";")[0]}
        self.csrf = csrf(self.page())

    def page(self) -> str:
        return self.server.get("/", headers={**self.headers, **BROWSER}).body.decode()

    def order(self, name: str, action: str, headers: dict[str, str] | None = None, **fields: str) -> Reply:
        given = {"csrf": self.csrf, "action": action, "reason": "", **fields}
        return post_form(self.server, f"/board/machines/{name}", {**self.headers, **(headers or {})}, **given)


def csrf(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


# --- the page ----------------------------------------------------------------------------------------


def test_the_page_keeps_to_what_is_shipped_with_it(guarded: Running) -> None:
    page = guarded.get("/", headers=BROWSER)
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Referrer-Policy"] == "same-origin"
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    text = page.body.decode()
    assert not re.search(r"<script(?! src=)|<style|\sstyle=|\son\w+=", text), "the policy would block it"
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
        reply = guarded.get(address)
        assert (reply.status, reply.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")


def test_the_page_filters_without_the_script(shared_server: Running) -> None:
    def shown(query: str) -> list[str]:
        text = shared_server.get(f"/{query}").body.decode()
        return re.findall(r'<li data-name="([^"]+)">', text)

    assert len(shown("")) == 5
    assert shown("?q=LASER+gr%C3%B6%C3%9Fe") == ["laser"]
    assert shown("?state=offline&q=mill") == ["metal-mill"]
    assert shown("?state=free") == []
    assert len(shown("?state=nonsense")) == 5
    assert len(shown("?q=%FF")) == 5


def test_what_was_searched_for_is_shown_as_text(shared_server: Running) -> None:
    text = shared_server.get("/?q=%22%3E%3Cscript%3E").body.decode()
    assert 'value="&quot;&gt;&lt;script&gt;"' in text


def test_the_theme_comes_from_the_cookie_and_is_one_of_two(shared_server: Running) -> None:
    def html(cookie: str) -> str:
        return shared_server.get("/", headers={"Cookie": cookie}).body.decode().partition("<head>")[0]

    assert 'data-theme="dark"' in html("a=b; theme=dark")
    assert "data-theme" not in html('theme=""><script>')
    assert "data-theme" not in html("nonsense")


def test_a_shop_without_machines_has_a_board(make_server: MakeServer) -> None:
    server = make_server()
    server.machines.write_text("{}", encoding="utf-8")
    assert server.post("/api/reload").status == 200
    assert "No machines are configured" in server.get("/").body.decode()


# --- changes -----------------------------------------------------------------------------------------


def changes(server: Running, query: str = "", **options: Any) -> Any:
    reply = server.get(f"/board/changes?{query}", **options)
    assert reply.status == 200, reply
    return reply.json


def test_only_what_has_changed_is_sent(guarded: Running) -> None:
    page = guarded.get("/").body.decode()
    cursor, stamp = re.findall(r'data-(?:cursor|page)="([^"]+)"', page)
    nothing = guarded.get(f"/board/changes?since={cursor}&page={stamp}")
    assert (nothing.status, nothing.body) == (204, b"")
    guarded.outputs("laser", ANN)
    answer = poll_until(guarded, f"since={cursor}&page={stamp}")
    assert set(answer["tiles"]) == {"laser"}
    assert answer["order"][-1] == "laser"
    assert answer["counts"]["in_use"] == 1
    assert answer["summary"] == "none free, 1 in use, 4 offline"
    assert "Ann" not in json.dumps(answer)


def poll_until(server: Running, query: str) -> Any:
    """Ask as the script does, until something has changed."""
    for _ in range(10_000):
        reply = server.get(f"/board/changes?{query}")
        if reply.status != 204:
            return reply.json
    raise AssertionError("nothing changed")


@pytest.mark.parametrize(
    "query",
    ["", "since=", "since=nonsense", "since=ffffffff-1", "since=-", "page=%FF&since=%FF", "since=x-" + "9" * 5000],
)
def test_whoever_knows_nothing_of_use_gets_everything(shared_server: Running, query: str) -> None:
    assert len(changes(shared_server, query)["tiles"]) == 5


def test_a_cursor_of_another_viewer_gets_everything_and_another_page(guarded: Running) -> None:
    plain = changes(guarded)
    admin = Admin(guarded)
    query = f"since={plain['cursor']}&page={plain['page']}"
    answer = changes(guarded, query, headers=admin.headers)
    assert answer["page"] != plain["page"]
    assert len(answer["tiles"]) == 5
    assert "<button" in answer["tiles"]["laser"]
    wall = changes(guarded, f"{query}&kiosk=1", headers=admin.headers)
    assert "<a " not in wall["tiles"]["laser"]
    assert "<button" not in wall["tiles"]["laser"]


def test_names_come_with_the_cookie_and_with_public_names(make_server: MakeServer) -> None:
    hidden = make_server(tokens=Tokens(admin=TOKEN))
    hidden.outputs("metal-mill", ANN)
    hidden.outputs("laser", ANN)
    admin = Admin(hidden)
    assert "Ann Able" not in json.dumps(changes(hidden))
    assert "Ann Able" in json.dumps(changes(hidden, headers=admin.headers))
    assert "Ann Able" not in json.dumps(changes(hidden, "kiosk=1", headers=admin.headers))
    assert hidden.machine("laser", headers=admin.headers)["session"]["user"] == "Ann Able"
    assert hidden.machine("laser", headers={"Cookie": "mac_admin=nonsense"})["session"]["user"] is None
    hidden.stop()
    public = make_server(tokens=Tokens(admin=TOKEN), public_names=True)
    assert "Ann Able" in json.dumps(changes(public, "kiosk=1"))


# --- logging in and out ------------------------------------------------------------------------------


def test_the_cookie_holds_no_token_and_no_script_or_other_site_gets_it(guarded: Running) -> None:
    cookie = Admin(guarded).cookie
    assert TOKEN not in cookie
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/", "max-age=43200"} <= attributes
    assert "secure" not in attributes
    behind_proxy = post_form(guarded, "/login", {"X-Forwarded-Proto": "https"}, token=TOKEN)
    assert "; secure" in behind_proxy.headers["Set-Cookie"].lower()


def test_a_wrong_token_is_refused_said_counted_and_after_five_not_even_looked_at(guarded: Running) -> None:
    for _ in range(5):
        reply = post_form(guarded, "/login", BROWSER, token="wr0ng", by="<Ann>")
        assert (reply.status, reply.headers["Set-Cookie"]) == (401, None)
        assert b"This is not the admin token" in reply.body
        assert b'value="&lt;Ann&gt;"' in reply.body
        assert b"wr0ng" not in reply.body
    late = post_form(guarded, "/login", BROWSER, token=TOKEN)
    assert late.status == 429
    assert 0 < int(late.headers["Retry-After"]) <= 60
    assert b"Too many wrong tokens: try again in" in late.body
    assert guarded.service.app.refusals.so_far() == {"401": 5, "429": 1}
    assert guarded.post("/api/machine/oops/laser", token="wr0ng").status == 401
    assert guarded.post("/api/machine/oops/laser", token=TOKEN).status == 200


@pytest.mark.parametrize(
    ("wish", "leads_to"),
    [
        ("/machines/laser?x=1", "/machines/laser?x=1"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("", "/"),
    ],
)
def test_a_login_leads_to_nowhere_else(guarded: Running, wish: str, leads_to: str) -> None:
    reply = post_form(guarded, "/login", token=TOKEN, next=wish)
    assert (reply.status, reply.headers["Location"]) == (303, leads_to)
    assert len(reply.headers.get_all("Set-Cookie") or []) == 1


def test_a_login_from_a_page_of_another_origin_is_refused(guarded: Running) -> None:
    reply = post_form(guarded, "/login", {"Origin": "http://evil.example"}, token=TOKEN)
    assert (reply.status, reply.headers["Set-Cookie"]) == (403, None)


def test_a_name_that_is_too_long_is_refused(guarded: Running) -> None:
    reply = post_form(guarded, "/login", BROWSER, token=TOKEN, by="x" * 300)
    assert (reply.status, reply.headers["Set-Cookie"]) == (422, None)
    assert b"200" in reply.body


@pytest.mark.parametrize("body", [b"\xff\xfe", b"nonsense", b"&".join(b"a=%d" % n for n in range(50)), b"a=%FF"])
def test_what_is_no_form_is_a_400(guarded: Running, body: bytes) -> None:
    assert guarded.post("/login", body).status == 400


def test_an_empty_form_is_a_wrong_token(guarded: Running) -> None:
    assert guarded.post("/login", b"").status == 401


def test_whoever_is_logged_in_needs_no_form(guarded: Running) -> None:
    admin = Admin(guarded)
    reply = guarded.get("/login?next=/shop", headers=admin.headers)
    assert (reply.status, reply.headers["Location"]) == (303, "/shop")


def test_logging_out_ends_the_login_everywhere(guarded: Running) -> None:
    admin = Admin(guarded)
    refused = post_form(guarded, "/logout", admin.headers, csrf="nonsense")
    assert refused.status == 403
    assert "Log out" in admin.page()
    reply = post_form(guarded, "/logout", admin.headers, csrf=admin.csrf)
    assert (reply.status, reply.headers["Location"]) == (303, "/")
    assert 'mac_admin=""' in reply.headers["Set-Cookie"]
    page = guarded.get("/", headers=admin.headers)
    assert b"You are logged out" in page.body
    assert 'mac_admin=""' in page.headers["Set-Cookie"]
    assert post_form(guarded, "/logout").status == 303


def test_a_page_of_another_origin_logs_nobody_out(guarded: Running) -> None:
    # Strict as the cookie is, it does not come along; so whoever asks looks like one who is not logged in.
    reply = post_form(guarded, "/logout", {"Origin": "http://evil.example"})
    assert reply.status == 403
    assert "Set-Cookie" not in reply.headers


def test_without_a_token_nobody_logs_in_from_elsewhere(server: Running) -> None:
    proxied = {"X-Forwarded-For": "10.0.0.1", **BROWSER}
    page = server.get("/login", headers=proxied).body.decode()
    assert "MAC_ADMIN_TOKEN</code> is not set" in page
    assert "<form" not in page
    assert "<button form=" not in server.get("/", headers=proxied).body.decode()
    reply = post_form(server, "/board/machines/laser", proxied, action="oops", reason="")
    assert reply.status == 403
    assert b"MAC_ADMIN_TOKEN" in reply.body
    assert post_form(server, "/login", token="").status == 401
    assert "You need no login" in server.get("/login", headers=BROWSER).body.decode()


# --- orders ------------------------------------------------------------------------------------------


def test_orders_are_carried_out_and_said(guarded: Running) -> None:
    admin = Admin(guarded, by=" Frøya\n")
    reply = admin.order("laser", "oops", reason="smoke")
    assert reply.json == {
        "said": f"{ODD_ALIAS} is oopsed, by Frøya, from HTTP: smoke.",
        "good": True,
    }
    flag = guarded.fleet.snapshot("laser").oops
    assert flag == Flag(flag.since if flag else None, Source.HTTP, "Frøya", "smoke")  # type: ignore[arg-type]
    assert admin.order("laser", "oops").json["said"] == f"{ODD_ALIAS} was oopsed already: nothing was changed."
    assert (
        admin.order("LASER", "lock").json["said"] == f"{ODD_ALIAS} is locked out for maintenance, by Frøya, from HTTP."
    )
    assert admin.order("laser", "lock").json["said"] == f"{ODD_ALIAS} was locked out already: nothing was changed."
    assert "is no longer oopsed and locked out" in admin.order("laser", "clear").json["said"]
    assert "was neither oopsed nor locked out" in admin.order("laser", "clear").json["said"]
    assert guarded.fleet.snapshot("laser").status == "idle"


def test_an_order_of_a_browser_without_the_script_leads_back_and_is_said_once(guarded: Running) -> None:
    admin = Admin(guarded)
    asked = post_form(guarded, "/board/machines/laser", {**admin.headers, **BROWSER}, csrf=admin.csrf, action="lock")
    assert asked.status == 200
    assert b'name="reason"' in asked.body
    assert guarded.fleet.snapshot("laser").lock is None
    reply = admin.order("laser", "lock", BROWSER, reason="<b>lens</b>")
    assert reply.status == 303
    back = reply.headers["Location"]
    first, second = (guarded.get(back, headers=admin.headers).body.decode() for _ in range(2))
    assert "is locked out for maintenance, from HTTP: &lt;b&gt;lens&lt;/b&gt;." in first
    assert "from HTTP: &lt;b&gt;lens&lt;/b&gt;." not in second


def test_only_so_many_notes_are_kept(guarded: Running) -> None:
    admin = Admin(guarded)
    first = admin.order("laser", "lock", BROWSER).headers["Location"]
    for _ in range(100):
        admin.order("laser", "lock", BROWSER)
    assert 'role="status"></p>\n<p id="news"' in guarded.get(first, headers=admin.headers).body.decode()


def test_an_order_that_is_not_on_disk_yet_says_so(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server = make_server(tokens=Tokens(admin=TOKEN), commit_budget=0.05)
    admin = Admin(server)
    written(server.fleet)
    with hanging_disk(monkeypatch):
        answer = admin.order("laser", "lock").json
    assert answer["good"] is False
    assert "It is not on disk yet" in answer["said"]


@pytest.mark.parametrize(
    ("fields", "headers", "status"),
    [
        ({"csrf": "nonsense"}, {}, 403),
        ({"csrf": ""}, {}, 403),
        ({"csrf": "ü"}, {}, 403),
        ({}, {"Origin": "http://evil.example"}, 403),
        ({}, {"Origin": "null"}, 403),
        ({}, {"Cookie": "mac_admin=nonsense"}, 401),
        ({}, {"Cookie": ""}, 401),
        ({"action": "explode"}, {}, 422),
        ({"action": ""}, {}, 422),
        ({"reason": "x" * 1001}, {}, 422),
    ],
)
def test_an_order_that_is_not_right_changes_nothing(
    guarded: Running, fields: dict[str, str], headers: dict[str, str], status: int
) -> None:
    admin = Admin(guarded)
    reply = admin.order("laser", fields.pop("action", "lock"), headers, **fields)
    assert reply.status == status
    assert reply.error
    assert guarded.fleet.snapshot("laser").status == "idle"
    assert guarded.service.app.refusals.so_far() == {str(status): 1}


def test_a_token_gives_no_orders_to_the_board_nor_a_cookie_to_the_api(guarded: Running) -> None:
    admin = Admin(guarded)
    bare = {"Authorization": f"Bearer {TOKEN}"}
    assert post_form(guarded, "/board/machines/laser", bare, action="lock", reason="").status == 401
    assert guarded.post("/api/machine/oops/laser", headers=admin.headers).status == 401
    assert guarded.fleet.snapshot("laser").status == "idle"


def test_a_browser_whose_login_is_over_is_led_to_the_login(guarded: Running) -> None:
    reply = Admin(guarded).order("laser", "lock", {"Cookie": "", **BROWSER})
    assert reply.status == 401
    assert b'<a class="button" href="/login">Log in</a>' in reply.body


def test_an_order_to_a_machine_that_is_not_there_names_the_nearest(guarded: Running) -> None:
    admin = Admin(guarded)
    reply = admin.order("metal-mil", "lock", BROWSER)
    assert reply.status == 404
    assert b'<a href="/machines/metal-mill"><bdi>metal-mill</bdi></a>' in reply.body
    assert "Did you mean" in admin.order("metal-mil", "lock").error


def local(host: str, address: str = "127.0.0.1", **more: str) -> dict[str, Any]:
    return {"REMOTE_ADDR": address, "HTTP_HOST": host, **more}


@pytest.mark.parametrize(
    ("environ", "login"),
    [
        (local("127.0.0.1:5000"), "local"),
        (local("localhost"), "local"),
        (local("[::1]:5000", "::1"), "local"),
        (local("evil.example:5000"), "off"),  # a name that was made to point here
        (local("[::1"), "off"),
        (local(""), "off"),
        (local("localhost", "10.0.0.7"), "off"),
        (local("localhost", HTTP_X_FORWARDED_FOR="10.0.0.7"), "off"),
    ],
)
def test_without_a_token_only_a_browser_on_the_server_itself_is_an_admin(environ: dict[str, Any], login: str) -> None:
    viewer = Access(Tokens()).viewer(environ)
    assert (viewer.login, viewer.admin, viewer.names) == (login, login == "local", False)


def test_without_a_token_orders_from_this_computer_need_their_form(server: Running) -> None:
    token = csrf(server.get("/", headers=BROWSER).body.decode())
    assert post_form(server, "/board/machines/laser", action="lock", reason="").status == 403
    rebound = {"Origin": "http://evil.example", "Host": "evil.example"}
    assert post_form(server, "/board/machines/laser", rebound, csrf=token, action="lock", reason="").status == 403
    assert server.fleet.snapshot("laser").status == "idle"
    assert post_form(server, "/board/machines/laser", csrf=token, action="lock", reason="").json["good"] is True


# --- errors and files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "page"),
    [
        ("/nothing", 404, True),
        ("/board/machines/laser", 405, True),
        ("/api/nothing", 404, False),
        ("/api/machines/nothing", 404, False),
    ],
)
def test_a_person_gets_a_page_and_a_program_json(shared_server: Running, path: str, status: int, page: bool) -> None:
    reply = shared_server.get(path, headers=BROWSER)
    assert reply.status == status
    assert reply.headers["Content-Type"].startswith("text/html" if page else "application/json")
    assert ("Content-Security-Policy" in reply.headers) == page
    assert shared_server.get(path).error


@pytest.mark.parametrize("name", ["a" * 300 + ".js", "%C3%A4" * 200 + ".css", "board%00.css", "..%00.js", "...js"])
def test_a_name_that_no_file_can_have_is_not_there(shared_server: Running, name: str) -> None:
    assert shared_server.get(f"/static/{name}").status == 404


def test_the_page_of_the_api_keeps_to_what_is_shipped_with_it_too(shared_server: Running) -> None:
    policy = shared_server.get("/docs", headers=BROWSER).headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'self'" in policy


def test_a_file_that_the_browser_has_is_not_sent_again(shared_server: Running) -> None:
    first = shared_server.get("/static/board.css")
    assert first.headers["Cache-Control"] == "max-age=3600"
    again = shared_server.get("/static/board.css", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    assert shared_server.get("/static/board.css?v=old").headers["Cache-Control"] == "max-age=3600"
    assert shared_server.get("/static/icon.svg").headers["Content-Type"] == "image/svg+xml; charset=utf-8"
