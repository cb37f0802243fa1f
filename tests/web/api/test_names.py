"""Names of members: who sees them, and who does not."""

from __future__ import annotations

import json

import pytest

from tests.conftest import MakeServer
from tests.fakes import (
    ANN,
)
from tests.web.api.conftest import TOKEN
from tests.web.client import Running

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


def test_an_unknown_fob_is_shown_to_admins_in_the_journal_alone(busy: Running) -> None:
    busy.outputs("bandsaw", "7777777777")
    for token in ("", TOKEN):
        for path in ("/api/events", "/api/machines/bandsaw", "/api/machines/bandsaw/events", "/machines/bandsaw"):
            shown = b"7777777777" in busy.get(path, token=token).body
            assert shown is (path == "/api/events" and token == TOKEN)
