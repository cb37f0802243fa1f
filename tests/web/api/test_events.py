"""The journal, page by page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from mac_actors.core.outcomes import KINDS
from mac_actors.settings import Tokens
from tests.conftest import MakeServer
from tests.fakes import ANN, BOB, NOBODY
from tests.web.client import Running


def test_events_of_an_unknown_machine_are_a_404(shared_server: Running) -> None:
    assert shared_server.get("/api/machines/nope/events").status == 404


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


def test_with_the_admins_token_alone_an_unknown_fob_is_whole(make_server: MakeServer) -> None:
    server = make_server(tokens=Tokens(admin="secret"), public_names=True)
    for fob in (NOBODY, "", ANN, "", BOB, ""):
        server.report("metal-mill", fob)
    fobs = [event["fob"] for event in server.events(token="secret")]
    assert sorted(filter(None, fobs)) == [NOBODY]
    for query, token in (("", ""), ("?details=1", "wrong"), ("?kind=session_refused", "")):
        answer = server.get(f"/api/events{query}", token=token)
        assert all("fob" not in event for event in answer.json["events"])
        assert NOBODY not in answer.body.decode()
    assert NOBODY in server.get("/api/events?details=1", token="secret").body.decode()
