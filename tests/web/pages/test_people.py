"""The pages of people: who sees them, what a trainer sees and may do, and what is answered to what is wrong."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from html import unescape

import pytest

from mac_actors.fleet.people.logins import Role, csrf_of
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.web.pages.person import ref_of
from tests.conftest import MakeServer
from tests.fakes import sample_machines, written
from tests.web.client import Reply, Running
from tests.web.pages.forms import BROWSER, csrf, post_form

NEW = "0007654321"


class Person:
    """A browser with a session."""

    def __init__(self, server: Running, role: Role, name: str, account: str | None = None) -> None:
        self.server = server
        key, _ = server.fleet.logins.open(role, name, account)
        self.csrf = csrf_of(key)
        self.headers = {**BROWSER, "Cookie": f"mac_admin={key}"}

    def get(self, path: str) -> Reply:
        return self.server.get(path, headers=self.headers)

    def html(self, path: str) -> str:
        reply = self.get(path)
        assert reply.status == 200, reply
        return reply.body.decode()

    def post(self, path: str, **fields: str) -> Reply:
        return post_form(self.server, path, self.headers, **{"csrf": self.csrf, **fields})

    def done(self, path: str, **fields: str) -> str:
        """Send a form; returns the page that it leads to."""
        reply = self.post(path, **fields)
        assert reply.status == 303, reply
        return self.html(reply.headers["Location"])


@pytest.fixture
def shop(guarded: Running) -> Running:
    """Ann trains others for the laser."""
    machines = sample_machines()
    machines["laser"]["trainers_or"] = ["tube"]
    guarded.machines.write_text(json.dumps(machines), encoding="utf-8")
    assert guarded.post("/api/reload", token="s3cret-admin").status == 200
    return guarded


@pytest.fixture
def admin(shop: Running) -> Person:
    return Person(shop, Role.ADMIN, "Max")


@pytest.fixture
def trainer(shop: Running) -> Person:
    return Person(shop, Role.TRAINER, "Ann Able", "1")


def said(html: str) -> str:
    found = re.search(r'id="said"[^>]*>([^<]*)<', html)
    assert found
    return found[1]


def hold(server: Running, code: str, machine: str = "laser") -> str:
    """Hold an unknown fob to a reader; returns by what pages name it."""
    server.report(machine, code)
    server.report(machine)
    return ref_of(code, machine)


def test_visitors_are_sent_to_the_login_and_see_nothing(shop: Running) -> None:
    hold(shop, NEW)
    for path in ("/people", "/people?q=ann", "/people/1"):
        reply = shop.get(path, headers=BROWSER)
        assert (reply.status, reply.body) == (303, b"")
        assert reply.headers["Location"].startswith("/login?next=%2Fpeople")
    assert [shop.get(path).status for path in ("/board/fobs", "/board/people?q=ann")] == [401, 401]
    board = shop.get("/", headers=BROWSER).body
    assert not [word for word in (b"people", b"fob") if word in board.lower()]
    assert post_form(shop, "/board/people/1", BROWSER, action="authorize", value="laser").status == 401


def test_a_trainer_sees_and_may_do_no_more_than_a_trainer_may(shop: Running, trainer: Person) -> None:
    hold(shop, NEW)
    assert "bob@example.org" not in trainer.html("/people?q=baker") + trainer.html("/board/people?q=baker")
    for path in ("/people?q=bob@ex", "/board/people?q=bob@ex"):
        assert "Bob Baker" not in trainer.html(path)
        assert "Bob Baker" in Person(shop, Role.ADMIN, "Max").html(path)
    page = trainer.html("/people/2")
    assert "Bob Baker" in page
    assert not [
        word for word in ("bob@example.org", "2222222222", "Take away", "Last sessions", ">mill") if word in page
    ]
    assert 'value="tube"' in page
    assert "Withdraw<" in page
    refused = [
        trainer.post("/board/people/2", action="authorize", value="mill"),
        trainer.post("/board/people/2", action="give", code="55555"),
        trainer.post("/board/people/2", action="take", value=ref_of("2222222222")),
    ]
    assert [reply.status for reply in refused] == [403] * 3
    assert "is authorized for tube, by Ann Able, from the board" in said(
        trainer.done("/board/people/2", action="authorize", value="tube")
    )
    page = trainer.done("/board/people/2", action="give", fob=hold(shop, NEW))
    assert NEW not in page
    assert "…4321" in page
    assert "by <bdi>Ann Able</bdi>" in page
    assert "counts no more" in said(trainer.done("/board/people/2", action="take", value=ref_of(NEW)))
    assert shop.request("DELETE", "/api/users/1/authorizations/tube", {}, token="s3cret-admin").status == 200
    assert [trainer.get(path).status for path in ("/people", "/people/2", "/board/fobs")] == [403] * 2 + [401]
    assert trainer.post("/board/people/2", action="authorize", value="laser").status == 401
    assert b"/people" not in trainer.get("/").body


def test_two_give_one_fob_to_two_people(shop: Running, admin: Person, trainer: Person) -> None:
    ref = hold(shop, NEW)
    assert "Bob Baker was given a fob" in said(admin.done("/board/people/2", action="give", fob=ref))
    assert "has this fob already: nothing was changed" in said(trainer.done("/board/people/2", action="give", fob=ref))
    reply = trainer.post("/board/people/3", action="give", fob=ref)
    assert reply.status == 409
    assert b"Bob Baker&#039;s (2)" in reply.body
    assert "is <a" in trainer.html(f"/people?fob={ref}")
    reply = trainer.post("/board/people", full_name="Nina New", fob="gone")
    assert (reply.status, b"hold it there again" in reply.body) == (409, True)
    assert trainer.post("/board/people/3", action="give", fob="gone").status == 409
    assert "hold it there again" in trainer.html("/people?fob=gone")


def test_somebody_is_added_with_the_fob_that_was_just_seen(shop: Running, trainer: Person) -> None:
    page = trainer.done("/board/people", full_name="Nina <b>New</b>", email="", expiration_ymd="", fob=hold(shop, NEW))
    assert "Nina &lt;b&gt;New&lt;/b&gt; was added to the users" in said(page)
    assert "<b>New" not in page
    assert "added here, not in the file" in page
    assert "And authorize for <bdi>Größe 100% / Laser #1?</bdi>: laser" in page
    assert trainer.post("/board/people", full_name=" ").status == 422
    assert "No" in said(trainer.done("/board/people", full_name="Noah New"))


def test_what_has_passed_its_last_day_is_not_undone(shop: Running, admin: Person) -> None:
    shop.fleet.users.withdraw("2", "laser", until=(datetime.now(UTC) - timedelta(days=9)).date())
    assert 'name="addition"' not in admin.html("/people/2")
    reply = admin.post("/board/people/2", action="undo", addition=str(shop.fleet.store.last_addition()))
    assert (reply.status, b"nothing to undo" in reply.body) == (409, True)


def test_each_change_can_be_undone_and_says_who_made_it(shop: Running, admin: Person) -> None:
    until = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
    page = admin.done("/board/people/2", action="authorize", value="mill", until=until)
    assert f"until {until}" in said(page)
    assert "by Max, from the board" in page

    def undo(page: str) -> str:
        number = re.search(r'name="addition" value="(\d+)"', page)
        assert number
        return admin.done("/board/people/2", action="undo", addition=number[1])

    for before, after in (
        (page, "is not authorized for mill any more"),
        (admin.done("/board/people/2", action="withdraw", value="laser"), "is authorized for laser"),
        (admin.done("/board/people/2", action="give", code="0:00:77-7"), "counts no more"),
        (admin.done("/board/people/2", action="take", value=ref_of("2222222222")), "was given a fob"),
    ):
        assert after in said(undo(before))
    assert shop.outputs("laser", "2222222222")["relay"] is True
    shop.report("laser")
    for number in ("1", "99999", "x"):
        reply = admin.post("/board/people/2", action="undo", addition=number)
        assert (reply.status, b"nothing to undo" in reply.body) == (409, True)
    page = admin.html("/people/2")
    assert "Größe 100% / Laser #1?" in page
    assert "None in the last 90 days" not in page


def test_what_is_undone_gives_no_more_than_there_was(shop: Running, admin: Person) -> None:
    users, day = shop.fleet.users, datetime.now(UTC).date()

    def until(value: str) -> date | None:
        return next(item.until for item in users.show("2").authorizations if item.value == value)

    def undo() -> Reply:
        written(shop.fleet)
        return admin.post("/board/people/2", action="undo", addition=str(shop.fleet.store.last_addition()))

    soon, later = day + timedelta(days=7), day + timedelta(days=30)
    users.authorize("2", "mill", until=soon)
    users.withdraw("2", "mill")
    assert undo().status == 303
    assert until("mill") == soon
    users.withdraw("2", "mill", until=day + timedelta(days=2))
    assert undo().status == 303
    assert until("mill") == soon
    users.authorize("2", "mill", until=later)
    users.withdraw("2", "mill")
    assert undo().status == 303
    assert until("mill") == later
    # what is of the file comes back for good, though it was once granted for a while, and is over
    users.authorize("2", "tube", until=day - timedelta(days=9))
    users.authorize("2", "tube")
    users.withdraw("2", "tube")
    assert undo().status == 303
    assert until("tube") is None
    users.withdraw("2", "laser")
    assert undo().status == 303
    assert until("laser") is None


def test_a_suspension_is_not_ended_by_undoing_what_came_after_it(shop: Running, admin: Person) -> None:
    users = shop.fleet.users
    users.withdraw("2", "laser", until=datetime.now(UTC).date() + timedelta(days=9))
    users.withdraw("2", "laser")
    written(shop.fleet)
    number = shop.fleet.store.last_addition()
    assert f'name="addition" value="{number}"' not in admin.html("/people/2")
    reply = admin.post("/board/people/2", action="undo", addition=str(number))
    assert (reply.status, b"nothing to undo" in reply.body) == (409, True)
    assert shop.outputs("laser", "2222222222")["relay"] is False


def test_an_account_of_which_a_change_can_not_be_read_is_closed_and_that_is_said(make_server: MakeServer) -> None:
    server = make_server()
    server.fleet.users.withdraw("2", "laser")
    server.stop()
    with closing(sqlite3.connect(server.machines.parent / "state" / DATABASE)) as connection, connection:
        connection.execute("UPDATE addition SET data = '{}'")
    again = make_server()
    assert again.get("/readyz").json["notes"] == {
        "users": "1 change of users can't be read, whose accounts are closed: the log says what to do"
    }
    html = again.get("/people/2", headers=BROWSER).body.decode()
    assert "nobody gets in with this account" in unescape(html)
    assert 'name="addition"' not in html
    assert post_form(again, "/board/people/2", BROWSER, csrf=csrf(html), action="undo", addition="1").status == 409


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"action": "dance"}, 422),
        ({"action": "give", "code": "0"}, 422),
        ({"action": "take", "value": "x"}, 409),
        ({"action": "authorize", "value": "millx"}, 422),
        ({"action": "authorize", "value": "mill", "until": "2020-01-01"}, 422),
        ({"action": "authorize", "value": "mill", "csrf": "x"}, 403),
    ],
)
def test_what_is_wrong_in_a_form_is_said(shop: Running, admin: Person, fields: dict[str, str], status: int) -> None:
    reply = admin.post("/board/people/2", **fields)
    assert reply.status == status
    assert b"<h1>" in reply.body
    assert admin.post("/board/people/nobody", **fields).status in {404, 403}


def test_unknown_fobs_are_told_once_they_change(shop: Running, admin: Person) -> None:
    ref = hold(shop, NEW)
    told = shop.get("/board/fobs", headers={**admin.headers, "Accept": "application/json"})
    assert f"/people?fob={ref}" in told.json["html"]
    assert NEW not in told.json["html"]
    again = admin.get(f"/board/fobs?since={told.json['since']}")
    assert (again.status, again.body) == (204, b"")


def test_a_membership_that_is_over_is_said(make_server: MakeServer) -> None:
    admin = Person(make_server(enforce_expiration=True), Role.ADMIN, "Max")
    assert "The membership is over: no machine starts for them" in admin.html("/people/4")
    assert "Eve Expired</bdi></b> · membership over" in admin.html("/people?q=eve")


def test_a_fob_that_the_file_gives_to_somebody_else_is_said_on_both_pages(shop: Running, admin: Person) -> None:
    admin.done("/board/people/2", action="give", code="777")
    users = json.loads(shop.users.read_text(encoding="utf-8"))
    users[2]["fob_codes"].append("777")
    shop.users.write_text(json.dumps(users), encoding="utf-8")
    assert shop.post("/api/reload", token="s3cret-admin").status == 200
    for path in ("/people/2", "/people/3"):
        assert "Users.json gives the fob ending in &#039;0777&#039; to Olga Oppermann" in admin.html(path)
    assert "Bob Baker" not in admin.html("/people?q=" + "b" * 10_000)


def test_a_search_among_10_000_is_small(make_server: MakeServer) -> None:
    server = make_server()
    people = [
        {
            **json.loads(server.users.read_text(encoding="utf-8"))[1],
            "account_id": str(n),
            "fob_codes": [],
            "full_name": f"Jörg Groß {n}",
        }
        for n in range(10_000)
    ]
    server.users.write_text(json.dumps(people), encoding="utf-8")
    assert server.post("/api/reload?force=1").status == 200
    reply = server.get("/board/people?q=gross+JORG+99", headers=BROWSER)
    assert reply.body.count(b"<li>") == 20
    assert len(reply.body) < 8_000
