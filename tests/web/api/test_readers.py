"""The readers' endpoint: ``POST /api/machine/update``."""

from __future__ import annotations

import pytest

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


def test_a_heartbeat_writes_nothing(server: Running) -> None:
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
