"""Keys of readers: reports and replies that are signed, and the admins' calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mac_actors import clock
from mac_actors.settings import Tokens
from tests.conftest import MakeServer
from tests.fakes import ANN, BOB, RecordingChat, wait_until, written
from tests.web.api.conftest import READER, TOKEN
from tests.web.client import REPLY_KEYS, Reply, Running, report_body
from tests.web.signed import FIRMWARE, SignedReader, headers, sign


def add(server: Running, machine: str = "metal-mill", **options: Any) -> str:
    """Give a machine's reader a key."""
    reply = server.post(f"/api/reader/{machine}/key", {"by": "Max", "source": "cli"}, **options)
    assert reply.status == 200, reply
    return str(reply.json["key"])


def rotate(server: Running, machine: str = "metal-mill") -> str:
    reply = server.request("PUT", f"/api/reader/{machine}/key", {"by": "Max", "source": "cli"})
    assert reply.status == 200, reply
    return str(reply.json["key"])


def key_state(server: Running, machine: str = "metal-mill", **options: Any) -> Any:
    readers = server.get("/api/readers", **options).json["readers"]
    return next(reader["key"] for reader in readers if reader["machine"] == machine)


def is_refused(reply: Reply) -> bool:
    return reply.status == 401 and bool(reply.error)


@pytest.fixture
def reader(server: Running) -> SignedReader:
    """The reader of the metal mill, which has a key."""
    return SignedReader(server, "metal-mill", add(server))


def test_a_reader_with_a_key_works_as_any_other(reader: SignedReader, server: Running) -> None:
    assert reader.outputs(ANN)["relay"] is True
    assert server.machine("metal-mill")["status"] == "in_use"
    assert reader.outputs("")["relay"] is False
    assert reader.outputs("", oops=True)["oops_led"] is True
    assert server.machine("metal-mill")["oops"]["source"] == "button"


def test_a_key_is_256_bits_and_another_one_each_time(server: Running) -> None:
    keys = {add(server), add(server, "laser"), rotate(server)}
    assert len(keys) == 3
    assert {len(bytes.fromhex(key)) for key in keys} == {32}


def test_shops_without_keys_stay_as_they_are(reader: SignedReader, server: Running) -> None:
    assert server.outputs("laser", ANN)["relay"] is True
    answer = server.report("laser", ANN, firmware=FIRMWARE, nonce="x").json
    assert set(answer) == {*REPLY_KEYS, "always_on"}
    assert "X-MAC-Signature" not in server.report("laser", ANN).headers


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("0" * 64, id="made-up"),
        pytest.param("\xfc" * 64, id="no-ASCII"),
        pytest.param("other", id="of-another-body"),
        pytest.param("laser", id="with-another-machine's-key"),
    ],
)
def test_a_report_without_the_key_changes_nothing_and_says_what_is_missing(
    make_server: MakeServer, signature: str | None
) -> None:
    chat = RecordingChat()
    server = make_server(chat, tokens=Tokens(TOKEN, READER))
    key, other = (add(server, machine, token=TOKEN) for machine in ("metal-mill", "laser"))
    body = json.dumps(report_body("metal-mill", ANN, oops=True, firmware=FIRMWARE)).encode()
    head = {"other": headers(key, body + b" "), "laser": headers(other, body)}.get(
        signature or "", {} if signature is None else {"X-MAC-Signature": signature}
    )
    for _ in range(2):
        reply = server.post("/api/machine/update", body, headers=head, token=READER)
        assert reply.status == 401
        assert "X-MAC-Signature" in reply.error
        assert "X-MAC-Signature" not in reply.headers
    machine = server.machine("metal-mill")
    assert (machine["status"], machine["last_checkin"]) == ("idle", None)
    assert "X-MAC-Signature" in machine["refused"]
    wait_until(lambda: sum("refused, so it can't be stopped" in post.text for post in chat.posts) == 1)


def test_the_signature_is_looked_at_before_anything_else(reader: SignedReader, server: Running) -> None:
    for body in (report_body("metal-mill", oops=7), {"machine_name": "metal-mill"}):
        assert is_refused(server.post("/api/machine/update", body))
    assert server.post("/api/machine/update", b"{").status == 400
    assert reader.send("", uptime="x").status == 422
    assert "firmware: is required" in reader.send(firmware=None).error


