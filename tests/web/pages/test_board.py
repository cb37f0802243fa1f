"""The board's page and its commands by HTTP: what is answered to whom, and what is refused."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from mac_actors.core.state import Flag, Source
from mac_actors.settings import Tokens
from tests.conftest import MakeServer
from tests.fakes import ANN, ODD_ALIAS, hanging_disk, written
from tests.web.client import Running
from tests.web.pages.forms import BROWSER, TOKEN, Admin, csrf, post_form

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


def test_of_a_long_search_little_counts(shared_server: Running) -> None:
    text = shared_server.get("/?q=" + "a+" * 7000).body.decode()
    assert 'value="' + "a " * 100 + '"' in text


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


# --- commands ----------------------------------------------------------------------------------------


def test_commands_are_carried_out_and_said(guarded: Running) -> None:
    admin = Admin(guarded, by=" Frøya\n")
    reply = admin.command("laser", "oops", reason="smoke")
    assert reply.json == {
        "said": f"{ODD_ALIAS} is oopsed, by Frøya, from the board: smoke.",
        "good": True,
    }
    flag = guarded.fleet.snapshot("laser").oops
    assert flag == Flag(flag.since if flag else None, Source.BOARD, "Frøya", "smoke")  # type: ignore[arg-type]
    assert admin.command("laser", "oops").json["said"] == f"{ODD_ALIAS} was oopsed already: nothing was changed."
    assert (
        admin.command("LASER", "lock").json["said"]
        == f"{ODD_ALIAS} is locked out for maintenance, by Frøya, from the board."
    )
    assert admin.command("laser", "lock").json["said"] == f"{ODD_ALIAS} was locked out already: nothing was changed."
    assert "is no longer oopsed and locked out" in admin.command("laser", "clear").json["said"]
    assert "was neither oopsed nor locked out" in admin.command("laser", "clear").json["said"]
    assert guarded.fleet.snapshot("laser").status == "idle"


def test_a_lock_may_wait_for_the_end_of_a_session(guarded: Running) -> None:
    admin = Admin(guarded)
    guarded.outputs("laser", ANN)
    reply = admin.command("laser", "lock", reason="lens", when="free")
    assert "will be locked out for maintenance once it is free" in reply.json["said"]
    assert "To be locked out once it is free: <bdi" in guarded.request("GET", "/").body.decode()
    again = admin.command("laser", "lock", reason="lens", when="free")
    assert "was to be locked out already: nothing was changed." in again.json["said"]
    assert "will not be locked out" in admin.command("laser", "clear").json["said"]
    guarded.outputs("laser", "")


def test_a_command_of_a_browser_without_the_script_leads_back_and_is_said_once(guarded: Running) -> None:
    admin = Admin(guarded)
    asked = post_form(guarded, "/board/machines/laser", {**admin.headers, **BROWSER}, csrf=admin.csrf, action="lock")
    assert asked.status == 200
    assert b'name="reason"' in asked.body
    assert guarded.fleet.snapshot("laser").lock is None
    reply = admin.command("laser", "lock", BROWSER, reason="<b>lens</b>")
    assert reply.status == 303
    back = reply.headers["Location"]
    first, second = (guarded.get(back, headers=admin.headers).body.decode() for _ in range(2))
    assert "is locked out for maintenance, from the board: &lt;b&gt;lens&lt;/b&gt;." in first
    assert "from the board: &lt;b&gt;lens&lt;/b&gt;." not in second


def test_only_so_many_notes_are_kept(guarded: Running) -> None:
    admin = Admin(guarded)
    first = admin.command("laser", "lock", BROWSER).headers["Location"]
    for _ in range(100):
        admin.command("laser", "lock", BROWSER)
    assert 'role="status"></p>\n<p id="news"' in guarded.get(first, headers=admin.headers).body.decode()


def test_a_command_that_is_not_on_disk_yet_says_so(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server = make_server(tokens=Tokens(admin=TOKEN), commit_budget=0.05)
    admin = Admin(server)
    written(server.fleet)
    with hanging_disk(monkeypatch):
        answer = admin.command("laser", "lock").json
    assert answer["good"] is False
    assert "It is not on disk yet" in answer["said"]


def test_what_was_set_while_a_command_was_under_way_is_not_lifted(guarded: Running) -> None:
    admin = Admin(guarded)
    admin.command("laser", "lock", reason="blade loose")
    late = str(round(time.time() * 1000) - 3000)
    answer = admin.command("laser", "clear", sent=late).json
    assert (answer["good"], guarded.fleet.snapshot("laser").status) == (False, "locked_out")
    assert answer["said"].startswith(f"{ODD_ALIAS} was oopsed or locked out since: nothing was changed.")
    too_late = admin.command("laser", "clear", sent=str(round(time.time() * 1000) - 9000))
    assert too_late.status == 503
    assert admin.command("laser", "clear", sent=str(round(time.time() * 1000) + 1)).json["good"] is True


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
def test_a_command_that_is_not_right_changes_nothing(
    guarded: Running, fields: dict[str, str], headers: dict[str, str], status: int
) -> None:
    admin = Admin(guarded)
    reply = admin.command("laser", fields.pop("action", "lock"), headers, **fields)
    assert reply.status == status
    assert reply.error
    assert guarded.fleet.snapshot("laser").status == "idle"
    assert guarded.service.shop.app.refusals.so_far() == {str(status): 1}


def test_a_token_gives_no_commands_to_the_board_nor_a_cookie_to_the_api(guarded: Running) -> None:
    admin = Admin(guarded)
    bare = {"Authorization": f"Bearer {TOKEN}"}
    assert post_form(guarded, "/board/machines/laser", bare, action="lock", reason="").status == 401
    assert guarded.post("/api/machine/oops/laser", headers=admin.headers).status == 401
    assert guarded.fleet.snapshot("laser").status == "idle"


def test_a_browser_whose_login_is_over_is_led_to_the_login(guarded: Running) -> None:
    reply = Admin(guarded).command("laser", "lock", {"Cookie": "", **BROWSER})
    assert reply.status == 401
    assert b'<a class="button" href="/login">Log in</a>' in reply.body


def test_a_command_to_a_machine_that_is_not_there_names_the_nearest(guarded: Running) -> None:
    admin = Admin(guarded)
    reply = admin.command("metal-mil", "lock", BROWSER)
    assert reply.status == 404
    assert b'<a href="/machines/metal-mill"><bdi>Metal Mill</bdi></a>' in reply.body
    assert "Did you mean" in admin.command("metal-mil", "lock").error


def test_without_a_token_commands_from_this_computer_need_their_form(server: Running) -> None:
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
