"""Readers that go on without the server: their lists, and what they tell afterwards."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mac_actors.slack.status import machine_lines
from tests.conftest import Here, MakeServer
from tests.fakes import ANN, BOB, EVE, NOBODY, OLGA, RecordingChat, hanging_disk, sample_machines, wait_until
from tests.web.client import REPLY_KEYS, Reply, Running
from tests.web.signed import FIRMWARE, SignedReader, headers, sign

RULES = {"after_seconds": 30, "list": True, "on_loss": "off"}


def configure(server: Running, offline: object, machine: str = "metal-mill") -> None:
    """Set what the reader of the machine does without the server."""
    machines = sample_machines()
    if offline:
        machines[machine]["offline"] = offline
    server.machines.write_text(json.dumps(machines), encoding="utf-8")
    assert server.post("/api/reload").status == 200


def signed(server: Running, machine: str = "metal-mill") -> SignedReader:
    """Give the machine's reader a key."""
    return SignedReader(server, machine, server.post(f"/api/reader/{machine}/key", {}).json["key"])


def told(reader: SignedReader, fob: str = "", **fields: Any) -> dict[str, Any]:
    """Report with the newest nonce; return the answer."""
    for _ in range(2):
        answer: dict[str, Any] = reader.send(fob, **fields).json
        reader.nonce = answer["nonce"]
        if answer.get("applied", True):
            return answer
    raise AssertionError("a report with the newest nonce counts")


def fetch(reader: SignedReader) -> dict[str, Any]:
    """Fetch the list; its signature is checked."""
    head = headers(reader.key, b"")
    reply = reader.server.get(f"/api/reader/{reader.machine}/list", headers=head)
    assert reply.status == 200, reply
    assert reply.headers["X-MAC-Signature"] == sign(reader.key, head["X-MAC-Signature"].encode() + reply.body)
    fetched: dict[str, Any] = reply.json
    return fetched


def marks(reader: SignedReader, *fobs: str) -> list[str]:
    return sorted(sign(reader.key, fob.encode())[:12] for fob in fobs)


@pytest.fixture
def chat() -> RecordingChat:
    return RecordingChat()


@pytest.fixture
def reader(make_server: MakeServer, chat: RecordingChat) -> SignedReader:
    """The reader of the metal mill, which keeps a list."""
    server = make_server(chat)
    configure(server, RULES)
    return signed(server)


def test_people_are_told_what_a_reader_does_by_itself_and_by_which_list(
    reader: SignedReader, here: Here, tmp_path: Path
) -> None:
    server = reader.server

    def shown() -> tuple[str, str, str]:
        """Return what the command, Slack and the page say."""
        command = here("status", "metal-mill", "--url", server.url, cwd=tmp_path).stdout.splitlines()[-1]
        slack = machine_lines(server.fleet.snapshot("metal-mill"), datetime.now(UTC))[-1]
        return command, slack, server.get("/machines/metal-mill").body.decode()

    for text in shown():
        assert "has a key; without the server after 30 s: it has no list yet, it is switched off" in text
    told(reader, list=1795030741512)
    for text in shown():
        assert ", has a key; without the server after 30 s: list 1795030741512 may start it, it is switched off" in text
    machine = server.machine("metal-mill")
    assert (machine["offline"], machine["telemetry"]["list_revision"]) == (
        {**RULES, "after_seconds": 30.0},
        1795030741512,
    )
    configure(server, None)
    told(reader)
    assert all("without the server" not in text for text in shown())
    machine = server.machine("metal-mill")
    assert "offline" not in machine
    assert "list_revision" not in machine["telemetry"]


# the list


def test_a_list_has_the_marks_of_those_who_may_run_the_machine(reader: SignedReader) -> None:
    fetched = fetch(reader)
    assert set(fetched) == {"machine", "revision", "lifetime_seconds", "oops", "lock", "fobs"}
    assert sorted(fetched["fobs"]) == marks(reader, ANN, EVE), "expiry is not enforced"
    assert (fetched["machine"], fetched["oops"], fetched["lock"]) == ("metal-mill", False, False)
    assert fetched["lifetime_seconds"] == 24 * 3600
    assert told(reader)["list"] == fetched["revision"]


