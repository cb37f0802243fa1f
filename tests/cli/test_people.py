"""The commands for users and admins, against a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mac_actors.fleet.people.logins import Role
from mac_actors.settings.files import parse
from tests.conftest import Here, MakeServer
from tests.fakes import NOBODY, hanging_disk, sample_machines, sample_users
from tests.web.client import Running

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def server(make_server: MakeServer) -> Running:
    return make_server()


@pytest.fixture
def run(server: Running, here: Here, tmp_path: Path) -> Run:
    def go(*arguments: str) -> tuple[int, str]:
        done = here(*arguments, cwd=tmp_path, MAC_URL=server.url, COLUMNS="200")
        return done.returncode, "\n".join(line.rstrip() for line in (done.stdout + done.stderr).splitlines())

    return go


def test_a_user_is_added_changed_and_shown(server: Running, run: Run) -> None:
    server.outputs("router", NOBODY)
    code, said = run(
        "users", "add", "Zoë Zimmer", "--email", "zoe@example.org", "--expires", "2099-03-31", "--by", "Tina"
    )
    (zoe,) = server.fleet.users.find("zoe")
    assert (code, said.splitlines()[:2]) == (
        0,
        [
            f"Zoë Zimmer is added, with the account id {zoe.account_id}.",
            f"Zoë Zimmer ({zoe.account_id}, added at the server, member until 2099-03-31, zoe@example.org)",
        ],
    )
    assert run("users", "fob", "Zoë Zimmer", "--seen-at", "router") == (0, "Zoë Zimmer has the fob.")
    assert run("users", "fob", "Zoë Zimmer", NOBODY) == (0, "Zoë Zimmer has the fob already; nothing was changed.")
    assert run("users", "authorize", "zoe@example.org", "router", "--until", "2099-01-31", "--reason", "course") == (
        0,
        "Zoë Zimmer is authorized for router until 2099-01-31.",
    )
    assert run("users", "withdraw", "2", "laser") == (0, "Bob Baker is not authorized for laser.")
    assert run("users", "fob", "2", "2222222222", "--take") == (0, "The fob counts no more for Bob Baker.")
    server.fleet.users.give_fob("2", "77")
    file = [user | {"fob_codes": ["77"]} if user["account_id"] == "1" else user for user in sample_users()]
    server.fleet.reload(parse(sample_machines(), file), machines=False)
    assert run("users", "fob", "1", "77", "--take") == (
        0,
        "The fob counts no more for Ann Able.\nNor for Bob Baker (2), to whom it was given at the server.",
    )
    shown = run("users", "show", "2")[1]
    assert "fob taken away  2222222222  addition" in shown
    assert "withdrawn       laser       addition" in shown
    assert "router (until 2099-01-31)" in run("users", "find", "zoe")[1]
    assert run("users", "find", "nobody at all") == (0, "Nobody is found.")
    assert json.loads(run("users", "find", "--json")[1])["users"][0]["full_name"] == "Ann Able"
    assert json.loads(run("users", "show", "2", "--json")[1])["account_id"] == "2"
    (event, *_) = server.events()
    assert event["source"] == "cli"


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("fob", "2", "1234567"), 1, "this fob is Ann Able's (1)"),
        (("fob", "2"), 2, "Say which fob"),
        (("fob", "2", "1", "--seen-at", "laser"), 2, "Say which fob"),
        (("fob", "2", "--seen-at", "laser", "--take"), 2, "Say which fob"),
        (("authorize", "2", "mil"), 1, "did you mean 'mill'"),
        (("authorize", "2", "mill", "--until", "soon"), 2, "'soon' is no day: write one like 2026-07-01, 1.7.2026"),
        (("authorize", "Bo", "mill"), 1, "No such user: Bo. It may be 2 (Bob Baker)"),
        (("show", ""), 1, "No such user"),
    ],
)
def test_what_can_not_be_is_said(run: Run, arguments: tuple[str, ...], code: int, text: str) -> None:
    done, said = run("users", *arguments)
    assert done == code
    assert text in said


def test_personal_tokens_and_sessions_are_made_listed_and_ended(server: Running, run: Run) -> None:
    assert run("admins", "list")[1].startswith("Nobody has a personal token")
    assert run("admins", "sessions") == (0, "Nobody is logged in on the board.")
    code, said = run("admins", "add", "Olga", "--by", "Max")
    token = said.splitlines()[0]
    assert code == 0
    assert server.fleet.logins.admin(token) == "Olga"
    assert "Olga" in run("admins", "list")[1]
    assert json.loads(run("admins", "list", "--json")[1])["admins"][0]["by"] == "Max"
    assert run("admins", "add", "olga")[0] == 1
    _, session = server.fleet.logins.open(Role.TOKEN, "Max")
    assert "MAC_ADMIN_TOKEN" in run("admins", "sessions")[1]
    assert json.loads(run("admins", "sessions", "--json")[1])["sessions"][0]["id"] == session.id
    assert run("admins", "end", session.id) == (0, f"The session {session.id} is over.")
    assert run("admins", "end", session.id)[0] == 1
    assert run("admins", "revoke", "Olga") == (0, "Olga has no personal token any more.")
    assert run("admins", "revoke", "Olga")[0] == 1


def test_that_a_change_is_not_on_disk_is_said(
    make_server: MakeServer, here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server(commit_budget=0.05)
    server.fleet.logins.add_admin("Olga", None)[1].wait(20)
    with hanging_disk(monkeypatch):
        for command in (("users", "authorize", "2", "mill"), ("admins", "revoke", "Olga")):
            assert "not on disk yet" in here(*command, cwd=tmp_path, MAC_URL=server.url).stdout
