"""The pages of a machine and of the shop."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest

from mac_actors.core.inputs import Clear
from mac_actors.core.state import Source
from mac_actors.settings import Tokens
from mac_actors.storage.history.history import History
from mac_actors.web.pages.history import busiest, coming, hourly, share, today, week
from tests.conftest import MakeServer
from tests.fakes import ANN, BOB, ODD_ALIAS, wait_until, written
from tests.web.client import Running
from tests.web.conftest import SCRIPT


def page(server: Running, path: str, token: str = "") -> str:
    reply = server.get(path, headers={"Accept": "text/html"}, token=token)
    assert reply.status == 200, reply
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    return reply.body.decode()


@pytest.mark.parametrize("called", ["metal-mill", "Metal Mill", "METAL MILL"])
def test_a_machine_has_a_page_by_name_and_alias(shop: Running, called: str) -> None:
    html = page(shop, f"/machines/{quote(called)}")
    assert "<h1><bdi>Metal Mill</bdi></h1>" in html
    assert "When is it free?" in html
    assert html.count("<canvas") == 0, "charts are made by the script alone, tables are there without it"
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
    assert "Locked out since" in re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page(shop, "/machines/router")))


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


def test_the_coming_hours_and_the_rest_of_the_day_are_told_in_words() -> None:
    shares = [[0.0] * 24 for _ in range(7)]
    monday = datetime(2026, 11, 23, 16, 40)
    assert today(shares, monday) == "free for the rest of the day"
    shares[0][17:19] = [0.3, 0.3]
    shares[0][19] = 0.9
    assert today(shares, monday) == "free until 17, maybe in use until 19, in use until 20, then free"
    assert today(shares, monday.replace(hour=23)) == "free for the rest of the day"
    shares[1][2] = 0.2
    hours = coming(shares, monday)
    assert [(chance.hour, chance.word, chance.level) for chance in hours][1:4] == [
        (17, "maybe in use", 2),
        (18, "maybe in use", 2),
        (19, "in use", 4),
    ]
    assert (hours[10].hour, hours[10].word) == (2, "maybe in use")
    sunday = datetime(2026, 11, 29, 22)
    shares[0][1] = 0.9
    assert coming(shares, sunday)[3].word == "in use", "the week begins anew"


def test_a_member_is_told_what_is_needed_and_who_trains(make_server: MakeServer) -> None:
    server = make_server(tokens=Tokens(admin="secret"))
    machines = json.loads(server.machines.read_text(encoding="utf-8"))
    machines["metal-mill"] |= {
        "trainers_or": ["tube"],
        "area": "<b>Metal</b>",
        "description": "Steel & brass\nno wood",
        "link": "https://wiki.example/?a=1&b=%22",
    }
    machines["router"] |= {"authorizations_or": ["mill"], "unauthorized_warn_only": True}
    server.machines.write_text(json.dumps(machines), encoding="utf-8")
    assert server.post("/api/reload", token="secret").status == 200
    public = page(server, "/machines/metal-mill")
    for text in (
        "&lt;b&gt;Metal&lt;/b&gt;",
        "Steel &amp; brass\nno wood",
        "https://wiki.example/?a=1&amp;b=%22",
        "trainer",
    ):
        assert text in public
    assert "Ann Able" not in public
    assert "Who trains: <bdi>Ann Able" in page(server, "/machines/metal-mill", "secret")
    assert "Without it your card works too" in page(server, "/machines/router")
    assert server.machine("metal-mill")["area"] == "<b>Metal</b>"
    assert "area" not in server.machine("router")


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


def test_what_changes_while_the_page_is_made_is_told_to_it(shop: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    read = History.machine

    def slow(self: History, *arguments: Any) -> Any:
        found = read(self, *arguments)
        shop.fleet["laser"].oops().get(timeout=20)
        wait_until(lambda: "Oopsed" in shop.get("/board/changes").json["tiles"]["laser"])  # as another board is told
        return found

    monkeypatch.setattr(History, "machine", slow)
    html = page(shop, "/machines/laser")
    seen = [re.search(f'data-{name}="([^"]+)"', html) for name in ("cursor", "page")]
    cursor, stamp = (found[1] for found in seen if found)
    reply = shop.get(f"/board/changes?machine=laser&since={cursor}&page={stamp}")
    assert reply.status == 200
    assert "Oopsed" in reply.json["tiles"]["laser"]
