"""``POST /api/forget``."""

from __future__ import annotations

from pathlib import Path

import pytest

from mac_actors.fleet.people.logins import Role
from mac_actors.storage.sqlite.engine import DATABASE
from tests.conftest import MakeServer
from tests.fakes import written
from tests.web.client import Running
from tests.web.conftest import TOKENS, by_name


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


def test_their_sessions_on_the_board_are_in_no_file_either(make_server: MakeServer, tmp_path: Path) -> None:
    shop = make_server(**TOKENS)
    fleet = shop.service.fleet
    fleet.logins.open(Role.TRAINER, "Bob Baker", "2")
    written(fleet)
    assert shop.post("/api/forget", {"user": "2"}, token="secret").json["emptied"]
    assert fleet.logins.sessions() == []
    files = {path.name: path.read_bytes() for path in tmp_path.rglob(f"{DATABASE}*")}
    assert files
    assert [name for name, content in files.items() if b"Bob Baker" in content] == []


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


def test_a_clock_that_is_not_in_doubt_needs_no_word(shop: Running) -> None:
    reply = shop.post("/api/confirm-clock", token="secret")
    assert (reply.status, reply.error) == (
        409,
        "the clock is not in doubt: names are removed when MAC_RETENTION_DAYS says so",
    )
    assert shop.post("/api/confirm-clock").status == 401
