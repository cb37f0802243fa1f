"""The readers' endpoint: ``POST /api/machine/update``."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from mac_actors.fleet.supervisor import SAVE_TURNS
from tests.conftest import MakeServer
from tests.fakes import ANN, BOB, EVE, NOBODY, OLGA, written
from tests.web.client import REPLY_KEYS, Running


def test_an_idle_machine_answers_exactly_the_six_keys(server: Running) -> None:
    reply = server.report("metal-mill")
    assert reply.status == 200
    assert reply.json == {
        "relay": False,
        "display": "Please Insert\nRFID Card",
        "oops_led": False,
        "status_led_rgb": [0.0, 0.0, 0.0],
        "status_led_brightness": 0.0,
        "second_relay": False,
    }
    assert list(reply.json) == [
        "relay",
        "display",
        "oops_led",
        "status_led_rgb",
        "status_led_brightness",
        "second_relay",
    ]


@pytest.mark.parametrize(
    ("machine", "fob", "relay", "second", "display"),
    [
        ("metal-mill", ANN, True, False, "Welcome,\nAnn"),
        ("metal-mill", BOB, False, False, "Unauthorized"),
        ("metal-mill", NOBODY, False, False, "Unknown RFID"),
        ("metal-mill", EVE, True, False, "Welcome,\nEve"),
        ("laser", ANN, True, True, "Welcome,\nAnn"),
        ("laser", BOB, True, False, "Welcome,\nBob"),
        ("bandsaw", BOB, True, True, "Welcome,\nBob"),
        ("vent", "", True, True, "Always On"),
        ("vent", NOBODY, True, True, "Always On"),
    ],
)
def test_a_card_gets_what_the_configuration_says(
    idle_server: Running, machine: str, fob: str, relay: bool, second: bool, display: str
) -> None:
    outputs = idle_server.outputs(machine, fob)
    assert (outputs["relay"], outputs["second_relay"], outputs["display"]) == (relay, second, display)
    assert idle_server.machine(machine)["relay"] is relay


def test_an_expired_member_is_refused_where_expiry_is_enforced(make_server: MakeServer) -> None:
    running = make_server(enforce_expiration=True)
    outputs = running.outputs("metal-mill", EVE)
    assert outputs["relay"] is False
    assert outputs["display"] == "Membership\nexpired"


@pytest.mark.parametrize("sent", ["1234567", "01234567", "0001234567"])
def test_a_fob_without_its_leading_zeroes_is_padded(idle_server: Running, sent: str) -> None:
    assert idle_server.outputs("metal-mill", sent)["relay"] is True


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_fob_and_null_are_no_card(idle_server: Running, empty: str | None) -> None:
    assert idle_server.outputs("metal-mill", ANN)["relay"] is True
    outputs = idle_server.outputs("metal-mill", empty)
    assert outputs["relay"] is False
    assert outputs["display"] == "Please Insert\nRFID Card"


def test_the_oops_button_oopses_and_holding_it_says_it_once(server: Running) -> None:
    server.outputs("metal-mill", ANN)
    for _ in range(3):
        outputs = server.outputs("metal-mill", ANN, oops=True)
        assert outputs["relay"] is False
        assert outputs["oops_led"] is True
        assert outputs["display"] == "Oops!! Please\ncheck/post Slack"
        assert outputs["status_led_rgb"] == [1.0, 0.0, 0.0]
        assert outputs["status_led_brightness"] == 0.5
    machine = server.machine("metal-mill")
    assert machine["status"] == "oopsed"
    assert machine["oops"]["source"] == "button"
    assert [e["kind"] for e in server.events("?kind=oops_set")] == ["oops_set"]


def test_an_override_card_runs_an_oopsed_machine(server: Running) -> None:
    server.outputs("metal-mill", oops=True)
    outputs = server.outputs("metal-mill", OLGA)
    assert outputs["relay"] is True
    assert outputs["display"] == "OVERRIDE BY\nOlga"
    assert server.machine("metal-mill")["status"] == "oopsed"


@pytest.mark.parametrize("called", ["Metal Mill", "METAL-MILL", " metal-mill", "metal-mill ", ""])
def test_a_reader_must_use_the_exact_name(idle_server: Running, called: str) -> None:
    reply = idle_server.report(called)
    assert reply.status == 404
    assert reply.error == f"No such machine: {called}"


def test_a_fob_is_the_same_however_the_reader_writes_it(server: Running) -> None:
    for code in (ANN, f"{ANN}\r\n", ANN.lstrip("0"), f"00{ANN}", f"\x00 {ANN}\x00", "01-23-45-67", "0123:4567"):
        assert server.outputs("metal-mill", code)["relay"] is True, code
    kinds = [event["kind"] for event in server.events()]
    assert (kinds.count("session_started"), kinds.count("session_ended")) == (1, 0)
    for nothing in ("", None, "0", "0000000000", "\r\n"):
        assert server.outputs("metal-mill", nothing)["display"] == "Please Insert\nRFID Card"


def test_an_unknown_machine_is_named_in_the_404(idle_server: Running) -> None:
    reply = idle_server.report("nope")
    assert reply.status == 404
    assert reply.json == {"error": "No such machine: nope"}


def test_an_endless_unknown_name_makes_an_answer_that_a_reader_can_hold(idle_server: Running) -> None:
    reply = idle_server.report("x" * 10_000)
    assert reply.status == 404
    assert len(reply.body) <= 1024


def test_the_first_report_of_real_firmware_is_all_null(server: Running) -> None:
    outputs = server.outputs(
        "metal-mill", uptime=None, wifi_signal_db=None, wifi_signal_percent=None, internal_temperature_c=None
    )
    assert outputs["display"] == "Please Insert\nRFID Card"
    telemetry = server.machine("metal-mill")["telemetry"]
    assert telemetry == {
        "uptime": None,
        "wifi_signal_db": None,
        "wifi_signal_percent": None,
        "internal_temperature_c": None,
        "amps": 0.0,
        "second_relay_state": None,
    }


def test_only_the_four_required_fields_are_needed(server: Running) -> None:
    body = {"machine_name": "metal-mill", "oops": False, "rfid_value": "", "uptime": 3}
    reply = server.post("/api/machine/update", body)
    assert reply.status == 200
    assert set(reply.json) == REPLY_KEYS


def test_unknown_fields_of_newer_firmware_are_ignored(server: Running) -> None:
    assert server.report("metal-mill", brand_new={"a": [1]}).status == 200


def test_what_a_reader_says_of_itself_is_shown(server: Running) -> None:
    server.outputs("laser", uptime=77, amps=3.5, second_relay_state=True)
    machine = server.machine("laser")
    assert machine["telemetry"] == {
        "uptime": 77.0,
        "wifi_signal_db": -54.0,
        "wifi_signal_percent": 92.0,
        "internal_temperature_c": 53.9,
        "amps": 3.5,
        "second_relay_state": True,
    }
    assert machine["online"] is True
    assert machine["relay"] is False


def test_an_observed_second_relay_is_never_used_in_a_decision(server: Running) -> None:
    assert server.outputs("laser", BOB, second_relay_state=True)["second_relay"] is False


def test_null_amps_count_as_none_flowing(server: Running) -> None:
    server.outputs("metal-mill", amps=None)
    assert server.machine("metal-mill")["telemetry"]["amps"] == 0.0


def test_a_reboot_ends_the_session_and_blocks_the_card(server: Running) -> None:
    assert server.outputs("metal-mill", ANN, uptime=500)["relay"] is True
    outputs = server.outputs("metal-mill", ANN, uptime=None)
    assert outputs["relay"] is False
    assert outputs["display"] == "Remove card and\ninsert it again"
    assert server.outputs("metal-mill", "", uptime=3)["relay"] is False
    assert server.outputs("metal-mill", ANN, uptime=5)["relay"] is True


def test_a_heartbeat_writes_nothing(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    # What readers say of themselves is written now and then, machine by machine: here it is no machine's turn.
    monkeypatch.setattr(server.fleet.supervisor, "_turns", itertools.repeat(SAVE_TURNS - 1))
    server.outputs("metal-mill", ANN)
    written(server.fleet)
    batches = server.fleet.journal.batches
    for number in range(20):
        server.outputs("metal-mill", ANN, uptime=2000 + number)
    assert server.fleet.journal.batches == batches


def test_a_change_of_card_is_a_change_of_session(server: Running) -> None:
    server.outputs("laser", ANN)
    outputs = server.outputs("laser", NOBODY)
    assert outputs["relay"] is False
    assert outputs["display"] == "Unknown RFID"
    assert [e["kind"] for e in server.events("?limit=3")] == [
        "session_refused",
        "session_ended",
        "session_started",
    ]


def test_a_query_and_a_foreign_content_type_do_not_matter(server: Running) -> None:
    body = {"machine_name": "metal-mill", "oops": False, "rfid_value": "", "uptime": 3}
    reply = server.post("/api/machine/update?x=%FF", body, headers={"Content-Type": "text/weird; charset=utf-7"})
    assert reply.status == 200


def test_a_new_card_after_a_gap_in_the_readers_own_reports_must_be_put_in_again(server: Running) -> None:
    server.outputs("metal-mill", uptime=1000)
    outputs = server.outputs("metal-mill", ANN, uptime=1035.5)
    assert outputs["relay"] is False
    assert outputs["display"] == "Remove card and\ninsert it again"
    assert server.outputs("metal-mill", "", uptime=1036)["relay"] is False
    assert server.outputs("metal-mill", ANN, uptime=1037)["relay"] is True
    assert server.outputs("metal-mill", ANN, uptime=1137)["relay"] is True
    [refused] = server.events("?kind=session_refused")
    assert "had not reported for a while" in refused["text"]


def test_without_report_seconds_a_gap_is_nothing_special(make_server: MakeServer) -> None:
    server = make_server(report_seconds=0.0)
    server.outputs("metal-mill", uptime=1000)
    assert server.outputs("metal-mill", ANN, uptime=2000)["relay"] is True


def test_three_quick_reboots_are_three_reboots_and_no_second_reader(server: Running) -> None:
    for _ in range(3):
        server.outputs("metal-mill", uptime=1000.5)
        server.outputs("metal-mill", uptime=None)
    assert server.outputs("metal-mill", ANN, uptime=5)["relay"] is True
    assert len(server.events("?kind=rebooted")) == 3


# firmware that says what it is

MORE: dict[str, Any] = {"firmware": "mac-reader 1.2", "boot": 71, "uptime": 1000}


def more(server: Running, fob: str = "", **fields: Any) -> dict[str, Any]:
    """Report as such firmware does, and return the answer."""
    reply = server.report("metal-mill", fob, **{**MORE, **fields})
    assert reply.status == 200, reply
    answer: dict[str, Any] = reply.json
    return answer


def test_firmware_that_says_what_it_is_learns_whether_a_machine_is_always_on(server: Running) -> None:
    keys = [*server.outputs("vent")]
    assert [*server.report("vent", **MORE).json] == [*keys, "always_on"]
    assert server.report("vent", **MORE).json["always_on"] is True
    assert more(server, ANN)["always_on"] is False
    server.delete("/api/machine/oops/vent")
    server.post("/api/machine/oops/vent")
    assert server.report("vent", **MORE).json["always_on"] is False
    assert server.report("vent").json.keys() == set(keys)
    assert server.report("vent", firmware=None, boot=71, count=3).json.keys() == set(keys)


def test_a_restart_is_seen_by_the_number_of_the_boot_whatever_the_uptime_says(server: Running) -> None:
    assert more(server, ANN)["relay"] is True
    assert more(server, ANN, uptime=None)["relay"] is True
    assert more(server, ANN, boot=2**70, uptime=5000)["relay"] is False
    assert [event["kind"] for event in server.events("?limit=1")] == ["rebooted"]


def test_an_older_count_changes_nothing(server: Running) -> None:
    assert more(server, ANN, count=7)["relay"] is True
    assert more(server, "", count=8)["relay"] is False
    before = server.machine("metal-mill")
    assert more(server, ANN, count=7, oops=True)["display"] == "Please Insert\nRFID Card"
    assert server.machine("metal-mill") == before


def test_two_boots_by_turns_are_two_readers(server: Running) -> None:
    for boot in (71, 72, 71, 72):
        more(server, boot=boot)
    assert more(server, ANN, boot=71)["relay"] is False


def test_what_such_firmware_says_counts_for_no_other(server: Running) -> None:
    assert server.outputs("metal-mill", ANN, boot=1, count=5)["relay"] is True
    assert server.outputs("metal-mill", ANN, boot=2, count=1)["relay"] is True


@pytest.mark.parametrize("field", ["boot", "count"])
@pytest.mark.parametrize("value", [1.5, "1", True, []])
def test_a_number_of_a_boot_that_is_none_is_named(idle_server: Running, field: str, value: object) -> None:
    reply = idle_server.report("metal-mill", **{**MORE, field: value})
    assert reply.status == 422
    assert reply.error.startswith(f"{field}: expected")