def test_a_reader_with_a_key_needs_the_token_of_all_readers_too(make_server: MakeServer) -> None:
    server = make_server(tokens=Tokens(TOKEN, READER))
    body = json.dumps(report_body("metal-mill", firmware=FIRMWARE)).encode()
    head = headers(add(server, token=TOKEN), body)
    assert "MAC_READER_TOKEN" in server.post("/api/machine/update", body, headers=head).error
    assert server.post("/api/machine/update", body, headers=head, token=READER).status == 200


def test_a_signed_report_for_a_machine_without_a_key_is_refused(server: Running) -> None:
    """It is another one's, or was revoked: its reader would not take the unsigned reply."""
    reply = SignedReader(server, "metal-mill", "0" * 64).send(ANN)
    assert "no key of metal-mill" in reply.error
    assert SignedReader(server, "no-such-machine", "0" * 64).send().status == 404


def test_a_recorded_report_starts_nothing_and_stops_nothing(reader: SignedReader, server: Running) -> None:
    reader.outputs(ANN)
    card_in = reader.sent
    reader.outputs("")
    card_out, reader.sent = reader.sent, card_in
    again = reader.send_again().json
    assert (again["applied"], again["relay"]) == (False, False)
    assert server.machine("metal-mill")["status"] == "idle"
    reader.outputs(ANN)
    before = server.machine("metal-mill")
    reader.sent = card_out
    assert reader.send_again().json["applied"] is False
    assert server.machine("metal-mill") == before
    assert reader.send(ANN).json["relay"] is True  # whoever repeats old ones does not disturb the reader


def test_a_nonce_counts_once(reader: SignedReader, server: Running) -> None:
    reader.outputs()
    used = reader.nonce
    assert "applied" not in reader.send("").json
    answer = reader.send(ANN).json
    assert (answer["applied"], answer["relay"]) == (False, False)
    assert answer["nonce"] != used
    assert server.machine("metal-mill")["status"] == "idle"


