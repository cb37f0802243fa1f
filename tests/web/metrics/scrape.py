"""A scrape, read back with prometheus-client's own parsers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from mac_actors.web.metrics.metrics import Metrics
from tests.web.client import Running

FIELD_NAMES = [
    "machine_relay_state",
    "machine_oops_state",
    "machine_lockout_state",
    "machine_override_login_state",
    "machine_unauth_warn_only_state",
    "machine_last_checkin_timestamp",
    "machine_last_update_timestamp",
    "machine_rfid_present",
    "machine_rfid_present_since_timestamp",
    "machine_current_amps",
    "machine_known_user",
    "machine_uptime_seconds",
    "machine_wifi_signal_db",
    "machine_wifi_signal_percent",
    "machine_esp_temperature_c",
    "machine_status_led",
    "machine_second_relay_state",
    "machine_second_relay_configured",
    "machine_second_relay_unauth_warn_only",
    "machine_second_relay_always_enabled",
    "machine_config_load_timestamp",
    "user_config_load_timestamp",
    "user_config_file_mtime",
    "app_start_timestamp",
    "user_count",
    "fob_count",
]
"""What dashboards in the field ask for."""


class Scrape:
    """What was said at one moment."""

    def __init__(self, body: bytes, *, openmetrics: bool = False) -> None:
        self.text = body.decode()
        read = read_openmetrics if openmetrics else read_text
        self.families: dict[str, Metric] = {}
        for family in read(self.text):
            assert family.name not in self.families, f"{family.name} is there twice"
            self.families[family.name] = family
        samples = [sample for family in self.families.values() for sample in family.samples]
        self.samples = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}
        assert len(self.samples) == len(samples), "a sample is there twice"

    @classmethod
    def of(cls, metrics: Metrics) -> Scrape:
        """Scrape without a server."""
        return cls(metrics.scrape()[0])

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of the sample with these labels and perhaps others; ``None`` if there is none."""
        found = [value for (n, all_labels), value in self.samples.items() if n == name and labels.items() <= all_labels]
        assert len(found) <= 1, found
        return found[0] if found else None

    def by(self, name: str, label: str) -> dict[str, float]:
        """Return the values of all samples of this name, by one of their labels."""
        return {dict(labels)[label]: value for (n, labels), value in self.samples.items() if n == name}

    def labels(self, names: Iterable[str]) -> dict[str, set[str]]:
        """Return which labels the samples of these names have."""
        return {
            wanted: {label for (name, labels) in self.samples if name == wanted for label, _ in labels}
            for wanted in names
        }


def scrape(server: Running, **options: Any) -> Scrape:
    """Scrape a server."""
    reply = server.get("/metrics", **options)
    assert reply.status == 200, reply
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Scrape(reply.body)
