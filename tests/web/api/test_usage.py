"""``GET /api/usage``."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.conftest import MakeServer
from tests.web.client import Running
from tests.web.conftest import TOKENS, by_name


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