def test_a_nonce_is_good_for_a_minute(reader: SignedReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that somebody holds back on its way does not count hours later."""
    reader.outputs()
    seconds = clock.seconds
    monkeypatch.setattr(clock, "seconds", lambda: seconds() + 61)
    answer = reader.send(ANN).json
    assert answer["applied"] is False
    assert answer["nonce"] != reader.nonce


def test_after_a_restart_of_the_server_the_reader_is_given_a_new_nonce(make_server: MakeServer) -> None:
    server = make_server()
    reader = SignedReader(server, "metal-mill", add(server))
    reader.outputs(ANN)
    server.stop()
    reader.server = make_server()
    answer = reader.send(ANN).json
    assert (answer["applied"], answer["relay"], answer["display"]) == (False, True, "Welcome,\nAnn")
    assert reader.outputs(ANN)["relay"] is True
    assert reader.server.machine("metal-mill")["status"] == "in_use"


@pytest.mark.parametrize(
    ("machine", "fob", "fields", "relay"),
    [
        ("metal-mill", ANN, {}, True),
        ("metal-mill", BOB, {}, False),
        ("metal-mill", "", {}, False),
        ("metal-mill", ANN, {"oops": True}, False),
        ("metal-mill", ANN, {"boot": 2}, False),
        ("vent", BOB, {}, True),
        ("vent", ANN, {"oops": True}, False),
        ("vent", ANN, {"boot": 2}, False),
    ],
)
def test_a_reply_to_a_report_that_does_not_count_keeps_power_only_where_the_report_has_nothing_against_it(
    server: Running, machine: str, fob: str, fields: dict[str, Any], relay: bool
) -> None:
    reader = SignedReader(server, machine, add(server, machine))
    assert reader.outputs(ANN)["relay"] is True
    reader.nonce = "an old one"
    answer = reader.send(fob, **fields).json
    assert (answer["applied"], answer["relay"]) == (False, relay)
    assert answer["second_relay"] <= answer["relay"]
    assert server.machine(machine)["relay"] is True


def test_two_boards_with_one_key_are_noticed_and_start_nothing(make_server: MakeServer) -> None:
    chat = RecordingChat()
    server = make_server(chat)
    key = add(server)
    boards = [SignedReader(server, "metal-mill", key, boot) for boot in (1, 2)]
    for _ in range(5):
        for board in boards:
            board.outputs()
    wait_until(lambda: any("two boards report under the name" in post.text for post in chat.posts))
    assert boards[0].outputs(ANN)["relay"] is False


def test_a_replaced_board_with_the_same_key_goes_on(reader: SignedReader, server: Running) -> None:
    reader.outputs(ANN)
    new = SignedReader(server, "metal-mill", reader.key, boot=2)
    assert new.outputs(ANN)["relay"] is False  # its card must be put in again
    new.outputs()
    assert new.outputs(ANN)["relay"] is True


def test_while_a_key_rotates_both_are_good_until_the_new_one_is_used(make_server: MakeServer) -> None:
    server = make_server()
    old = SignedReader(server, "metal-mill", add(server))
    old.outputs()
    lost = SignedReader(server, "metal-mill", rotate(server))
    new = SignedReader(server, "metal-mill", rotate(server))
    assert key_state(server)["rotating_since"] is not None
    assert old.outputs(ANN)["relay"] is True
    assert is_refused(lost.send())
    new.outputs()
    assert is_refused(old.send())
    state = key_state(server)
    assert state["rotating_since"] is None
    assert state["last_used"] is not None
    server.stop()
    old.server = new.server = make_server()
    assert is_refused(old.send())
    new.outputs()


def test_a_revoked_key_is_no_key(reader: SignedReader, server: Running) -> None:
    reader.outputs()
    assert server.delete("/api/reader/metal-mill/key", {"by": "Max"}).json == {"success": True}
    assert is_refused(reader.send(ANN))
    assert server.outputs("metal-mill", ANN)["relay"] is True
    assert key_state(server) is None
    assert add(server) != reader.key


def test_keys_outlast_a_restart(make_server: MakeServer) -> None:
    server = make_server()
    reader = SignedReader(server, "metal-mill", add(server))
    state = key_state(server)
    assert state["last_used"] is None
    reader.outputs()
    server.stop()
    reader.server = make_server()
    reader.outputs()
    later = key_state(reader.server)
    assert later["since"] == state["since"]
    assert later["last_used"] == reader.server.machine("metal-mill")["last_checkin"]


@pytest.mark.parametrize(("method", "hint"), [("POST", "has a key already"), ("PUT", "add one"), ("DELETE", "add one")])
def test_what_can_not_be_done_is_refused_and_changes_nothing(server: Running, method: str, hint: str) -> None:
    key = add(server) if method == "POST" else ""
    reply = server.request(method, "/api/reader/metal-mill/key")
    assert reply.status == 409
    assert hint in reply.error
    if key:
        SignedReader(server, "metal-mill", key).outputs()
    assert server.request(method, "/api/reader/no-such-machine/key").status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET"])
def test_keys_are_the_admins_business(make_server: MakeServer, method: str) -> None:
    server = make_server(tokens=Tokens(TOKEN, READER))
    path = "/api/readers" if method == "GET" else "/api/reader/metal-mill/key"
    assert is_refused(server.request(method, path, token=READER))
    assert key_state(server, token=TOKEN) is None


def test_admins_are_told_of_each_change_but_not_the_key(
    make_server: MakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    chat = RecordingChat()
    server = make_server(chat)
    with caplog.at_level("DEBUG"):
        keys = [add(server), rotate(server)]
        server.delete("/api/reader/metal-mill/key", {"by": "Max"})
        wait_until(lambda: sum("its reader" in post.text for post in chat.posts) == 3)
    said = [post.text for post in chat.posts if "its reader" in post.text]
    assert ["by Max" in line for line in said] == [True] * 3
    written(server.fleet)
    everything = "\n".join(said) + caplog.text + server.get("/api/readers").body.decode()
    for key in keys:
        assert key not in everything
        assert sign(key, b"") not in everything


def test_a_machine_is_found_by_its_alias(server: Running) -> None:
    reply = server.post("/api/reader/METAL%20MILL/key")
    assert reply.status == 200
    assert reply.json["machine"] == "metal-mill"
