"""Reading the files again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes import (
    ANN,
    sample_machines,
    sample_users,
    user,
)
from tests.web.client import Running


def change(server: Running, machines: Any = None, users: Any = None) -> None:
    """Write other configuration files."""
    if machines is not None:
        server.machines.write_text(json.dumps(machines), encoding="utf-8")
    if users is not None:
        server.users.write_text(json.dumps(users), encoding="utf-8")


def test_a_reload_of_the_same_files_changes_nothing(server: Running) -> None:
    assert server.post("/api/reload-users").json == {"removed": 0, "updated": 0, "added": 0}
    assert server.post("/api/reload").json == {
        "users": {"removed": 0, "updated": 0, "added": 0},
        "machines": {"added": [], "changed": [], "removed": []},
        "powered_on": [],
    }


def test_reload_users_counts_and_takes_effect_at_the_next_card(server: Running) -> None:
    assert server.outputs("metal-mill", "5555555555")["display"] == "Unknown RFID"
    users = [*sample_users()[:2], user("5", "Nina New", ["5555555555"], ["mill"])]
    users[1]["authorizations"] = ["laser", "mill"]
    change(server, users=users)
    assert server.post("/api/reload-users").json == {"removed": 2, "updated": 1, "added": 1}
    assert server.outputs("metal-mill", "5555555555")["relay"] is False
    server.outputs("metal-mill")
    assert server.outputs("metal-mill", "5555555555")["relay"] is True


def test_reload_users_leaves_the_machines_alone(server: Running) -> None:
    change(server, machines={**sample_machines(), "new": {"authorizations_or": []}})
    assert server.post("/api/reload-users").status == 200
    assert server.report("new").status == 404
    assert server.post("/api/reload").json["machines"]["added"] == ["new"]
    assert server.report("new").status == 200


def test_reload_says_what_changed_and_whose_power_came_on(server: Running) -> None:
    machines = sample_machines()
    del machines["router"]
    machines["metal-mill"]["always_enabled"] = True
    machines["new"] = {"authorizations_or": ["mill"]}
    change(server, machines)
    assert server.post("/api/reload").json == {
        "users": {"removed": 0, "updated": 0, "added": 0},
        "machines": {"added": ["new"], "changed": ["metal-mill"], "removed": ["router"]},
        "powered_on": ["metal-mill"],
    }
    assert server.outputs("metal-mill")["relay"] is True
    assert server.report("router").status == 404


@pytest.mark.parametrize("path", ["/api/reload", "/api/reload-users"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[{]", ["users.json", "line 1", "column 3"]),
        ("{}", ["users.json", "expected a list"]),
        ('[{"account_id": 5}]', ["users.json", "[0].account_id", "[0].fob_codes"]),
        ("", ["users.json", "line 1"]),
        ("[" * 100_000, ["users.json"]),
        ('[{"account_id": ' + "1" * 5_000 + "}]", ["users.json"]),
        (r'[{"\ud800": 1}]', ["users.json"]),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_reload_of_a_broken_file_changes_nothing(server: Running, path: str, text: str, words: list[str]) -> None:
    before = server.fleet.configuration
    server.users.write_text(text, encoding="utf-8")
    for query in ("", "?force=1"):
        reply = server.post(path + query)
        assert reply.status == 422
        assert all(word in reply.error for word in words), reply.error
    assert server.fleet.configuration is before
    assert server.outputs("metal-mill", ANN)["relay"] is True


def test_a_reload_without_its_file_changes_nothing(server: Running) -> None:
    server.users.unlink()
    reply = server.post("/api/reload")
    assert reply.status == 422
    assert "users.json" in reply.error


@pytest.mark.parametrize("path", ["/api/reload", "/api/reload-users"])
def test_a_users_file_that_lost_more_than_half_of_20_is_a_409(server: Running, path: str) -> None:
    crowd = [user(str(i), f"Member {i}", [str(1000 + i)], ["mill"]) for i in range(20)]
    change(server, users=crowd)
    assert server.post("/api/reload-users?force=1").status == 200
    change(server, users=crowd[:9])
    before = server.fleet.configuration
    for query in ("", "?force=0", "?force=yes", "?force="):
        reply = server.post(path + query)
        assert reply.status == 409
        assert "force=1" in reply.error
        assert "11 of 20" in reply.error
    assert server.fleet.configuration is before
    change(server, users=crowd[:10])
    assert server.post(path).status == 200
    change(server, users=crowd)
    server.post(path)
    change(server, users=[])
    assert server.post(f"{path}?force=1").status == 200


def test_a_machine_on_which_a_session_runs_is_not_removed(server: Running) -> None:
    server.outputs("metal-mill", ANN)
    machines = sample_machines()
    del machines["metal-mill"]
    change(server, machines)
    reply = server.post("/api/reload")
    assert reply.status == 409
    assert "metal-mill" in reply.error
    assert "force=1" in reply.error
    assert server.outputs("metal-mill", ANN)["relay"] is True
    assert server.post("/api/reload?force=1").json["machines"]["removed"] == ["metal-mill"]
    assert server.report("metal-mill", ANN).status == 404
    assert server.events("?limit=1")[0]["kind"] == "session_ended"


def test_a_force_that_is_not_utf_8_is_no_500(server: Running) -> None:
    assert server.post("/api/reload?force=%FF").status < 500