def test_its_revision_rises_when_what_it_says_changes_and_only_then(reader: SignedReader) -> None:
    server = reader.server
    first = told(reader)["list"]
    assert server.post("/api/reload").status == 200
    assert told(reader, ANN)["list"] == told(reader, list=first)["list"] == first
    seen = [first]
    for path in ("oops", "locked_out", "clear"):
        assert server.post(f"/api/machine/{path}/metal-mill").status == 200
        seen.append(told(reader)["list"])
        fetched = fetch(reader)
        assert fetched["revision"] == seen[-1]
        assert (fetched["oops"], fetched["lock"]) == (path in {"oops", "locked_out"}, path == "locked_out")
        assert bool(fetched["fobs"]) is (path == "clear")
    users = json.loads(server.users.read_text(encoding="utf-8"))
    server.users.write_text(json.dumps(users[1:]), encoding="utf-8")
    assert server.post("/api/reload-users").status == 200
    assert fetch(reader)["fobs"] == marks(reader, EVE)
    seen.append(told(reader)["list"])
    assert seen == sorted(set(seen)), "each is newer than the one before"


def test_a_membership_that_ends_is_no_longer_in_it(make_server: MakeServer) -> None:
    server = make_server(enforce_expiration=True)
    configure(server, RULES)
    reader = signed(server)
    assert fetch(reader)["fobs"] == marks(reader, ANN)


@pytest.mark.parametrize("rules", [None, {}, {"list": False}])
def test_where_no_list_is_wanted_there_is_none(reader: SignedReader, rules: object) -> None:
    configure(reader.server, rules)
    assert set(told(reader)) == {*REPLY_KEYS, "always_on", "nonce"}
    reply = reader.server.get("/api/reader/metal-mill/list", headers=headers(reader.key, b""))
    assert reply.status == 404
    assert reply.error == "metal-mill has no list: it needs 'offline.list' in machines.json, and a key"


def test_nobody_else_gets_a_list(reader: SignedReader) -> None:
    server = reader.server
    other = signed(server, "laser")

    def asked(name: str, **head: str) -> Reply:
        return server.get(f"/api/reader/{name}/list", headers=head)

    assert asked("metal-mill").status == 401
    assert asked("metal-mill", **{"X-MAC-Signature": "0" * 64}).status == 401
    assert asked("metal-mill", **headers(other.key, b"")).status == 401
    assert asked("router", **headers(reader.key, b"")).status == 401
    assert asked("router").status == 404
    assert asked("nothing", **headers(reader.key, b"")).error == "No such machine: nothing"


def test_what_a_reader_does_without_the_server_is_said_in_each_reply(reader: SignedReader) -> None:
    rules = {"after_seconds": 30.0, "on_loss": "off", "taken": []}
    assert told(reader)["offline"] == rules
    assert reader.server.report("router", firmware=FIRMWARE).json.keys() == {*REPLY_KEYS, "always_on"}
    configure(reader.server, {"on_loss": "off"}, "router")
    said = reader.server.report("router", firmware=FIRMWARE).json
    assert said["offline"] == {"after_seconds": 60.0, "on_loss": "off", "taken": []}
    assert "list" not in said, "it has no key"
    assert reader.server.report("router").json.keys() == REPLY_KEYS


# sessions


def alone(number: int = 1, fob: str = ANN, started: float = 400, ended: float = 700) -> dict[str, Any]:
    return {"id": number, "fob": fob, "started": started, "ended": ended}


def journaled(server: Running) -> list[tuple[str, Any, Any]]:
    """Return the sessions of readers alone: who, when, how long."""
    return [
        (event["text"], event["at"], event["seconds"])
        for event in server.events("?details=1&kind=session_ended&limit=1000")
        if event["outcome"]["ended"]["kind"] == "offline"
    ]


def test_a_session_without_the_server_is_in_the_journal_once_and_said_once(
    reader: SignedReader, chat: RecordingChat
) -> None:
    assert told(reader, offline=[alone()], uptime=1000)["offline"]["taken"] == [1]
    assert told(reader, offline=[alone(), alone(2, "0" + ANN, 750, 760.5)], uptime=1010)["offline"]["taken"] == [1, 2]
    assert told(reader, offline=[alone()], uptime=1020)["offline"]["taken"] == [1]
    assert [seconds for _, _, seconds in journaled(reader.server)] == [10.5, 300]
    assert reader.server.machine("metal-mill")["status"] == "idle"

    def lines() -> list[str]:
        return [post.text for post in chat.posts if "offline" in post.text]

    wait_until(lambda: len(lines()) == 2)
    assert lines()[0].startswith("Metal Mill: Ann Able's offline session ended after 5 min (without the server, from ")
    used = reader.server.get("/api/usage").json["machines"]
    assert [(one["sessions"], one["seconds"]) for one in used if one["machine"] == "metal-mill"] == [(2, 310.5)]


