"""What /metrics says of machines and of the configuration."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mac_actors import clock
from mac_actors.core.config import Configuration, Directory, MachineConfig, SecondRelay
from mac_actors.core.inputs import Lock, Oops, Report
from mac_actors.core.state import Source, Telemetry
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.storage.store import Store
from mac_actors.version import VERSION
from mac_actors.web.metrics.metrics import Metrics
from mac_actors.web.metrics.table import MACHINE, MACHINE_GAUGES, SECOND
from tests.fakes import (
    ANN,
    BOB,
    NOBODY,
    ODD_ALIAS,
    OLGA,
    report,
)
from tests.web.client import Running
from tests.web.metrics.scrape import Scrape, scrape


def test_a_machine_in_use(fleet: MachineFleet) -> None:
    since = datetime.now(UTC)
    last = since + timedelta(seconds=1)
    report(fleet, "laser", ANN, telemetry=Telemetry(1000.5, -54.0, 92.0, 53.9, 4.2, True), at=since)
    report(fleet, "laser", ANN, telemetry=Telemetry(1010.5, -55.0, 91.0, 54.0, 4.3, True), at=last)
    shown = Scrape.of(Metrics(fleet))
    found = {name: value for (name, labels), value in shown.samples.items() if ("machine_name", "laser") in labels}
    assert {dict(labels)["display_name"] for _, labels in shown.samples if ("machine_name", "laser") in labels} == {
        ODD_ALIAS
    }
    assert shown.value("machine_second_relay_state", second_relay_alias="Tube") == 1
    light = {labels: v for (n, labels), v in shown.samples.items() if n == "machine_status_led"}
    assert {dict(k)["led_attribute"]: v for k, v in light.items() if dict(k)["machine_name"] == "laser"} == {
        "red": 0,
        "green": 1,
        "blue": 0,
        "brightness": 0.5,
    }
    del found["machine_status_led"]
    assert found == {
        "machine_relay_state": 1,
        "machine_oops_state": 0,
        "machine_lockout_state": 0,
        "mac_machine_lock_pending": 0,
        "machine_override_login_state": 0,
        "machine_unauth_warn_only_state": 0,
        "machine_last_checkin_timestamp": last.timestamp(),
        "machine_last_update_timestamp": since.timestamp(),
        "machine_rfid_present": 1,
        "machine_rfid_present_since_timestamp": since.timestamp(),
        "machine_current_amps": 4.3,
        "machine_known_user": 1,
        "machine_uptime_seconds": 1010.5,
        "machine_wifi_signal_db": -55,
        "machine_wifi_signal_percent": 91,
        "machine_esp_temperature_c": 54,
        "machine_second_relay_state": 1,
        "machine_second_relay_configured": 1,
        "machine_second_relay_unauth_warn_only": 0,
        "machine_second_relay_always_enabled": 0,
        "mac_machine_online": 1,
        "mac_machine_in_use": 1,
    }


def test_what_is_not_known_of_a_machine_that_was_never_seen_is_left_out(fleet: MachineFleet) -> None:
    shown = Scrape.of(Metrics(fleet))
    found = {name for name, labels in shown.samples if ("machine_name", "router") in labels}
    always = {gauge.name for gauge in MACHINE_GAUGES if gauge.labels is not SECOND}
    assert always - found == {
        "machine_last_checkin_timestamp",
        "machine_last_update_timestamp",
        "machine_rfid_present_since_timestamp",
        "machine_current_amps",
        "machine_uptime_seconds",
        "machine_wifi_signal_db",
        "machine_wifi_signal_percent",
        "machine_esp_temperature_c",
        "mac_machine_maintenance_left_hours",  # it has none
        "mac_machine_oopsed_since_timestamp_seconds",
        "mac_machine_locked_since_timestamp_seconds",
    }
    assert shown.value("mac_machine_online", machine_name="router") == 0


def test_a_sensor_without_a_reading_is_left_out_and_not_0(fleet: MachineFleet) -> None:
    report(fleet, "router", telemetry=Telemetry(None, None, 80.0, None, 0.0, None))
    shown = Scrape.of(Metrics(fleet))
    for name in ("machine_uptime_seconds", "machine_wifi_signal_db", "machine_esp_temperature_c"):
        assert shown.value(name, machine_name="router") is None
    assert shown.value("machine_wifi_signal_percent", machine_name="router") == 80
    assert shown.value("machine_current_amps", machine_name="router") == 0


def test_an_unknown_fob_is_present_and_no_users(fleet: MachineFleet) -> None:
    report(fleet, "router", NOBODY)
    shown = Scrape.of(Metrics(fleet))
    assert shown.value("machine_rfid_present", machine_name="router") == 1
    assert shown.value("machine_known_user", machine_name="router") == 0
    assert shown.value("mac_machine_in_use", machine_name="router") == 0


def test_a_users_fob_that_was_refused_is_a_known_users(fleet: MachineFleet) -> None:
    report(fleet, "metal-mill", BOB)
    shown = Scrape.of(Metrics(fleet))
    assert shown.value("machine_known_user", machine_name="metal-mill") == 1
    assert shown.value("machine_relay_state", machine_name="metal-mill") == 0


def test_oops_and_lock_say_since_when_and_an_override_shows(fleet: MachineFleet) -> None:
    oopsed, locked = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)
    fleet.ask("metal-mill", Oops(oopsed, Source.HTTP))
    fleet.ask("metal-mill", Lock(locked, Source.HTTP))
    report(fleet, "metal-mill", OLGA)
    shown = Scrape.of(Metrics(fleet))
    mill = {"machine_name": "metal-mill"}
    assert shown.value("machine_oops_state", **mill) == shown.value("machine_lockout_state", **mill) == 1
    assert shown.value("mac_machine_oopsed_since_timestamp_seconds", **mill) == oopsed.timestamp()
    assert shown.value("mac_machine_locked_since_timestamp_seconds", **mill) == locked.timestamp()
    assert shown.value("machine_override_login_state", **mill) == shown.value("machine_relay_state", **mill) == 1
    assert shown.value("mac_machine_in_use", **mill) == 0
    statuses = shown.by("mac_machines", "status")
    assert statuses == {"idle": 4, "in_use": 0, "oopsed": 0, "locked_out": 0, "oopsed_locked_out": 1}


def test_configured_flags_show(fleet: MachineFleet) -> None:
    shown = Scrape.of(Metrics(fleet))
    assert shown.by("machine_unauth_warn_only_state", "machine_name")["bandsaw"] == 1
    assert shown.by("machine_second_relay_configured", "machine_name") == {"laser": 1, "bandsaw": 1, "vent": 1}
    assert shown.by("machine_second_relay_unauth_warn_only", "machine_name") == {"laser": 0, "bandsaw": 1, "vent": 0}
    assert shown.by("machine_second_relay_always_enabled", "machine_name") == {"laser": 0, "bandsaw": 0, "vent": 1}
    assert shown.by("machine_relay_state", "machine_name")["vent"] == 1


def test_a_reader_that_is_silent_is_offline_and_keeps_what_it_last_said(fleet: MachineFleet) -> None:
    fleet.report("router", Report(datetime(2026, 1, 1, tzinfo=UTC), telemetry=Telemetry(7.0)), clock.seconds())
    shown = Scrape.of(Metrics(fleet))
    assert shown.value("mac_machine_online", machine_name="router") == 0
    assert shown.value("machine_uptime_seconds", machine_name="router") == 7


def test_a_shop_of_many_machines_is_told_whole() -> None:
    machines = {f"m{number}": MachineConfig(f"m{number}") for number in range(45)}
    with MachineFleet(Configuration(machines, Directory(), datetime.now(UTC)), Store.open(None)) as fleet:
        assert list(Scrape.of(Metrics(fleet)).by("machine_relay_state", "machine_name")) == list(machines)


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=2, max_size=2))
def test_any_alias_can_be_read_back(aliases: list[str]) -> None:
    machine = MachineConfig("mill", alias=aliases[0], second_relay=SecondRelay(frozenset({"x"}), alias=aliases[1]))
    configuration = Configuration({"mill": machine}, Directory(), datetime.now(UTC))
    with MachineFleet(configuration, Store.open(None)) as fleet:
        body, _ = Metrics(fleet).scrape("application/openmetrics-text")
        for shown in (Scrape.of(Metrics(fleet)), Scrape(body, openmetrics=True)):
            labels = next(dict(labels) for name, labels in shown.samples if name == "machine_second_relay_state")
            assert labels == dict(zip(SECOND, ("mill", *aliases), strict=True))


def test_an_alias_that_is_not_unicode_does_not_stop_the_scrape() -> None:
    configuration = Configuration({"mill": MachineConfig("mill", alias="a\ud800b")}, Directory(), datetime.now(UTC))
    with MachineFleet(configuration, Store.open(None)) as fleet:
        assert Scrape.of(Metrics(fleet)).by("machine_relay_state", "display_name") == {"a?b": 0}


def test_a_machine_that_is_removed_is_gone(server: Running) -> None:
    server.machines.write_text('{"router": {"authorizations_or": ["mill"]}}')
    assert server.post("/api/reload").status == 200
    assert set(scrape(server).by("machine_relay_state", "machine_name")) == {"router"}


def test_users_fobs_and_when_the_files_were_read(server: Running) -> None:
    before = scrape(server)
    assert (before.value("user_count"), before.value("fob_count")) == (4, 4)
    assert before.value("user_config_file_mtime") == pytest.approx(server.users.stat().st_mtime, abs=0.001)
    assert before.value("app_start_timestamp") == server.fleet.started_at.timestamp()
    assert before.value("mac_build_info", version=VERSION) == 1
    assert server.post("/api/reload-users").status == 200
    users = scrape(server)
    assert users.value("machine_config_load_timestamp") == before.value("machine_config_load_timestamp")
    assert users.value("user_config_load_timestamp") > before.value("user_config_load_timestamp")  # type: ignore[operator]
    assert server.post("/api/reload").status == 200
    both = scrape(server)
    assert both.value("machine_config_load_timestamp") == both.value("user_config_load_timestamp")
    assert both.value("user_config_load_timestamp") > users.value("user_config_load_timestamp")  # type: ignore[operator]


def test_users_that_come_from_no_file_have_no_time_of_one(fleet: MachineFleet) -> None:
    assert fleet.configuration.users_mtime is None
    assert Scrape.of(Metrics(fleet)).value("user_config_file_mtime") is None


def test_a_gauge_of_each_machine_says_which_machine() -> None:
    assert all(gauge.labels[:2] == MACHINE for gauge in MACHINE_GAUGES)
