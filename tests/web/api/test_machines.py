"""The machines, as everybody may read them."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from tests.fakes import ANN, ODD_ALIAS, OLGA
from tests.web.client import Running

MACHINE_KEYS = {
    "name",
    "alias",
    "display_name",
    "status",
    "status_since",
    "online",
    "relay",
    "second_relay",
    "oops",
    "lock",
    "session",
    "telemetry",
    "last_checkin",
    "last_update",
}


def test_machines_are_listed_in_the_order_of_the_file(shared_server: Running) -> None:
    machines = shared_server.get("/api/machines").json["machines"]
    assert [machine["name"] for machine in machines] == ["metal-mill", "laser", "bandsaw", "vent", "router"]
    assert [machine["display_name"] for machine in machines][:2] == ["Metal Mill", ODD_ALIAS]
    assert all(set(machine) == MACHINE_KEYS for machine in machines)


def test_a_machine_that_was_never_seen(server: Running) -> None:
    machine = server.machine("metal-mill")
    assert machine == {
        "name": "metal-mill",
        "alias": "Metal Mill",
        "display_name": "Metal Mill",
        "status": "idle",
        "status_since": machine["status_since"],
        "online": False,
        "relay": False,
        "second_relay": False,
        "oops": None,
        "lock": None,
        "session": None,
        "telemetry": {
            "uptime": None,
            "wifi_signal_db": None,
            "wifi_signal_percent": None,
            "internal_temperature_c": None,
            "amps": 0.0,
            "second_relay_state": None,
        },
        "last_checkin": None,
        "last_update": None,
    }


def test_a_machine_in_use(server: Running) -> None:
    before = datetime.now(UTC)
    server.outputs("laser", ANN)
    machine = server.machine("laser")
    assert machine["status"] == "in_use"
    assert (machine["relay"], machine["second_relay"], machine["online"]) == (True, True, True)
    assert machine["session"] == {"since": machine["status_since"], "kind": "authorized", "user": None}
    for moment in (machine["status_since"], machine["last_checkin"], machine["last_update"]):
        assert moment.endswith("Z")
        assert before <= datetime.fromisoformat(moment) <= datetime.now(UTC)


def test_a_heartbeat_moves_the_checkin_and_not_the_update(server: Running) -> None:
    server.outputs("laser", ANN)
    first = server.machine("laser")
    server.outputs("laser", ANN, uptime=1010)
    second = server.machine("laser")
    assert second["last_checkin"] > first["last_checkin"]
    assert second["last_update"] == first["last_update"]


def test_a_running_always_enabled_machine_is_idle(shared_server: Running) -> None:
    machine = shared_server.machine("vent")
    assert (machine["status"], machine["relay"], machine["second_relay"]) == ("idle", True, True)


def test_a_machine_under_override_is_not_in_use(server: Running) -> None:
    server.post("/api/machine/oops/laser")
    server.post("/api/machine/locked_out/laser")
    server.outputs("laser", OLGA)
    machine = server.machine("laser")
    assert (machine["status"], machine["relay"]) == ("oopsed_locked_out", True)
    assert machine["session"]["kind"] == "override"


@pytest.mark.parametrize("called", ["nope", "", " ", "%FF", "%00", "a/b", "laser/", "laser/nothing"])
def test_a_machine_that_is_not_there_is_a_404(shared_server: Running, called: str) -> None:
    reply = shared_server.get(f"/api/machines/{quote(called, safe='%/')}")
    assert reply.status == 404
    assert reply.error