def test_it_is_there_once_also_over_a_restart_of_the_server(make_server: MakeServer) -> None:
    first = make_server()
    configure(first, RULES)
    reader = signed(first)
    assert told(reader, offline=[alone()])["offline"]["taken"] == [1]
    first.stop()
    reader.server = make_server()
    assert told(reader, offline=[alone(), alone(2, BOB)])["offline"]["taken"] == [1, 2]
    assert len(journaled(reader.server)) == 2


def test_one_whose_report_does_not_count_is_told_again(reader: SignedReader) -> None:
    answer = reader.send(offline=[alone()]).json
    assert (answer["applied"], answer["offline"]["taken"]) == (False, [])
    assert journaled(reader.server) == []


def test_one_that_is_not_on_disk_yet_is_told_again_and_still_there_once(
    make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server(commit_budget=0.01)
    configure(server, RULES)
    reader = signed(server)
    told(reader)
    with hanging_disk(monkeypatch):
        assert told(reader, offline=[alone()])["offline"]["taken"] == []
        assert told(reader, offline=[alone()])["offline"]["taken"] == []
    wait_until(lambda: told(reader, offline=[alone()])["offline"]["taken"] == [1])
    assert len(journaled(server)) == 1


def test_what_cannot_be_is_refused_by_name_and_once(reader: SignedReader, chat: RecordingChat) -> None:
    wrong = [
        alone(1, NOBODY),
        alone(2, ended=399),
        alone(3, ended=5000),
        {"id": 4, "fob": ANN},
        {"id": 5, "fob": 7, "started": "x", "ended": None},
        {"fob": ANN, "started": 1, "ended": 2},
        {"id": -1, "fob": ANN, "started": 1, "ended": 2},
        {"id": "1", "fob": ANN, "started": 1, "ended": 2},
        {},
        alone(6, OLGA),
    ]
    for _ in range(2):
        assert told(reader, offline=wrong)["offline"]["taken"] == [1, 2, 3, 4, 5, 6]
    assert len(journaled(reader.server)) == 1

    def lines() -> list[str]:
        return [
            post.text.partition("offline session ")[2] for post in chat.posts if "is not in the journal" in post.text
        ]

    wait_until(lambda: len(lines()) == 5)
    assert lines() == [
        "1 of its reader is not in the journal: its fob (ending in 9999) is unknown.",
        "2 of its reader is not in the journal: its times can't be.",
        "3 of its reader is not in the journal: its times can't be.",
        "4 of its reader is not in the journal: started: is required; ended: is required.",
        "5 of its reader is not in the journal: "
        + "; ".join(["fob: expected a string", *(f"{key}: expected a number or null" for key in ("started", "ended"))])
        + ".",
    ]


def test_of_too_many_in_one_report_the_first_are_taken(reader: SignedReader) -> None:
    many = [alone(number) for number in range(150)]
    assert told(reader, offline=many)["offline"]["taken"] == list(range(100))
    assert told(reader, offline=many[100:])["offline"]["taken"] == list(range(100, 150))
    assert len(journaled(reader.server)) == 150


def test_a_reader_without_a_key_or_a_boot_is_not_believed(reader: SignedReader) -> None:
    reply = reader.server.report("router", firmware=FIRMWARE, boot=1, count=1, offline=[alone()])
    assert reply.status == 200
    assert "offline" not in reply.json
    assert told(reader, offline=[alone()], boot=None)["offline"]["taken"] == []
    assert journaled(reader.server) == []


def test_names_are_hidden_in_them_as_in_others(reader: SignedReader) -> None:
    told(reader, offline=[alone()])
    (event,) = (event for event in reader.server.events() if event["kind"] == "session_ended")
    assert event["user"] is None
    assert event["text"].startswith("Metal Mill: a member's offline session ended")


def test_the_machine_says_how_old_its_readers_list_is(reader: SignedReader) -> None:
    revision = fetch(reader)["revision"]
    told(reader, list=revision)
    assert reader.server.fleet.snapshot("metal-mill").telemetry.list_revision == revision
