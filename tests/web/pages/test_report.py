"""*Report a problem*: everybody can tell the admins; nothing changes by it, and not too many a minute."""

from __future__ import annotations

import json

import pytest

from mac_actors.settings import Tokens
from tests.conftest import MakeServer
from tests.fakes import RecordingChat, written
from tests.web.client import Running
from tests.web.pages.forms import BROWSER, TOKEN, Admin, post_form

LOOSE = "the fence is <b>loose</b>"


def test_what_is_reported_goes_to_the_journal_and_the_control_channel(make_server: MakeServer) -> None:
    chat = RecordingChat()
    server = make_server(chat=chat, tokens=Tokens(admin=TOKEN))
    before = server.machine("metal-mill")
    reply = post_form(server, "/board/report/Metal%20Mill", BROWSER, text=f" {LOOSE}\n", by="Ann")
    assert reply.status == 303
    back = reply.headers["Location"]
    assert back.startswith("/machines/metal-mill?said=")
    assert "Thank you: the admins are told." in server.get(back, headers=BROWSER).body.decode()
    assert chat.texts(1) == [f"Metal Mill: a problem was reported, by Ann: {LOOSE}."]
    written(server.fleet)
    (event,) = server.events("?kind=reported", token=TOKEN)
    assert event["text"] == f"Metal Mill: a problem was reported, by Ann: {LOOSE}."
    (public,) = server.events("?kind=reported&details=1")
    assert public["text"] == "Metal Mill: a problem was reported."
    assert "loose" not in json.dumps(public)
    assert "Ann" not in json.dumps(public)
    assert server.machine("metal-mill") == before


def test_an_admin_reports_under_their_name(guarded: Running) -> None:
    admin = Admin(guarded, by="Grace")
    reply = post_form(guarded, "/board/report/laser", admin.headers, text="smoke", by="Mallory")
    assert reply.json["good"] is True
    written(guarded.fleet)
    assert ", by Grace: smoke." in guarded.events(token=TOKEN)[0]["text"]


@pytest.mark.parametrize(
    ("path", "headers", "fields", "status"),
    [
        ("laser", {}, {}, 422),
        ("laser", {}, {"text": " \n "}, 422),
        ("laser", {}, {"text": "x" * 1001}, 422),
        ("laser", {}, {"text": "x", "by": "y" * 201}, 422),
        ("lasr", {}, {"text": "x"}, 404),
        ("laser", {"Origin": "http://evil.example"}, {"text": "x"}, 403),
    ],
)
def test_what_is_wrong_is_said_and_not_reported(
    guarded: Running, path: str, headers: dict[str, str], fields: dict[str, str], status: int
) -> None:
    reply = post_form(guarded, f"/board/report/{path}", headers, **fields)
    assert reply.status == status
    assert reply.error
    assert guarded.events("?kind=reported") == []


def test_only_a_few_are_taken_in_a_minute(guarded: Running) -> None:
    statuses = [post_form(guarded, "/board/report/laser", text=f"{n}").status for n in range(4)]
    assert statuses == [200, 200, 200, 429]
    written(guarded.fleet)
    assert len(guarded.events("?kind=reported")) == 3
