"""``/api/usage``, ``/api/forget``, and the pages of a machine and of the shop, over HTTP."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest

from mac_actors.core.inputs import Clear, Lock, Oops
from mac_actors.core.state import Source
from mac_actors.settings import Tokens
from mac_actors.web.pages.history import busiest, hourly, share, week
from tests.conftest import MakeServer
from tests.fakes import ANN, BOB, NOBODY, ODD_ALIAS, written
from tests.web.client import Running

TOKENS: dict[str, Any] = {"tokens": Tokens(admin="secret")}
SCRIPT = "</script><script>alert(1)</script> & <b>bold</b>"


@pytest.fixture
def shop(make_server: MakeServer) -> Running:
    """A server with an admin token, on which something has happened."""
    server = make_server(**TOKENS)
    for fob in (ANN, BOB, NOBODY):
        server.report("metal-mill", fob)
        server.report("metal-mill", "")
    server.report("laser", BOB)
    now = datetime.now(UTC)
    server.fleet.ask("bandsaw", Oops(now, Source.SLACK, "Ann Able", SCRIPT))
    server.fleet.ask("router", Lock(now, Source.CLI, "grace", "new belt"))
    written(server.fleet)
    return server


def page(server: Running, path: str, token: str = "") -> str:
    reply = server.get(path, headers={"Accept": "text/html"}, token=token)
    assert reply.status == 200, reply
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    return reply.body.decode()


def by_name(rows: list[dict[str, Any]], key: str) -> dict[str, tuple[int, int]]:
    return {row[key]: (row["sessions"], row["refusals"]) for row in rows}


# usage


def test_usage_is_public_by_machine_and_says_nothing_of_users(shop: Running) -> None:
    usage = shop.get("/api/usage").json
    today = datetime.now().astimezone().date()
    assert (usage["from"], usage["to"]) == (str(today - timedelta(29)), str(today))
    assert usage["users"] is None
    machines = by_name(usage["machines"], "machine")
    assert (machines["metal-mill"], machines["laser"], machines["vent"]) == ((1, 2), (1, 0), (0, 0))
    assert list(machines) == list(shop.fleet.configuration.machines)


def test_an_admin_sees_the_users_those_with_most_hours_first(shop: Running) -> None:
    users = shop.get("/api/usage", token="secret").json["users"]
    assert by_name(users, "name") == {"Ann Able": (1, 0), "Bob Baker": (1, 1), "unknown fobs": (0, 1)}
    assert users[-1]["account_id"] is None
    assert users[0]["seconds"] >= users[1]["seconds"]


def test_a_wrong_token_shows_what_is_public(shop: Running) -> None:
    assert shop.get("/api/usage", token="wrong").json["users"] is None


def test_public_names_are_no_reason_to_list_users(make_server: MakeServer) -> None:
    server = make_server(**TOKENS, public_names=True)
    assert server.get("/api/usage").json["users"] is None


def test_usage_of_a_day_long_ago_is_nothing(shop: Running) -> None:
    usage = shop.get("/api/usage?from=2020-02-29&to=2020-02-29", token="secret").json
    assert (usage["from"], usage["to"], usage["users"]) == ("2020-02-29", "2020-02-29", [])
    assert {row["seconds"] for row in usage["machines"]} == {0}


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("from=yesterday", "from: expected a day as YYYY-MM-DD, for example 2026-11-24"),
        ("to=2026-02-30", "to: expected a day as YYYY-MM-DD, for example 2026-11-24"),
        ("from=0001-01-01", "from: expected a day as YYYY-MM-DD, for example 2026-11-24"),
        ("from=2026-11-02&to=2026-11-01", "from: expected a day that is not after to (2026-11-01)"),
        ("from=%ff", "the query: expected UTF-8"),
    ],
)
def test_a_wrong_day_is_said(shop: Running, query: str, error: str) -> None:
    reply = shop.get(f"/api/usage?{query}")
    assert (reply.status, reply.error) == (422, error)


# forget


def test_forget_needs_an_admin(shop: Running) -> None:
    assert shop.post("/api/forget", {"user": "1"}).status == 401
    assert "Ann Able" in str(shop.events(token="secret"))


def test_forget_says_who_it_would_be_and_then_does_it(shop: Running) -> None:
    who = shop.post("/api/forget", {"user": "bob@example.org", "only_look": True}, token="secret").json
    assert (who["account_id"], who["name"], who["done"], who["events"]) == ("2", "Bob Baker", False, 0)
    done = shop.post("/api/forget", {"user": "2"}, token="secret").json
    assert (done["done"], done["events"], len(done["current_events"]), done["configured"]) == (True, 1, 1, True)
    events = shop.events(token="secret")
    assert [event["user"] for event in events if event["kind"] == "session_refused"] == [None, None]
    assert "Metal Mill: someone was refused: not authorized." in [event["text"] for event in events]
    assert by_name(shop.get("/api/usage", token="secret").json["users"], "name")["names removed"] == (0, 1)


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"user": "Anne Abel"}, 404, "Did you mean 1 (Ann Able)?"),
        ({"user": ""}, 422, "user: "),
        ({}, 422, "user: is required"),
        ({"user": 1}, 422, "user: expected a string"),
        (b"nonsense", 400, "the body is not JSON"),
    ],
)
def test_forget_says_what_is_wrong(shop: Running, body: object, status: int, error: str) -> None:
    reply = shop.post("/api/forget", body, token="secret")
    assert reply.status == status
    assert error in reply.error


def test_of_two_with_one_name_forget_lists_both(make_server: MakeServer) -> None:
    server = make_server(**TOKENS)
    text = server.users.read_text().replace("Bob Baker", "Ann Able")
    server.users.write_text(text)
    assert server.post("/api/reload-users", token="secret").status == 200
    reply = server.post("/api/forget", {"user": "ann able"}, token="secret")
    assert (reply.status, reply.error) == (
        409,
        "ann able may be any of 1 (Ann Able), 2 (Ann Able): say which by account id. Nothing was changed",
    )


# pages


@pytest.mark.parametrize("called", ["metal-mill", "Metal Mill", "METAL MILL"])
def test_a_machine_has_a_page_by_name_and_alias(shop: Running, called: str) -> None:
    html = page(shop, f"/machines/{quote(called)}")
    assert "<h1><bdi>Metal Mill</bdi></h1>" in html
    assert "When is it free?" in html
    assert html.count("<canvas") == 0, "pictures are made by the script alone, tables are there without it"
    assert len(re.findall(r"<tr>", html)) > 90


def test_names_are_on_no_page_without_the_token(shop: Running) -> None:
    for path in ("/machines/laser", "/machines/metal-mill", "/machines/bandsaw", "/machines/router", "/shop"):
        html = page(shop, path)
        assert not [name for name in ("Ann Able", "Bob Baker", "grace", ANN, BOB) if name in html], path
    assert "Bob Baker runs it since" in re.sub(r"<[^>]+>", "", page(shop, "/machines/laser", "secret"))


def test_text_of_people_is_text_everywhere(shop: Running) -> None:
    html = page(shop, "/machines/bandsaw")
    assert SCRIPT not in html
    assert html.count("&lt;/script&gt;&lt;script&gt;alert(1)") == 2, "in the state and in the timeline"
    odd = page(shop, f"/machines/{quote(ODD_ALIAS, safe='')}")
    assert unescape(odd).count(ODD_ALIAS) >= 2
    assert quote("laser") in page(shop, "/shop")


def test_no_page_has_a_script_or_a_style_in_it(shop: Running) -> None:
    for path in ("/machines/bandsaw", "/shop"):
        html = page(shop, path)
        assert not re.findall(r"<style|style=|<script(?![^>]*\bsrc=)| on\w+=", html)
        assert "https://" not in html


def test_a_machine_that_does_not_exist_is_a_page_with_the_nearest_names(shop: Running) -> None:
    reply = shop.get("/machines/metl-mil", headers={"Accept": "text/html"})
    assert reply.status == 404
    assert b'<a href="/machines/metal-mill">' in reply.body


def test_older_events_are_a_link_away(shop: Running) -> None:
    for _ in range(20):
        shop.report("metal-mill", ANN)
        shop.report("metal-mill", "")
    written(shop.fleet)
    html = page(shop, "/machines/metal-mill")
    older = re.search(r'href="(/machines/metal-mill\?before=\d+)#events" rel="next"', html)
    assert older
    second = page(shop, older[1])
    assert ">Newest</a>" in second
    assert "A card was refused: the fob is unknown." in second
    assert "A card was refused" not in html
    assert "Nothing before that." in page(shop, "/machines/metal-mill?before=1")


@pytest.mark.parametrize("before", ["x", "-1", "0", "1.5", "%ff"])
def test_a_wrong_place_in_the_timeline_is_said(shop: Running, before: str) -> None:
    assert shop.get(f"/machines/laser?before={before}").status == 422


def test_the_page_of_a_machine_at_which_nothing_happened_says_so(server: Running) -> None:
    html = page(server, "/machines/router")
    assert "Nothing has happened at this machine yet." in html
    assert "No reading yet." in html
    assert "Nothing yet." in html


def test_an_always_enabled_machine_says_that_its_use_is_not_known(shop: Running) -> None:
    assert "its use is not known" in page(shop, "/machines/vent")


def test_the_state_and_the_reader_are_shown(shop: Running) -> None:
    html = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page(shop, "/machines/laser")))
    for text in ("In use", "A member runs it since", "-54 dBm (92 %)", "54 °C", "Tube", "16 min"):
        assert text in html, text
    assert "Locked out : new belt" in re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page(shop, "/machines/router")))


def test_the_shop_lists_all_machines_with_a_link_and_their_use(shop: Running) -> None:
    html = page(shop, "/shop")
    rows = re.findall(r'<th scope="row"><a href="/machines/([^"]+)">.*?</a></th><td>(\d+)</td>.*?<td>(\d+)</td>', html)
    assert {name: (sessions, refused) for name, sessions, refused in rows}["metal-mill"] == ("1", "2")
    assert len(rows) == 5
    assert html.count("data-short=") == 26


def test_a_machine_that_is_gone_keeps_its_row_in_the_shop(shop: Running) -> None:
    shop.machines.write_text('{"laser": {"authorizations_or": ["laser"]}}')
    shop.fleet.ask("laser", Clear(datetime.now(UTC), Source.CLI))
    assert shop.post("/api/reload?force=1", token="secret").status == 200
    html = page(shop, "/shop")
    assert '<bdi>metal-mill</bdi> <span class="muted">(no longer here)</span>' in html


# small things


def test_the_hours_of_the_day_are_shown_and_the_night_if_it_is_used() -> None:
    quiet = [[0.0] * 24 for _ in range(7)]
    assert [row.hour for row in week(quiet)] == list(range(8, 22))
    assert busiest(quiet) is None
    busy = [list(day) for day in quiet]
    busy[5][3], busy[6][15] = 0.05, 0.7
    rows = week(busy)
    assert (rows[0].hour, rows[0].percent[5], rows[0].levels[5]) == (3, 5, 1)
    assert (rows[12].percent[6], rows[12].levels[6]) == (70, 4)
    assert busiest(busy) == ("Sunday", 15, 70)


@pytest.mark.parametrize(
    ("seconds", "length", "text"),
    [(0, 0, "0 %"), (0, 10, "0 %"), (1, 1e6, "under 0.1 %"), (38, 1000, "3.8 %"), (500, 1000, "50 %")],
)
def test_a_share_is_told_in_percent(seconds: float, length: float, text: str) -> None:
    assert share(seconds, length) == text


def test_samples_are_told_by_the_hour() -> None:
    start = datetime(2026, 11, 24, 18, tzinfo=UTC)
    values = [-60, -62, -80, None] + [None] * 12
    found = hourly((start + timedelta(minutes=15 * n), value) for n, value in enumerate(values))
    assert next((usual, worst) for _, usual, worst in found) == (-62, -80)
    assert [(usual, worst) for _, usual, worst in found][1:] == [(None, None)] * (len(found) - 1)
    assert date(2026, 11, 24) <= found[0][0].date()
